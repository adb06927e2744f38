/*
 * run.h
 *	  One run of one job: the engine behind the worker, run_job and execute_job.
 */
#ifndef DATABITE_RUN_H
#define DATABITE_RUN_H

#include "catalog/job_catalog.h"
#include "catalog/run_catalog.h"

typedef enum RunMode
{
	RUN_IN_WORKER,				/* own transactions: nothing is open between batches */
	RUN_IN_PROCEDURE,			/* CALL: SPI_commit after every batch */
	RUN_IN_FUNCTION				/* execute_job: all in the caller's transaction */
} RunMode;

typedef struct RunResult
{
	int64		run_id;
	RunStatus	status;
	RunCounters counters;
	int64		duration_us;
	char	   *error;			/* JSON text or NULL */
	char	   *message;		/* its message, or NULL */
} RunResult;

/*
 * In a background worker that is connected as the job's owner, outside of any
 * transaction (RUN_IN_WORKER), or in a session that is connected with SPI_OPT_NONATOMIC
 * (RUN_IN_PROCEDURE): takes the queued run, runs it, records how it ended.  Returns
 * the status; what went wrong is in history and the server log.  A run that
 * was cancelled meanwhile, whose job is gone or runs elsewhere ends quietly.  read_only: the
 * owner's settings make his transactions so, which fails the run.  Where it was the session's
 * statement that was cancelled, and not the run, that is raised.
 */
extern RunStatus run_queued(int64 run_id, RunMode mode, bool read_only);

/* For CALL (connected with SPI_OPT_NONATOMIC) and execute_job. */
extern void run_now(const JobRecord *job, RunMode mode, bool dry_run, RunResult *result);

/* Tries rejected items again, as execute_job runs a job; run_id: of that run only, or 0. */
extern void run_replay(const JobRecord *job, int64 run_id, RunResult *result);

#endif
