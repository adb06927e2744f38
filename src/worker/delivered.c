/*
 * delivered.c
 *	  Queues a run for each job whose webhook has brought something.
 *
 * A run takes all that there is when it looks, and one that is going on or queued
 * is enough: so a burst of deliveries is few runs, and those of a job that is
 * paused wait.  A delivery is committed before the scheduler is woken, and a run's end wakes
 * it too, so none is overlooked.
 *
 * A run that ends badly and leaves its deliveries is followed by one after a pause that grows, with
 * which it stands in the queue.  One that has rejected them is no reason to wait.
 */
#include "postgres.h"

#include "catalog/delivery_catalog.h"
#include "catalog/job_catalog.h"
#include "catalog/run_catalog.h"
#include "run/job_lock.h"
#include "utils/timestamp.h"
#include "worker/scheduler.h"

#define PAUSE_MIN_MS		10000
#define PAUSE_MAX_MS		600000
#define JOB_BUSY_RETRY_MS	5000

static TimestampTz not_before(const WaitingJob *waiting);

void
delivered_queue(Scheduler *scheduler)
{
	ListCell   *lc;

	foreach(lc, delivery_catalog_waiting())
	{
		const WaitingJob *waiting = lfirst(lc);
		JobRecord  *job = job_catalog_get(waiting->id, false);

		/* A session that runs it takes what it sees; the rest has its turn when that ends. */
		if (job_lock_is_held(job->id))
			scheduler_wake_by(scheduler, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), JOB_BUSY_RETRY_MS));
		else
			(void) run_catalog_add(job->id, job->owner, RUN_QUEUED, "webhook", not_before(waiting), NULL, 0);
	}
}

/* 0: at once. */
static TimestampTz
not_before(const WaitingJob *waiting)
{
	TimestampTz last;
	int			failures = run_catalog_failures_in_a_row(waiting->id, waiting->since, &last);

	if (failures == 0 || last == 0)
		return 0;
	return TimestampTzPlusMilliseconds(last, Min((int64) PAUSE_MIN_MS << Min(failures - 1, 10), PAUSE_MAX_MS));
}
