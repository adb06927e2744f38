/*
 * scheduler.c
 *	  The scheduler of one database: its life, and the loop of rounds.
 *
 * A round finds runs whose process is gone (recovery.c), turns due jobs into
 * queued runs (due.c), starts a runner for each queued run (children.c), and
 * now and then deletes what is old (expiry.c).  Then the process sleeps until the next job
 * is due or somebody sets its latch: a transaction that changed a job or queued
 * a run has committed (wake.c), a runner has ended, the configuration was
 * reloaded.
 *
 * Every part of a round is a short transaction, as the bootstrap superuser, on
 * databite's own tables only; no code of a user runs here.  An error ends the
 * round, is logged, and the next round comes after a pause that grows.
 *
 * Cases:
 * - Two schedulers: a session lock lets one of them live; the other one exits.
 * - The extension is not there (any more): exits with code 0, which unregisters
 *   the worker for good.
 * - The extension is there but does not fit the library (an update of one or the
 *   other is not complete): says so once, and does nothing until it does; it is
 *   woken by ALTER EXTENSION UPDATE, or looks again.  Where the objects are newer and
 *   databite is not preloaded, a new process may find a newer library.
 * - databite.stop() where databite is not preloaded: SIGUSR2, exits with code 0.
 *   SIGTERM, as from pg_terminate_backend, means that it shall come back.
 * - Other databases wait for a worker slot: exits after the round, and the
 *   launcher starts it again when it is needed (base/shared_turns.h).
 * - The database is gone when a scheduler that is not preloaded comes back: it
 *   unregisters itself rather than fail for ever.
 * - The database is read-only (default_transaction_read_only): exits as well, for
 *   only a new process hears that this was changed; where there is no launcher
 *   to start one, the postmaster does, after a while.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "base/background_worker.h"
#include "base/compat.h"
#include "base/lock_tag.h"
#include "base/settings.h"
#include "catalog/extension.h"
#include "catalog/job_catalog.h"
#include "catalog/run_catalog.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/connect.h"
#include "worker/listener.h"
#include "worker/notifier.h"
#include "worker/scheduler.h"
#include "base/shared.h"
#include "base/shared_turns.h"

/* Seconds after which the postmaster brings back a scheduler without a launcher that has died. */
#define RESTART_SECONDS 5

/* The longest sleep: a clock that was set, or rows that came by restoring a dump, are noticed after that. */
#define MAX_SLEEP_MS (5 * 60 * 1000)

/* How soon to look again whether somebody has updated the extension, where its commit wakes nobody. */
#define MISFIT_LOOK_MS 10000
#define MISFIT_RESTART_MS 60000	/* and for a newer library, by a new process */

/* A due job whose row is locked by somebody cannot be claimed; do not spin on it. */
#define MIN_SLEEP_MS 1000

/* A round begins so long after the last one ended. */
#define GATHER_MS 10

#define ERROR_PAUSE_MIN_MS 1000
#define ERROR_PAUSE_MAX_MS 60000

/* What a scheduler is told, in bgw_extra. */
typedef struct SchedulerOrder
{
	Oid			database;
	bool		launched;		/* by the launcher */
	bool		rested;			/* its predecessor made room for others */
	TimestampTz expire_at;
	int			starter_pid;	/* the session that called databite.start() in a transaction that has written, or 0 */
	VirtualTransactionId starter;	/* and that transaction, which may be creating the extension */
} SchedulerOrder;

StaticAssertDecl(sizeof(SchedulerOrder) <= BGW_EXTRALEN, "a scheduler's order must fit into bgw_extra");

static void handle_stop(SIGNAL_ARGS);
static void connect_to_database(const SchedulerOrder *order);
static void become_the_only_one(void);
static void wait_for_starter(const SchedulerOrder *order);
static void do_rounds(Scheduler *scheduler);
static void gather_requests(TimestampTz last_round);
static bool try_round(Scheduler *scheduler);
static void do_round(Scheduler *scheduler);
static void start_runners(Scheduler *scheduler);
static bool extension_fits(Scheduler *scheduler);
static void rest_if_asked(Scheduler *scheduler);
static bool sleep_until(TimestampTz when);
static uint32 wait_event(void);
static void leave_read_only(Scheduler *scheduler);
static void finish(Scheduler *scheduler, SchedulerEnd end);

static volatile sig_atomic_t stop_requested = false;

BackgroundWorkerHandle *
scheduler_register(Oid database, bool launched, bool rested, TimestampTz expire_at)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;
	SchedulerOrder order = {.database = database, .launched = launched, .rested = rested, .expire_at = expire_at};

	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
	{
		order.starter_pid = MyProcPid;
		GET_VXID_FROM_PGPROC(order.starter, *MyProc);
	}

	background_worker_init(&worker, "scheduler", "scheduler");
	worker.bgw_restart_time = launched ? BGW_NEVER_RESTART : RESTART_SECONDS;
	memcpy(worker.bgw_extra, &order, sizeof(order));
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

int
scheduler_pid_by_lock(void)
{
	LOCKTAG		tag;

	lock_tag_set(&tag, LOCK_SCHEDULER, 0);
	return lock_tag_holder(&tag);
}

