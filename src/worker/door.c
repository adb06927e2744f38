/*
 * door.c
 *	  An HTTP server for the loop of a worker: requests come out, answers go in.
 *
 * libmicrohttpd does the protocol, without a thread of its own: it has one epoll
 * descriptor, and calls the functions below from door_run.  A request whose last byte has come is
 * suspended and put into a queue, so the connections' other ends may be as slow
 * as they like, and it is resumed with its answer.
 *
 * What a stranger may hold of us is bounded: connections (MAX_VISITORS, and half of
 * the files that the process may open: PostgreSQL needs some, too), the bytes of a head (32 kB), of a body and of all
 * bodies together, and time: SILENCE_SECONDS without a byte, REQUEST_SECONDS from the first to the last.  A body
 * that says beforehand that it is too large is answered before it comes; one that turns out to be is answered in its middle,
 * and its rest is read for a while and thrown away, for a sender that still sends would not see the answer.
 *
 * Everything a connection has is in a Visitor, made when it is accepted and freed when it is closed.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/ilist.h"
#include "worker/door.h"
#include "worker/receive.h"

#define MAX_VISITORS	1000
#define HEAD_BYTES		(32 * 1024)
#define MAX_ALL_BODIES	(128 * 1024 * 1024)
#define MAX_DISCARDED	(32 * 1024 * 1024)
#define SILENCE_SECONDS 30
#define REQUEST_SECONDS 60
#define BACKLOG			511

typedef struct Visitor
{
	DoorRequest request;		/* first: a request is its visitor */
	Door	   *door;
	struct MHD_Connection *connection;
	dlist_node	node;			/* in door->visitors */
	dlist_node	turn;			/* in door->complete */
	time_t		since;			/* it came, or was last answered */
	bool		is_waiting;		/* complete and suspended: in the queue, or taken from it */
	bool		is_cut_off;
	int			refusal;		/* a status that was the answer before all had come; 0: none */
	size_t		discarded;		/* bytes that have come after it */
	char		client[INET6_ADDRSTRLEN];

	char	   *url;			/* of this request */
	MessageHeader headers[DOOR_MAX_HEADERS];
	char	   *body;
	size_t		room;
	struct MHD_Response *answer;	/* NULL: none yet */
	int			status;
} Visitor;

struct Door
{
	struct MHD_Daemon *daemon;
	int			descriptor;
	dlist_head	visitors;
	dlist_head	complete;		/* requests that nobody has taken yet */
	size_t		held;			/* bytes of bodies */
	unsigned int most;			/* connections */
};

static bool is_crowded(const Door *door);
static unsigned int connections(const Door *door);
static unsigned int max_visitors(void);
static int	listen_at(const char *address, char **why);
static bool split_address(const char *address, char **host, char **port);
static void come(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code);
static void *begin_request(void *arg, const char *url, struct MHD_Connection *connection);
static enum MHD_Result take(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
							const char *version, const char *data, size_t *len, void **context);
static enum MHD_Result take_head(Visitor *visitor, const char *method, const char *version);
static enum MHD_Result take_body(Visitor *visitor, const char *data, size_t len);
static enum MHD_Result turn_away(Visitor *visitor, int status);
static enum MHD_Result discard(Visitor *visitor, size_t len);
static enum MHD_Result send_answer(Visitor *visitor);
static enum MHD_Result add_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value);
static void end_request(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code);
static void forget_request(Visitor *visitor);
static void forget_body(Visitor *visitor);
static Visitor *visitor_of(struct MHD_Connection *connection);
static void name_client(Visitor *visitor);
static void cut_off_the_slow(Door *door);
static struct MHD_Response *make_answer(const DoorAnswer *answer);

Door *
door_open(const char *address, char **why)
{
	int			listener = listen_at(address, why);
	Door	   *door;

	if (listener < 0)
		return NULL;
	door = calloc(1, sizeof(Door));
	if (door != NULL)
	{
		dlist_init(&door->visitors);
		dlist_init(&door->complete);
		door->most = max_visitors();
		door->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, take, door,
										MHD_OPTION_LISTEN_SOCKET, listener,
										MHD_OPTION_CONNECTION_LIMIT, door->most,
										MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_SECONDS,
										MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) HEAD_BYTES,
										MHD_OPTION_NOTIFY_CONNECTION, come, door,
										MHD_OPTION_URI_LOG_CALLBACK, begin_request, door,
										MHD_OPTION_NOTIFY_COMPLETED, end_request, door,
										MHD_OPTION_END);
	}
	if (door == NULL || door->daemon == NULL)
	{
		*why = pstrdup("the HTTP server could not be started");
		close(listener);
		free(door);
		return NULL;
	}
	door->descriptor = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	return door;
}

