/*
 * run_retry.c
 *	  What follows a failed run: another try, or word to the administrator.
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

#include "base/clip.h"
#include "commands/async.h"
#include "common/pg_prng.h"
#include "run/run_error.h"
#include "run/run_retry.h"
#include "run/time_limit.h"
#include "source/retry.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#define FAILURE_CHANNEL		"databite_failure"

/* A notification holds less than 8000 bytes. */
#define MAX_NOTIFICATION	7900

/* Of each text of the error, at first; halved until all of it fits. */
#define MAX_TEXT			2000
#define MIN_TEXT			32

/* Waits between tries are no longer than that. */
#define MAX_DELAY_MS		(INT64CONST(24) * 60 * 60 * 1000)

static void note_start(RunContext *run, void *arg);
static char *failure_json(const RunContext *run, const ErrorData *error, const RunCounters *counters);
static ErrorData *clipped_error(const ErrorData *error, int max);
static char *clipped(const char *text, int max);

bool
run_retry_plan(RunContext *run, const ErrorData *error, const JobRecord *job)
{
	const JobErrorHandling *handling = run->job ? &run->job->error_handling : NULL;
	int			retries;
	int64		delay;

	if (handling == NULL || handling->strategy != STRATEGY_RETRY_WITH_BACKOFF ||
		error == run->failure || run->replays || !run_retry_is_worth_it(error))
		return false;
	if (run->mode != RUN_IN_FUNCTION && (job == NULL || (run->queued && !job->enabled)))
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

void
run_retry_report(const RunContext *run, const ErrorData *error, const RunCounters *counters)
{
	if (run->job == NULL || !run->job->error_handling.notify_admin || error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		return;
	Async_Notify(FAILURE_CHANNEL, failure_json(run, error, counters));
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("run " INT64_FORMAT " of job \"%s\" failed for good: %s", run->run_id, run->record->id, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0,
			 errhidecontext(true)));
}

/* Some of the columns of databite.runs, in less bytes than a notification holds. */
static char *
failure_json(const RunContext *run, const ErrorData *error, const RunCounters *counters)
{
	StringInfoData json;
	char	   *what;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"run_id\": " INT64_FORMAT ", \"job_id\": ", run->run_id);
	escape_json(&json, run->record->id);
	appendStringInfoString(&json, ", \"status\": \"failed\"");
	if (run->resumes != 0)
		appendStringInfo(&json, ", \"resumes\": " INT64_FORMAT, run->resumes);
	run_counters_append(&json, counters);
	run_traffic_append(&json, counters);
	appendStringInfoString(&json, ", \"error\": ");

	for (int max = MAX_TEXT; max >= MIN_TEXT; max /= 2)
	{
		what = run_error_json(clipped_error(error, max), run->step ? run->step->id : NULL);
		if (json.len + strlen(what) < MAX_NOTIFICATION)
		{
			appendStringInfo(&json, "%s}", what);
			return json.data;
		}
	}

	/* The URL of the request is what is long: it is in databite.runs. */
	what = run_error_json_simple(unpack_sql_state(error->sqlerrcode), clipped(error->message, MAX_TEXT / 2), NULL);
	appendStringInfo(&json, "%s}", what);
	return json.data;
}

/* An error for run_error_json; without what shows whole rows, as everybody in the database can listen. */
static ErrorData *
clipped_error(const ErrorData *error, int max)
{
	ErrorData  *copy = palloc(sizeof(ErrorData));

	*copy = *error;
	copy->message = clipped(error->message, max);
	copy->hint = clipped(error->hint, max);
	copy->detail = copy->context = NULL;
	return copy;
}

static char *
clipped(const char *text, int max)
{
	return text ? text_clip(text, max) : NULL;
}
