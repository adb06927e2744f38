/*
 * webhook_client.c
 *	  The sender of "./dev bench --webhooks".
 *
 *	  webhook_client PORT FILE CONNECTIONS [RATE [CONNINFO]]
 *
 * FILE has whole requests, each behind a line with its length; the first is of id 0, and so on.  Connections to loopback are kept.
 * RATE 0: each connection sends the next request when it has its answer.  Else so many requests become due in a second, whatever the
 * server does, and their latency counts from then, so that one that had to wait for a connection shows.
 *
 * With CONNINFO it also listens at channel "seen", where a trigger of the destination says which ids are in the table: a notification
 * comes when its transaction is visible.  Told is how long that is after the answer.
 *
 * It does as little as can be, so that it is not what is measured: one thread, epoll, requests that were made before.  Its share of a
 * core is told with the rest.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 1000
#define MAX_ANSWER		4096
#define MAX_SECONDS		300

typedef struct Request
{
	const char *text;
	size_t		len;
	double		due;			/* seconds of the clock; 0: not yet */
	double		answered;
	double		seen;
} Request;

typedef struct Connection
{
	int			socket;
	int			request;		/* -1: none */
	char		answer[MAX_ANSWER];
	size_t		len;
} Connection;

static Request *requests;
static int	nrequests;
static int	nsent;
static int	nanswered;
static int	nseen;
static int	nright;				/* answered with 200 */
static Connection connections[MAX_CONNECTIONS];
static double first_due;
static double rate;

static void read_requests(const char *path);
static int	connect_to(int port);
static void send_next(Connection *connection);
static void take_answer(Connection *connection);
static bool answer_is_complete(const Connection *connection, int *status);
static void take_notifications(PGconn *session);
static PGconn *listen_for_rows(const char *conninfo);
static int	wait_ms(void);
static void tell(double seconds);
static void tell_percentiles(const char *what, double *values, int n);
static int	compare(const void *a, const void *b);
static double now(void);
static void fail(const char *what);

int
main(int argc, char **argv)
{
	int			n = argc > 3 ? atoi(argv[3]) : 0;
	PGconn	   *session = NULL;
	int			poll = epoll_create1(0);
	double		start;

	if (n < 1 || n > MAX_CONNECTIONS)
		fail("usage: webhook_client PORT FILE CONNECTIONS [RATE [CONNINFO]]");
	read_requests(argv[2]);
	rate = argc > 4 ? atof(argv[4]) : 0;
	if (argc > 5)
		session = listen_for_rows(argv[5]);
	for (int i = 0; i < n; i++)
	{
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &connections[i]};

		connections[i].socket = connect_to(atoi(argv[1]));
		connections[i].request = -1;
		epoll_ctl(poll, EPOLL_CTL_ADD, connections[i].socket, &event);
	}
	if (session != NULL)
	{
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

		epoll_ctl(poll, EPOLL_CTL_ADD, PQsocket(session), &event);
	}

	start = first_due = now();
	while (nanswered < nrequests || (session != NULL && nseen < nrequests))
	{
		struct epoll_event events[MAX_CONNECTIONS];
		int			ready;

		for (int i = 0; i < n; i++)
		{
			if (connections[i].request < 0)
				send_next(&connections[i]);
		}
		ready = epoll_wait(poll, events, MAX_CONNECTIONS, wait_ms());
		for (int i = 0; i < ready; i++)
		{
			if (events[i].data.ptr != NULL)
				take_answer(events[i].data.ptr);
			else
				take_notifications(session);
		}
		if (now() - start > MAX_SECONDS)
			fail("not all was answered and seen in time");
	}
	tell(now() - start);
	return nright == nrequests ? 0 : 1;
}

static void
read_requests(const char *path)
{
	int			fd = open(path, O_RDONLY);
	struct stat st;
	char	   *file;
	int			room = 0;

	if (fd < 0 || fstat(fd, &st) != 0 ||
		(file = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0)) == MAP_FAILED)
		fail(path);
	for (char *p = file; p < file + st.st_size;)
	{
		size_t		len = strtoul(p, &p, 10);

		if (nrequests == room)
			requests = realloc(requests, sizeof(Request) * (room = 2 * room + 1000));
		requests[nrequests++] = (Request){.text = p + 1, .len = len};
		p += 1 + len;
	}
}

