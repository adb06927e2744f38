/*
 * run_retry.c
 *	  What follows a failed run: another try.
 *
 * Each try is a run with a row of its own, whose "resumes" is the run before it
 * and whose trigger is "retry"; how many there were is found by going back that way.
 * The checkpoint of the failed run stays, so that the next try goes on where
 * it stood.
 *
 * worker, and run_due_jobs: the next try is queued with the failure, for the time when it is due.
 * CALL: the next try's row says running while the session waits, with no
 * transaction open, so that it can be cancelled like a run that reads.
 * execute_job: the same, inside of the caller's transaction.  A dry run is tried once.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "run/run_error.h"
#include "run/run_retry.h"
#include "run/time_limit.h"
#include "source/retry.h"
#include "utils/timestamp.h"

/* Waits between tries are no longer than that. */
#define MAX_DELAY_MS		(INT64CONST(24) * 60 * 60 * 1000)

static void note_start(RunContext *run, void *arg);

bool
run_retry_plan(RunContext *run, const ErrorData *error, const JobRecord *job)
{
	const JobErrorHandling *handling = run->job ? &run->job->error_handling : NULL;
	int			retries;
	int64		delay;

	if (handling == NULL || handling->strategy != STRATEGY_RETRY_WITH_BACKOFF ||
		error == run->failure || run->replays || !run_retry_is_worth_it(error))
		return false;
	/* What a job that is paused has to do again for an event or a webhook waits with the others. */
	if (run->mode != RUN_IN_FUNCTION &&
		(job == NULL || (run->queued && !job->enabled && run->event == NULL && run->payload == NULL)))
		return false;

	/* A CALL that waits has the definition that it began with, which is not the job's any more. */
	if (run->mode == RUN_IN_PROCEDURE && !run->queued && job->state_epoch != run->record->state_epoch)
		return false;
	retries = run_catalog_retries(run->run_id);
	if (retries >= handling->max_retries)
		return false;

	delay = run_retry_delay(handling, retries + 1);
	delay = Max(delay, run_error_retry_after());
	run->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay);
	if (run->queued)
		(void) run_catalog_add(run->record->id, run->record->owner, RUN_QUEUED, "retry",
							   run->retry_at, run->payload, run->run_id);
	return true;
}

int64
run_retry_delay(const JobErrorHandling *handling, int tries)
{
	JobRetry	retry = {
		.delay_ms = handling->retry_delay_ms,
		.backoff = handling->backoff,
		.max_delay_ms = MAX_DELAY_MS,
	};

	return retry_delay(&retry, tries, pg_prng_double(&pg_global_prng_state));
}

bool
run_retry_is_worth_it(const ErrorData *error)
{
	switch (error->sqlerrcode)
	{
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_INVALID_PARAMETER_VALUE:
			return false;
	}
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_FEATURE_NOT_SUPPORTED:
			return false;
		default:
			return true;
	}
}

void
run_retry_wait(RunContext *run)
{
	if (run->begin_at == 0)
		return;
	time_limit_wait(run, run->begin_at);
	run->started_at = GetCurrentTimestamp();
	run_in_transaction(run, note_start, NULL);
}

static void
note_start(RunContext *run, void *arg)
{
	run_catalog_note_start(run->run_id);
}
