/*
 * run_end.c
 *	  How a run ends: its row, what later runs find, and who is told.
 *
 * In the worker and in a procedure a run is completed in the transaction of its last rows (step_write.c); any other end is here.
 */
#include "postgres.h"

#include "catalog/job_catalog.h"
#include "catalog/stage_catalog.h"
#include "catalog/state_catalog.h"
#include "run/failure_report.h"
#include "run/run_end.h"
#include "run/run_error.h"
#include "run/run_hooks.h"
#include "run/run_log.h"
#include "run/run_retry.h"
#include "run/shortfall.h"
#include "run/time_limit.h"
#include "utils/timestamp.h"

static bool is_completed(const RunContext *run);
static void put_off(const JobRecord *job, bool tried_again);
static void forget_passes(const RunContext *run, const ErrorData *error, bool tried_again, bool job_is_gone);
static bool has_strange_checkpoint(const RunContext *run);
static RunStatus failure_status(const ErrorData *error);

RunStatus
run_end_status(const RunContext *run, const ErrorData *error)
{
	return error != NULL ? failure_status(error) : shortfall_status(run, &run->counters);
}

void
run_end_tell(RunContext *run, RunStatus status, const ErrorData *error)
{
	run_log_end(run, status, error);
	run_hooks_end(run, status);
}

void
run_end_completed(RunContext *run, void *arg)
{
	run_catalog_finish(run->run_id, shortfall_status(run, &run->counters), &run->counters,
					   shortfall_json(run, &run->counters));
}

void
run_end_failed(RunContext *run, void *arg)
{
	const ErrorData *error = arg;
	JobRecord  *job = NULL;
	bool		tried_again;

	/* The job before the run, as all do that lock both. */
	if (run->mode != RUN_IN_FUNCTION)
		job = job_catalog_get(run->record->id, true);
	run->completed = error->sqlerrcode == ERRCODE_QUERY_CANCELED && is_completed(run);
	if (run->completed)
		return;
	run_count_traffic(run, &run->counters);
	run_catalog_finish(run->run_id, failure_status(error), &run->counters,
					   shortfall_failure_json(run, &run->counters, error, run->step ? run->step->id : NULL));
	tried_again = run_retry_plan(run, error, job);
	if (!tried_again && run->job != NULL)
		failure_report(run->record->id, run->record->owner, &run->job->error_handling, run->run_id, error);
	if (run->mode == RUN_IN_FUNCTION)
		return;

	forget_passes(run, error, tried_again, job == NULL);
	if (job != NULL)
		put_off(job, tried_again);
}

static bool
is_completed(const RunContext *run)
{
	const RunRecord *record = run_catalog_get(run->run_id);

	return record != NULL && (record->status == RUN_COMPLETED || record->status == RUN_PARTIAL);
}

/* The server may have said when it may be asked again, and that may be longer than a run waits. */
static void
put_off(const JobRecord *job, bool tried_again)
{
	TimestampTz retry_at;

	if (job->next_run_at == 0 || run_error_retry_after() <= 0)
		return;
	retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), run_error_retry_after());
	if (!tried_again || job->next_run_at < retry_at)
		job_catalog_set_next_run(job->id, retry_at);
}

/* What no later run is to go on with. */
static void
forget_passes(const RunContext *run, const ErrorData *error, bool tried_again, bool job_is_gone)
{
	const char *job_id = run->record->id;
	bool		timed_out = error->sqlerrcode == TIME_LIMIT_SQLSTATE && time_limit_is_over(run);
	bool		goes_on = run->keep_checkpoint || tried_again || timed_out || has_strange_checkpoint(run);

	if (!goes_on)
		state_catalog_forget_checkpoints(job_id);
	else if (run->publishing)
		state_catalog_forget_checkpoint(job_id, run->step->id);
	if (!goes_on || job_is_gone)
		stage_catalog_drop(job_id, NULL);
	else if (run->publishing)
		stage_catalog_drop(job_id, run->step->id);
}

/* Of a step that the run has not come to: whether its items may be written twice nobody knows. */
static bool
has_strange_checkpoint(const RunContext *run)
{
	ListCell   *lc;
	ListCell   *prepared;

	foreach(lc, state_catalog_checkpoints(run->record->id))
	{
		bool		known = false;

		foreach(prepared, run->prepared)
			known = known || strcmp(lfirst(prepared), lfirst(lc)) == 0;
		if (!known)
			return true;
	}
	return false;
}

static RunStatus
failure_status(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED ? RUN_CANCELLED : RUN_FAILED;
}

void
run_end_result(const RunContext *run, RunStatus status, const ErrorData *error,
			   RunResult *result)
{
	result->run_id = run->run_id;
	result->status = status;
	result->counters = run->counters;
	result->duration_us = GetCurrentTimestamp() - run->started_at;
	if (error != NULL)
		result->error = shortfall_failure_json(run, &run->counters, error, run->step ? run->step->id : NULL);
	else
		result->error = shortfall_json(run, &run->counters);
	result->message = error ? pstrdup(error->message) : NULL;
}
