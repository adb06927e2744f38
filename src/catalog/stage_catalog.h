/*
 * stage_catalog.h
 *	  Tables in which a pass gathers what it publishes at its end: databite.stage_<n>.
 *
 * A stage is for one step of one job.  It is a member of the extension, so no
 * dump has it, and it belongs to the job's owner.  It is made when a pass begins
 * and dropped in the transaction that publishes it, or that gives the pass up;
 * databite.stage says which there are.
 */
#ifndef DATABITE_STAGE_CATALOG_H
#define DATABITE_STAGE_CATALOG_H

#include "catalog/tables.h"
#include "nodes/pg_list.h"

/* A stage that no run goes on with. */
typedef struct StageRecord
{
	int64		id;
	char	   *job_id;
} StageRecord;

/*
 * The step's stage ("databite.stage_7"), and the columns that it was made with;
 * NULL where there is none.  Waits for whoever drops it just now.
 */
extern char *stage_catalog_find(const char *job_id, const char *step_id, char **columns);

/* Makes the step's stage, which must not be there, with columns as in CREATE TABLE, every name qualified and quoted. */
extern char *stage_catalog_create(const char *job_id, const char *step_id, Oid owner, const char *columns);

/* Columns have been added to a stage; it has all of these now. */
extern void stage_catalog_set_columns(const char *relation, const char *columns);

/* Drops the step's stage, if there is one; step_id NULL: those of all steps of the job. */
extern void stage_catalog_drop(const char *job_id, const char *step_id);

/* Those of jobs that are gone, and of passes without a checkpoint: one of these that no run has is left over. */
extern List *stage_catalog_unfinished(void);

/* Drops one that is left over; raises 55P03 where somebody else uses it. */
extern void stage_catalog_drop_leftover(int64 id);

#endif
