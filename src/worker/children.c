/*
 * children.c
 *	  The runners of a scheduler: at most databite.max_workers, one for a run.
 *
 * The scheduler is notified when one of its runners ends.  What became of the
 * run stands in databite.run; here only those are looked after that the runner
 * never took, because it could not even connect.
 *
 * Cases:
 * - No worker slot is free: the run stays queued, the log says so once an hour.
 * - Another database comes first (base/shared_turns.h): likewise, but it is not logged.
 * - The owner is gone, may not log in or may not connect: the run fails, with
 *   the reason, before a worker is spent on it.
 * - The runner ends before it took the run: it is tried again, three times.
 * - The job runs in a session (execute_job): the run waits for that.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/shared_turns.h"
#include "catalog/run_catalog.h"
#include "miscadmin.h"
#include "run/job_lock.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/owner.h"
#include "worker/runner.h"
#include "worker/scheduler.h"

/* Tried again after 250 ms, 500 ms ... 20 s, and when one of databite's workers has ended. */
#define NO_SLOT_MIN_MS 250
#define NO_SLOT_MAX_MS 20000
#define NO_SLOT_LOG_MS (60 * 60 * 1000)
#define NO_SLOT_LOG_AFTER_MS 5000	/* a slot may be free a moment after its process has gone */
#define JOB_BUSY_RETRY_MS 5000

/* A runner takes its run as soon as it has connected. */
#define UNSETTLED_LOOK_MS 100
#define UNSETTLED_MAX_MS 5000

/* How often a run's worker may end before it has taken the run, and how long it waits in between. */
#define REFUSALS_MAX 3
#define REFUSAL_RETRY_MS 2000

/* A run that left the queue by itself (it was cancelled) is forgotten after that. */
#define REFUSAL_FORGET_MS (10 * 60 * 1000)

typedef struct Child
{
	int64		run_id;
	BackgroundWorkerHandle *handle;
	TimestampTz started_at;
	bool		settled;		/* it has taken the run, as far as we have looked */
} Child;

typedef struct Refusal
{
	int64		run_id;
	int			count;
	TimestampTz not_before;
} Refusal;

static void note_end(Scheduler *scheduler, int64 run_id);
static void note_refusal(Scheduler *scheduler, const RunRecord *run);
static Refusal *find_refusal(const Scheduler *scheduler, int64 run_id);
static void forget_refusal(Scheduler *scheduler, Refusal *refusal);
static bool must_wait(Scheduler *scheduler, const RunRecord *run);
static bool start_runner(Scheduler *scheduler, const RunRecord *run);
static void wait_for_slot(Scheduler *scheduler);
static void log_no_slot(Scheduler *scheduler);

void
children_reap(Scheduler *scheduler)
{
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *cell;

	foreach(cell, scheduler->children)
	{
		Child	   *child = lfirst(cell);
		int64		run_id = child->run_id;
		pid_t		pid;

		if (GetBackgroundWorkerPid(child->handle, &pid) != BGWH_STOPPED)
			continue;
		scheduler->children = foreach_delete_current(scheduler->children, cell);
		pfree(child->handle);
		pfree(child);
		note_end(scheduler, run_id);
	}

	foreach(cell, scheduler->refusals)
	{
		Refusal    *refusal = lfirst(cell);

		if (TimestampDifferenceExceeds(refusal->not_before, now, REFUSAL_FORGET_MS))
		{
			scheduler->refusals = foreach_delete_current(scheduler->refusals, cell);
			pfree(refusal);
		}
	}
}

void
children_start(Scheduler *scheduler)
{
	int			going = list_length(scheduler->children) + scheduler->strangers;
	int			room = databite_max_workers - going;
	bool		hungry = false;
	List	   *runs;
	ListCell   *cell;

	/* When one ends, there is another round. */
	if (room <= 0)
	{
		(void) shared_set_hungry(scheduler->database, false);
		return;
	}
	scheduler->no_slot = false;

	/* Some of the queued runs have a runner that has not taken them yet, or wait for another try. */
	runs = run_catalog_startable(room + list_length(scheduler->children) + list_length(scheduler->refusals), 0, InvalidOid);
	foreach(cell, runs)
	{
		RunRecord  *run = lfirst(cell);
		char	   *hint = NULL;
		char	   *reason;

		if (room == 0)
			break;
		if (children_have(scheduler, run->id) || must_wait(scheduler, run))
			continue;

		reason = owner_cannot_run(run->owner, &hint);
		if (reason)
		{
			unheard_failure_simple(run->id, run->job_id, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, "28000", reason, hint);
			/* Another run of the job may be behind it. */
			scheduler_wake_by(scheduler, GetCurrentTimestamp());
		}
		else if (shared_may_run(scheduler->database, databite_max_workers - room) && start_runner(scheduler, run))
			room--;
		else
		{
			hungry = true;
			break;
		}
	}
	if (hungry)
		wait_for_slot(scheduler);
	else
	{
		scheduler->no_slot_tries = 0;
		(void) shared_set_hungry(scheduler->database, false);
	}
}

bool
children_are_settled(Scheduler *scheduler)
{
	TimestampTz now = GetCurrentTimestamp();
	ListCell   *cell;
	bool		settled = true;

	scheduler_begin_part(scheduler);
	foreach(cell, scheduler->children)
	{
		Child	   *child = lfirst(cell);

		if (!child->settled)
		{
			RunRecord  *run = run_catalog_get(child->run_id);

			child->settled = run == NULL || run->status != RUN_QUEUED ||
				TimestampDifferenceExceeds(child->started_at, now, UNSETTLED_MAX_MS);
		}
		settled = settled && child->settled;
	}
	scheduler_end_part();

	/* How often a run's worker has failed is known to this process only. */
	foreach(cell, scheduler->refusals)
		settled = settled && TimestampDifferenceExceeds(((Refusal *) lfirst(cell))->not_before, now, UNSETTLED_MAX_MS);
	if (!settled)
		scheduler_wake_by(scheduler, TimestampTzPlusMilliseconds(now, UNSETTLED_LOOK_MS));
	return settled;
}

