/*
 * launcher.c
 *	  Keeps one scheduler in every database that has the extension.
 *
 * A static background worker that is connected to no database: it sees shared
 * catalogs only, so it cannot tell by itself where the extension is.  It starts
 * a scheduler, which looks, and goes away at once where there is nothing to
 * do.  Such a database is looked at again when somebody asks (a transaction that
 * scheduled a job has committed there) and after databite.launcher_interval, then
 * after twice as long and so on: to look is to start a process.
 *
 * Where more databases have the extension than worker slots allow schedulers
 * (base/shared_turns.h), they take turns.  A scheduler that has nothing to do soon, or
 * while others wait, ends and has said when it is needed again; who has been
 * waiting for longest is started next.
 *
 * Cases:
 * - CREATE EXTENSION, schedule_job: the commit requests a scheduler (hooks.c, wake.c).
 * - DROP EXTENSION: the commit wakes the scheduler, which ends by itself.
 * - CREATE DATABASE, ALTER DATABASE: hooks.c requests a scan of pg_database.
 * - DROP DATABASE, or it becomes a template or refuses connections: hooks.c has
 *   stopped its workers; a scan that does not find it any more stops them too.
 * - A scheduler dies (an error, pg_terminate_backend): it is started again after
 *   a second, and after twice as long each time it dies within a minute.
 * - No worker slot: said in the log once an hour, tried again every few seconds.
 * - The launcher dies: the postmaster starts it again; schedulers go on
 *   meanwhile, and the new one learns from shared memory where they are.
 * - A crash of the server: everything starts from nothing.
 * - A standby: the postmaster starts the launcher when it is promoted.
 */
#include "postgres.h"

#include <signal.h>

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/background_worker.h"
#include "base/compat.h"
#include "base/settings.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/launcher.h"
#include "worker/scheduler.h"
#include "base/shared.h"
#include "base/shared_turns.h"

/* Seconds until the postmaster starts a launcher that has died again. */
#define LAUNCHER_RESTART 2

/* A scheduler that dies is started again after 1 s, 2 s, 4 s ... 60 s; a minute of life forgets what was before. */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 60000
#define HEALTHY_MS 60000

#define NO_SLOT_RETRY_MS 5000
#define NO_SLOT_LOG_MS (60 * 60 * 1000)

/* Longer than any look is put off: a day of launcher_interval, doubled. */
#define LOOK_MAX_MS (INT64CONST(24) * 60 * 60 * 1000 << IDLE_DOUBLINGS_MAX)

/* How often launcher_interval is doubled where looks find nothing. */
#define IDLE_DOUBLINGS_MAX 4

/*
 * How many schedulers may be on the way to their first look at once.  They
 * need worker slots too: a server with many databases and few slots must not
 * have all of them taken by schedulers that will find nothing.
 */
#define MAX_STARTING 3
#define STARTING_MS 10000		/* one that takes longer (it waits for a lock, say) is not waited for */

/* What the launcher knows about a database. */
typedef struct Database
{
	Oid			oid;			/* hash key */
	bool		exists;			/* in pg_database */
	bool		eligible;		/* ... and can be connected to and is no template */
	bool		wanted;			/* needs a scheduler or at least a look */
	TimestampTz wanted_since;
	TimestampTz look_at;		/* it will be wanted then; 0: not by itself */
	bool		member;			/* has the extension, as its last scheduler found */
	bool		rested;			/* its last scheduler made room for others */
	TimestampTz expire_at;		/* then: when old rows are to be deleted there */
	int			idle_looks;		/* in a row that found nothing there */
	bool		alive;			/* its scheduler has been seen in shared memory */
	BackgroundWorkerHandle *handle; /* of the scheduler, unless another launcher started it */
	TimestampTz started_at;		/* or seen first */
	TimestampTz not_before;		/* do not start another one before */
	int			failures;		/* in a row */
} Database;

static void scan_databases(void);
static Database *remember_database(Oid oid);
static void want(Database *database, TimestampTz since);
static void update_database(Database *database, const SharedDatabase *slot);
static void await_look(Database *database);
static void look_sooner(TimestampTz now);
static void expire_sooner(void);
static bool scheduler_has_ended(Database *database, const SharedDatabase *slot);
static void note_end(Database *database, const SharedDatabase *slot);
static bool is_starting(const Database *database, const SharedDatabase *slot, TimestampTz now);
static void start_schedulers(const SharedDatabase *slots, int nslots);
static List *queue_of_databases(const SharedDatabase *slots, int nslots);
static int	compare_waiting(const ListCell *a, const ListCell *b);
static bool start_scheduler(Database *database);
static void wake_residents(const SharedDatabase *slots, int nslots, int count);
static int	compare_started(const ListCell *a, const ListCell *b);
static void log_no_slot(void);
static const SharedDatabase *find_slot(const SharedDatabase *slots, int nslots, Oid oid);
static void wake_by(TimestampTz when);

