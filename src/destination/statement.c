/*
 * statement.c
 *	  Builds the statement that writes a batch.
 *
 * Why it looks as it does (measured, see doc/architecture.md):
 *
 * - Rows equal to what is there are taken out before INSERT, as ON CONFLICT
 *   locks a row, which writes WAL, before it looks at its WHERE.
 * - The look at what is there is a LATERAL subquery behind an OFFSET 0.  A plain
 *   join becomes a hash join, or a nested loop over the whole index, when it is
 *   planned while the table is empty or its statistics say so; that plan then
 *   reads the whole table for every batch.  The fence leaves the planner one
 *   way: the index, by key (write_plan.c turns off sequential scans).
 * - ON CONFLICT keeps its own WHERE: another session may have written the row
 *   in between, and BEFORE triggers may have changed the new one.
 * - Rows are sorted by key, which the removal of duplicates needs anyway: all
 *   writers then take their row locks in one order.
 * - The columns are compared one by one; comparing whole rows costs half as
 *   much again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "destination/statement.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

static void append_insert_into(StringInfo sql, const StatementParts *parts, const char *alias);
static void append_names(StringInfo sql, const StatementParts *parts, const char *alias);
static void append_stored(StringInfo sql, const StatementParts *parts);
static void append_sized(StringInfo sql, Oid function, const char *value, int32 typmod);
static void append_expressions(StringInfo sql, const List *columns, int indent);
static void append_rows(StringInfo sql, const StatementParts *parts, int indent);
static void append_kept_rows(StringInfo sql, const StatementParts *parts, int indent);
static void append_checks(StringInfo sql, const StatementParts *parts, int indent);
static void append_new_rows(StringInfo sql, const StatementParts *parts);
static void append_conflict(StringInfo sql, const StatementParts *parts);
static void append_sort_key(StringInfo sql, const StatementParts *parts);
static void append_key_match(StringInfo sql, const StatementParts *parts);
static void append_distinct(StringInfo sql, const StatementParts *parts, const char *left, const char *right);
static void append_compared(StringInfo sql, const StatementParts *parts, const char *alias);
static void append_key_is_null(StringInfo sql, const StatementParts *parts, const char *alias);
static bool is_key(const StatementParts *parts, const StatementColumn *column);
static bool only_key_columns(const StatementParts *parts);
static const char *order_name(const StatementParts *parts);
static const char *sort_collation(const TargetColumn *column);
static const char *type_name(Oid type);

char *
statement_insert(const StatementParts *parts)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_insert_into(&sql, parts, NULL);
	appendStringInfoString(&sql, "\nSELECT ");
	if (parts->marks)
	{
		append_names(&sql, parts, "r");
		appendStringInfoString(&sql, "\nFROM ");
		append_kept_rows(&sql, parts, strlen("FROM ("));
		return sql.data;
	}
	append_expressions(&sql, parts->columns, strlen("SELECT "));
	appendStringInfo(&sql, "\nFROM %s", parts->from);
	return sql.data;
}

/*
 * A partitioned table cannot return xmax, so there the new rows are counted
 * where they are looked up.
 */
char *
statement_upsert(const StatementParts *parts)
{
	bool		partitioned = parts->target->relkind == RELKIND_PARTITIONED_TABLE;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "WITH ");
	if (partitioned)
	{
		appendStringInfoString(&sql, "differing AS MATERIALIZED (\nSELECT s.*, ");
		append_key_is_null(&sql, parts, "o");
		appendStringInfoString(&sql, " AS \"is new row\"\n");
		append_new_rows(&sql, parts);
		appendStringInfoString(&sql, "\n),\n");
	}

	appendStringInfoString(&sql, "written AS (\n");
	append_insert_into(&sql, parts, "t");
	appendStringInfoString(&sql, "\nSELECT ");
	append_names(&sql, parts, "s");
	appendStringInfoChar(&sql, '\n');
	if (partitioned)
		appendStringInfoString(&sql, "FROM differing AS s");
	else
		append_new_rows(&sql, parts);
	appendStringInfoChar(&sql, '\n');
	append_conflict(&sql, parts);
	appendStringInfoString(&sql, "\nRETURNING ");
	append_key_is_null(&sql, parts, "t");
	appendStringInfo(&sql, " AS without_key%s\n)\n", partitioned ? "" : ", t.xmax = 0 AS inserted");

	appendStringInfo(&sql, "SELECT pg_catalog.count(*), %s, pg_catalog.count(*) FILTER (WHERE without_key)\nFROM written",
					 partitioned ? "(SELECT pg_catalog.count(*) FROM differing WHERE \"is new row\")"
					 : "pg_catalog.count(*) FILTER (WHERE inserted)");
	return sql.data;
}

