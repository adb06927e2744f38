/*
 * server.c
 *	  The HTTP server of "./dev bench --pages", "--stream" and "--fanout".
 *
 * It does as little as can be between the client and the bytes, so that it is
 * not what is measured: one thread, epoll, connections that are kept, bodies
 * made from one item's text while they are sent.
 *
 *	  GET /page?offset=0&limit=100&total=100000&delay=20
 *		  {"total": ..., "data": [...]}, after so many milliseconds
 *	  GET /child/17?delay=5
 *		  [{...}], after so many milliseconds
 *	  GET /array?bytes=2000000&tail=1000
 *		  an array of at least so many bytes, in chunks (RFC 9112, 7.1); its
 *		  closing bracket comes so many milliseconds after the rest
 *
 * It listens on a free port of loopback, writes the port to the file that is
 * its argument, and ends when its standard input does, or after an hour.  It
 * understands as much of HTTP/1.1 as libcurl's GET without a body needs.
 */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SECONDS 3600
#define MAX_CONNECTIONS 128
#define MAX_REQUEST 8192
#define MAX_DELAY_MS 60000
#define MAX_ITEMS 500			/* of a page, or of a chunk */
#define CHUNK_ITEMS 64			/* some 25 kB */
#define BUFFER_SIZE (MAX_ITEMS * ITEM_SIZE + 1024)

/* All items have the same length: only the digits of the id differ. */
#define FIRST_ID INT64_C(1000000001)
#define ID_DIGITS 10
#define ITEM_HEAD "{\"id\":"
#define ITEM_TAIL \
	",\"customer_id\":4711,\"name\":\"A customer with a name of usual length\",\"email\":\"somebody@mail.example.com\"," \
	"\"status\":\"shipped\",\"total\":1234.56,\"quantity\":17,\"active\":true," \
	"\"attributes\":{\"color\":\"green\",\"dimensions\":[10,20,30]}," \
	"\"note\":\"Some words that a person has written about this order, none of which matters\"," \
	"\"created_at\":\"2024-03-01T12:34:56Z\",\"updated_at\":\"2024-03-02T12:34:56Z\"}"
#define ITEM_SIZE (sizeof(ITEM_HEAD) - 1 + ID_DIGITS + sizeof(ITEM_TAIL) - 1 + 1)	/* with a comma */

typedef enum State
{
	READING,					/* the request */
	WAITING,					/* until due */
	WRITING
} State;

typedef struct Connection
{
	int			fd;				/* -1: free */
	State		state;
	char		request[MAX_REQUEST];
	size_t		request_len;
	int64_t		due;			/* milliseconds of the monotonic clock */
	char	   *buffer;			/* BUFFER_SIZE */
	size_t		length;
	size_t		sent;

	/* of an array that is being streamed */
	bool		streaming;
	int64_t		bytes_left;
	int64_t		next_id;
	int64_t		tail;			/* the delay before the bracket; -1: it has been sent */
} Connection;

static int	listen_on_loopback(const char *port_file);
static void loop(int listener);
static void accept_connection(int listener);
static void read_request(Connection *c);
static void answer(Connection *c);
static int64_t parameter(const char *target, const char *name, int64_t missing, int64_t max);
static void make_page(Connection *c, const char *target);
static void make_child(Connection *c, const char *target);
static void begin_array(Connection *c, const char *target);
static void refuse(Connection *c);
static void put_head(Connection *c, const char *status, int64_t length);
static void put_items(Connection *c, int64_t id, int64_t count);
static void put_chunk(Connection *c, const char *data);
static void fill(Connection *c);
static void wait_until(Connection *c, int64_t delay);
static void send_bytes(Connection *c);
static void go_on(Connection *c);
static void close_connection(Connection *c);
static void watch(int operation, int fd, uint32_t events, void *what);
static int64_t now_ms(void);
static void die(const char *what);

static int	epoll;
static Connection connections[MAX_CONNECTIONS];

int
main(int argc, char **argv)
{
	int			listener;

	if (argc != 2)
	{
		fprintf(stderr, "usage: server PORT_FILE <pipe\n");
		return 2;
	}
	alarm(MAX_SECONDS);
	(void) signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		connections[i].fd = -1;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("epoll_create1");
	listener = listen_on_loopback(argv[1]);
	loop(listener);
	return 0;
}

static int
listen_on_loopback(const char *port_file)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t	len = sizeof(address);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	FILE	   *file;

	if (fd < 0 || bind(fd, (struct sockaddr *) &address, len) != 0 || listen(fd, MAX_CONNECTIONS) != 0 ||
		getsockname(fd, (struct sockaddr *) &address, &len) != 0)
		die("listen");
	file = fopen(port_file, "w");
	if (file == NULL || fprintf(file, "%d\n", ntohs(address.sin_port)) < 0 || fclose(file) != 0)
		die(port_file);
	return fd;
}