int
door_descriptor(const Door *door)
{
	return door->descriptor;
}

long
door_timeout(Door *door)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	return MHD_get_timeout(door->daemon, &timeout) == MHD_YES ? (long) Min(timeout, 60 * 1000) : -1;
}

/*
 * Where it has as many connections as it may (or as the process may open files), libmicrohttpd does not listen, and
 * begins to do so again in the first run after some have gone: none of the socket's events would tell of that.
 */
void
door_run(Door *door)
{
	unsigned int before;

	cut_off_the_slow(door);
	do
	{
		before = connections(door);
		(void) MHD_run(door->daemon);
	} while (connections(door) < before);
}

DoorRequest *
door_next(Door *door)
{
	Visitor    *visitor;

	if (dlist_is_empty(&door->complete))
		return NULL;
	visitor = dlist_container(Visitor, turn, dlist_pop_head_node(&door->complete));
	visitor->turn.next = NULL;
	return &visitor->request;
}

void
door_answer(Door *door, DoorRequest *request, const DoorAnswer *answer)
{
	Visitor    *visitor = (Visitor *) request;

	visitor->answer = make_answer(answer);
	visitor->is_cut_off = visitor->answer == NULL;
	visitor->status = answer->status;
	visitor->is_waiting = false;
	if (visitor->answer != NULL && is_crowded(door))
		(void) MHD_add_response_header(visitor->answer, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_resume_connection(visitor->connection); /* take is called once more */
}

/* libmicrohttpd takes no suspended connection along. */
void
door_close(Door *door)
{
	dlist_iter	iter;

	dlist_foreach(iter, &door->visitors)
	{
		Visitor    *visitor = dlist_container(Visitor, node, iter.cur);

		if (visitor->is_waiting)
		{
			visitor->is_waiting = false;
			visitor->is_cut_off = true;
			MHD_resume_connection(visitor->connection);
		}
	}
	MHD_stop_daemon(door->daemon);
	free(door);
}

/* So many connections that others may wait for a place: none is kept longer than for its answer. */
static bool
is_crowded(const Door *door)
{
	return connections(door) >= door->most - door->most / 4;
}

/* Those that have gone are cleared away by that. */
static unsigned int
connections(const Door *door)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return info != NULL ? info->num_connections : 0;
}

/* Who comes when there are as many waits until one has gone. */
static unsigned int
max_visitors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
		return MAX_VISITORS;
	return Max(1, Min(MAX_VISITORS, files.rlim_cur / 2));
}

