/*
 * statement_modes.c
 *	  The statements of the modes that are neither INSERT nor upsert, and of deletes.
 *
 * Why they look as they do:
 *
 * - UPDATE and DELETE join the rows of the batch to the table.  The key is
 *   compared as key = ANY (ARRAY[...]): that is no clause to hash or merge by, and
 *   gives an index no order that a join could want, so that the planner, which may
 *   not scan the table, is left with one lookup by key for each row, whatever
 *   it believes of the sizes.
 * - Rows are removed before others are written: a new row may take over a unique
 *   value of a removed one.  The count of those removed, of which the
 *   writing part asks, is what makes them first.
 * - A version of a history ends by the UPDATE of ON CONFLICT, which finds the
 *   open row by the index alone, waits for whoever is writing to it, and compares what
 *   it finds then; of the rows that it has ended, and of no others, the new
 *   versions are inserted.  Another writer is waiting by then, so nobody else can have
 *   opened one.  A version begins after the one before it, whatever the clock says.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "destination/statement_parts.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* When a version may begin that follows another one, at the earliest. */
#define NEXT_INSTANT HISTORY_FROM " OPERATOR(pg_catalog.+) '1 microsecond'::pg_catalog.interval"

static void append_latest_part(StringInfo sql, const StatementParts *parts);
static void append_assignments(StringInfo sql, const StatementParts *parts);
static void append_row_match(StringInfo sql, const StatementParts *parts);
static void append_key_count(StringInfo sql, const StatementParts *parts);
static void append_joined_keys(StringInfo sql, const StatementParts *parts);
static void append_versions_into(StringInfo sql, const StatementParts *parts);

char *
statement_insert_only(const StatementParts *parts)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "WITH written AS (\n");
	statement_append_insert_into(&sql, parts, "t");
	appendStringInfoString(&sql, "\nSELECT ");
	statement_append_names(&sql, parts, "s");
	appendStringInfoString(&sql, "\nFROM ");
	statement_append_latest(&sql, parts);
	appendStringInfoString(&sql, " AS s\n");
	statement_append_lookup(&sql, parts, NULL);
	appendStringInfoString(&sql, "\nWHERE ");
	statement_append_key_is_null(&sql, parts, "o");
	appendStringInfo(&sql, "\nON CONFLICT (%s) DO NOTHING\nRETURNING ", name_list_quoted(parts->key));
	statement_append_key_is_null(&sql, parts, "t");
	appendStringInfoString(&sql, " AS without_key\n)\n"
						   "SELECT pg_catalog.count(*), pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE without_key)\n"
						   "FROM written");
	return sql.data;
}

char *
statement_update(const StatementParts *parts)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "WITH ");
	if (parts->deletes)
		statement_append_removal(&sql, parts);
	else
		append_latest_part(&sql, parts);
	appendStringInfoString(&sql, "written AS (\n");
	if (statement_only_key_columns(parts))	/* nothing is filled that could differ */
		appendStringInfoString(&sql, "SELECT 1 WHERE false");
	else
	{
		appendStringInfo(&sql, "UPDATE %s AS t SET ", statement_stored(parts));
		append_assignments(&sql, parts);
		appendStringInfoString(&sql, "\nFROM latest AS s\nWHERE ");
		if (parts->deletes)
		{
			statement_append_live(&sql, parts);
			appendStringInfoString(&sql, "\n  AND ");
		}
		append_row_match(&sql, parts);
		appendStringInfoString(&sql, "\n  AND ");
		statement_append_change(&sql, parts, "t", "s");
		appendStringInfoString(&sql, "\nRETURNING 1");
	}
	appendStringInfoString(&sql, "\n)\nSELECT pg_catalog.count(*), 0::pg_catalog.int8, ");
	append_key_count(&sql, parts);
	if (parts->deletes)
		appendStringInfoString(&sql, ", (SELECT pg_catalog.count(*) FROM removed)");
	appendStringInfoString(&sql, "\nFROM written");
	return sql.data;
}