void
databite_scheduler_main(Datum arg)
{
	SchedulerOrder order;
	Scheduler	scheduler = {0};

	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));

	/* SIGUSR1 stays with PostgreSQL's handler: DROP DATABASE waits for every process to answer its barrier. */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, SIG_IGN);
	pqsignal(SIGUSR2, handle_stop);
	BackgroundWorkerUnblockSignals();

	scheduler.database = order.database;
	scheduler.launched = order.launched;
	scheduler.rested = order.rested;
	scheduler.memory = TopMemoryContext;
	scheduler.begin_part = scheduler_begin_part;
	scheduler.end_part = scheduler_end_part;
	if (order.rested)
		expiry_begin_at(&scheduler, order.expire_at);
	connect_to_database(&order);
	become_the_only_one();
	wait_for_starter(&order);
	do_rounds(&scheduler);
}

void
scheduler_wake_by(Scheduler *scheduler, TimestampTz when)
{
	scheduler->wake_at = Min(scheduler->wake_at, when);
}

/* SIGUSR2 */
static void
handle_stop(SIGNAL_ARGS)
{
	int			saved_errno = errno;

	stop_requested = true;
	SetLatch(MyLatch);
	errno = saved_errno;
}

/* Enters shared memory, where there is any, and then the database. */
static void
connect_to_database(const SchedulerOrder *order)
{
	/* Before connecting: callbacks run in reverse order, so we leave shared memory after leaving the database. */
	if (shared_available() && !shared_enter_scheduler(order->database))
		proc_exit(0);
	if (order->launched)
		BackgroundWorkerInitializeConnectionByOid(order->database, InvalidOid, 0);
	else
		connect_or_unregister(order->database);

	SetConfigOption("application_name", "databite scheduler", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("max_parallel_workers_per_gather", "0", PGC_USERSET, PGC_S_SESSION);
	/* A standby that is away must not hold up the scheduler, nor the server's shutdown behind it. */
	SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_SESSION);
}

/* Takes the lock that a database's scheduler holds for its life; exits quietly where another one has it. */
static void
become_the_only_one(void)
{
	LOCKTAG		tag;

	lock_tag_set(&tag, LOCK_SCHEDULER, 0);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		proc_exit(0);
}

/*
 * BEGIN; CREATE EXTENSION databite; SELECT databite.start(); COMMIT;
 * must not end with a scheduler that looked too early and went away.
 */
static void
wait_for_starter(const SchedulerOrder *order)
{
	if (order->starter_pid == 0 || BackendPidGetProc(order->starter_pid) == NULL)
		return;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, "waiting for the transaction that called databite.start()");
	(void) VirtualXactLock(order->starter, true);
	CommitTransactionCommand();
}

static void
do_rounds(Scheduler *scheduler)
{
	TimestampTz last_round = 0;
	int			errors = 0;

	for (;;)
	{
		gather_requests(last_round);
		CHECK_FOR_INTERRUPTS();
		if (stop_requested)
			finish(scheduler, ENDED_AS_TOLD);
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}

		if (try_round(scheduler))
			errors = 0;
		else
		{
			int64		pause = Min((int64) ERROR_PAUSE_MIN_MS << Min(errors, 10), ERROR_PAUSE_MAX_MS);

			errors++;
			scheduler->wake_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), pause);
		}
		last_round = GetCurrentTimestamp();
		rest_if_asked(scheduler);
		/* A wait for a lock in the round may have taken the latch's setting. */
		if (shared_scheduler_is_asked(scheduler->database))
			scheduler->wake_at = GetCurrentTimestamp();
		if (sleep_until(scheduler->wake_at))
			scheduler->no_slot_tries = 0;	/* a worker has ended, perhaps */
	}
}

/* Where somebody asks after every commit, one round is for many of them; who asks after a while does not wait. */
static void
gather_requests(TimestampTz last_round)
{
	long		since = TimestampDifferenceMilliseconds(last_round, GetCurrentTimestamp());

	if (since >= GATHER_MS)
		return;
	(void) WaitLatch(NULL, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, GATHER_MS - since, wait_event());
	ResetLatch(MyLatch);		/* what it was set for, the round will see */
}

/* One round; false where an error ended it, which is logged. */
static bool
try_round(Scheduler *scheduler)
{
	volatile bool ok = true;

	PG_TRY();
	{
		do_round(scheduler);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(TopMemoryContext);
		EmitErrorReport();
		AbortCurrentTransaction();
		FlushErrorState();
		pgstat_report_activity(STATE_IDLE, NULL);
		RESUME_INTERRUPTS();
		ok = false;
	}
	PG_END_TRY();
	return ok;
}

