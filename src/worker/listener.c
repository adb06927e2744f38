/*
 * listener.c
 *	  The worker that takes webhooks over HTTP.
 *
 * There is one in a database for which databite.webhook_listen names an address; the scheduler
 * registers it, and from then on the postmaster brings it back.  It waits for its door (door.c) and its
 * latch, and never for a client.  All requests that have come meanwhile are one
 * transaction: each delivery in a subtransaction of its own, one commit, then the
 * answers.  So a 2xx means that the delivery is on disk, and a burst costs few commits.
 *
 * Cases:
 * - The setting is emptied, or the extension is dropped: exits with code 0, which
 *   unregisters the worker.
 * - The address is taken (by the listener of another database, perhaps) or cannot be had: said in the log once an hour,
 *   and tried again after pauses that grow.
 * - DROP DATABASE and its like: it is in shared memory beside the writers, and leaves like them, with code 0.  Where the database
 *   is still there afterwards, its next scheduler starts another listener.
 * - The database is gone when it comes back: it unregisters itself (connect.c).
 * - databite.stop() where databite is not preloaded: SIGUSR2, exits with code 0.  Where it comes back and
 *   finds no scheduler, likewise.
 * - SIGINT from somebody: ends what the round does at most.  It cannot be ignored, as timeouts come as SIGINT.
 * - The database does not commit: the requests of that round are answered with 503, and senders try again.
 * - What a delivery needs is locked: it is answered with 503; those behind it in the round wait hardly longer for theirs.
 * - The postmaster is gone: so is the listener after the round.
 * - The server shuts down: what has not been answered was not taken.
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "access/xact.h"
#include "base/background_worker.h"
#include "base/compat.h"
#include "base/lock_tag.h"
#include "base/settings.h"
#include "base/shared.h"
#include "base/subtransaction.h"
#include "catalog/extension.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/pmsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/connect.h"
#include "worker/door.h"
#include "worker/listener.h"
#include "worker/receive.h"
#include "worker/watch.h"

/* Seconds until the postmaster starts a listener that has ended again. */
#define RESTART_SECONDS 5

/* How soon the scheduler looks again where it could not start one, or one ended at once; and for one that an earlier scheduler started. */
#define LOOK_MS			5000
#define STRANGER_LOOK_MS 60000

/* How long a delivery may wait for a lock before its sender is told to come again; and one behind it in the round. */
#define LOCK_TIMEOUT	"1s"
#define NEXT_LOCK_TIMEOUT "5ms"

/* Between two tries to have the address. */
#define ADDRESS_PAUSE_MIN_MS 1000
#define ADDRESS_PAUSE_MAX_MS 60000
#define ADDRESS_LOG_MS	(60 * 60 * 1000)

typedef struct Guest
{
	DoorRequest *request;
	Receiver   *receiver;		/* of its round */
	Reception	reception;
} Guest;

static bool has_stranger(void);
static BackgroundWorkerHandle *listener_register(Oid database);
static void settle(void);
static void become_the_only_one(void);
static void check_extension(void);
static void open_door(const char *address);
static void leave_at_exit(int code, Datum database);
static void serve(Door *door, const char *address);
static void heed_signals(const char *address);
static void follow_configuration(const char *address);
static int	take_guests(Door *door, Guest *guests);
static void take_round(Guest *guests, int nguests);
static void do_round(Guest *guests, int nguests);
static void take_deliveries(Guest *guests, int nguests);
static bool take_delivery(Guest *guest);
static void receive_one(void *arg);
static bool has_delivery(const Guest *guests, int nguests);
static bool is_delivery(const DoorRequest *request);
static void answer_round(Door *door, Guest *guests, int nguests);
static void answer(Door *door, Guest *guest);

static Door *the_door = NULL;

void
listener_keep(Scheduler *scheduler)
{
	static BackgroundWorkerHandle *handle = NULL;
	static TimestampTz look_at = 0;
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext old;
	pid_t		pid;

	/* When ours ends, there is another round. */
	if (databite_webhook_listen[0] == '\0' || (handle != NULL && GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED))
		return;
	if (now >= look_at)
	{
		bool		is_there = has_stranger();

		if (handle != NULL)
			pfree(handle);
		old = MemoryContextSwitchTo(scheduler->memory);
		handle = is_there ? NULL : listener_register(scheduler->database);
		MemoryContextSwitchTo(old);
		look_at = TimestampTzPlusMilliseconds(now, is_there ? STRANGER_LOOK_MS : LOOK_MS);
	}
	if (handle == NULL || now < look_at)
		scheduler_wake_by(scheduler, look_at);
}

/* Is there one that an earlier scheduler started? */
static bool
has_stranger(void)
{
	LOCKTAG		tag;

	lock_tag_set(&tag, LOCK_LISTENER, 0);
	return lock_tag_holder(&tag) != 0;
}