/* A socket that listens, or -1 and why not. */
static int
listen_at(const char *address, char **why)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char	   *host;
	char	   *port;
	int			one = 1;
	int			result;
	int			fd;

	if (!split_address(address, &host, &port))
	{
		*why = pstrdup("it is not written as host:port");
		return -1;
	}
	result = getaddrinfo(host, port, &hints, &found);
	if (result != 0)
	{
		*why = pstrdup(gai_strerror(result));
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
	{
		*why = pstrdup(strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

/* "host:port", "[::1]:port"; "*" is any address, for which host is NULL. */
static bool
split_address(const char *address, char **host, char **port)
{
	const char *colon = strrchr(address, ':');
	size_t		len = colon != NULL ? (size_t) (colon - address) : 0;

	if (len == 0 || colon[1] == '\0')
		return false;
	*port = pstrdup(colon + 1);
	if (len == 1 && address[0] == '*')
		*host = NULL;
	else if (address[0] == '[' && address[len - 1] == ']')
		*host = pnstrdup(address + 1, len - 2);
	else
		*host = pnstrdup(address, len);
	return true;
}

/* A connection was accepted, or is gone. */
static void
come(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
	Door	   *door = arg;
	Visitor    *visitor = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED)
	{
		visitor = calloc(1, sizeof(Visitor));
		*context = visitor;
		if (visitor == NULL)
			return;
		visitor->door = door;
		visitor->connection = connection;
		visitor->since = time(NULL);
		name_client(visitor);
		dlist_push_tail(&door->visitors, &visitor->node);
	}
	else if (visitor != NULL)
	{
		forget_request(visitor);
		dlist_delete(&visitor->node);
		free(visitor);
		*context = NULL;
	}
}

/* The first line has come. */
static void *
begin_request(void *arg, const char *url, struct MHD_Connection *connection)
{
	Visitor    *visitor = visitor_of(connection);

	if (visitor == NULL)
		return NULL;
	forget_request(visitor);
	visitor->url = strdup(url);
	return visitor->url != NULL ? visitor : NULL;
}

/* The head has come; a piece of the body has; all has; the answer may be sent. */
static enum MHD_Result
take(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
	 const char *version, const char *data, size_t *len, void **context)
{
	Visitor    *visitor = *context;

	if (visitor == NULL || visitor->is_cut_off)
		return MHD_NO;
	if (visitor->answer != NULL)
		return send_answer(visitor);
	if (visitor->request.method == NULL)
		return take_head(visitor, method, version);
	if (*len > 0)
	{
		size_t		n = *len;

		*len = 0;
		return take_body(visitor, data, n);
	}
	if (visitor->refusal != 0)
		return MHD_NO;
	visitor->request.body = visitor->body != NULL ? visitor->body : "";
	visitor->is_waiting = true;
	dlist_push_tail(&visitor->door->complete, &visitor->turn);
	MHD_suspend_connection(connection);
	return MHD_YES;
}

static enum MHD_Result
take_head(Visitor *visitor, const char *method, const char *version)
{
	DoorRequest *request = &visitor->request;
	DoorAnswer	answer = {.type = "application/json", .content = "{}\n", .len = 3};
	const char *length;

	request->method = method;
	request->version = version;
	request->url = visitor->url;
	request->client = visitor->client;
	request->headers = visitor->headers;
	request->nheaders = 0;
	(void) MHD_get_connection_values(visitor->connection, MHD_HEADER_KIND, add_header, visitor);
	length = MHD_lookup_connection_value(visitor->connection, MHD_HEADER_KIND, "Content-Length");
	if (length != NULL && strtoull(length, NULL, 10) > RECEIVE_MAX_BODY)
		visitor->refusal = MHD_HTTP_CONTENT_TOO_LARGE;
	else if (visitor->door->held > MAX_ALL_BODIES)
		visitor->refusal = MHD_HTTP_SERVICE_UNAVAILABLE;
	if (visitor->refusal == 0)
		return MHD_YES;
	answer.status = visitor->status = visitor->refusal;
	visitor->answer = make_answer(&answer);
	return visitor->answer != NULL ? send_answer(visitor) : MHD_NO;
}

static enum MHD_Result
take_body(Visitor *visitor, const char *data, size_t len)
{
	DoorRequest *request = &visitor->request;
	size_t		room = Max(visitor->room, 4096);
	char	   *body;

	if (visitor->refusal != 0)
		return discard(visitor, len);
	if (request->body_len + len > RECEIVE_MAX_BODY)
		return turn_away(visitor, MHD_HTTP_CONTENT_TOO_LARGE);
	while (room < request->body_len + len)
		room *= 2;
	if (room > visitor->room)
	{
		if (visitor->door->held + room - visitor->room > MAX_ALL_BODIES + RECEIVE_MAX_BODY ||
			(body = realloc(visitor->body, room)) == NULL)
			return turn_away(visitor, MHD_HTTP_SERVICE_UNAVAILABLE);
		visitor->door->held += room - visitor->room;
		visitor->body = body;
		visitor->room = room;
	}
	memcpy(visitor->body + request->body_len, data, len);
	request->body_len += len;
	return MHD_YES;
}

/*
 * Answers in the middle of a body, where libmicrohttpd cannot: past it, as nothing else is being sent to somebody who has not said
 * all yet.  The connection is good for nothing more.
 */
static enum MHD_Result
turn_away(Visitor *visitor, int status)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(visitor->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	char		answer[200];
	int			len = snprintf(answer, sizeof(answer), "HTTP/1.1 %d Refused\r\nConnection: close\r\n%sContent-Type: application/json\r\n"
							   "Content-Length: 3\r\n\r\n{}\n",
							   status, status == MHD_HTTP_SERVICE_UNAVAILABLE ? "Retry-After: 5\r\n" : "");

	if (info == NULL || send(info->connect_fd, answer, len, MSG_DONTWAIT | MSG_NOSIGNAL) != len)
		return MHD_NO;
	(void) shutdown(info->connect_fd, SHUT_WR);
	visitor->refusal = status;
	forget_body(visitor);
	return MHD_YES;
}

static enum MHD_Result
discard(Visitor *visitor, size_t len)
{
	visitor->discarded += len;
	return visitor->discarded <= MAX_DISCARDED ? MHD_YES : MHD_NO;
}

static enum MHD_Result
send_answer(Visitor *visitor)
{
	enum MHD_Result result = MHD_queue_response(visitor->connection, visitor->status, visitor->answer);

	MHD_destroy_response(visitor->answer);
	visitor->answer = NULL;
	return result;
}

/* Of more headers than there is room for the rest is left out: what is signed with them is refused. */
static enum MHD_Result
add_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	Visitor    *visitor = arg;

	if (visitor->request.nheaders == DOOR_MAX_HEADERS)
		return MHD_NO;
	if (name != NULL && value != NULL)
	{
		visitor->headers[visitor->request.nheaders].name = name;
		visitor->headers[visitor->request.nheaders++].value = value;
	}
	return MHD_YES;
}

/* The answer is out, or the connection broke. */
static void
end_request(void *arg, struct MHD_Connection *connection, void **context, enum MHD_RequestTerminationCode code)
{
	Visitor    *visitor = *context;

	if (visitor != NULL)
		forget_request(visitor);
	*context = NULL;
}

static void
forget_request(Visitor *visitor)
{
	if (visitor->turn.next != NULL)
		dlist_delete(&visitor->turn);
	visitor->turn.next = NULL;
	if (visitor->answer != NULL)
		MHD_destroy_response(visitor->answer);
	visitor->answer = NULL;
	forget_body(visitor);
	free(visitor->url);
	visitor->url = NULL;
	visitor->refusal = 0;
	visitor->discarded = 0;
	visitor->is_waiting = false;
	visitor->since = time(NULL);
	visitor->request.method = NULL;
}

static void
forget_body(Visitor *visitor)
{
	visitor->door->held -= visitor->room;
	free(visitor->body);
	visitor->body = NULL;
	visitor->room = visitor->request.body_len = 0;
}

static Visitor *
visitor_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info != NULL ? info->socket_context : NULL;
}