char *
statement_preview(const StatementParts *parts)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT r.%s, pg_catalog.to_jsonb(v)", order_name(parts));
	if (parts->marks)
	{
		appendStringInfoString(&sql, ", ");
		append_checks(&sql, parts, strlen("SELECT "));
	}
	appendStringInfoString(&sql, "\nFROM ");
	append_rows(&sql, parts, strlen("FROM ("));
	appendStringInfoString(&sql, ",\nLATERAL (SELECT ");
	append_names(&sql, parts, "r");
	appendStringInfoString(&sql, ") AS v");
	return sql.data;
}

/* A row within count() is computed, and not kept. */
char *
statement_compute(const StatementParts *parts)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT pg_catalog.count(ROW(");
	append_stored(&sql, parts);
	appendStringInfoString(&sql, "))\nFROM ");
	if (parts->marks)
		append_kept_rows(&sql, parts, strlen("FROM ("));
	else
		append_rows(&sql, parts, strlen("FROM ("));
	return sql.data;
}

char *
statement_equality_operator(Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR);
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(entry->eq_opr));
	Form_pg_operator form;
	char	   *text;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no equality operator, so it cannot be a key", format_type_be(type))));
	form = (Form_pg_operator) GETSTRUCT(tuple);
	text = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return text;
}

static void
append_insert_into(StringInfo sql, const StatementParts *parts, const char *alias)
{
	appendStringInfo(sql, "INSERT INTO %s", parts->target->qualified);
	if (alias != NULL)
		appendStringInfo(sql, " AS %s", alias);
	appendStringInfoString(sql, " (");
	append_names(sql, parts, NULL);
	appendStringInfoChar(sql, ')');
}

/* a, b or s.a, s.b */
static void
append_names(StringInfo sql, const StatementParts *parts, const char *alias)
{
	ListCell   *lc;

	foreach(lc, parts->columns)
	{
		const StatementColumn *column = lfirst(lc);

		if (lc != list_head(parts->columns))
			appendStringInfoString(sql, ", ");
		if (alias != NULL)
			appendStringInfo(sql, "%s.", alias);
		appendStringInfoString(sql, quote_identifier(column->column->name));
	}
}

/*
 * The columns of r as INSERT would store them: it is an error if one is too long.  Of
 * an array it is only seen whether the elements could be stored.
 */
static void
append_stored(StringInfo sql, const StatementParts *parts)
{
	ListCell   *lc;

	foreach(lc, parts->columns)
	{
		const TargetColumn *column = ((const StatementColumn *) lfirst(lc))->column;
		const char *name = quote_identifier(column->name);
		CoercionPathType path = COERCION_PATH_NONE;
		Oid			function = InvalidOid;

		if (lc != list_head(parts->columns))
			appendStringInfoString(sql, ", ");
		if (column->typmod >= 0)
			path = find_typmod_coercion_function(column->type, &function);
		if (path == COERCION_PATH_FUNC)
			append_sized(sql, function, psprintf("r.%s", name), column->typmod);
		else if (path == COERCION_PATH_ARRAYCOERCE)
		{
			appendStringInfoString(sql, "(SELECT pg_catalog.count(");
			append_sized(sql, function, "e", column->typmod);
			appendStringInfo(sql, ") FROM pg_catalog.unnest(r.%s) AS e)", name);
		}
		else
			appendStringInfo(sql, "r.%s", name);
	}
}

/* The value in the column's length, by the function that INSERT uses; the last argument says that it is no explicit cast. */
static void
append_sized(StringInfo sql, Oid function, const char *value, int32 typmod)
{
	appendStringInfo(sql, "%s(%s, %d%s)",
					 quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
												get_func_name(function)),
					 value, typmod, get_func_nargs(function) > 2 ? ", false" : "");
}

/*
 * Each column's expression on a line, in the column's type but for its length,
 * which INSERT checks.  The lines after the first are indented by so many spaces.
 */
