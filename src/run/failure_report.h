/*
 * failure_report.h
 *	  Who hears of a run that has failed for good: errorHandling.onFailure.
 */
#ifndef DATABITE_FAILURE_REPORT_H
#define DATABITE_FAILURE_REPORT_H

#include "job/definition.h"

/*
 * In the transaction that has recorded the failure of a run that is not tried again; what follows
 * happens at its commit, or not at all.  A run that was cancelled has not failed.
 */
extern void failure_report(const char *job_id, Oid owner, const JobErrorHandling *handling, int64 run_id, const ErrorData *error);

/* The same for who knows no more of the job than its name: nothing where that is gone, or not to be understood. */
extern void failure_report_by_name(const char *job_id, int64 run_id, const ErrorData *error);

#endif