char *
statement_history(const StatementParts *parts)
{
	const char *begins = statement_free_name(parts, "begins");
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "WITH differing AS MATERIALIZED (\n"
						   "SELECT s.*, GREATEST((SELECT pg_catalog.clock_timestamp()),\n"
						   "                     o." NEXT_INSTANT ") AS ");
	appendStringInfo(&sql, "%s\nFROM ", begins);
	statement_append_latest(&sql, parts);
	appendStringInfoString(&sql, " AS s\n");
	statement_append_lookup(&sql, parts, "k." HISTORY_TO " IS NULL");
	appendStringInfoString(&sql, "\nWHERE ");
	statement_append_key_is_null(&sql, parts, "o");
	if (!statement_only_key_columns(parts))
	{
		appendStringInfoString(&sql, "\n   OR ");
		statement_append_distinct(&sql, parts, "o", "s");
	}

	appendStringInfoString(&sql, "\n),\nended AS (\n");
	append_versions_into(&sql, parts);
	appendStringInfo(&sql, "\nSELECT ");
	statement_append_names(&sql, parts, "s");
	appendStringInfo(&sql, ", s.%s, NULL\nFROM differing AS s\nON CONFLICT (%s) ", begins, name_list_quoted(parts->key));
	appendStringInfoString(&sql, "WHERE " HISTORY_TO " IS NULL DO ");
	if (statement_only_key_columns(parts))
		appendStringInfoString(&sql, "NOTHING");
	else
	{
		appendStringInfoString(&sql, "UPDATE SET " HISTORY_TO " = GREATEST(excluded." HISTORY_FROM ",\n"
							   "    t." NEXT_INSTANT ")\nWHERE ");
		statement_append_distinct(&sql, parts, "t", "excluded");
	}
	appendStringInfo(&sql, "\nRETURNING t.*\n),\nopened AS (\n");
	append_versions_into(&sql, parts);
	appendStringInfoString(&sql, "\nSELECT ");
	statement_append_names(&sql, parts, "s");
	appendStringInfoString(&sql, ", e." HISTORY_TO ", NULL\nFROM ended AS e\nJOIN differing AS s ON ");
	append_joined_keys(&sql, parts);
	appendStringInfoString(&sql, "\nWHERE e." HISTORY_TO " IS NOT NULL\nRETURNING 1\n)\n"
						   "SELECT pg_catalog.count(*) FILTER (WHERE e." HISTORY_TO " IS NULL)\n"
						   "           OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM opened),\n"
						   "       pg_catalog.count(*) FILTER (WHERE e." HISTORY_TO " IS NULL),\n"
						   "       pg_catalog.count(*) FILTER (WHERE ");
	statement_append_key_is_null(&sql, parts, "e");
	appendStringInfoString(&sql, ")\nFROM ended AS e");
	return sql.data;
}

void
statement_append_removal(StringInfo sql, const StatementParts *parts)
{
	const TargetColumn *mark = parts->deletes_softly ? parts->mark : NULL;

	append_latest_part(sql, parts);
	appendStringInfoString(sql, "removed AS (\n");
	if (mark == NULL)
		appendStringInfo(sql, "DELETE FROM %s AS t\nUSING latest AS s", statement_stored(parts));
	else
	{
		appendStringInfo(sql, "UPDATE %s AS t SET %s = %s", statement_stored(parts),
						 quote_identifier(mark->name), statement_mark_value(mark));
		if (parts->newer_by != NULL)
		{
			const char *name = quote_identifier(parts->newer_by->name);

			appendStringInfo(sql, ", %s = COALESCE(s.%s, t.%s)", name, name, name);
		}
		appendStringInfoString(sql, "\nFROM latest AS s");
	}
	appendStringInfo(sql, "\nWHERE s.%s AND ", statement_deleted_name(parts));
	append_row_match(sql, parts);
	if (mark != NULL)
		appendStringInfo(sql, " AND %s", statement_unmarked(mark, "t"));
	if (parts->newer_by != NULL)
	{
		appendStringInfoString(sql, " AND ");
		statement_append_newer(sql, parts, "t", "s");
	}
	appendStringInfoString(sql, "\nRETURNING 1\n),\n");
}

