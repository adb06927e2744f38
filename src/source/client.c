/*
 * client.c
 *	  The transfers of a run: one libcurl multi handle and one wait.
 *
 * libcurl is driven by curl_multi_socket_action: it tells by callbacks which
 * sockets and what timer it waits for, and is called when one of them is due.
 * In between the process sleeps in a wait event set that also holds its latch
 * and the postmaster's death, so that a cancel or a shutdown acts at once while
 * a server is silent, and nothing is polled.
 *
 * Lifecycle.  libcurl is initialized by the first client of a process, never
 * in the postmaster: it may start threads.  It is never cleaned up: it does not
 * wait for its resolver threads.  A client and all that it owns is released by
 * a reset callback of its memory context, thus after an ERROR too.  The
 * contexts of its fetches are children and are released before it, so an easy
 * handle never outlives what its callbacks use.  When the process exits, the
 * kernel closes the sockets.
 *
 * Nothing that libcurl calls may raise an error: a longjmp would leave its
 * structures half changed.  Callbacks write down what happened, the code that
 * called libcurl raises it.
 */
#include "postgres.h"

#include <pthread.h>
#include <signal.h>

#include "base/compat.h"
#include "base/settings.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "source/client.h"
#include "source/transfer.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* PROTOCOLS_STR, QUICK_EXIT and the fixes of pausing that are relied on. */
#if LIBCURL_VERSION_NUM < 0x075800
#error "databite needs libcurl 7.88 or later"
#endif

/* Connections that are kept, and that there may be at once. */
#define MAX_CONNECTIONS 64

/* Sockets taken at a time, and how many times before the reader gets its turn. */
#define EVENTS_AT_A_TIME 32
#define ROUNDS_AT_A_TIME 16

/* Transfers are left alone for so long, in microseconds, while their reader has enough to do. */
#define SERVE_INTERVAL INT64CONST(2000)

static void initialize_libcurl(void);
static void release_client(void *arg);
static int	socket_callback(CURL *easy, curl_socket_t socket, int what, void *arg, void *socket_data);
static int	timer_callback(CURLM *multi, long timeout_ms, void *arg);
static void move_transfers(SourceClient *client);
static void collect_results(SourceClient *client);
static void advance_tasks(SourceClient *client, int64 waited);
static long wait_milliseconds(SourceClient *client);
static void call_socket_action(SourceClient *client, curl_socket_t socket, int events);
static void check_multi(CURLMcode code);
static void block_signals(sigset_t *previous);
static void restore_signals(const sigset_t *previous);
static uint32 wait_event(void);

SourceClient *
source_client_create(MemoryContext context)
{
	MemoryContext own = AllocSetContextCreate(context, "databite source client", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	SourceClient *client = palloc0(sizeof(SourceClient));
	SourceMemory unbounded = {0};

	client->context = own;
	client->timer_at = NO_TIMER;
	client->deadline = NO_TIMER;
	client->poller.fd = -1;
	dlist_init(&client->tasks);

	/* before there is anything to release, so that an error from here on leaks nothing */
	client->cleanup.func = release_client;
	client->cleanup.arg = client;
	MemoryContextRegisterResetCallback(own, &client->cleanup);

	client->guard = address_guard_create(databite_allowed_hosts, databite_only_allowed_hosts);
	client->proxy = pstrdup(databite_proxy);
	client->ca_bundle = pstrdup(databite_ca_bundle);
	client->user_agent = pstrdup(databite_user_agent);

	initialize_libcurl();
	poller_open(&client->poller);
	client->wait_set = compat_create_wait_event_set(own, 3);
	AddWaitEventToSet(client->wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(client->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(client->wait_set, WL_SOCKET_READABLE, client->poller.fd, NULL, NULL);

	client->multi = curl_multi_init();
	if (client->multi == NULL)
		check_multi(CURLM_OUT_OF_MEMORY);
	check_multi(curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, socket_callback));
	check_multi(curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client));
	check_multi(curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, timer_callback));
	check_multi(curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client));
	check_multi(curl_multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) MAX_CONNECTIONS));
	source_client_bound(client, &unbounded);

	MemoryContextSwitchTo(old);
	return client;
}