static void
do_round(Scheduler *scheduler)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz due;
	TimestampTz delayed;

	/* From here on a request asks for another round, whatever this one will see. */
	shared_scheduler_looks(scheduler->database);
	scheduler->wake_at = TimestampTzPlusMilliseconds(now, MAX_SLEEP_MS);

	scheduler_begin_part(scheduler);
	if (!extension_fits(scheduler))
	{
		scheduler_end_part();
		return;
	}
	children_reap(scheduler);
	if (databite_max_workers == 0)
	{
		/* Nothing is queued either: it would all begin at once later.  A change of the setting sets the latch. */
		scheduler_end_part();
		pgstat_report_activity(STATE_IDLE, NULL);
		return;
	}
	round_recover(scheduler);
	scheduler_end_part();

	round_queue(scheduler, start_runners);

	expiry_do(scheduler);
	listener_keep(scheduler);

	scheduler_begin_part(scheduler);
	notifier_keep(scheduler);
	due = job_catalog_next_due();
	delayed = run_catalog_next_delayed();
	scheduler_end_part();
	now = GetCurrentTimestamp();
	if (due != 0)
		scheduler_wake_by(scheduler, Max(due, TimestampTzPlusMilliseconds(now, due <= now ? MIN_SLEEP_MS : 0)));
	if (delayed != 0)
		scheduler_wake_by(scheduler, delayed);
	pgstat_report_activity(STATE_IDLE, NULL);
}

static void
start_runners(Scheduler *scheduler)
{
	children_reap(scheduler);
	children_start(scheduler);
}

/* Do the SQL objects fit this library?  Where they do not, the log says it once for each version that is found. */
static bool
extension_fits(Scheduler *scheduler)
{
	static char *said = NULL;	/* what the log says last; lives as long as the process */
	static TimestampTz restart_at = 0;
	TimestampTz now = GetCurrentTimestamp();
	ExtensionMisfit misfit;

	if (!catalog_extension_misfits(&misfit))
	{
		if (said != NULL)
		{
			ereport(LOG,
					(errmsg("databite scheduler of database \"%s\" goes on", get_database_name(MyDatabaseId))));
			pfree(said);
			said = NULL;
		}
		return true;
	}

	if (said == NULL || strcmp(said, misfit.message) != 0)
	{
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("databite scheduler of database \"%s\" waits: %s", get_database_name(MyDatabaseId), misfit.message),
				 errhint("%s", misfit.hint)));
		if (said != NULL)
			pfree(said);
		said = MemoryContextStrdup(scheduler->memory, misfit.message);
		restart_at = TimestampTzPlusMilliseconds(now, MISFIT_RESTART_MS);
	}
	if (misfit.newer && !scheduler->launched && now >= restart_at)
	{
		/* Exit code 1: the postmaster starts another one, with the library that is installed now. */
		scheduler_end_part();
		proc_exit(1);
	}
	scheduler_wake_by(scheduler, TimestampTzPlusMilliseconds(now, MISFIT_LOOK_MS));
	pgstat_report_activity(STATE_IDLE, NULL);
	return false;
}

/* Begins the transaction of a part.  Ends the process where there is nothing to do for it. */
void
scheduler_begin_part(Scheduler *scheduler)
{
	static bool ready = false;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (XactReadOnly)
	{
		CommitTransactionCommand();
		leave_read_only(scheduler);
	}
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "looking for jobs that are due");
	if (!OidIsValid(catalog_lock_extension()))
	{
		scheduler_end_part();
		finish(scheduler, ENDED_IDLE);
	}

	if (!ready)
	{
		ereport(scheduler->rested ? DEBUG1 : LOG,
				(errmsg("databite scheduler of database \"%s\" started", get_database_name(MyDatabaseId))));
		shared_scheduler_is_ready(scheduler->database);
		ready = true;
	}
}

void
scheduler_end_part(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	(void) pgstat_report_stat(true);
}

/*
 * Ends the process for now where other databases need its worker slot.  Its
 * runs go on; the next scheduler is started when one of them ends.
 */
static void
rest_if_asked(Scheduler *scheduler)
{
	bool		busy = scheduler->children != NIL || scheduler->strangers > 0;
	TimestampTz expire_at;

	if (!scheduler->launched || !shared_must_rest(scheduler->database, scheduler->wake_at, busy) ||
		!expiry_can_rest(scheduler, &expire_at) || !children_are_settled(scheduler))
		return;
	shared_scheduler_rests(scheduler->database, scheduler->wake_at, expire_at);
	finish(scheduler, ENDED_RESTING);
}

/* Sleeps until then or until somebody sets the latch: true. */
static bool
sleep_until(TimestampTz when)
{
	int			events;

	events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					   TimestampDifferenceMilliseconds(GetCurrentTimestamp(), when), wait_event());
	ResetLatch(MyLatch);
	return (events & WL_LATCH_SET) != 0;
}

static uint32
wait_event(void)
{
	static uint32 event = 0;

	if (event == 0)
		event = compat_wait_event("DatabiteScheduler");
	return event;
}

/* Ends the process, but not for good. */
static void
leave_read_only(Scheduler *scheduler)
{
	if (scheduler->launched)
		finish(scheduler, ENDED_IDLE);
	(void) sleep_until(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), MAX_SLEEP_MS));
	proc_exit(stop_requested ? 0 : 1);
}

/* Ends the process for good: exit code 0 unregisters it. */
static void
finish(Scheduler *scheduler, SchedulerEnd end)
{
	shared_scheduler_ends(scheduler->database, end);
	proc_exit(0);
}