/* Until standard input ends. */
static void
loop(int listener)
{
	static char listens;
	static char input;

	watch(EPOLL_CTL_ADD, listener, EPOLLIN, &listens);
	watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, &input);
	for (;;)
	{
		struct epoll_event events[MAX_CONNECTIONS];
		int64_t		now = now_ms();
		int64_t		wait = -1;
		int			count;

		for (int i = 0; i < MAX_CONNECTIONS; i++)
		{
			Connection *c = &connections[i];

			if (c->fd < 0 || c->state != WAITING)
				continue;
			if (c->due <= now)
				go_on(c);
			else if (wait < 0 || c->due - now < wait)
				wait = c->due - now;
		}
		count = epoll_wait(epoll, events, MAX_CONNECTIONS, (int) wait);
		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < count; i++)
		{
			Connection *c = events[i].data.ptr;
			char		ignored[64];

			if (events[i].data.ptr == &listens)
				accept_connection(listener);
			else if (events[i].data.ptr == &input)
			{
				if (read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0)
					return;
			}
			else if (c->fd < 0)
				continue;
			else if (c->state == WRITING)
				send_bytes(c);
			else if (c->state == READING)
				read_request(c);
			else				/* it hung up while it was to wait */
				close_connection(c);
		}
	}
}

static void
accept_connection(int listener)
{
	int			fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int			one = 1;

	if (fd < 0)
		return;
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (int i = 0; i < MAX_CONNECTIONS; i++)
	{
		Connection *c = &connections[i];

		if (c->fd >= 0)
			continue;
		if (c->buffer == NULL)
			c->buffer = malloc(BUFFER_SIZE);
		if (c->buffer == NULL)
			die("malloc");
		c->fd = fd;
		c->state = READING;
		c->request_len = 0;
		watch(EPOLL_CTL_ADD, fd, EPOLLIN, c);
		return;
	}
	close(fd);
}

static void
read_request(Connection *c)
{
	ssize_t		got = read(c->fd, c->request + c->request_len, MAX_REQUEST - 1 - c->request_len);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0)
	{
		close_connection(c);
		return;
	}
	c->request_len += got;
	c->request[c->request_len] = '\0';
	if (strstr(c->request, "\r\n\r\n") != NULL)
		answer(c);
	else if (c->request_len == MAX_REQUEST - 1)
		close_connection(c);
}

/* The request is whole.  Nothing follows it: a client that waits for its answer sends none before. */
static void
answer(Connection *c)
{
	char	   *target = c->request + strlen("GET ");

	c->request_len = 0;
	c->length = 0;
	c->sent = 0;
	c->streaming = false;
	if (strncmp(c->request, "GET ", 4) != 0)
		refuse(c);
	else
	{
		target[strcspn(target, " \r\n")] = '\0';
		if (strncmp(target, "/page?", 6) == 0)
			make_page(c, target);
		else if (strncmp(target, "/child/", 7) == 0)
			make_child(c, target);
		else if (strncmp(target, "/array?", 7) == 0)
			begin_array(c, target);
		else
			refuse(c);
	}
	wait_until(c, c->streaming ? 0 : parameter(target, "delay", 0, MAX_DELAY_MS));
}

/* A number of the query, from 0 to max. */
static int64_t
parameter(const char *target, const char *name, int64_t missing, int64_t max)
{
	size_t		len = strlen(name);

	for (const char *p = strchr(target, '?'); p != NULL; p = strchr(p, '&'))
	{
		p++;
		if (strncmp(p, name, len) == 0 && p[len] == '=')
		{
			int64_t		value = strtoll(p + len + 1, NULL, 10);

			if (value < 0)
				return 0;
			return value < max ? value : max;
		}
	}
	return missing;
}

static void
make_page(Connection *c, const char *target)
{
	int64_t		total = parameter(target, "total", 0, INT32_MAX);
	int64_t		offset = parameter(target, "offset", 0, total);
	int64_t		limit = parameter(target, "limit", 100, MAX_ITEMS);
	int64_t		count = limit < total - offset ? limit : total - offset;
	char		head[64];
	int			head_len = snprintf(head, sizeof(head), "{\"total\":%" PRId64 ",\"data\":[", total);

	put_head(c, "200 OK", head_len + (count > 0 ? count * (int64_t) ITEM_SIZE - 1 : 0) + 2);
	memcpy(c->buffer + c->length, head, head_len);
	c->length += head_len;
	put_items(c, FIRST_ID + offset, count);
	memcpy(c->buffer + c->length, "]}", 2);
	c->length += 2;
}

