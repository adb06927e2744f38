/*
 * run_end.h
 *	  How a run ends: its row, what later runs find, and who is told.
 */
#ifndef DATABITE_RUN_END_H
#define DATABITE_RUN_END_H

#include "run/context.h"
#include "run/run.h"

/* What its row says in the end.  error: what it has failed of, or NULL. */
extern RunStatus run_end_status(const RunContext *run, const ErrorData *error);

/* Work of run_in_transaction: records that the run is completed.  In the worker and in a procedure the last step does so. */
extern void run_end_completed(RunContext *run, void *arg);

/*
 * Work of run_in_transaction: records of what (ErrorData) it has failed, plans when it is tried again (run->retry_at) or reports
 * the failure, and forgets what no later run is to go on with.  A cancel that was heard after the transaction that has completed
 * the run changes nothing: run->completed is set.
 */
extern void run_end_failed(RunContext *run, void *error);

/* The log and the job's hooks, in transactions of their own; after the row. */
extern void run_end_tell(RunContext *run, RunStatus status, const ErrorData *error);

/* For the caller of run_now and run_replay, in his memory context. */
extern void run_end_result(const RunContext *run, RunStatus status, const ErrorData *error, RunResult *result);

#endif
