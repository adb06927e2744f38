/*
 * runner.h
 *	  The process of one run.
 */
#ifndef DATABITE_RUNNER_H
#define DATABITE_RUNNER_H

#include "postgres.h"

#include "postmaster/bgworker.h"

/* Registers a runner for a queued run; the caller is notified when it ends.  NULL where no worker slot is free. */
extern BackgroundWorkerHandle *runner_register(Oid database, Oid owner, int64 run_id, const char *job_id);

/* Entry point of the process. */
extern PGDLLEXPORT void databite_runner_main(Datum arg);

#endif
