/*
 * run_retry.h
 *	  What follows a failed run: another try.
 */
#ifndef DATABITE_RUN_RETRY_H
#define DATABITE_RUN_RETRY_H

#include "run/context.h"

/*
 * In the transaction that records the failure: is the run to be tried again
 * (errorHandling.strategy "retry_with_backoff")?  If so, run->retry_at says when, and
 * the worker's next try is queued.  job: the job's locked record, or NULL where it is
 * gone; execute_job needs none.
 */
extern bool run_retry_plan(RunContext *run, const ErrorData *error, const JobRecord *job);

/* Not what the definition, the catalogs or missing privileges are to blame for, nor a cancel: that will fail again. */
extern bool run_retry_is_worth_it(const ErrorData *error);

/* Milliseconds before the next try, after so many. */
extern int64 run_retry_delay(const JobErrorHandling *handling, int tries);

/* Waits for run->begin_at; a cancel passes as an error.  The run begins after that. */
extern void run_retry_wait(RunContext *run);

#endif
