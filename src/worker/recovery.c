/*
 * recovery.c
 *	  Finds runs whose process is gone, and has them run again.
 *
 * A run holds its job's lock from before it is marked running until after its
 * end is recorded.  So a run that is marked running while nobody has the lock
 * has lost its process: killed, terminated, or taken down with the server.  It
 * ends as crashed, and a new run goes on from its last committed batch.
 *
 * A job that takes the server down with it must not do so in a loop: after a
 * second crash in a row the job waits 10 seconds, then 20, up to 10 minutes.  The
 * time is kept in the queued run, so it outlives the next crash.
 *
 * What a run has gathered (catalog/stage_catalog.h) is dropped by that run, or by
 * the next one of its job.  Where neither comes, it is left over and dropped here.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/shared.h"
#include "base/subtransaction.h"
#include "catalog/job_catalog.h"
#include "catalog/run_catalog.h"
#include "catalog/stage_catalog.h"
#include "run/job_lock.h"
#include "run/run_error.h"
#include "utils/timestamp.h"
#include "worker/scheduler.h"

#define CRASH_WAIT_MIN_MS 10000
#define CRASH_WAIT_MAX_MS 600000

/*
 * Where databite is not preloaded, nobody tells this scheduler when a runner ends
 * that an earlier scheduler started.
 */
#define STRANGER_LOOK_MS 10000

static void drop_leftover(void *arg);
static void recover(const RunRecord *run);
static TimestampTz not_before(const char *job_id);

void
recovery_find_crashed(Scheduler *scheduler)
{
	List	   *runs = run_catalog_running();
	ListCell   *cell;

	scheduler->strangers = 0;
	foreach(cell, runs)
	{
		RunRecord  *run = lfirst(cell);

		if (children_have(scheduler, run->id))
			continue;
		if (job_lock_is_held(run->job_id))
		{
			if (strcmp(run->trigger, "call") != 0)
				scheduler->strangers++;
			continue;
		}

		/* It may have ended, and only then released the lock, since the list was read: look again. */
		run = run_catalog_get(run->id);
		if (run && run->status == RUN_RUNNING)
			recover(run);
	}
	if (scheduler->strangers > 0 && !shared_available())
		scheduler_wake_by(scheduler, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), STRANGER_LOOK_MS));
}

void
recovery_drop_stages(void)
{
	ListCell   *cell;

	foreach(cell, stage_catalog_unfinished())
	{
		StageRecord *stage = lfirst(cell);

		/* Where somebody reads it just now, the next time will do. */
		if (!job_lock_is_held(stage->job_id))
		{
			ErrorData  *error = subtransaction_run(drop_leftover, stage, SUBTRANSACTION_KEEP);

			if (error != NULL && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
				error_rethrow(error);
		}
	}
}

static void
drop_leftover(void *arg)
{
	stage_catalog_drop_leftover(((const StageRecord *) arg)->id);
}

/* Records that the run crashed and queues one that goes on from where it stood. */
static void
recover(const RunRecord *run)
{
	JobRecord  *job;

	if (run->cancel_requested)
	{
		run_catalog_finish(run->id, RUN_CANCELLED, NULL,
						   run_error_json_simple("cancelled", "the run was cancelled", NULL));
		run_catalog_owe_hook(run->id);
		return;
	}

	ereport(LOG,
			(errmsg("run %lld of job \"%s\" crashed", (long long) run->id, run->job_id),
			 errdetail("Process %d ended without recording how the run ended.", run->pid)));
	unheard_crash(run->id);

	/*
	 * A run that is queued already goes on from the same place; one that came
	 * after this (somebody called execute_job meanwhile) has done so.  But not for the event
	 * that this run was for, of which there is no other run.
	 */
	job = job_catalog_get(run->job_id, false);
	if (job && (run->event_id != 0 || (job->enabled && !run_catalog_active(run->job_id) && !run_catalog_was_continued(run))))
		(void) run_catalog_add(run->job_id, job->owner, RUN_QUEUED, "resume",
							   not_before(run->job_id), run->payload, run->id);
}

/* When the job may run again: 0 is at once. */
static TimestampTz
not_before(const char *job_id)
{
	int			crashes = run_catalog_crashes_in_a_row(job_id);

	if (crashes < 2)
		return 0;
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
									   Min((int64) CRASH_WAIT_MIN_MS << Min(crashes - 2, 10), CRASH_WAIT_MAX_MS));
}
