/*
 * shared_progress.h
 *	  What each run is doing right now, in shared memory, readable without locks.
 *
 * One writer (the run's process) for each slot, any number of readers: the
 * writer makes a counter odd, writes, makes it even again; a reader copies and
 * looks at the counter before and after (as pgstat does for backends).  Where
 * databite is not preloaded nothing is written, and the view shows what was
 * committed.
 */
#ifndef DATABITE_SHARED_PROGRESS_H
#define DATABITE_SHARED_PROGRESS_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define PROGRESS_STEP_LEN	64

typedef struct RunProgress
{
	int64		run_id;
	char		step[PROGRESS_STEP_LEN];
	int64		page;			/* pages that are complete, plus the one that is read */
	int64		items;			/* items read, written or not yet */
	int64		bytes;			/* of bodies */
	int64		requests;
	int			in_flight;		/* requests that wait for an answer or whose body comes */
	char		waiting_for[32];	/* "", "response", "retry", "rate limit", "token", "database" */
	TimestampTz waiting_until;	/* 0: not known */
	TimestampTz updated_at;
} RunProgress;

/* Takes a slot for this process's run; gives it back by itself when the process exits.  Nested runs (a trigger) have none. */
extern void progress_begin(int64 run_id);

/* Writes; cheap enough for every piece of a body. */
extern void progress_report(const RunProgress *progress);

extern void progress_end(void);

/* Copies what all runs of this database do; palloc'd array. */
extern int	progress_read(RunProgress **all);

#endif