/* NULL: no worker slot is free. */
static BackgroundWorkerHandle *
listener_register(Oid database)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	background_worker_init(&worker, "listener", "listener");
	worker.bgw_restart_time = RESTART_SECONDS;
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

void
databite_listener_main(Datum arg)
{
	Oid			database = DatumGetObjectId(arg);
	char	   *address;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGUSR2, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();

	/* Before connecting: see runner.c. */
	if (shared_available() && !shared_enter_writer(database))
		proc_exit(0);
	connect_or_unregister(database);
	before_shmem_exit(leave_at_exit, ObjectIdGetDatum(database));
	settle();

	if (databite_webhook_listen[0] == '\0')
		proc_exit(0);
	address = pstrdup(databite_webhook_listen);
	become_the_only_one();
	check_extension();
	open_door(address);
	serve(the_door, address);
}

static void
settle(void)
{
	SetConfigOption("application_name", "databite listener", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("max_parallel_workers_per_gather", "0", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("jit", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("client_encoding", "UTF8", PGC_USERSET, PGC_S_SESSION);
}

/* Exits quietly where another one has the lock, or where databite.stop() came while this one was away. */
static void
become_the_only_one(void)
{
	LOCKTAG		tag;

	lock_tag_set(&tag, LOCK_LISTENER, 0);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		proc_exit(0);
	if (!shared_available() && scheduler_pid_by_lock() == 0)
		proc_exit(0);
}

/* Ends the process for good where the extension is not there (any more). */
static void
check_extension(void)
{
	bool		is_there;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	is_there = OidIsValid(catalog_extension_oid());
	CommitTransactionCommand();
	if (!is_there)
		proc_exit(0);
}

/* Waits until the address can be had. */
static void
open_door(const char *address)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "databite address", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	TimestampTz said_at = 0;
	long		pause = ADDRESS_PAUSE_MIN_MS;
	char	   *why = NULL;

	while ((the_door = door_open(address, &why)) == NULL)
	{
		if (TimestampDifferenceExceeds(said_at, GetCurrentTimestamp(), ADDRESS_LOG_MS))
		{
			said_at = GetCurrentTimestamp();
			ereport(LOG,
					(errcode(ERRCODE_CONFIG_FILE_ERROR),
					 errmsg("could not listen for webhooks at \"%s\": %s", address, why),
					 errdetail("It is tried again, at least once a minute."),
					 errhint("Set databite.webhook_listen to an address of this machine that nobody else listens at, or to ''.")));
		}
		pgstat_report_activity(STATE_RUNNING, "waiting for the address of databite.webhook_listen");
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause, compat_wait_event("DatabiteListener"));
		ResetLatch(MyLatch);
		heed_signals(address);
		check_extension();
		MemoryContextSwitchTo(memory);
		MemoryContextReset(memory);
		pause = Min(pause * 2, ADDRESS_PAUSE_MAX_MS);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	ereport(LOG,
			(errmsg("databite listens for webhooks at \"%s\"", address)));
}

/* Before anything else goes away: the door's functions are called once more.  Who is in somebody's way does not come back. */
static void
leave_at_exit(int code, Datum database)
{
	if (the_door != NULL)
		door_close(the_door);
	the_door = NULL;
	if (code == 1 && shared_available() && shared_is_blocked(DatumGetObjectId(database)))
		proc_exit(0);
}

static void
serve(Door *door, const char *address)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "databite round", ALLOCSET_DEFAULT_SIZES);
	WaitEventSet *events = compat_create_wait_event_set(TopMemoryContext, 3);
	Guest		guests[WEBHOOK_BATCH_MAX];
	uint32		wait_event = compat_wait_event("DatabiteListener");

	AddWaitEventToSet(events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(events, WL_SOCKET_READABLE, door_descriptor(door), NULL, NULL);
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextSwitchTo(memory);
	for (;;)
	{
		int			nguests;
		WaitEvent	event;

		heed_signals(address);
		if (!PostmasterIsAlive())
			proc_exit(1);		/* where there is always something to do, nobody waits, and nobody would hear of it */
		door_run(door);
		nguests = take_guests(door, guests);
		if (nguests > 0)
		{
			if (has_delivery(guests, nguests))
				take_round(guests, nguests);
			answer_round(door, guests, nguests);
			MemoryContextReset(memory);
			continue;
		}
		(void) WaitEventSetWait(events, door_timeout(door), &event, 1, wait_event);
		ResetLatch(MyLatch);
	}
}

/* Between rounds there is nothing to cancel. */
static void
heed_signals(const char *address)
{
	HOLD_CANCEL_INTERRUPTS();
	CHECK_FOR_INTERRUPTS();
	QueryCancelPending = false;
	RESUME_CANCEL_INTERRUPTS();
	if (ShutdownRequestPending)
		proc_exit(0);
	follow_configuration(address);
}

/* Another address is the next process's. */
static void
follow_configuration(const char *address)
{
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	if (databite_webhook_listen[0] == '\0')
		proc_exit(0);
	if (strcmp(databite_webhook_listen, address) != 0)
		proc_exit(1);
}

static int
take_guests(Door *door, Guest *guests)
{
	int			n = 0;
	DoorRequest *request;

	while (n < databite_webhook_batch && (request = door_next(door)) != NULL)
	{
		guests[n].request = request;
		memset(&guests[n++].reception, 0, sizeof(Reception));
	}
	return n;
}

/* What they have brought is on disk when this returns, or they are told to come again. */
static void
take_round(Guest *guests, int nguests)
{
	MemoryContext old = CurrentMemoryContext;

	PG_TRY();
	{
		do_round(guests, nguests);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(old);
		EmitErrorReport();
		AbortCurrentTransaction();
		FlushErrorState();
		for (int i = 0; i < nguests; i++)
			guests[i].reception.status = 503;
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	pgstat_report_activity(STATE_IDLE, NULL);
}

static void
do_round(Guest *guests, int nguests)
{
	MemoryContext memory = CurrentMemoryContext;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "taking webhooks");
	if (!OidIsValid(catalog_lock_extension()))
		proc_exit(0);
	MemoryContextSwitchTo(memory);
	take_deliveries(guests, nguests);
	PopActiveSnapshot();
	CommitTransactionCommand();
	(void) pgstat_report_stat(false);
}

/* Who waits for a lock in vain waits for all behind him, too, so that happens once in a round.  Of a delivery nothing stays in memory. */
static void
take_deliveries(Guest *guests, int nguests)
{
	Receiver   *receiver = receiver_create();
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "databite delivery", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	bool		is_blocked = false;

	for (int i = 0; i < nguests; i++)
	{
		if (!is_delivery(guests[i].request))
			continue;
		guests[i].receiver = receiver;
		if (!take_delivery(&guests[i]) && !is_blocked)
		{
			is_blocked = true;
			(void) set_config_option("lock_timeout", NEXT_LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
		}
		MemoryContextReset(memory);
	}
	MemoryContextSwitchTo(old);
}

/* False: what it needs is locked. */
static bool
take_delivery(Guest *guest)
{
	ErrorData  *error = subtransaction_run(receive_one, guest, SUBTRANSACTION_KEEP);

	if (error == NULL)
		return true;
	guest->reception.status = 503;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("a webhook could not be taken: %s", error->message),
			 errhidecontext(true)));
	return error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE;
}

