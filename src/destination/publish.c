/*
 * publish.c
 *	  Mode "replace": the table becomes what the stage holds.
 *
 * One transaction, of plain statements as the job's owner would type them.  With
 * a key they touch what is not as it should be, and nothing else: rows whose key
 * is gone are deleted, those that differ updated, new ones inserted.  So foreign
 * keys that point at the table keep pointing, triggers fire for what has changed, and a
 * row that is as it was writes no WAL.  Without a key all rows are deleted and
 * all inserted.  Readers see the old rows until it commits.
 *
 * Who writes to the table meanwhile waits (SHARE ROW EXCLUSIVE, which readers do
 * not feel): a row that came after the deletion would be in the table and not
 * in the source, and one that came before the insertion might be there twice.
 * What is no table of this database (views, foreign tables) cannot be locked so.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "destination/stage_data.h"
#include "destination/statement.h"
#include "utils/builtins.h"

/* The statements, in their order; NULL where there is no need of one. */
typedef struct Replacement
{
	char	   *lock;
	List	   *defaults;		/* of char *: give rows their defaults that came before any item had a value for the column */
	char	   *look;			/* rows of the stage; rows without a value in some key column */
	char	   *repeated;		/* rows of the stage that a later one of their key replaces */
	char	   *gone;
	char	   *changed;
	char	   *new;
} Replacement;

static void make_replacement(const WritePlan *plan, Replacement *statements);
static List *make_defaults(const StatementParts *parts, const char *stage);
static char *no_key_count(const StatementParts *parts);
static char *set_clause(const StatementParts *parts);
static char *column_names(const StatementParts *parts, const char *alias);
static void publish(WritePlan *plan, const Replacement *statements, int64 staged, WriteCounts *counts);
static void check_is_empty(const WritePlan *plan);
static void publish_error_context(void *arg);

void
stage_publish(WritePlan *plan, WriteCounts *counts)
{
	Replacement statements;
	int64		rows[2];
	ListCell   *lc;
	ErrorContextCallback callback;

	callback.callback = publish_error_context;
	callback.arg = plan;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	make_replacement(plan, &statements);
	SPI_connect();
	if (statements.lock != NULL)
		(void) stage_execute(statements.lock);
	foreach(lc, statements.defaults)
		(void) stage_execute(lfirst(lc));
	stage_count(statements.look, lengthof(rows), rows);
	if (rows[1] > 0)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("an item has no value for the key (%s) of table %s",
						name_list_quoted(plan->key), plan->target->qualified),
				 errdetail("A row without a key could not be found again by the next run.")));
	if (rows[0] == 0)
		check_is_empty(plan);
	else
		publish(plan, &statements, rows[0], counts);
	SPI_finish();
	error_context_stack = callback.previous;
}

List *
stage_publish_statements(const WritePlan *plan)
{
	Replacement statements;
	List	   *list = NIL;

	make_replacement(plan, &statements);
	if (statements.lock != NULL)
		list = lappend(list, statements.lock);
	list = list_concat(list, statements.defaults);
	if (statements.repeated != NULL)
		list = lappend(list, statements.repeated);
	list = lappend(list, statements.gone);
	if (statements.changed != NULL)
		list = lappend(list, statements.changed);
	return lappend(list, statements.new);
}

static void
make_replacement(const WritePlan *plan, Replacement *statements)
{
	StatementParts parts = write_plan_parts(plan, false);	/* of the stage's columns those that some item has */
	const Target *target = plan->target;
	const char *stage = stage_name(plan);
	const char *only = target_only(target);
	const char *position = stage_position_name(target);
	char	   *names = column_names(&parts, NULL);
	char	   *values = column_names(&parts, "s");
	char	   *match;
	char	   *differs;

	memset(statements, 0, sizeof(Replacement));
	if (target_supports_upsert(target))
		statements->lock = psprintf("LOCK TABLE %s%s IN SHARE ROW EXCLUSIVE MODE", only, target->qualified);
	statements->defaults = make_defaults(&parts, stage);
	statements->look = psprintf("SELECT pg_catalog.count(*), %s\nFROM %s AS s", no_key_count(&parts), stage);
	if (parts.key == NIL)
	{
		statements->gone = psprintf("DELETE FROM %s%s", only, target->qualified);
		statements->new = psprintf("INSERT INTO %s (%s)\nSELECT %s\nFROM %s AS s\nORDER BY s.%s",
									target->qualified, names, values, stage, position);
		return;
	}

	match = statement_key_match(&parts, "t", "s");
	differs = statement_differs(&parts, "t", "s");
	statements->repeated = psprintf("DELETE FROM %s AS s\nWHERE EXISTS (SELECT FROM %s AS t WHERE %s AND t.%s > s.%s)",
									 stage, stage, match, position, position);
	statements->gone = psprintf("DELETE FROM %s%s AS t\nWHERE NOT EXISTS (SELECT FROM %s AS s WHERE %s)",
								 only, target->qualified, stage, match);
	if (differs != NULL)
		statements->changed = psprintf("UPDATE %s%s AS t\nSET %s\nFROM %s AS s\nWHERE %s\n  AND %s",
										only, target->qualified, set_clause(&parts), stage, match, differs);
	statements->new = psprintf("INSERT INTO %s (%s)\nSELECT %s\nFROM %s AS s\n"
								"WHERE NOT EXISTS (SELECT FROM %s%s AS t WHERE %s)\nORDER BY s.%s",
								target->qualified, names, values, stage, only, target->qualified, match, position);
}

