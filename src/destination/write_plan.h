/*
 * write_plan.h
 *	  What one step writes: its table, the paths it needs, its one statement.
 *
 * Every function here needs a transaction and runs as the job's owner.
 */
#ifndef DATABITE_WRITE_PLAN_H
#define DATABITE_WRITE_PLAN_H

#include "base/problem.h"
#include "item/item_reader.h"
#include "job/definition.h"
#include "utils/jsonb.h"

typedef struct WritePlan WritePlan;

typedef enum WritePlanPurpose
{
	WRITE_PLAN_CHECK,			/* validate and explain: nothing is created */
	WRITE_PLAN_RUN				/* the table is created (NOTICE) where it is missing and its columns are known */
} WritePlanPurpose;

typedef struct WriteCounts
{
	int64		processed;		/* items read */
	int64		inserted;
	int64		updated;
	int64		unchanged;		/* equal to what was there, or replaced by a later item of the batch */
	int64		deleted;
	int64		rejected;
	int64		skipped;		/* of the unchanged: dropped by source.where, or by skip */
} WriteCounts;

/* An item that was not written, and why. */
typedef struct RejectedItem
{
	char	   *item;			/* JSON text; NULL where PostgreSQL cannot store it, or it is too long to be kept */
	int			sqlstate;
	char	   *message;
	char	   *column;			/* or NULL */
	char	   *constraint;		/* name of the rule, or NULL */
	int64		position;		/* in the batch */
	const char *context;		/* JSON text of what it had in common with its page, or NULL */
} RejectedItem;

/*
 * Finds the table by the search_path, resolves columns, key and mode, compiles
 * the transform.  Problems are added with their pointer (unknown column, key
 * without a unique index, template errors, ...); the plan is NULL then.  step
 * must outlive the plan; the plan lives as long as context.
 */
extern WritePlan *write_plan_create(const JobStep *step, WritePlanPurpose purpose,
									ProblemList *problems, MemoryContext context);

/*
 * True while the columns or their types are not known: the table does not exist
 * and the definition has no schema.  The first path is then the whole item, and
 * write_plan_learn takes the first batch of whole items, creates the table
 * (NOTICE with the CREATE TABLE) and compiles.  The caller then reads the same
 * items again with the new paths.  Learning from no items changes nothing.  With WRITE_PLAN_CHECK nothing is created and the plan can
 * be shown and previewed only.
 */
extern bool write_plan_needs_sample(const WritePlan *plan);
extern void write_plan_learn(WritePlan *plan, const ItemBatch *sample, int64 first_item, Jsonb *scopes);

/* Undoes write_plan_learn, whose transaction was rolled back: a sample is needed again. */
extern void write_plan_unlearn(WritePlan *plan);

/* True where items may be written twice: the rows that they are of are found by their key. */
extern bool write_plan_is_upsert(const WritePlan *plan);

/* A pass that failed goes on where it was, rather than anew: what it has written would be doubled, or get versions once more. */
extern bool write_plan_goes_on(const WritePlan *plan);

/* The step has "validation": what is wrong with an item rejects it and does not fail the run. */
extern bool write_plan_is_validated(const WritePlan *plan);

/* What is wrong with an item rejects it: the step has "validation", or says so of errors ("log_and_continue"). */
extern bool write_plan_rejects(const WritePlan *plan);

/* Scopes (TEMPLATE_SCOPE_, TEMPLATE_USES_PARENT) that its templates name. */
extern int	write_plan_scopes(const WritePlan *plan);

/*
 * The rows that the batch written last delivered, as jsonb objects of the columns
 * that the step fills; returns their number.  Same arguments as that write_plan_execute.
 */
extern int	write_plan_delivered(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes, Jsonb ***rows);

/* Paths for the item reader. */
extern int	write_plan_paths(const WritePlan *plan, const JsonPath *const **paths);

/*
 * What was done to the table that exists, for the run's history (char *): columns that were added by
 * write_plan_create, write_plan_learn or write_plan_execute.  Each is given once.
 */
extern List *write_plan_take_notices(WritePlan *plan);

/* write_plan_needs_sample, because the types of columns are to be learned that the table lacks. */
extern bool write_plan_lacks_columns(const WritePlan *plan);

/* The statement, formatted for a person. */
extern const char *write_plan_sql(const WritePlan *plan);

/*
 * PostgreSQL's plan of the statement, with its costs: lines (char *) of EXPLAIN.
 * NIL where the table is not created yet.  scopes as in write_plan_execute.
 */
extern List *write_plan_explain(const WritePlan *plan, Jsonb *scopes);

/* The statements that find the items which source.where drops, and whose rows are deleted; NULL where there is no such condition. */
extern const char *write_plan_filter_sql(const WritePlan *plan);
extern const char *write_plan_deletion_sql(const WritePlan *plan);

/* "public.users", quoted where needed. */
extern const char *write_plan_table(const WritePlan *plan);

/*
 * Writes one batch with one statement and adds to counts.  scopes is $1 of the
 * compiled templates.  first_item: position in the run of the batch's first item, from 0.
 * Raises the statement's error with an errcontext that names the item's
 * position, the column and the value where they are known.  Returns the items that
 * were rejected (of RejectedItem *).
 */
extern List *write_plan_execute(WritePlan *plan, const ItemBatch *batch, int64 first_item,
							   Jsonb *scopes, WriteCounts *counts);

/* Was an item to blame for the error that the last write_plan_execute raised, rather than all of the batch? */
extern bool write_plan_failed_for_item(const WritePlan *plan, const ErrorData *error);

/*
 * In place of write_plan_execute: rejects all items that source.where does not
 * drop, with that error; also while a sample is needed.
 */
extern List *write_plan_reject_batch(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes,
									 const ErrorData *error, WriteCounts *counts);

/*
 * The rows of the batch as they would be written, without writing: one Jsonb
 * (an object column -> value) or a text that says why there is none, or both, for each item of the batch.
 */
extern void write_plan_preview(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes,
							   Jsonb **rows, char **errors);

#endif
