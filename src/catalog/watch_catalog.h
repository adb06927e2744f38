/*
 * watch_catalog.h
 *	  What the page of the listener shows, read from databite's tables.
 *
 * Each function reads a bounded number of rows, however many jobs and runs there
 * are.  Times are 0 where there is none.
 */
#ifndef DATABITE_WATCH_CATALOG_H
#define DATABITE_WATCH_CATALOG_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* Runs of a job that are shown. */
#define WATCH_MAX_RUNS		20

/* Rows that are counted, where nobody knows how many there are. */
#define WATCH_MAX_COUNT		10000

/* One that has ended, and was not skipped. */
typedef struct WatchRun
{
	char	   *status;
	double		seconds;
	int64		rows;			/* inserted, updated and deleted */
} WatchRun;

typedef struct WatchJob
{
	char	   *id;
	char	   *name;			/* or NULL */
	char	   *owner;
	char	   *state;			/* as in the view jobs */
	TimestampTz next_run_at;
	char	   *last_status;	/* of the last run that has ended; NULL: there is none */
	bool		is_failing;		/* by that */
	TimestampTz last_finished_at;
	int64		last_processed;
	int64		last_rejected;
	char	   *last_error;		/* or NULL */
	List	   *runs;			/* of WatchRun *, the oldest first */
} WatchJob;

typedef struct WatchProgress
{
	char	   *job_id;
	char	   *step;			/* or NULL */
	int64		pages;
	int64		items;
	int64		total_items;	/* -1: not known */
	double		items_per_second;	/* -1: not known */
	double		seconds;		/* so far */
	double		remaining;		/* seconds; -1: not known */
	char	   *waiting_for;	/* or NULL */
} WatchProgress;

typedef struct WatchError
{
	char	   *job_id;
	int64		run_id;
	char	   *status;
	TimestampTz finished_at;
	char	   *step;			/* or NULL */
	char	   *code;			/* or NULL */
	char	   *message;		/* or NULL */
} WatchError;

/* Items of one run that were rejected for the same reason. */
typedef struct WatchRejection
{
	char	   *job_id;
	int64		run_id;
	char	   *step;
	char	   *code;
	char	   *column;			/* or NULL */
	char	   *constraint;		/* or NULL */
	int64		items;
	TimestampTz rejected_at;	/* the last of them */
} WatchRejection;

typedef struct WatchTotals
{
	int64		jobs;
	int64		paused;
	int64		running;
	int64		queued;			/* WATCH_MAX_COUNT + 1: more than can be counted; so are the two below */
	int64		deliveries;		/* which no run has written yet */

	/* Runs that have ended since then: a day ago, or where the newest WATCH_MAX_COUNT of them begin. */
	TimestampTz since;
	bool		is_whole_day;
	int64		runs;
	int64		failed;
	int64		processed;
	int64		inserted;
	int64		updated;
	int64		deleted;
	int64		rejected;
} WatchTotals;

/*
 * At most max jobs (WatchJob *): those first whose last run failed, then by their ids; where there are more, those that run
 * go before those that do not.  *failing: how many there are in all.
 */
extern List *watch_catalog_jobs(int max, int64 *failing);

extern void watch_catalog_totals(WatchTotals *totals);
extern List *watch_catalog_progress(int max);	/* of WatchProgress *, the oldest first */
extern List *watch_catalog_errors(int max); /* of WatchError *, the newest first, not older than the runs of the totals */
extern List *watch_catalog_rejections(int max); /* of WatchRejection *, the newest first */

#endif