static void
append_expressions(StringInfo sql, const List *columns, int indent)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		const StatementColumn *column = lfirst(lc);

		if (lc != list_head(columns))
			appendStringInfo(sql, ",\n%*s", indent, "");
		if (column->or_fallback)
			appendStringInfoString(sql, "COALESCE(");
		if (column->type == column->column->type)
			appendStringInfoString(sql, column->expression);
		else
			appendStringInfo(sql, "CAST(%s AS %s)", column->expression, type_name(column->column->type));
		if (column->or_fallback)
			appendStringInfo(sql, ", %s)", column->column->fallback);
		appendStringInfo(sql, " AS %s", quote_identifier(column->column->name));
	}
}

/* (SELECT ... FROM databite.batch() AS b(...)) AS r, with the position in the batch. */
static void
append_rows(StringInfo sql, const StatementParts *parts, int indent)
{
	int			columns = indent + strlen("SELECT ");
	ListCell   *lc;

	appendStringInfoString(sql, "(SELECT ");
	append_expressions(sql, list_concat_copy(parts->columns, parts->checked), columns);
	foreach(lc, parts->values)
	{
		const StatementValue *value = lfirst(lc);

		appendStringInfo(sql, ",\n%*s%s AS %s", columns, "", value->expression, quote_identifier(value->name));
	}
	appendStringInfo(sql, ",\n%*sb.ord AS %s\n%*sFROM %s", columns, "", order_name(parts), indent, "", parts->from);
	if (parts->marks)
		appendStringInfo(sql, "\n%*sOFFSET 0", indent, "");
	appendStringInfoString(sql, ") AS r");
}

/*
 * The rows whose items are not marked, and that pass the checks.  OFFSET 0 has
 * each expression evaluated once, and before the checks.
 */
static void
append_kept_rows(StringInfo sql, const StatementParts *parts, int indent)
{
	int			clause = indent - strlen("FROM (");

	append_rows(sql, parts, indent);
	appendStringInfo(sql, "\n%*sWHERE ", clause, "");
	append_checks(sql, parts, clause + strlen("WHERE "));
}

/* True where the row is to be written; marks the item by the first check that it fails. */
static void
append_checks(StringInfo sql, const StatementParts *parts, int indent)
{
	const char *order = order_name(parts);
	int			branches = indent + strlen("CASE ");
	ListCell   *lc;

	if (parts->checks == NIL)
	{
		appendStringInfo(sql, "databite.item_kept(r.%s)", order);
		return;
	}
	appendStringInfo(sql, "CASE WHEN NOT databite.item_kept(r.%s) THEN false", order);
	foreach(lc, parts->checks)
	{
		const StatementCheck *check = lfirst(lc);

		appendStringInfo(sql, "\n%*sWHEN %s THEN databite.fail_rule(r.%s, %d, %s)", branches, "",
						 check->failed, order, check->number, check->shown ? check->shown : "NULL");
	}
	appendStringInfo(sql, "\n%*sELSE true END", branches, "");
}

/* FROM the last row of each key (s), beside what the table has (o), WHERE they differ. */
static void
append_new_rows(StringInfo sql, const StatementParts *parts)
{
	const char *order = order_name(parts);

	appendStringInfoString(sql, "FROM (\n    SELECT DISTINCT ON (");
	append_sort_key(sql, parts);
	appendStringInfoString(sql, ") r.*\n    FROM ");
	if (parts->marks)
	{
		appendStringInfoString(sql, "(SELECT ");
		append_names(sql, parts, "r");
		appendStringInfo(sql, ", r.%s\n          FROM ", order);
		append_kept_rows(sql, parts, strlen("          FROM ("));
		appendStringInfoString(sql, ") AS r");
	}
	else
		append_rows(sql, parts, strlen("    FROM ("));
	appendStringInfoString(sql, "\n    ORDER BY ");
	append_sort_key(sql, parts);
	appendStringInfo(sql, ", r.%s DESC\n) AS s\nLEFT JOIN LATERAL (\n    SELECT ", order);
	append_names(sql, parts, "k");
	appendStringInfo(sql, "\n    FROM %s%s AS k\n    WHERE ",
					 parts->target->relkind == RELKIND_RELATION ? "ONLY " : "",
					 parts->target->qualified);
	append_key_match(sql, parts);
	appendStringInfoString(sql, "\n    OFFSET 0\n) AS o ON true\nWHERE ");
	append_key_is_null(sql, parts, "o");
	if (!only_key_columns(parts))
	{
		appendStringInfoString(sql, "\n   OR ");
		append_distinct(sql, parts, "o", "s");
	}
}