static void
make_child(Connection *c, const char *target)
{
	put_head(c, "200 OK", ITEM_SIZE - 1 + 2);
	c->buffer[c->length++] = '[';
	put_items(c, FIRST_ID + strtoll(target + strlen("/child/"), NULL, 10) % FIRST_ID, 1);
	c->buffer[c->length++] = ']';
}

static void
begin_array(Connection *c, const char *target)
{
	c->streaming = true;
	c->bytes_left = parameter(target, "bytes", 0, INT64_C(1) << 40);
	c->tail = parameter(target, "tail", 0, MAX_DELAY_MS);
	c->next_id = FIRST_ID;
	put_head(c, "200 OK", -1);
	put_chunk(c, "[");
}

static void
refuse(Connection *c)
{
	put_head(c, "404 Not Found", 0);
}

/* length: of the body in bytes; -1: it comes in chunks. */
static void
put_head(Connection *c, const char *status, int64_t length)
{
	c->length = snprintf(c->buffer, BUFFER_SIZE, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n", status);
	if (length < 0)
		c->length += snprintf(c->buffer + c->length, BUFFER_SIZE - c->length, "Transfer-Encoding: chunked\r\n\r\n");
	else
		c->length += snprintf(c->buffer + c->length, BUFFER_SIZE - c->length, "Content-Length: %" PRId64 "\r\n\r\n", length);
}

/* Items with commas between them. */
static void
put_items(Connection *c, int64_t id, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
	{
		char	   *p = c->buffer + c->length;
		int64_t		digits = id + i;

		memcpy(p, ITEM_HEAD, sizeof(ITEM_HEAD) - 1);
		p += sizeof(ITEM_HEAD) - 1;
		for (int j = ID_DIGITS - 1; j >= 0; j--, digits /= 10)
			p[j] = (char) ('0' + digits % 10);
		memcpy(p + ID_DIGITS, ITEM_TAIL, sizeof(ITEM_TAIL) - 1);
		c->length += ITEM_SIZE - 1;
		if (i + 1 < count)
			c->buffer[c->length++] = ',';
	}
}

static void
put_chunk(Connection *c, const char *data)
{
	c->length += snprintf(c->buffer + c->length, BUFFER_SIZE - c->length, "%zx\r\n%s\r\n", strlen(data), data);
}

/* The next piece of an array; the buffer is empty. */
static void
fill(Connection *c)
{
	c->length = 0;
	c->sent = 0;
	if (c->bytes_left > 0)
	{
		bool		first = c->next_id == FIRST_ID;
		int64_t		wanted = (c->bytes_left + (int64_t) ITEM_SIZE - 1) / (int64_t) ITEM_SIZE;
		int64_t		count = wanted < CHUNK_ITEMS ? wanted : CHUNK_ITEMS;
		size_t		size = count * ITEM_SIZE - (first ? 1 : 0);

		c->length = snprintf(c->buffer, BUFFER_SIZE, "%zx\r\n", size);
		if (!first)
			c->buffer[c->length++] = ',';
		put_items(c, c->next_id, count);
		memcpy(c->buffer + c->length, "\r\n", 2);
		c->length += 2;
		c->next_id += count;
		c->bytes_left -= count * (int64_t) ITEM_SIZE;
	}
	else if (c->tail > 0)
	{
		wait_until(c, c->tail);
		c->tail = 0;
	}
	else
	{
		put_chunk(c, "]");
		put_chunk(c, "");		/* the last chunk, and no trailers */
		c->streaming = false;
	}
}

/* Sends what is in the buffer after so many milliseconds. */
static void
wait_until(Connection *c, int64_t delay)
{
	c->due = now_ms() + delay;
	c->state = WAITING;
	watch(EPOLL_CTL_MOD, c->fd, EPOLLRDHUP, c);
	if (delay == 0)
		go_on(c);
}

static void
go_on(Connection *c)
{
	c->state = WRITING;
	watch(EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
}

static void
send_bytes(Connection *c)
{
	while (c->sent < c->length)
	{
		ssize_t		sent = send(c->fd, c->buffer + c->sent, c->length - c->sent, 0);

		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (sent <= 0)
		{
			close_connection(c);
			return;
		}
		c->sent += sent;
	}
	if (c->streaming)
		fill(c);				/* and back to the loop: others have their turn */
	else
	{
		c->state = READING;
		watch(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
	}
}

static void
close_connection(Connection *c)
{
	close(c->fd);				/* which also ends that it is watched */
	c->fd = -1;
}

static void
watch(int operation, int fd, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events, .data.ptr = what};

	if (epoll_ctl(epoll, operation, fd, &event) != 0)
		die("epoll_ctl");
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
die(const char *what)
{
	perror(what);
	exit(1);
}