void
source_client_bound(SourceClient *client, const SourceMemory *memory)
{
	client->memory = *memory;
	if (!memory->bounded)
		client->memory.ring_bytes = TRANSFER_RING_SIZE;
	check_multi(curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS,
								  memory->bounded ? (long) memory->connections : (long) MAX_CONNECTIONS));
}

const SourceCounters *
source_client_counters(const SourceClient *client)
{
	return &client->counters;
}

void
source_client_observe(SourceClient *client, FetchObserver observer, void *arg)
{
	client->observer = observer;
	client->observer_arg = arg;
}

char *
source_library_version(void)
{
	curl_version_info_data *info;

	initialize_libcurl();
	info = curl_version_info(CURLVERSION_NOW);
	return psprintf("libcurl %s (%s, %s)", info->version,
					info->ssl_version != NULL ? info->ssl_version : "no TLS",
					(info->features & CURL_VERSION_ASYNCHDNS) ? "async DNS" : "blocking DNS");
}

int64
client_now(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

void
client_add_task(SourceClient *client, ClientTask *task)
{
	dlist_push_tail(&client->tasks, &task->node);
}

void
client_remove_task(ClientTask *task)
{
	dlist_delete(&task->node);
}

void
client_begin(SourceClient *client, CURL *easy)
{
	check_multi(curl_multi_add_handle(client->multi, easy));
	call_socket_action(client, CURL_SOCKET_TIMEOUT, 0);

	/* since libcurl 8 a fast answer may have come whole by now, and then neither a socket nor a timer tells of it */
	collect_results(client);
}

void
client_end(SourceClient *client, CURL *easy)
{
	curl_multi_remove_handle(client->multi, easy);
}

void
client_unpause(SourceClient *client, CURL *easy)
{
	sigset_t	previous;

	/* what goes wrong in here ends the transfer, and is found there */
	block_signals(&previous);
	curl_easy_pause(easy, CURLPAUSE_CONT);
	restore_signals(&previous);
}

void
source_client_set_deadline(SourceClient *client, TimestampTz deadline)
{
	client->deadline = client_now() + (deadline - GetCurrentTimestamp());
}

bool
source_client_is_over(const SourceClient *client)
{
	return client->deadline != NO_TIMER && client_now() >= client->deadline;
}

void
client_wait(SourceClient *client, int64 longest_ms)
{
	WaitEvent	events[3];
	long		timeout = wait_milliseconds(client);
	int64		start;
	int64		waited;
	int			n;

	CHECK_FOR_INTERRUPTS();

	start = client_now();
	if (longest_ms >= 0 && (timeout < 0 || timeout > longest_ms))
		timeout = (long) longest_ms;
	n = WaitEventSetWait(client->wait_set, timeout, events, lengthof(events), wait_event());
	waited = client_now() - start;
	for (int i = 0; i < n; i++)
	{
		if (events[i].events & WL_LATCH_SET)
		{
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
	}

	move_transfers(client);
	advance_tasks(client, waited);
	client->served_at = client_now();
}

void
client_serve(SourceClient *client)
{
	if (client_now() - client->served_at < SERVE_INTERVAL)
		return;
	move_transfers(client);
	advance_tasks(client, 0);
	client->served_at = client_now();
}

/* Initializes libcurl once per process. */
static void
initialize_libcurl(void)
{
	static bool initialized = false;

	if (initialized)
		return;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not initialize libcurl")));

	/* the library at run time may be older than the headers were */
	if (curl_version_info(CURLVERSION_NOW)->version_num < 0x075800)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("libcurl %s is too old", curl_version_info(CURLVERSION_NOW)->version),
				 errhint("databite needs libcurl 7.88 or later.")));
	initialized = true;
}

