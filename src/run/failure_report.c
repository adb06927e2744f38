/*
 * failure_report.c
 *	  Who hears of a run that has failed for good: errorHandling.onFailure.
 */
#include "postgres.h"

#include "catalog/job_catalog.h"
#include "catalog/run_summary.h"
#include "commands/async.h"
#include "run/failure_report.h"
#include "run/webhook_out.h"

#define FAILURE_CHANNEL		"databite_failure"

static void notify_admin(const char *job_id, int64 run_id, const ErrorData *error);

void
failure_report(const char *job_id, Oid owner, const JobErrorHandling *handling, int64 run_id, const ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		return;
	if (handling->on_failure.notify_admin)
		notify_admin(job_id, run_id, error);
	if (handling->on_failure.webhook != NULL)
		webhook_out_queue(job_id, owner, run_id);
}

void
failure_report_by_name(const char *job_id, int64 run_id, const ErrorData *error)
{
	JobRecord  *record = job_catalog_get(job_id, false);
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *job;

	if (record == NULL)
		return;
	job = job_parse(record->definition, strlen(record->definition), problems);
	if (job != NULL && problems->problems == NIL)
		failure_report(job_id, record->owner, &job->error_handling, run_id, error);
}

static void
notify_admin(const char *job_id, int64 run_id, const ErrorData *error)
{
	Async_Notify(FAILURE_CHANNEL, run_summary_public_json(run_id));
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("run " INT64_FORMAT " of job \"%s\" failed for good: %s", run_id, job_id, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0,
			 errhidecontext(true)));
}
