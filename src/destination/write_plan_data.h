/*
 * write_plan_data.h
 *	  The inside of a WritePlan, shared by the files that make and run it.
 */
#ifndef DATABITE_WRITE_PLAN_DATA_H
#define DATABITE_WRITE_PLAN_DATA_H

#include "destination/batch.h"
#include "destination/columns.h"
#include "destination/statement.h"
#include "destination/target.h"
#include "destination/write_plan.h"
#include "executor/spi.h"

struct WritePlan
{
	MemoryContext context;
	MemoryContextCallback release;
	const JobStep *step;		/* the caller's; outlives the plan */
	WritePlanPurpose purpose;
	char	   *schema;			/* of the table as written, or NULL */
	char	   *name;

	Target	   *target;			/* NULL while a sample is needed */
	List	   *inputs;			/* of TemplateInput * */
	List	   *columns;		/* of PlanColumn * */
	List	   *key;			/* of char *; NIL: rows can only be inserted */
	bool		key_stated;		/* the definition asks for an upsert */
	BatchBinding *binding;

	char	   *sql;
	bool		upserts;		/* sql gives counts */
	SPIPlanPtr	statement;		/* NULL: not prepared yet */

	/* An upsert of nothing but new rows: see write_batch.c. */
	char	   *insert_sql;		/* NULL: not to be tried */
	SPIPlanPtr	insert_statement;
	int			new_batches;	/* so many batches in a row had only new rows */
	int			new_batches_needed; /* to try the plain INSERT; doubles when it fails */
};

/* Builds the statement for the columns in use, or for all while none is. */
extern void write_plan_build(WritePlan *plan);

/* What the statement is built of. */
extern StatementParts write_plan_parts(const WritePlan *plan, bool preview);

/* Sets what the statement must be planned with, until AtEOXact_GUC(true, the result). */
extern int	write_plan_set_planner(void);

/* Frees the prepared statements, if there are any. */
extern void write_plan_release_statements(WritePlan *plan);

#endif
