/*
 * explain.c
 *	  How PostgreSQL would run a write plan's statement.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "destination/prepared.h"
#include "destination/stage.h"
#include "destination/write_plan_data.h"
#include "utils/builtins.h"
#include "utils/guc.h"

static List *result_lines(MemoryContext context);

List *
write_plan_explain(const WritePlan *plan, Jsonb *scopes)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {JSONBOID};
	Datum		values[] = {PointerGetDatum(scopes)};
	List	   *lines;
	int			level;

	/* a stage is made when a pass begins */
	if (plan->target == NULL || (!OidIsValid(plan->target->oid) && !plan->step->destination.none) ||
		plan->alter_sql != NULL || stage_content(plan) == STAGE_ROWS)
		return NIL;

	SPI_connect();
	level = prepared_set_planner();
	if (SPI_execute_with_args(psprintf("EXPLAIN %s", plan->sql), 1, types, values, NULL, false, 0) != SPI_OK_UTILITY)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not explain a statement")));
	AtEOXact_GUC(true, level);
	lines = result_lines(caller);
	SPI_finish();
	return lines;
}

/* The first column of SPI's result, in context. */
static List *
result_lines(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *lines = NIL;

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		line = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		lines = lappend(lines, TextDatumGetCString(line));
	}
	MemoryContextSwitchTo(old);
	return lines;
}