static void
receive_one(void *arg)
{
	Guest	   *guest = arg;
	const DoorRequest *request = guest->request;
	SignedMessage message = {
		.body = request->body,
		.body_len = request->body_len,
		.headers = request->headers,
		.nheaders = request->nheaders,
		.url = request->url,
		.now = (int64) time(NULL),
	};

	receive_delivery(guest->receiver, request->url, &message, &guest->reception);
}

static bool
has_delivery(const Guest *guests, int nguests)
{
	for (int i = 0; i < nguests; i++)
	{
		if (is_delivery(guests[i].request))
			return true;
	}
	return false;
}

static bool
is_delivery(const DoorRequest *request)
{
	return strcmp(request->method, "POST") == 0 && !watch_is_asked(request);
}

/* Who only watches waits for those who bring something. */
static void
answer_round(Door *door, Guest *guests, int nguests)
{
	DoorRequest *watchers[WEBHOOK_BATCH_MAX];
	int			nwatchers = 0;

	for (int i = 0; i < nguests; i++)
	{
		if (watch_is_asked(guests[i].request))
			watchers[nwatchers++] = guests[i].request;
		else
			answer(door, &guests[i]);
	}
	if (nwatchers == 0)
		return;
	door_run(door);
	watch_answer(door, watchers, nwatchers);
}

static void
answer(Door *door, Guest *guest)
{
	static const MessageHeader allowed[] = {{"Allow", "POST"}, {NULL}};
	const Reception *reception = &guest->reception;
	int			status = reception->status != 0 ? reception->status : 405;
	DoorAnswer	answer = {.status = status, .type = "application/json", .headers = status == 405 ? allowed : NULL};
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"message\": ");
	if (reception->message != NULL)
		escape_json(&json, reception->message);
	else
		escape_json(&json, status == 405 ? "send it by POST" : "try again later");
	appendStringInfoString(&json, "}\n");
	answer.content = json.data;
	answer.len = json.len;
	door_answer(door, guest->request, &answer);
}
