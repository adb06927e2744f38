/*
 * missing.c
 *	  deletes.missing: rows whose keys a complete listing does not have.
 *
 * Whether the listing is complete is for run/ to say.  Here is the last guard: a
 * listing that has lost more than a part of what was there is rather a broken
 * one.  Rows are counted and deleted in one transaction.
 */
#include "postgres.h"

#include "destination/stage_data.h"
#include "destination/statement_parts.h"
#include "utils/builtins.h"

/* Statements over the rows that are there and not in the stage. */
typedef struct Missing
{
	char	   *look;			/* rows that are there; those that are missing */
	char	   *delete;
} Missing;

static void make_missing(const WritePlan *plan, Missing *missing);

char *
stage_delete_missing(WritePlan *plan, WriteCounts *counts)
{
	double		max_fraction = plan->step->destination.deletes->max_fraction;
	MemoryContext caller = CurrentMemoryContext;
	Missing		missing;
	int64		rows[2];
	char	   *refusal = NULL;

	make_missing(plan, &missing);
	SPI_connect();
	stage_analyze(plan);
	stage_count(missing.look, lengthof(rows), rows);
	if (rows[1] > max_fraction * rows[0])
		refusal = MemoryContextStrdup(caller,
									  psprintf(INT64_FORMAT " of " INT64_FORMAT " rows of table %s would go, "
											   "more than maxFraction (%g) of them",
											   rows[1], rows[0], plan->target->qualified, max_fraction));
	else if (rows[1] > 0)
		counts->deleted += stage_execute(missing.delete);
	SPI_finish();
	return refusal;
}

List *
stage_missing_statements(const WritePlan *plan)
{
	Missing		missing;

	make_missing(plan, &missing);
	return list_make2(missing.look, missing.delete);
}

static void
make_missing(const WritePlan *plan, Missing *missing)
{
	const JobDestination *destination = &plan->step->destination;
	bool		soft = destination->deletes->missing == DELETE_SOFT;
	const TargetColumn *column = soft ? target_column(plan->target, destination->deletes->column) : NULL;
	StatementParts parts = {.target = plan->target, .key = plan->key};
	const char *table = psprintf("%s%s", target_only(plan->target), plan->target->qualified);
	const char *unmarked = soft ? statement_unmarked(column, "t") : NULL;
	char	   *is_missing = psprintf("%s%sNOT EXISTS (SELECT FROM %s AS s WHERE %s)",
									  soft ? unmarked : "", soft ? " AND " : "",
									  stage_name(plan), statement_key_match(&parts, "t", "s"));

	missing->look = psprintf("SELECT (SELECT pg_catalog.count(*) FROM %s AS t%s%s),\n"
							 "       (SELECT pg_catalog.count(*) FROM %s AS t WHERE %s)",
							 table, soft ? " WHERE " : "", soft ? unmarked : "", table, is_missing);
	if (soft)
		missing->delete = psprintf("UPDATE %s AS t\nSET %s = %s\nWHERE %s", table, quote_identifier(column->name),
								   statement_mark_value(column), is_missing);
	else
		missing->delete = psprintf("DELETE FROM %s AS t\nWHERE %s", table, is_missing);
}