static int
connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int			fd = socket(AF_INET, SOCK_STREAM, 0);
	int			one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *) &address, sizeof(address)) != 0)
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* The next request, if one is left and due. */
static void
send_next(Connection *connection)
{
	double		due = rate > 0 ? first_due + nsent / rate : now();
	Request    *request;

	if (nsent == nrequests || (rate > 0 && due > now()))
		return;
	request = &requests[nsent];
	request->due = due;
	connection->request = nsent++;
	connection->len = 0;
	if (send(connection->socket, request->text, request->len, MSG_NOSIGNAL) != (ssize_t) request->len)
		fail("send");
}

static void
take_answer(Connection *connection)
{
	ssize_t		n = recv(connection->socket, connection->answer + connection->len, MAX_ANSWER - 1 - connection->len, 0);
	int			status;

	if (n <= 0)
		fail("a connection was closed");
	connection->len += n;
	connection->answer[connection->len] = '\0';
	if (!answer_is_complete(connection, &status))
		return;
	requests[connection->request].answered = now();
	connection->request = -1;
	nanswered++;
	nright += status == 200;
}

static bool
answer_is_complete(const Connection *connection, int *status)
{
	const char *end = strstr(connection->answer, "\r\n\r\n");
	const char *length = strcasestr(connection->answer, "content-length:");

	*status = connection->len > 12 ? atoi(connection->answer + 9) : 0;
	return end != NULL && length != NULL && connection->answer + connection->len >= end + 4 + atoi(length + 15);
}

static PGconn *
listen_for_rows(const char *conninfo)
{
	PGconn	   *session = PQconnectdb(conninfo);
	PGresult   *result = PQexec(session, "LISTEN seen");

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fail(PQerrorMessage(session));
	PQclear(result);
	return session;
}

static void
take_notifications(PGconn *session)
{
	PGnotify   *notice;
	double		time = now();

	if (!PQconsumeInput(session))
		fail(PQerrorMessage(session));
	while ((notice = PQnotifies(session)) != NULL)
	{
		int			id = atoi(notice->extra);

		if (id >= 0 && id < nrequests && requests[id].seen == 0)
		{
			requests[id].seen = time;
			nseen++;
		}
		PQfreemem(notice);
	}
}

/* Until the next request is due, as far as that is known. */
static int
wait_ms(void)
{
	double		left = nsent < nrequests && rate > 0 ? first_due + nsent / rate - now() : 1;

	return left <= 0 ? 1 : (int) (left * 1000) + 1;
}

static void
tell(double seconds)
{
	double	   *latency = malloc(sizeof(double) * nrequests);
	struct rusage usage;
	double		used;

	getrusage(RUSAGE_SELF, &usage);
	used = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	printf("seconds=%.2f rate=%.0f right=%d wrong=%d client_core=%.2f", seconds, nanswered / seconds, nright, nanswered - nright, used / seconds);
	for (int i = 0; i < nrequests; i++)
		latency[i] = requests[i].answered - requests[i].due;
	tell_percentiles("answer", latency, nrequests);
	for (int i = 0; i < nrequests; i++)
		latency[i] = requests[i].seen - requests[i].answered;
	if (nseen > 0)
		tell_percentiles("visible", latency, nrequests);
	printf("\n");
}

/* In milliseconds. */
static void
tell_percentiles(const char *what, double *values, int n)
{
	qsort(values, n, sizeof(double), compare);
	printf(" %s_p50=%.2f %s_p95=%.2f %s_p99=%.2f %s_max=%.2f", what, values[n / 2] * 1e3, what, values[(int) (n * 0.95)] * 1e3,
		   what, values[(int) (n * 0.99)] * 1e3, what, values[n - 1] * 1e3);
}

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void
fail(const char *what)
{
	fprintf(stderr, "webhook_client: %s\n", what);
	exit(2);
}
