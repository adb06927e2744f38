/*
 * delivered.c
 *	  The rows that a batch delivered, for steps whose requests are made of them.
 *
 * A step without a destination does nothing but that.  Its columns are those of
 * its transform, else those that later steps name; its statement computes the
 * rows, and marks items, as one that writes would.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "destination/create_table.h"
#include "destination/prepared.h"
#include "destination/schema_changes.h"
#include "destination/write_plan_data.h"
#include "executor/spi.h"

static List *columns_of_delivery(const JobStep *step, ProblemList *problems);
static List *add_column(const JobStep *step, List *columns, const char *name, ProblemList *problems);
static int	take_rows(Jsonb **rows, const Marks *marks, MemoryContext context);

int
write_plan_delivered(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes, Jsonb ***rows)
{
	MemoryContext context = CurrentMemoryContext;
	StatementParts parts = write_plan_parts(plan, true);
	Marks	   *marks = plan->last_marks;
	const ItemMark *saved = marks_save(marks);
	char	   *sql = statement_preview(&parts);
	int			nrows;

	batch = schema_changes_widen(plan, batch);
	*rows = palloc(sizeof(Jsonb *) * Max(batch->nitems, 1));
	SPI_connect();
	batch_bind(plan->binding, batch, first_item, marks);
	PG_TRY();
	{
		prepared_execute(prepared_create(sql), sql, scopes);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();
	nrows = take_rows(*rows, marks, context);
	SPI_finish();
	marks_restore(marks, saved);
	return nrows;
}

/* (position in the batch, row) of SPI's result; of an item whose row is deleted there is none. */
static int
take_rows(Jsonb **rows, const Marks *marks, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	int			nrows = 0;

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		int64		item = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));

		if (marks_has_deleted(marks, item))
			continue;
		rows[nrows++] = DatumGetJsonbPCopy(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
	}
	MemoryContextSwitchTo(old);
	return nrows;
}

bool
delivered_plan_target(WritePlan *plan, ProblemList *problems)
{
	const JobStep *step = plan->step;
	int			before = list_length(problems->problems);
	bool		undecided;
	List	   *columns;

	rules_check(step, problems);
	columns = step->has_transform ? columns_of_transform(step, NULL, NULL, &undecided, problems) : columns_of_delivery(step, problems);
	if (columns == NIL && list_length(problems->problems) == before)
		problem_add(problems, ERRCODE_UNDEFINED_COLUMN, step->pointer, NULL,
					"it cannot be told what later steps name of step \"%s\"", step->id);
	if (list_length(problems->problems) > before)
		return false;
	plan->name = step->id;
	plan->target = target_planned("databite", step->id, columns, NIL);
	return true;
}

/* What is taken of its items where the step has no transform. */
static List *
columns_of_delivery(const JobStep *step, ProblemList *problems)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, step->delivers)
		columns = add_column(step, columns, lfirst(lc), problems);
	if (step->validation == NULL)
		return columns;
	foreach(lc, step->validation->required)
		columns = add_column(step, columns, lfirst(lc), problems);
	foreach(lc, step->validation->rules)
		columns = add_column(step, columns, ((const JobRule *) lfirst(lc))->column, problems);
	return columns;
}

static List *
add_column(const JobStep *step, List *columns, const char *name, ProblemList *problems)
{
	int			sqlstate;
	char	   *error = target_check_column(name, &sqlstate);

	if (columns_find(columns, name) != NULL)
		return columns;
	if (error != NULL)
		problem_add(problems, sqlstate, step->pointer, "Say in \"transform\" what the columns of the step are.", "%s", error);
	return lappend(columns, new_column(pstrdup(name), JSONBOID, -1));
}

char *
delivered_sql(const WritePlan *plan)
{
	StatementParts parts = write_plan_parts(plan, true);

	return psprintf("-- no destination: the rows are for the requests of later steps\n%s", statement_preview(&parts));
}
