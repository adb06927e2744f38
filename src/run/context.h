/*
 * context.h
 *	  What the files of run/ share about the run that is going on.
 */
#ifndef DATABITE_RUN_CONTEXT_H
#define DATABITE_RUN_CONTEXT_H

#include "job/definition.h"
#include "lib/stringinfo.h"
#include "run/run.h"
#include "source/fetch.h"

/* What a run that goes on after errors has left out: see shortfall.c. */
typedef struct RunShortfall
{
	int64		requests;		/* that failed, whose listings ended there */
	int64		batches;		/* given up */
	bool		earlier;		/* something, in a run that this one goes on with */
	bool		taken;			/* some item was neither rejected nor skipped */
	char	   *first;			/* the first of what went wrong, as JSON, or NULL */
	int64		delivered_pages;	/* of steps that have no destination: nothing is written for them */
	char	   *first_reason;	/* of an item that was rejected, or NULL */
	ErrorData  *first_error;	/* the same where it was a request's, or NULL */
} RunShortfall;

typedef struct RunContext
{
	MemoryContext memory;		/* lives as long as the run */
	struct RunContext *outer;	/* the run whose statement's trigger began this one, or NULL */
	RunMode		mode;
	const JobRecord *record;
	Job		   *job;
	int64		run_id;			/* 0: dry run, not in history */
	bool		queued;			/* it came out of the queue, and what follows it goes there */
	bool		dry_run;
	bool		read_only;		/* the owner's settings say so, in a worker: nothing may be written */
	char	   *payload;		/* JSON text or NULL */
	char	   *event;			/* that the run is for, JSON text or NULL */
	char	   *defaults;		/* databite.configure, JSON text or NULL */
	struct RunLog *log;			/* see run_log.c; NULL: it says nothing */
	TimestampTz started_at;
	RunCounters counters;		/* of what is committed */
	SourceClient *client;

	/* Where the run is, for errcontext and history. */
	const JobStep *step;		/* NULL: in none, or in several at once */
	int64		page;			/* from 1; 0 before the first */

	/* See step_loop.c. */
	List	   *active;			/* of StepRun *: the steps that are under way */
	int			steps_left;		/* that have not ended */
	int			steps_at_once;	/* so many may be under way; 0: not known */
	List	   *limiters;		/* of RateLimiter *: those of all its steps */

	JobHooks	hooks;			/* the job's, else the database's */
	List	   *owed_hooks;		/* of int64 *: runs before this one whose onJobError nobody has called */
	List	   *notices;		/* of char *, not yet in history */
	List	   *noted;			/* of char *: those that the transaction which goes on, or the last one, has written */
	ErrorData  *failure;		/* the run has failed though what it did is kept, or NULL: see step.c */
	RunShortfall shortfall;
	TimestampTz ends_at;		/* performance.timeout; 0: none */
	bool		completed;		/* its row said so already when a cancel was heard */
	bool		replays;		/* its items are those that were rejected, and no source is asked: see replay.c */
	int64		replay_of;		/* of that run only, or 0 */
	bool		more_to_come;	/* later transactions of the run will be waited for: see transaction.c */
	bool		keep_checkpoint;	/* a failure leaves the checkpoint: see step.c */
	List	   *prepared;		/* of char *: steps of which it is known whether it has to */
	bool		publishing;		/* what fails now fails for what the pass has gathered: the next one begins anew */
	List	   *partial_steps;	/* of char *: ids of those that have not read all that their sources have */

	/* Tries again: see run_retry.c.  0: none. */
	int64		resumes;		/* the run that this one goes on with */
	TimestampTz begin_at;		/* this run waits until then */
	TimestampTz retry_at;		/* it has failed and is tried again then */
} RunContext;

/*
 * Runs work(run, arg) in a transaction of its own (worker, procedure) or a
 * subtransaction (function), as the job's owner and with the job's search_path.
 * Commits when it returns; when it raises an error, everything it did is undone
 * and the error goes on.
 */
extern void run_in_transaction(RunContext *run, void (*work) (RunContext *run, void *arg), void *arg);

/*
 * Parses a definition and gives it the defaults of databite.configure (JSON text, or NULL).  NULL where it is no object; complete
 * only if no problem was added.
 */
extern Job *run_parse_job(const char *definition, const char *defaults, ProblemList *problems);

/* A line for the run's history; written with the next transaction of the step. */
extern void run_note(RunContext *run, const char *notice);

/* Writes those lines, in the current transaction. */
extern void run_write_notices(RunContext *run);

/* Sets the counters of requests to what the run has sent and received so far. */
extern void run_count_traffic(const RunContext *run, RunCounters *counters);

/* Appends counters as members of a JSON object, by the names of the columns of databite.runs: of items and pages; of requests. */
extern void run_counters_append(StringInfo json, const RunCounters *counters);
extern void run_traffic_append(StringInfo json, const RunCounters *counters);

/* ISO 8601 in UTC, whole seconds: "2024-05-01T10:00:00Z"; in the current memory context. */
extern char *run_time_text(TimestampTz time);

#endif
