/*
 * run_catalog.h
 *	  Table databite.run: the queue, what runs now, and history.
 */
#ifndef DATABITE_RUN_CATALOG_H
#define DATABITE_RUN_CATALOG_H

#include "catalog/tables.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct RunCounters
{
	int64		processed;
	int64		inserted;
	int64		updated;
	int64		unchanged;
	int64		deleted;
	int64		rejected;
	int64		skipped;		/* of the unchanged: dropped by source.where, or by skip */
	int64		pages;
	int64		requests;
	int64		retries;
	int64		bytes_received;
} RunCounters;

typedef struct RunRecord
{
	int64		id;
	char	   *job_id;
	Oid			owner;
	RunStatus	status;
	char	   *trigger;		/* "schedule", "enqueue", "call", "execute", "resume", "retry", "replay" */
	char	   *payload;		/* JSON text or NULL */
	int64		event_id;		/* 0: none */
	int64		place;			/* in the queue */
	int64		resumes;		/* the crashed or failed run that this one continues, or 0 */
	int			pid;			/* of the process it runs in, or 0 */
	bool		cancel_requested;
} RunRecord;

/*
 * Adds a run; scheduled_for 0: none; finished states get finished_at now.
 * payload: JSON text or NULL.
 */
extern int64 run_catalog_add(const char *job_id, Oid owner, RunStatus status, const char *trigger,
							 TimestampTz scheduled_for, const char *payload, int64 resumes);

/* Queues one for an event; those that resume it are for the same. */
extern int64 run_catalog_add_for_event(const char *job_id, Oid owner, int64 event_id);

extern RunRecord *run_catalog_get(int64 id);

/* Queued -> running in this process; false where it is not queued any more. */
extern bool run_catalog_start(int64 id, int pid);

/*
 * What is committed so far, and where: called in the transaction of every batch.  total_items
 * -1: not known.  True if the run shall end here because somebody cancelled it.
 */
extern bool run_catalog_progress(int64 id, const char *step, const RunCounters *counters, int64 total_items);

/* Adds a line to the run's notices ("list found at data.items"). */
extern void run_catalog_notice(int64 id, const char *notice);

/* Ends a run; error: JSON text or NULL; counters may be NULL (left as they are). */
extern void run_catalog_finish(int64 id, RunStatus status, const RunCounters *counters, const char *error);

/*
 * The run ended without a process that could call the owner's hook: the next run of its job does that for
 * it.  And takes those that wait for that, the newest 20, whose ids it returns (of int64 *); they wait no more.
 */
extern void run_catalog_owe_hook(int64 id);
extern List *run_catalog_take_owed_hooks(const char *job_id);

/*
 * Marks the going or queued runs of a job for cancelling; a queued one is cancelled at once.
 * Number of runs; *pid of a running one, or 0.
 */
extern int	run_catalog_request_cancel(const char *job_id, int *pid);

/* The running run has waited until now (a CALL that tries again). */
extern void run_catalog_note_start(int64 id);

/*
 * The run goes on where the last one of its job stood that did not come to its end: notes that one as what it
 * resumes, and how often that had been done before.  The id of that one; 0 where history does not have it any more.
 */
extern int64 run_catalog_take_up(int64 id);

/*
 * How many of the runs that this one follows, itself included, were tries after a failure; back to the run that was asked
 * for, by the schedule or by somebody.
 */
extern int	run_catalog_retries(int64 id);

/* Cancels a try that waits for its time, unless it has a payload or an event: another run of the job takes over.  error: JSON text. */
extern void run_catalog_cancel_waiting_retry(const char *job_id, const char *error);

/* Has another run of the job been completed since the one that this run resumes had failed? */
extern bool run_catalog_was_done(const RunRecord *run);

/*
 * Cancels the queued runs that nobody asked for by name: the schedule's, those of webhooks, and those that go on after a
 * crash or a failure.  Not those for an event, which wait.
 */
extern void run_catalog_cancel_automatic(const char *job_id);

/* Is there a queued or running run of the job? */
extern bool run_catalog_active(const char *job_id);

/* Was there a run of the same job after this one? */
extern bool run_catalog_was_continued(const RunRecord *run);

/*
 * Queued runs whose job has none running and whose scheduled_for has come, the
 * longest-waiting first, one for each job, at most max.  A try that waits for its time
 * holds up no other run of the job, but for those of later events, whose order is kept (and which
 * hold up nobody meanwhile): what goes on for an event has the place of the first run for it.
 * Only those with a place behind "after", and of owners whose privileges the role has, or of
 * all (InvalidOid).  List of RunRecord *.
 */
extern List *run_catalog_startable(int max, int64 after, Oid role);

/* The greatest id of those that are queued, or 0. */
extern int64 run_catalog_last_queued(void);

/* When the first of the queued runs whose scheduled_for is still to come may start (after a crash they wait), or 0. */
extern TimestampTz run_catalog_next_delayed(void);

/* All runs with status running.  List of RunRecord *. */
extern List *run_catalog_running(void);

/* How many of the last runs of the job crashed in a row (at most 20 are looked at). */
extern int	run_catalog_crashes_in_a_row(const char *job_id);

/* The same of runs that began after that time and were not completed; last: when the newest ended, or 0. */
extern int	run_catalog_failures_in_a_row(const char *job_id, TimestampTz since, TimestampTz *last);

#endif