void
statement_append_live(StringInfo sql, const StatementParts *parts)
{
	appendStringInfo(sql, "NOT s.%s AND (SELECT pg_catalog.count(*) FROM removed) OPERATOR(pg_catalog.>=) 0",
					 statement_deleted_name(parts));
}

void
statement_append_removed_counts(StringInfo sql, const StatementParts *parts)
{
	appendStringInfo(sql, " OPERATOR(pg_catalog.+)\n       ");
	append_key_count(sql, parts);
	appendStringInfoString(sql, ",\n       (SELECT pg_catalog.count(*) FROM removed)");
}

/* latest AS MATERIALIZED (...), */
static void
append_latest_part(StringInfo sql, const StatementParts *parts)
{
	appendStringInfoString(sql, "latest AS MATERIALIZED ");
	statement_append_latest(sql, parts);
	appendStringInfoString(sql, ",\n");
}

/* a = s.a, of all but the key's columns */
static void
append_assignments(StringInfo sql, const StatementParts *parts)
{
	bool		first = true;
	ListCell   *lc;

	foreach(lc, parts->columns)
	{
		const StatementColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->column->name);

		if (statement_is_key(parts, column))
			continue;
		appendStringInfo(sql, "%s%s = s.%s", first ? "" : ", ", name, name);
		first = false;
	}
}

/* t.a = ANY (ARRAY[s.a]) AND ...; an array cannot be an element as such. */
static void
append_row_match(StringInfo sql, const StatementParts *parts)
{
	ListCell   *lc;

	foreach(lc, parts->key)
	{
		const TargetColumn *column = target_column(parts->target, lfirst(lc));
		const char *name = quote_identifier(column->name);
		bool		is_element = !OidIsValid(get_element_type(getBaseType(column->type))) &&
			OidIsValid(get_array_type(column->type));

		appendStringInfo(sql, is_element ? "%st.%s %s ANY (ARRAY[s.%s])" : "%st.%s %s s.%s",
						 lc == list_head(parts->key) ? "" : " AND ", name, statement_equality_operator(column->type), name);
	}
}

/* How many of the rows that count have no key. */
static void
append_key_count(StringInfo sql, const StatementParts *parts)
{
	appendStringInfoString(sql, "(SELECT pg_catalog.count(*) FROM latest AS s WHERE ");
	statement_append_key_is_null(sql, parts, "s");
	appendStringInfoChar(sql, ')');
}

/* e.a = s.a AND ... */
static void
append_joined_keys(StringInfo sql, const StatementParts *parts)
{
	ListCell   *lc;

	foreach(lc, parts->key)
	{
		const TargetColumn *column = target_column(parts->target, lfirst(lc));
		const char *name = quote_identifier(column->name);

		appendStringInfo(sql, "%se.%s %s s.%s", lc == list_head(parts->key) ? "" : " AND ",
						 name, statement_equality_operator(column->type), name);
	}
}

/* INSERT INTO table AS t (a, b, valid_from, valid_to) */
static void
append_versions_into(StringInfo sql, const StatementParts *parts)
{
	appendStringInfo(sql, "INSERT INTO %s AS t (", parts->target->qualified);
	statement_append_names(sql, parts, NULL);
	appendStringInfoString(sql, ", " HISTORY_FROM ", " HISTORY_TO ")");
}

/* What a soft delete sets; a time without a zone is UTC, as everywhere. */
const char *
statement_mark_value(const TargetColumn *mark)
{
	switch (getBaseType(mark->type))
	{
		case BOOLOID:
			return "true";
		case TIMESTAMPTZOID:
			return "pg_catalog.now()";
		default:
			return "pg_catalog.timezone('UTC', pg_catalog.now())";
	}
}

char *
statement_unmarked(const TargetColumn *mark, const char *alias)
{
	return psprintf("%s.%s %s", alias, quote_identifier(mark->name),
					getBaseType(mark->type) == BOOLOID ? "IS NOT TRUE" : "IS NULL");
}
