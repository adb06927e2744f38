/*
 * write_plan_data.h
 *	  The inside of a WritePlan, shared by the files that make and run it.
 */
#ifndef DATABITE_WRITE_PLAN_DATA_H
#define DATABITE_WRITE_PLAN_DATA_H

#include "destination/batch.h"
#include "destination/columns.h"
#include "destination/item_filter.h"
#include "destination/rules.h"
#include "destination/statement.h"
#include "destination/target.h"
#include "destination/write_plan.h"
#include "executor/spi.h"

/* The statements of an upsert beside its own, and what one is chosen by: see upsert_way.c. */
typedef struct UpsertWays
{
	const TemplateInput *key_input;
	char	   *range_sql;		/* NULL: there is none */
	SPIPlanPtr	range_statement;
	char	   *blind_sql;		/* NULL: there is none */
	SPIPlanPtr	blind_statement;
	bool		blind;			/* was the last batch written by it? */
	int			written_batches;	/* so many in a row were written whole */
	int			written_batches_needed;
} UpsertWays;

struct WritePlan
{
	MemoryContext context;
	MemoryContextCallback release;
	const JobStep *step;		/* the caller's; outlives the plan */
	WritePlanPurpose purpose;
	char	   *schema;			/* of the table as written, or NULL */
	char	   *name;

	ItemFilter *filter;			/* source.where, or NULL */
	ItemFilter *deletion;		/* deletes.when, or NULL */
	List	   *paths;			/* of const JsonPath *: what the reader is to find */
	int			whole_item;		/* number of the path to the whole item, or -1 */

	Target	   *target;			/* NULL while a sample is needed */
	List	   *inputs;			/* of TemplateInput * */
	List	   *columns;		/* of PlanColumn * */
	List	   *key;			/* of char *; NIL: rows can only be inserted */
	bool		key_stated;		/* the definition asks for rows with that key, so no item may be without */
	BatchBinding *binding;
	Rules	   *rules;			/* NULL: no validation */
	int			scopes;			/* that the templates name: see write_plan_scopes */
	Marks	   *last_marks;		/* of the batch that was written last, while that is at hand */
	bool		failed_for_item;	/* see write_plan_failed_for_item */
	int			marks;			/* what the transform may do to an item: TEMPLATE_SKIPS, TEMPLATE_REJECTS */

	/* Columns that the table lacks: see schema_changes.c. */
	int			rest;			/* number of the path to the keys that are no column, or -1 */
	List	   *added;			/* of const JsonPath *: columns that are read from there */
	int			nplanned_columns;	/* without the added ones */
	int			nplanned_inputs;
	bool		lacks_columns;	/* the target is NULL because their types are not known */
	char	   *alter_sql;		/* with WRITE_PLAN_CHECK: what would be done to the table, or NULL */
	List	   *notices;		/* of char *: what was done to it, until write_plan_take_notices */

	char	   *sql;
	bool		upserts;		/* sql finds rows by their key, and gives counts */
	bool		in_bulk;		/* sql is a plain INSERT that may be run as bulk_insert.c does, for its next execution */
	SPIPlanPtr	statement;		/* NULL: not prepared yet */
	UpsertWays	ways;

	/* An upsert of nothing but new rows: see write_batch.c. */
	char	   *insert_sql;		/* NULL: not to be tried */
	SPIPlanPtr	insert_statement;
	int			new_batches;	/* so many batches in a row had only new rows */
	int			new_batches_needed; /* to try the plain INSERT; doubles when it fails */

	/* What is gathered before it is published: see stage.c. */
	char	   *stage;			/* its name; NULL: it is not made yet, or the step has none */
	int			nstaged;		/* so many of the columns it has */
	TemplateInput *position;	/* of rows of a stage: the item's position in the pass */
	char	   *key_sql;		/* adds keys to the stage; NULL: not built yet */
	SPIPlanPtr	key_statement;
};

/* Builds the statement for the columns in use, or for all while none is. */
extern void write_plan_build(WritePlan *plan);

/* The column of that name, if the step fills it, or NULL. */
extern PlanColumn *write_plan_column(const WritePlan *plan, const char *name);

/* What the statement is built of. */
extern StatementParts write_plan_parts(const WritePlan *plan, bool preview);

/*
 * The marks of the batch's items before they are written: those that the reader
 * could not deliver, where the step is validated, and those that source.where
 * drops.  NULL where no item of the step can ever be marked.  In the current memory context.
 */
extern Marks *write_plan_mark(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes);

/* Runs the plan's statement over the bound batch, without what write_plan_execute does around it. */
extern void write_plan_run_statement(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, const Marks *marks,
									 WriteCounts *counts);

/* delivered.c: of a step without a destination, whose rows are for the requests of later steps only. */

/* Its columns, as if of a table; false with a problem where they cannot be. */
extern bool delivered_plan_target(WritePlan *plan, ProblemList *problems);

/* The statement that gives its rows, for a person. */
extern char *delivered_sql(const WritePlan *plan);

#endif
