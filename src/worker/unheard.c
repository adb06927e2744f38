/*
 * unheard.c
 *	  The end of a run that no process of its own could record.
 *
 * The scheduler runs nothing of users.  What it can do at once it does in the transaction that records the
 * end: NOTIFY, and what errorHandling.onFailure says.  The job's hook is called by the next
 * run of the job, as its owner (run/run_hooks.c).  A run that crashed is taken up by another one and has
 * not failed for good.
 */
#include "postgres.h"

#include "catalog/run_catalog.h"
#include "run/failure_report.h"
#include "run/run_error.h"
#include "worker/scheduler.h"

void
unheard_failure(int64 run_id, const char *job_id, const ErrorData *error, const char *json)
{
	run_catalog_finish(run_id, RUN_FAILED, NULL, json);
	run_catalog_owe_hook(run_id);
	failure_report_by_name(job_id, run_id, error);
}

void
unheard_failure_simple(int64 run_id, const char *job_id, int sqlstate, const char *code, char *message, char *hint)
{
	ErrorData	error = {.sqlerrcode = sqlstate, .message = message, .hint = hint};

	unheard_failure(run_id, job_id, &error, run_error_json_simple(code, message, hint));
}

void
unheard_crash(int64 run_id)
{
	run_catalog_finish(run_id, RUN_CRASHED, NULL,
					   run_error_json_simple("crashed",
											 "the process of the run ended without recording how the run ended",
											 "The server log says why the process ended."));
	run_catalog_owe_hook(run_id);
}
