/*
 * due.c
 *	  Turns jobs that are due into queued runs.
 *
 * A job is claimed by locking its row, and its next run is set in the
 * transaction that queues this one, so neither can happen without the other.
 * A scheduler that was away finds each job due once, however often it would have
 * fired meanwhile.  A job whose last run is still queued or going on is not
 * queued again; history says that it was skipped.  A retry that waits for its time gives
 * way: the run of the schedule goes on from the same checkpoint.
 *
 * A job that cannot be handled fails alone: its error is recorded as a failed
 * run, and the others go on.
 */
#include "postgres.h"

#include "base/subtransaction.h"
#include "catalog/job_catalog.h"
#include "catalog/run_catalog.h"
#include "catalog/state_catalog.h"
#include "job/definition.h"
#include "run/job_lock.h"
#include "run/run_error.h"
#include "utils/timestamp.h"
#include "worker/scheduler.h"

/* Jobs that one transaction handles; their rows are locked as long. */
#define CLAIM_MAX 50

/* After an error that may pass by itself. */
#define RETRY_MS 60000

typedef struct DueJob
{
	const JobRecord *job;
	TimestampTz now;
} DueJob;

static void queue_or_record_error(const JobRecord *job, TimestampTz now);
static void queue_run(void *arg);
static TimestampTz next_fire(const JobRecord *job, TimestampTz now);
static void record_error(const JobRecord *job, TimestampTz now, const ErrorData *error);

bool
due_jobs_queue(Scheduler *scheduler)
{
	TimestampTz now = GetCurrentTimestamp();
	List	   *jobs = job_catalog_claim_due(now, CLAIM_MAX, scheduler->role);
	ListCell   *cell;

	foreach(cell, jobs)
		queue_or_record_error(lfirst(cell), now);
	return list_length(jobs) == CLAIM_MAX;
}

/* Handles one job in a subtransaction, so that its error leaves the claim on the others alone. */
static void
queue_or_record_error(const JobRecord *job, TimestampTz now)
{
	DueJob		due = {job, now};
	ErrorData  *error = subtransaction_run(queue_run, &due, SUBTRANSACTION_KEEP);

	if (error)
		record_error(job, now, error);
}

static void
queue_run(void *arg)
{
	const DueJob *due = arg;
	const JobRecord *job = due->job;
	int64		run_id;

	job_catalog_set_next_run(job->id, next_fire(job, due->now));
	if (!job_lock_is_held(job->id))
		run_catalog_cancel_waiting_retry(job->id,
										 run_error_json_simple("superseded", "the job's schedule came before the retry", NULL));
	if (!run_catalog_active(job->id) && !job_lock_is_held(job->id))
	{
		(void) run_catalog_add(job->id, job->owner, RUN_QUEUED, "schedule", job->next_run_at, NULL, 0);
		return;
	}

	run_id = run_catalog_add(job->id, job->owner, RUN_SKIPPED, "schedule", job->next_run_at, NULL, 0);
	run_catalog_finish(run_id, RUN_SKIPPED, NULL,
					   run_error_json_simple("skipped",
											 "the job was due while its run before had not ended",
											 "A job never runs twice at once. Give it a longer interval if this happens often."));
}

/* When the job is due next; 0: never (it has no schedule any more). */
static TimestampTz
next_fire(const JobRecord *record, TimestampTz now)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *job = job_parse(record->definition, strlen(record->definition), problems);
	JobSchedule *schedule;

	problem_raise_first(problems);
	schedule = job->schedule ? job->schedule : job_parse_settings(setting_catalog_get("defaults"), problems)->schedule;
	problem_raise_first(problems);
	return schedule ? schedule_next(schedule, now, record->next_run_at) : 0;
}

/*
 * Records why the job could not be queued.  What is wrong with its definition
 * stays wrong, so it is not due again before somebody schedules it anew; anything
 * else is tried again later.
 */
static void
record_error(const JobRecord *job, TimestampTz now, const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);
	bool		lasting = category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_FEATURE_NOT_SUPPORTED;
	int64		run_id;

	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("job \"%s\" was due but could not be queued: %s", job->id, error->message)));
	run_id = run_catalog_add(job->id, job->owner, RUN_FAILED, "schedule", job->next_run_at, NULL, 0);
	unheard_failure(run_id, job->id, error, run_error_json(error, NULL));
	job_catalog_set_next_run(job->id, lasting ? 0 : TimestampTzPlusMilliseconds(now, RETRY_MS));
}
