/*
 * run_hooks.h
 *	  Functions of users that are called when runs begin and end: hooks {onJobStart, onJobComplete, onJobError}.
 */
#ifndef DATABITE_RUN_HOOKS_H
#define DATABITE_RUN_HOOKS_H

#include "run/context.h"

/* In the transaction that marks the run running: the database's hooks, and what is owed to the job's. */
extern void run_hooks_prepare(RunContext *run);

/*
 * Once the definition is read, before the first request: calls onJobError for runs that crashed or could
 * not begin, and onJobStart.  What hooks do wrong is said and no error here, but a cancel is.
 */
extern void run_hooks_begin(RunContext *run);

/* When the end is recorded: calls onJobComplete or onJobError. */
extern void run_hooks_end(RunContext *run, RunStatus status);

/* Adds what is wrong with the hooks, as the current user would call them now: a function that does not exist. */
extern void run_hooks_check(const JobHooks *hooks, ProblemList *problems);

#endif
