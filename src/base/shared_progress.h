/*
 * shared_progress.h
 *	  What each run is doing right now, in shared memory, readable without locks.
 *
 * One writer (the run's process) for each slot, any number of readers: the
 * writer makes a counter odd, writes, makes it even again; a reader copies and
 * looks at the counter before and after (as pgstat does for backends).  Where
 * databite is not preloaded nothing is written, and the view shows what was
 * committed.
 *
 * All numbers are of the whole run, as those of its row in history are.
 */
#ifndef DATABITE_SHARED_PROGRESS_H
#define DATABITE_SHARED_PROGRESS_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Bytes with the terminating NUL; what is longer is cut.  An id has 63 letters at most; several steps are under way at once. */
#define PROGRESS_JOB_LEN	64
#define PROGRESS_STEP_LEN	256
#define PROGRESS_WAIT_LEN	32

/* What changes while a run goes on. */
typedef struct RunProgress
{
	int64		run_id;			/* 0: a dry run, which is not in history */
	char		step[PROGRESS_STEP_LEN];	/* "customers, orders" */
	int64		page;			/* pages that are complete, plus the one that is read */
	int64		items;			/* items read, written or not yet */
	int64		total_items;	/* where the source has told, else -1 */
	int64		bytes;			/* of bodies, decoded */
	int64		requests;
	int			in_flight;		/* requests that wait for an answer or whose body comes */
	char		waiting_for[PROGRESS_WAIT_LEN]; /* "", "response", "retry", "rate limit", "token", "database", "batch retry" */
	TimestampTz waiting_until;	/* 0: not known */
	TimestampTz updated_at;		/* set by progress_report; 0: nothing has been reported yet */
} RunProgress;

/* A run as a reader sees it. */
typedef struct LiveRun
{
	int			pid;
	char		job_id[PROGRESS_JOB_LEN];
	Oid			owner;
	TimestampTz started_at;
	RunProgress progress;
} LiveRun;

/*
 * This process runs a job of that owner from now on, until progress_end or its
 * exit.  Nested calls (a trigger runs another job) must be paired; only the
 * outermost run is seen.
 */
extern void progress_begin(const char *job_id, Oid owner, TimestampTz started_at);
extern void progress_end(void);

/* Writes, and sets updated_at; cheap enough for every piece of a body.  A nested run's is ignored. */
extern void progress_report(const RunProgress *progress);

/* Copies what all runs of this database do that have reported something; *all is palloc'd.  Returns how many. */
extern int	progress_read(LiveRun **all);

#endif