bool
children_have(const Scheduler *scheduler, int64 run_id)
{
	ListCell   *cell;

	foreach(cell, scheduler->children)
	{
		if (((Child *) lfirst(cell))->run_id == run_id)
			return true;
	}
	return false;
}

/* A runner ended: did it at least take its run? */
static void
note_end(Scheduler *scheduler, int64 run_id)
{
	RunRecord  *run = run_catalog_get(run_id);
	Refusal    *refusal = find_refusal(scheduler, run_id);

	if (run && run->status == RUN_QUEUED)
	{
		/* Where the job runs somewhere else, the runner was right to leave. */
		if (!job_lock_is_held(run->job_id))
			note_refusal(scheduler, run);
	}
	else if (refusal)
		forget_refusal(scheduler, refusal);
}

/* Gives the run another try, later, or gives it up. */
static void
note_refusal(Scheduler *scheduler, const RunRecord *run)
{
	Refusal    *refusal = find_refusal(scheduler, run->id);

	if (refusal == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(scheduler->memory);

		refusal = palloc0(sizeof(Refusal));
		refusal->run_id = run->id;
		scheduler->refusals = lappend(scheduler->refusals, refusal);
		MemoryContextSwitchTo(old);
	}

	refusal->count++;
	if (refusal->count < REFUSALS_MAX)
	{
		refusal->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), refusal->count * REFUSAL_RETRY_MS);
		return;
	}
	unheard_failure_simple(run->id, run->job_id, ERRCODE_SYSTEM_ERROR, "worker_failed",
						   psprintf("the worker of the run ended %d times before it could begin", REFUSALS_MAX),
						   pstrdup("The server log says why."));
	forget_refusal(scheduler, refusal);
}

static Refusal *
find_refusal(const Scheduler *scheduler, int64 run_id)
{
	ListCell   *cell;

	foreach(cell, scheduler->refusals)
	{
		Refusal    *refusal = lfirst(cell);

		if (refusal->run_id == run_id)
			return refusal;
	}
	return NULL;
}

static void
forget_refusal(Scheduler *scheduler, Refusal *refusal)
{
	scheduler->refusals = list_delete_ptr(scheduler->refusals, refusal);
	pfree(refusal);
}

/* Is it too early for the run?  Sees to it that there is another round in time. */
static bool
must_wait(Scheduler *scheduler, const RunRecord *run)
{
	TimestampTz now = GetCurrentTimestamp();
	Refusal    *refusal = find_refusal(scheduler, run->id);

	if (refusal && refusal->not_before > now)
	{
		scheduler_wake_by(scheduler, refusal->not_before);
		return true;
	}

	/* execute_job's run is not to be seen before it commits, but its lock is. */
	if (job_lock_is_held(run->job_id))
	{
		scheduler_wake_by(scheduler, TimestampTzPlusMilliseconds(now, JOB_BUSY_RETRY_MS));
		return true;
	}
	return false;
}

/* False where no worker slot is free. */
static bool
start_runner(Scheduler *scheduler, const RunRecord *run)
{
	MemoryContext old = MemoryContextSwitchTo(scheduler->memory);
	BackgroundWorkerHandle *handle = runner_register(scheduler->database, run->owner, run->id, run->job_id);

	if (handle)
	{
		Child	   *child = palloc0(sizeof(Child));

		child->run_id = run->id;
		child->handle = handle;
		child->started_at = GetCurrentTimestamp();
		scheduler->children = lappend(scheduler->children, child);
	}
	MemoryContextSwitchTo(old);

	scheduler->no_slot = handle == NULL;
	return handle != NULL;
}

/*
 * Sees to it that there is another round in time.  When a runner ends, in whatever database,
 * the one of the hungry databases is woken whose turn it is; that it has ended may be seen
 * a moment before its slot is free.  Who rests meanwhile does not count its tries, but knows for how long.
 */
static void
wait_for_slot(Scheduler *scheduler)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz since = shared_set_hungry(scheduler->database, true);
	int64		wait = (int64) NO_SLOT_MIN_MS << Min(scheduler->no_slot_tries, 10);

	scheduler->no_slot_tries++;
	if (scheduler->no_slot && since != 0 && TimestampDifferenceExceeds(since, now, NO_SLOT_LOG_AFTER_MS))
		log_no_slot(scheduler);
	if (!scheduler->has_waited && since != 0)
		wait = Max(wait, (now - since) / 1000);
	scheduler->has_waited = true;
	scheduler_wake_by(scheduler, TimestampTzPlusMilliseconds(now, Min(wait, NO_SLOT_MAX_MS)));
}

static void
log_no_slot(Scheduler *scheduler)
{
	TimestampTz now = GetCurrentTimestamp();

	if (scheduler->no_slot_logged_at != 0 &&
		!TimestampDifferenceExceeds(scheduler->no_slot_logged_at, now, NO_SLOT_LOG_MS))
		return;
	scheduler->no_slot_logged_at = now;
	ereport(LOG,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("out of background worker slots for databite's runs"),
			 errdetail("Runs wait in the queue. databite goes on trying; this is said once an hour."),
			 errhint("You might need to increase %s.", "max_worker_processes")));
}