static HTAB *databases = NULL;
static TimestampTz next_look = 0;	/* when the launcher has to look around again at the latest */
static TimestampTz no_slot_logged_at = 0;
static bool no_room_logged = false;

void
launcher_register(void)
{
	BackgroundWorker worker;

	background_worker_init(&worker, "launcher", "launcher");
	worker.bgw_restart_time = LAUNCHER_RESTART;
	worker.bgw_notify_pid = 0;	/* the postmaster, who calls this, needs no telling */
	RegisterBackgroundWorker(&worker);
}

void
databite_launcher_main(Datum arg)
{
	HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Database)};
	SharedDatabase *slots;
	TimestampTz next_interval = 0;
	uint32		wait_event;
	int			retention = databite_history_retention;

	/* SIGUSR1 stays with PostgreSQL's handler: DROP DATABASE waits for every process to answer its barrier. */
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGINT, SIG_IGN);
	BackgroundWorkerUnblockSignals();
	shared_enter_launcher();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	wait_event = compat_wait_event("DatabiteLauncher");

	databases = hash_create("databite databases", 64, &control, HASH_ELEM | HASH_BLOBS);
	slots = MemoryContextAlloc(TopMemoryContext, sizeof(SharedDatabase) * SHARED_MAX_DATABASES);

	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		HASH_SEQ_STATUS scan;
		Database   *database;
		bool		scan_requested;
		int			nslots;

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			next_interval = Min(next_interval, TimestampTzPlusMilliseconds(now, databite_launcher_interval * INT64CONST(1000)));
			look_sooner(now);
			if (retention != databite_history_retention)
				expire_sooner();
			retention = databite_history_retention;
		}

		next_look = TimestampTzPlusMilliseconds(now, databite_launcher_interval * INT64CONST(1000));
		nslots = shared_read(slots, &scan_requested);
		for (int i = 0; i < nslots; i++)
		{
			if (hash_search(databases, &slots[i].oid, HASH_FIND, NULL) == NULL)
				scan_requested = true;
		}

		/* A clock that was set back must not put the next look off. */
		if (now >= next_interval || next_interval > next_look)
		{
			scan_databases();
			next_interval = next_look;
		}
		else if (scan_requested)
			scan_databases();
		wake_by(next_interval);

		for (int i = 0; i < nslots; i++)
			(void) remember_database(slots[i].oid);
		hash_seq_init(&scan, databases);
		while ((database = hash_seq_search(&scan)) != NULL)
			update_database(database, find_slot(slots, nslots, database->oid));
		start_schedulers(slots, nslots);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Max(0, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next_look)),
						 wait_event);
		ResetLatch(MyLatch);
	}
}

/* Reads pg_database.  A database that was not known is wanted, so that a scheduler looks at it. */
static void
scan_databases(void)
{
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;
	HASH_SEQ_STATUS sequence;
	Database   *database;

	hash_seq_init(&sequence, databases);
	while ((database = hash_seq_search(&sequence)) != NULL)
		database->exists = database->eligible = false;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		/* A negative limit other than -1 marks a database whose DROP was cut short. */
		bool		eligible = form->datallowconn && !form->datistemplate && form->datconnlimit >= -1;

		if (eligible)
			database = remember_database(form->oid);
		else
			database = hash_search(databases, &form->oid, HASH_FIND, NULL);
		if (database == NULL)
			continue;
		database->exists = true;
		database->eligible = eligible;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	CommitTransactionCommand();
	pgstat_report_stat(true);
}

/* What is known about the database; a new one is wanted, and eligible once a scan has found it. */
static Database *
remember_database(Oid oid)
{
	bool		found;
	Database   *database = hash_search(databases, &oid, HASH_ENTER, &found);

	if (!found)
	{
		memset(database, 0, sizeof(Database));
		database->oid = oid;
		want(database, GetCurrentTimestamp());
	}
	return database;
}

static void
want(Database *database, TimestampTz since)
{
	if (!database->wanted)
		database->wanted_since = since;
	database->wanted = true;
	database->look_at = 0;
}

/* Brings what is known up to what shared memory (slot; NULL: nothing) says, and forgets databases that are gone. */
static void
update_database(Database *database, const SharedDatabase *slot)
{
	if (slot && slot->scheduler != 0)
	{
		if (!database->alive && database->handle == NULL)
			database->started_at = GetCurrentTimestamp();
		database->alive = true;
		if (slot->ready)
		{
			database->member = true;
			database->idle_looks = 0;
		}
		if (!database->eligible)
			kill(slot->scheduler, SIGTERM);
	}
	else if (scheduler_has_ended(database, slot))
		note_end(database, slot);

	if (slot && slot->requested)
		want(database, GetCurrentTimestamp());
	if (database->alive || database->handle != NULL)
		return;
	if (database->look_at != 0 && !database->wanted)
		await_look(database);
	if (slot && (!database->wanted || !database->eligible))
		shared_release(database->oid, database->exists);
	if (slot == NULL && !database->eligible)
		(void) hash_search(databases, &database->oid, HASH_REMOVE, NULL);
}

