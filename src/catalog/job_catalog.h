/*
 * job_catalog.h
 *	  Table databite.job: definitions, owners, and when each runs next.
 */
#ifndef DATABITE_JOB_CATALOG_H
#define DATABITE_JOB_CATALOG_H

#include "catalog/tables.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* 0 stands for "no such time" in next_run_at. */
typedef struct JobRecord
{
	char	   *id;
	Oid			owner;
	char	   *definition;		/* JSON text */
	char	   *search_path;	/* of the session that scheduled it */
	bool		enabled;
	TimestampTz next_run_at;	/* 0: not scheduled */
	int64		state_epoch;	/* of its cursors and checkpoints: see job_catalog_begin_epoch */
} JobRecord;

/* NULL where there is no such job.  lock: FOR UPDATE. */
extern JobRecord *job_catalog_get(const char *id, bool lock);

/* The job whose trigger is a webhook with that endpoint; NULL where there is none. */
extern JobRecord *job_catalog_of_endpoint(const char *endpoint);

/* The jobs whose trigger is that event, enabled or not; source NULL: nobody's.  List of JobRecord *. */
extern List *job_catalog_of_event(const char *name, const char *source);

/* As job_catalog_get, but raises 42704 where there is none and 42501 where it is not the caller's. */
extern JobRecord *job_catalog_get_own(const char *id, bool lock);

/* False where there is a job of that id by now, whosever it is. */
extern bool job_catalog_add(const JobRecord *job);

/* All but its id, for a job that the caller has locked. */
extern void job_catalog_replace(const JobRecord *job);

/* The job's state begins anew: a run that is going on writes no checkpoint or cursor any more. */
extern void job_catalog_begin_epoch(const char *id);

/* Removes the job and its state; history stays. */
extern bool job_catalog_delete(const char *id);

extern void job_catalog_set_enabled(const char *id, bool enabled, TimestampTz next_run_at);
extern void job_catalog_set_next_run(const char *id, TimestampTz next_run_at);

/*
 * Enabled jobs that are due at "now", the longest-waiting first, at most max;
 * locked, and those locked by others left out; of owners whose privileges the role has, or of all (InvalidOid).
 * List of JobRecord *.
 */
extern List *job_catalog_claim_due(TimestampTz now, int max, Oid role);

/* The earliest next_run_at of all enabled jobs, or 0. */
extern TimestampTz job_catalog_next_due(void);

/* List of JobRecord * of enabled jobs without a schedule of their own (for configure). */
extern List *job_catalog_without_schedule(void);

#endif
