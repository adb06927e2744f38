/*
 * schema_changes.h
 *	  Columns that items, a transform or a schema have and the table has not.
 */
#ifndef DATABITE_SCHEMA_CHANGES_H
#define DATABITE_SCHEMA_CHANGES_H

#include "destination/write_plan_data.h"

/*
 * When the plan is made for a table that exists: adds the columns of the transform
 * and the schema that it lacks, or with WRITE_PLAN_CHECK says which and goes on as
 * if it had.  Their types may need a sample; without one the plan is left without its
 * target then.  False where there are problems, those of the templates among them.
 */
extern bool schema_changes_plan(WritePlan *plan, const Sample *sample, ProblemList *problems);

/* The paths, with that to the keys that are no column where they matter; sets plan->rest. */
extern List *schema_changes_add_path(WritePlan *plan, List *paths);

/*
 * Before a batch is written: adds the columns that its items bring, or refuses
 * these items.  What the statement is to read is the batch that is returned, in the current
 * memory context.  marks: as before the statement.
 */
extern const ItemBatch *schema_changes_apply(WritePlan *plan, const ItemBatch *batch, int64 first_item, Marks *marks);

/* The same batch for a statement that reads it once more. */
extern const ItemBatch *schema_changes_widen(const WritePlan *plan, const ItemBatch *batch);

#endif