/* A database that nobody asks for is wanted again at look_at; a clock that was set back must not put that off. */
static void
await_look(Database *database)
{
	TimestampTz now = GetCurrentTimestamp();

	if (database->look_at <= now || database->look_at > TimestampTzPlusMilliseconds(now, LOOK_MAX_MS))
		want(database, Min(database->look_at, now));
	else
		wake_by(database->look_at);
}

/* The interval has been changed, perhaps: databases where nothing was found are looked at after it. */
static void
look_sooner(TimestampTz now)
{
	HASH_SEQ_STATUS scan;
	Database   *database;

	hash_seq_init(&scan, databases);
	while ((database = hash_seq_search(&scan)) != NULL)
	{
		if (database->idle_looks == 0 || database->look_at == 0)
			continue;
		database->idle_looks = 1;
		database->look_at = Min(database->look_at, TimestampTzPlusMilliseconds(now, databite_launcher_interval * INT64CONST(1000)));
	}
}

/* The retention has been changed: schedulers that are there see that for themselves, those that rest when they come back. */
static void
expire_sooner(void)
{
	HASH_SEQ_STATUS scan;
	Database   *database;

	hash_seq_init(&scan, databases);
	while ((database = hash_seq_search(&scan)) != NULL)
		database->expire_at = 0;
}

/* Called where no scheduler is in the slot: was there one until now? */
static bool
scheduler_has_ended(Database *database, const SharedDatabase *slot)
{
	pid_t		pid;

	/* Only when the postmaster has seen the end too is the worker slot free for the next one. */
	if (database->handle)
		return GetBackgroundWorkerPid(database->handle, &pid) == BGWH_STOPPED;
	return database->alive;
}

/* Decides whether and when the database gets another scheduler. */
static void
note_end(Database *database, const SharedDatabase *slot)
{
	TimestampTz now = GetCurrentTimestamp();
	SchedulerEnd end = slot ? slot->end : ENDED_BY_ERROR;

	if (database->handle)
		pfree(database->handle);
	database->handle = NULL;
	database->alive = false;
	database->wanted = false;
	database->not_before = 0;
	database->rested = end == ENDED_RESTING;
	if (end == ENDED_RESTING)
	{
		database->look_at = slot->look_at;
		database->expire_at = slot->expire_at;
	}
	else if (end == ENDED_IDLE)
	{
		int64		wait = databite_launcher_interval * INT64CONST(1000);

		database->look_at = TimestampTzPlusMilliseconds(now, wait << Min(database->idle_looks, IDLE_DOUBLINGS_MAX));
		database->idle_looks++;
		database->member = false;
	}
	else
		want(database, now);

	if (end != ENDED_BY_ERROR || TimestampDifferenceExceeds(database->started_at, now, HEALTHY_MS))
		database->failures = 0;
	if (end == ENDED_BY_ERROR)
	{
		int64		wait = Min((int64) BACKOFF_MIN_MS << Min(database->failures, 10), BACKOFF_MAX_MS);

		database->failures++;
		database->not_before = TimestampTzPlusMilliseconds(now, wait);
	}
}

/*
 * Starts what is wanted and may be started, the longest-waiting first, and sees
 * to it that the launcher wakes for the rest.  Where databases are left without a worker slot,
 * schedulers that have had their turn are asked to make room.
 */
static void
start_schedulers(const SharedDatabase *slots, int nslots)
{
	TimestampTz now = GetCurrentTimestamp();
	HASH_SEQ_STATUS scan;
	Database   *database;
	List	   *queue = queue_of_databases(slots, nslots);
	ListCell   *cell;
	int			starting = 0;
	int			running = 0;
	int			members = 0;
	int			waiting = 0;

	hash_seq_init(&scan, databases);
	while ((database = hash_seq_search(&scan)) != NULL)
	{
		if (database->alive || database->handle != NULL)
			running++;
		if (database->member && database->eligible)
			members++;
		if (is_starting(database, find_slot(slots, nslots, database->oid), now))
			starting++;
	}

	foreach(cell, queue)
	{
		database = lfirst(cell);
		/* Those on the way to their first look may be gone in a moment; when one is, the launcher is woken. */
		if (running - starting >= shared_scheduler_places())
			waiting++;
		else if (running >= shared_scheduler_places() || starting >= MAX_STARTING)
			wake_by(TimestampTzPlusMilliseconds(now, STARTING_MS));
		else if (start_scheduler(database))
		{
			starting++;
			running++;
		}
		else
		{
			waiting++;
			wake_by(database->not_before);
		}
	}
	list_free(queue);

	shared_set_crowd(members, members > shared_scheduler_places() || waiting > 0, waiting);
	if (waiting > 0)
		wake_residents(slots, nslots, waiting);
}