static void
name_client(Visitor *visitor)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(visitor->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
	const void *number = NULL;

	if (address == NULL)
		return;
	if (address->sa_family == AF_INET)
	{
		const struct in_addr *in = &((const struct sockaddr_in *) address)->sin_addr;

		visitor->request.is_local = (ntohl(in->s_addr) >> 24) == 127;
		number = in;
	}
	else if (address->sa_family == AF_INET6)
	{
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *) address)->sin6_addr;

		visitor->request.is_local = IN6_IS_ADDR_LOOPBACK(in6) || (IN6_IS_ADDR_V4MAPPED(in6) && in6->s6_addr[12] == 127);
		number = in6;
	}
	if (number == NULL || inet_ntop(address->sa_family, number, visitor->client, sizeof(visitor->client)) == NULL)
		visitor->client[0] = '\0';
}

/* Who takes too long for a request, or between two, is sent away; libmicrohttpd finds the connection closed. */
static void
cut_off_the_slow(Door *door)
{
	time_t		now = time(NULL);
	dlist_iter	iter;

	dlist_foreach(iter, &door->visitors)
	{
		Visitor    *visitor = dlist_container(Visitor, node, iter.cur);
		const union MHD_ConnectionInfo *info;

		if (visitor->is_waiting || visitor->is_cut_off || now - visitor->since <= REQUEST_SECONDS)
			continue;
		visitor->is_cut_off = true;
		info = MHD_get_connection_info(visitor->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info != NULL)
			(void) shutdown(info->connect_fd, SHUT_RDWR);
	}
}

/* NULL where memory is short: then the connection is closed without an answer. */
static struct MHD_Response *
make_answer(const DoorAnswer *answer)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(answer->len, unconstify(char *, answer->content),
																	MHD_RESPMEM_MUST_COPY);

	if (response == NULL)
		return NULL;
	(void) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	(void) MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	(void) MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (answer->status == MHD_HTTP_SERVICE_UNAVAILABLE)
		(void) MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "5");
	for (const MessageHeader *header = answer->headers; header != NULL && header->name != NULL; header++)
		(void) MHD_add_response_header(response, header->name, header->value);
	return response;
}
