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
 * - The address is taken or cannot be had: said in the log, tried again by the next process.
 * - DROP DATABASE and its like: it is in shared memory beside the writers, and leaves like them.
 * - The database does not commit, or a row is locked: the requests of that round are answered with 503, and senders
 *   try again.
 * - The postmaster is gone: so is the listener after the round.
 * - The server shuts down: what has not been answered was not taken.
 */
#include "postgres.h"

#include <signal.h>
#include <time.h>

#include "access/xact.h"
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
#include "worker/door.h"
#include "worker/listener.h"
#include "worker/receive.h"
#include "worker/watch.h"

/* Seconds until the postmaster starts a listener that has ended again. */
#define RESTART_SECONDS 5

/* So often the scheduler looks for one that is not its own. */
#define LOOK_MS			10000

/* How long a delivery may wait for a lock before its sender is told to come again. */
#define LOCK_TIMEOUT	"5s"

typedef struct Guest
{
	DoorRequest *request;
	Receiver   *receiver;		/* of its round */
	Reception	reception;
} Guest;

static BackgroundWorkerHandle *listener_register(Oid database);
static void settle(void);
static void check_extension(void);
static Door *open_door(void);
static void close_at_exit(int code, Datum arg);
static void serve(Door *door);
static void follow_configuration(const char *address);
static int	take_guests(Door *door, Guest *guests);
static void take_round(Guest *guests, int nguests);
static void do_round(Guest *guests, int nguests);
static void take_deliveries(Guest *guests, int nguests);
static void receive_one(void *arg);
static bool has_delivery(const Guest *guests, int nguests);
static bool is_delivery(const DoorRequest *request);
static void answer_round(Door *door, Guest *guests, int nguests);
static void answer(Door *door, Guest *guest);

static Door *the_door = NULL;

void
listener_keep(Oid database)
{
	static BackgroundWorkerHandle *handle = NULL;
	static TimestampTz looked_at = 0;
	MemoryContext old;
	pid_t		pid;

	if (databite_webhook_listen[0] == '\0' ||
		(handle != NULL && GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED) ||
		!TimestampDifferenceExceeds(looked_at, GetCurrentTimestamp(), LOOK_MS))
		return;
	looked_at = GetCurrentTimestamp();
	if (handle != NULL)
		pfree(handle);
	old = MemoryContextSwitchTo(TopMemoryContext);
	handle = listener_register(database);
	MemoryContextSwitchTo(old);
}

/* NULL: there is one, or no worker slot is free. */
static BackgroundWorkerHandle *
listener_register(Oid database)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;
	LOCKTAG		tag;

	lock_tag_set(&tag, LOCK_LISTENER, 0);
	if (lock_tag_holder(&tag) != 0)
		return NULL;
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_SECONDS;
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	strlcpy(worker.bgw_name, "databite listener", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "databite listener", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "databite", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "databite_listener_main", BGW_MAXLEN);
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

void
databite_listener_main(Datum arg)
{
	Oid			database = DatumGetObjectId(arg);
	LOCKTAG		tag;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	/* Before connecting: see runner.c. */
	if (shared_available() && !shared_enter_writer(database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	settle();

	lock_tag_set(&tag, LOCK_LISTENER, 0);
	if (databite_webhook_listen[0] == '\0' || LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		proc_exit(0);
	check_extension();
	serve(open_door());
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

static Door *
open_door(void)
{
	char	   *why = NULL;

	the_door = door_open(databite_webhook_listen, &why);
	if (the_door == NULL)
		ereport(FATAL,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("could not listen for webhooks at \"%s\": %s", databite_webhook_listen, why),
				 errhint("Set databite.webhook_listen to an address of this machine that nobody else listens at, or to ''.")));
	before_shmem_exit(close_at_exit, (Datum) 0);
	ereport(LOG,
			(errmsg("databite listens for webhooks at \"%s\"", databite_webhook_listen)));
	return the_door;
}

/* Before anything else goes away: its functions are called once more. */
static void
close_at_exit(int code, Datum arg)
{
	if (the_door != NULL)
		door_close(the_door);
	the_door = NULL;
}

static void
serve(Door *door)
{
	char	   *address = pstrdup(databite_webhook_listen);
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

		CHECK_FOR_INTERRUPTS();
		if (!PostmasterIsAlive())
			proc_exit(1);		/* where there is always something to do, nobody waits, and nobody would hear of it */
		follow_configuration(address);
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

/* Who waits for a lock in vain waits for all behind him, too. */
static void
take_deliveries(Guest *guests, int nguests)
{
	Receiver   *receiver = receiver_create();
	bool		is_blocked = false;

	for (int i = 0; i < nguests; i++)
	{
		ErrorData  *error;

		if (!is_delivery(guests[i].request))
			continue;
		guests[i].receiver = receiver;
		guests[i].reception.status = 503;
		if (is_blocked || (error = subtransaction_run(receive_one, &guests[i], SUBTRANSACTION_KEEP)) == NULL)
			continue;
		is_blocked = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
		guests[i].reception.status = 503;
		ereport(LOG,
				(errcode(error->sqlerrcode),
				 errmsg("a webhook could not be taken: %s", error->message),
				 errhidecontext(true)));
	}
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