/* The databases that want a scheduler and may have one now, in order.  Sees to it that the launcher wakes for the others. */
static List *
queue_of_databases(const SharedDatabase *slots, int nslots)
{
	TimestampTz now = GetCurrentTimestamp();
	HASH_SEQ_STATUS scan;
	Database   *database;
	List	   *queue = NIL;

	hash_seq_init(&scan, databases);
	while ((database = hash_seq_search(&scan)) != NULL)
	{
		const SharedDatabase *slot = find_slot(slots, nslots, database->oid);

		if (!database->wanted || !database->eligible || database->alive || database->handle != NULL)
			continue;
		if (slot && (slot->stopped || slot->blocked_by != 0))
			continue;			/* whoever ends that wakes the launcher */

		/* A clock that was set back must not keep a database waiting. */
		if (database->not_before > now &&
			database->not_before <= TimestampTzPlusMilliseconds(now, BACKOFF_MAX_MS))
			wake_by(database->not_before);
		else
			queue = lappend(queue, database);
	}
	list_sort(queue, compare_waiting);
	return queue;
}

static int
compare_waiting(const ListCell *a, const ListCell *b)
{
	return timestamptz_cmp_internal(((const Database *) lfirst(a))->wanted_since, ((const Database *) lfirst(b))->wanted_since);
}

/* Is the database's scheduler on its way to its first look? */
static bool
is_starting(const Database *database, const SharedDatabase *slot, TimestampTz now)
{
	return database->handle != NULL && !(slot && slot->ready) &&
		!TimestampDifferenceExceeds(database->started_at, now, STARTING_MS);
}

/* Registers a scheduler; where that is not possible, sets when to try again and logs why. */
static bool
start_scheduler(Database *database)
{
	TimestampTz now = GetCurrentTimestamp();
	MemoryContext old;

	database->not_before = TimestampTzPlusMilliseconds(now, NO_SLOT_RETRY_MS);
	if (!shared_prepare_start(database->oid))
	{
		if (!no_room_logged)
			ereport(LOG,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("databite has schedulers in %d databases and starts no more", SHARED_MAX_DATABASES)));
		no_room_logged = true;
		return false;
	}
	no_room_logged = false;

	old = MemoryContextSwitchTo(TopMemoryContext);
	database->handle = scheduler_register(database->oid, true, database->rested, database->expire_at);
	MemoryContextSwitchTo(old);
	if (database->handle == NULL)
	{
		log_no_slot();
		return false;
	}
	database->started_at = now;
	return true;
}

/* Has so many schedulers end that wait for something, those first that have been there for longest. */
static void
wake_residents(const SharedDatabase *slots, int nslots, int count)
{
	HASH_SEQ_STATUS scan;
	Database   *database;
	List	   *residents = NIL;
	ListCell   *cell;

	hash_seq_init(&scan, databases);
	while ((database = hash_seq_search(&scan)) != NULL)
	{
		const SharedDatabase *slot = find_slot(slots, nslots, database->oid);

		if (slot && slot->scheduler != 0 && slot->ready)
			residents = lappend(residents, database);
	}
	list_sort(residents, compare_started);
	foreach(cell, residents)
	{
		if (foreach_current_index(cell) == count)
			break;
		shared_wake_process(find_slot(slots, nslots, ((const Database *) lfirst(cell))->oid)->scheduler);
	}
	list_free(residents);
}

static int
compare_started(const ListCell *a, const ListCell *b)
{
	return timestamptz_cmp_internal(((const Database *) lfirst(a))->started_at, ((const Database *) lfirst(b))->started_at);
}

/* Slots come and go, as databases are looked at; the log has enough of it once an hour. */
static void
log_no_slot(void)
{
	TimestampTz now = GetCurrentTimestamp();

	if (no_slot_logged_at != 0 && !TimestampDifferenceExceeds(no_slot_logged_at, now, NO_SLOT_LOG_MS))
		return;
	no_slot_logged_at = now;
	ereport(LOG,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("out of background worker slots for databite's schedulers"),
			 errdetail("Some databases have no scheduler. databite goes on trying; this is said once an hour."),
			 errhint("You might need to increase %s.", "max_worker_processes")));
}

static const SharedDatabase *
find_slot(const SharedDatabase *slots, int nslots, Oid oid)
{
	for (int i = 0; i < nslots; i++)
	{
		if (slots[i].oid == oid)
			return &slots[i];
	}
	return NULL;
}

static void
wake_by(TimestampTz when)
{
	next_look = Min(next_look, when);
}
