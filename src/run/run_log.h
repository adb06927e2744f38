/*
 * run_log.h
 *	  What a run says of itself: to the server log, and to a table.
 */
#ifndef DATABITE_RUN_LOG_H
#define DATABITE_RUN_LOG_H

#include "base/log_level.h"
#include "run/context.h"

/* An empty log, for a run that has just been made; lines go to databite's own table until run_log_begin says where. */
extern struct RunLog *run_log_create(MemoryContext memory);

/* The run begins: its definition is known, and its client is there. */
extern void run_log_begin(RunContext *run);

/* Does a line of that level go anywhere?  To be asked before one is put together that costs something. */
extern bool run_log_wants(const RunContext *run, LogLevel level);

/* Adds a line.  step: its id, or NULL; detail: a JSON object, or NULL.  Secrets that are known to be some are taken out. */
extern void run_log_add(RunContext *run, LogLevel level, const char *step, const char *message, const char *detail);

/*
 * Between two transactions of a run that has some of its own: writes what has waited for long enough, in another one.
 * How many milliseconds there are until the next time; -1: nothing waits.
 */
extern int64 run_log_write_due(RunContext *run);

/* The run has ended, and history says so; error: NULL where nothing went wrong.  Writes the rest. */
extern void run_log_end(RunContext *run, RunStatus status, const ErrorData *error);

#endif
