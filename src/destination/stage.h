/*
 * stage.h
 *	  What a pass gathers before the table is made what the source has.
 *
 * Mode "replace" gathers the rows, deletes.missing the keys of a whole listing
 * in a table of its own (catalog/stage_catalog.h), batch by batch, so that
 * no transaction is held meanwhile.  At the end one transaction publishes
 * (publish.c) or deletes what was not seen (missing.c).
 *
 * All of it needs a transaction and runs as the job's owner.
 */
#ifndef DATABITE_STAGE_H
#define DATABITE_STAGE_H

#include "destination/write_plan.h"

typedef enum StageContent
{
	STAGE_NOTHING,				/* the step has no stage */
	STAGE_ROWS,					/* mode "replace" */
	STAGE_KEYS					/* deletes.missing */
} StageContent;

extern StageContent stage_content(const WritePlan *plan);

/* The stage's columns as in CREATE TABLE; the plan's table must be known. */
extern char *stage_columns(const WritePlan *plan);

/* The stage has been made, or found again. */
extern void stage_use(WritePlan *plan, const char *relation);

/* Adds the keys of the batch written last, with the arguments of that write_plan_execute. */
extern void stage_add_keys(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes);

/*
 * Which columns are written is seen as items come (columns_map_by_name); a pass
 * that goes on has to know what was seen before.  Names, of char *.
 */
extern List *stage_columns_in_use(const WritePlan *plan);
extern void stage_take_into_use(WritePlan *plan, const List *names);

/* TEMPLATE_SCOPE_ of the scopes that source.where names. */
extern int	stage_filter_scopes(const WritePlan *plan);

/* publish.c */

/*
 * Makes the table hold the rows of the stage and no others.  Counts what became
 * of them; deleted rows are counted on top.  An error where there are none and the table is not empty.
 */
extern void stage_publish(WritePlan *plan, WriteCounts *counts);

/* Its statements, for a person. */
extern List *stage_publish_statements(const WritePlan *plan);

/* missing.c */

/*
 * Deletes, or marks, the rows whose keys are not in the stage, and counts them.
 * NULL where that is done, else why nothing was deleted.
 */
extern char *stage_delete_missing(WritePlan *plan, WriteCounts *counts);

/* Its statements, for a person. */
extern List *stage_missing_statements(const WritePlan *plan);

#endif