static void
append_conflict(StringInfo sql, const StatementParts *parts)
{
	bool		first = true;
	ListCell   *lc;

	appendStringInfo(sql, "ON CONFLICT (%s) DO ", name_list_quoted(parts->key));
	if (only_key_columns(parts))
	{
		appendStringInfoString(sql, "NOTHING");
		return;
	}
	appendStringInfoString(sql, "UPDATE SET ");
	foreach(lc, parts->columns)
	{
		const StatementColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->column->name);

		if (is_key(parts, column))
			continue;
		appendStringInfo(sql, "%s%s = excluded.%s", first ? "" : ", ", name, name);
		first = false;
	}
	appendStringInfoString(sql, "\nWHERE ");
	append_distinct(sql, parts, "t", "excluded");
}

/* r.a, r.b COLLATE ... */
static void
append_sort_key(StringInfo sql, const StatementParts *parts)
{
	ListCell   *lc;

	foreach(lc, parts->key)
	{
		const char *name = lfirst(lc);

		appendStringInfo(sql, "%sr.%s%s", lc == list_head(parts->key) ? "" : ", ",
						 quote_identifier(name), sort_collation(target_column(parts->target, name)));
	}
}

/* k.a = s.a AND k.b = s.b, with the operator that the key's index has. */
static void
append_key_match(StringInfo sql, const StatementParts *parts)
{
	ListCell   *lc;

	foreach(lc, parts->key)
	{
		const TargetColumn *column = target_column(parts->target, lfirst(lc));
		const char *name = quote_identifier(column->name);

		appendStringInfo(sql, "%sk.%s %s s.%s", lc == list_head(parts->key) ? "" : " AND ",
						 name, statement_equality_operator(column->type), name);
	}
}

/* (t.a, t.b) IS DISTINCT FROM (excluded.a, excluded.b), of all but the key's columns. */
static void
append_distinct(StringInfo sql, const StatementParts *parts, const char *left, const char *right)
{
	append_compared(sql, parts, left);
	appendStringInfoString(sql, " IS DISTINCT FROM ");
	append_compared(sql, parts, right);
}

/* A type that has no equality (json, xml, point) is compared as text. */
static void
append_compared(StringInfo sql, const StatementParts *parts, const char *alias)
{
	bool		first = true;
	ListCell   *lc;

	appendStringInfoChar(sql, '(');
	foreach(lc, parts->columns)
	{
		const StatementColumn *column = lfirst(lc);
		TypeCacheEntry *type;

		if (is_key(parts, column))
			continue;
		type = lookup_type_cache(column->column->type, TYPECACHE_EQ_OPR);
		appendStringInfo(sql, "%s%s.%s%s", first ? "" : ", ", alias,
						 quote_identifier(column->column->name),
						 OidIsValid(type->eq_opr) ? "" : "::pg_catalog.text");
		first = false;
	}
	appendStringInfoChar(sql, ')');
}

static void
append_key_is_null(StringInfo sql, const StatementParts *parts, const char *alias)
{
	ListCell   *lc;

	appendStringInfoChar(sql, '(');
	foreach(lc, parts->key)
		appendStringInfo(sql, "%s%s.%s IS NULL", lc == list_head(parts->key) ? "" : " OR ",
						 alias, quote_identifier(lfirst(lc)));
	appendStringInfoChar(sql, ')');
}

static bool
is_key(const StatementParts *parts, const StatementColumn *column)
{
	return name_list_has(parts->key, column->column->name);
}

static bool
only_key_columns(const StatementParts *parts)
{
	return list_length(parts->columns) == list_length(parts->key);
}

/* A name for the row's position in the batch that is none of the columns'. */
static const char *
order_name(const StatementParts *parts)
{
	const char *name = "ord";

	while (target_column(parts->target, name) != NULL)
		name = psprintf("%s_", name);
	return name;
}

/*
 * Duplicates are found by sorting.  Where equal means the same bytes, the C
 * collation finds the same ones faster; elsewhere the column's own must decide.
 */
static const char *
sort_collation(const TargetColumn *column)
{
	if (!OidIsValid(column->collation))
		return "";
	if (get_collation_isdeterministic(column->collation))
		return " COLLATE pg_catalog.\"C\"";
	return psprintf(" COLLATE %s", generate_collation_name(column->collation));
}

static const char *
type_name(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}