static List *
make_defaults(const StatementParts *parts, const char *stage)
{
	List	   *statements = NIL;
	ListCell   *lc;

	foreach(lc, parts->columns)
	{
		const StatementColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->column->name);
		char	   *statement;

		if (!column->or_fallback)
			continue;
		statement = psprintf("UPDATE %s\nSET %s = %s\nWHERE %s IS NULL", stage, name, column->column->fallback, name);
		statements = lappend(statements, statement);
	}
	return statements;
}

static char *
no_key_count(const StatementParts *parts)
{
	StringInfoData sql;
	ListCell   *lc;

	if (parts->key == NIL)
		return "0::pg_catalog.int8";
	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.count(*) FILTER (WHERE ");
	foreach(lc, parts->key)
		appendStringInfo(&sql, "%ss.%s IS NULL", lc == list_head(parts->key) ? "" : " OR ", quote_identifier(lfirst(lc)));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* a = s.a, b = s.b, of all but the key */
static char *
set_clause(const StatementParts *parts)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, parts->columns)
	{
		const StatementColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->column->name);

		if (!name_list_has(parts->key, column->column->name))
			appendStringInfo(&sql, "%s%s = s.%s", sql.len > 0 ? ", " : "", name, name);
	}
	return sql.data;
}

/* a, b or s.a, s.b */
static char *
column_names(const StatementParts *parts, const char *alias)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, parts->columns)
	{
		const StatementColumn *column = lfirst(lc);

		appendStringInfo(&sql, "%s%s%s%s", sql.len > 0 ? ", " : "", alias ? alias : "", alias ? "." : "",
						 quote_identifier(column->column->name));
	}
	return sql.data;
}

static void
publish(WritePlan *plan, const Replacement *statements, int64 staged, WriteCounts *counts)
{
	int64		written = 0;

	stage_analyze(plan);
	if (statements->repeated != NULL)
		(void) stage_execute(statements->repeated);
	counts->deleted += stage_execute(statements->gone);
	if (statements->changed != NULL)
		counts->updated += written = stage_execute(statements->changed);
	staged -= written;
	written = stage_execute(statements->new);
	counts->inserted += written;
	counts->unchanged += staged - written;
}

/* Nobody means to empty a table by a source that gives nothing: it is the source that is broken. */
static void
check_is_empty(const WritePlan *plan)
{
	char	   *sql;
	int64		rows;

	sql = psprintf("SELECT pg_catalog.count(*) FROM (SELECT FROM %s%s LIMIT 1) AS t",
				   target_only(plan->target), plan->target->qualified);
	stage_count(sql, 1, &rows);
	if (rows > 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("there is no row to replace those of table %s with", plan->target->qualified),
				 errdetail("The source gave no items, or all of them were dropped.  The table is as it was."),
				 errhint("If that is right, empty the table yourself: a run that finds it empty is completed.")));
}

/* For the plans of the statements that follow. */
void
stage_analyze(const WritePlan *plan)
{
	(void) stage_execute(psprintf("ANALYZE %s", plan->stage));
}

int64
stage_execute(const char *sql)
{
	int			code = SPI_execute(sql, false, 0);

	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not execute a statement over a stage: %s", SPI_result_code_string(code))));
	return (int64) SPI_processed;
}

void
stage_count(const char *sql, int n, int64 *counts)
{
	(void) stage_execute(sql);
	if (SPI_processed != 1 || SPI_tuptable == NULL || SPI_tuptable->tupdesc->natts != n)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("a query over a stage gave no counts")));
	for (int i = 0; i < n; i++)
	{
		bool		isnull;

		counts[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
publish_error_context(void *arg)
{
	const WritePlan *plan = arg;

	errcontext("publishing the rows of the pass in table %s", plan->target->qualified);
}