/* Releases what is not palloc'd.  All easy handles are gone by now. */
static void
release_client(void *arg)
{
	SourceClient *client = arg;

	/* this closes the kept connections, and calls back for each */
	if (client->multi != NULL)
		curl_multi_cleanup(client->multi);
	if (client->wait_set != NULL)
		FreeWaitEventSet(client->wait_set);
	poller_close(&client->poller);
}

/* libcurl wants to hear of a socket. */
static int
socket_callback(CURL *easy, curl_socket_t socket, int what, void *arg, void *socket_data)
{
	SourceClient *client = arg;

	/* -1 would abort all transfers without a word: the caller of libcurl raises it instead */
	if (!poller_watch(&client->poller, socket, what))
		client->watch_failed = true;
	return 0;
}

/* libcurl wants to be called after a time; -1 takes that back. */
static int
timer_callback(CURLM *multi, long timeout_ms, void *arg)
{
	SourceClient *client = arg;

	client->timer_at = timeout_ms < 0 ? NO_TIMER : client_now() + timeout_ms * INT64CONST(1000);
	return 0;
}

/* Serves the sockets that are ready and the timer if it is due, without waiting. */
static void
move_transfers(SourceClient *client)
{
	PollerEvent events[EVENTS_AT_A_TIME];
	bool		moved = true;

	for (int round = 0; moved && round < ROUNDS_AT_A_TIME; round++)
	{
		int			n = poller_take(&client->poller, events, EVENTS_AT_A_TIME);

		moved = n > 0;
		for (int i = 0; i < n; i++)
			call_socket_action(client, events[i].socket, events[i].events);
		if (client->timer_at <= client_now())
		{
			client->timer_at = NO_TIMER;
			call_socket_action(client, CURL_SOCKET_TIMEOUT, 0);
		}
	}
	collect_results(client);
}

/* Notes which transfers have ended, and how. */
static void
collect_results(SourceClient *client)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL)
	{
		ClientResult *result = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &result);
		result->code = message->data.result;
		result->finished = true;
	}
}

static void
advance_tasks(SourceClient *client, int64 waited)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &client->tasks)
	{
		ClientTask *task = dlist_container(ClientTask, node, iter.cur);

		task->advance(task, waited);
	}
}

/* How long to wait at most: until libcurl's timer, a task's or the deadline; -1 for ever. */
static long
wait_milliseconds(SourceClient *client)
{
	int64		until = Min(client->timer_at, client->deadline);
	int64		wait = until == NO_TIMER ? NO_TIMER : until - client_now();
	dlist_iter	iter;

	dlist_foreach(iter, &client->tasks)
	{
		const ClientTask *task = dlist_container(ClientTask, node, iter.cur);

		wait = Min(wait, task->longest_wait(task));
	}
	if (wait == NO_TIMER)
		return -1;

	/* rounded up: to wake up a bit too early is to spin */
	wait = Max(wait, 0);
	return (long) Min((wait + 999) / 1000, INT_MAX);
}

static void
call_socket_action(SourceClient *client, curl_socket_t socket, int events)
{
	sigset_t	previous;
	CURLMcode	code;
	int			running;

	block_signals(&previous);
	code = curl_multi_socket_action(client->multi, socket, events, &running);
	restore_signals(&previous);

	check_multi(code);
	if (client->watch_failed)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("could not wait for a network connection"),
				 errdetail("The kernel has no resources to watch another socket.")));
}

/* Raises what libcurl's multi interface says; that is never about a server. */
static void
check_multi(CURLMcode code)
{
	if (code == CURLM_OUT_OF_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed in libcurl.")));
	if (code != CURLM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("libcurl failed: %s", curl_multi_strerror(code))));
}

/*
 * libcurl resolves names in threads, and a thread inherits the signal mask.
 * Ours must not receive signals: PostgreSQL's handlers are for the one thread
 * that it knows of.
 */
static void
block_signals(sigset_t *previous)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, previous);
}

static void
restore_signals(const sigset_t *previous)
{
	pthread_sigmask(SIG_SETMASK, previous, NULL);
}

/* What pg_stat_activity shows while we wait. */
static uint32
wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = compat_wait_event("DatabiteSource");
	return event;
}
