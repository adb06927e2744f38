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
 *
 * statement_modes.c has the statements of further modes, made of the same parts.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "destination/statement_parts.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* Over the batch: the row of the item is to be deleted. */
#define ITEM_DELETED "databite.item_deleted(b.ord)"

static void append_stored(StringInfo sql, const StatementParts *parts);
static void append_sized(StringInfo sql, Oid function, const char *value, int32 typmod);
static void append_expressions(StringInfo sql, const StatementParts *parts, const List *columns, int indent);
static bool is_of_live(const StatementParts *parts, const StatementColumn *column);
static Oid	stored_type(const StatementParts *parts, const StatementColumn *column);
static void append_rows(StringInfo sql, const StatementParts *parts, int indent);
static void append_kept_rows(StringInfo sql, const StatementParts *parts, int indent);
static void append_checks(StringInfo sql, const StatementParts *parts, int indent);
static void append_new_rows(StringInfo sql, const StatementParts *parts);
static void append_range_lookup(StringInfo sql, const StatementParts *parts);
static void append_conflict(StringInfo sql, const StatementParts *parts);
static void append_sort_key(StringInfo sql, const StatementParts *parts);
static void append_compared(StringInfo sql, const StatementParts *parts, const char *alias);
static const char *order_name(const StatementParts *parts);
static const char *sort_collation(const TargetColumn *column);
static const char *own_collation(const TargetColumn *column);
static const char *type_name(Oid type);
static char *operator_name(Oid opr);

char *
statement_insert(const StatementParts *parts)
{
	StringInfoData sql;

	initStringInfo(&sql);
	statement_append_insert_into(&sql, parts, NULL);
	appendStringInfoString(&sql, "\nSELECT ");
	if (parts->marks)
	{
		statement_append_names(&sql, parts, "r");
		appendStringInfoString(&sql, "\nFROM ");
		append_kept_rows(&sql, parts, strlen("FROM ("));
		return sql.data;
	}
	append_expressions(&sql, parts, parts->columns, strlen("SELECT "));
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
	if (parts->deletes)
		statement_append_removal(&sql, parts);
	if (partitioned)
	{
		appendStringInfoString(&sql, "differing AS MATERIALIZED (\nSELECT s.*, ");
		statement_append_key_is_null(&sql, parts, "o");
		appendStringInfoString(&sql, " AS \"is new row\"\n");
		append_new_rows(&sql, parts);
		appendStringInfoString(&sql, "\n),\n");
	}

	appendStringInfoString(&sql, "written AS (\n");
	statement_append_insert_into(&sql, parts, "t");
	appendStringInfoString(&sql, "\nSELECT ");
	statement_append_names(&sql, parts, "s");
	appendStringInfoChar(&sql, '\n');
	if (partitioned)
		appendStringInfoString(&sql, "FROM differing AS s");
	else
		append_new_rows(&sql, parts);
	appendStringInfoChar(&sql, '\n');
	append_conflict(&sql, parts);
	appendStringInfoString(&sql, "\nRETURNING ");
	statement_append_key_is_null(&sql, parts, "t");
	appendStringInfo(&sql, " AS without_key%s\n)\n", partitioned ? "" : ", t.xmax = 0 AS inserted");

	appendStringInfo(&sql, "SELECT pg_catalog.count(*), %s, pg_catalog.count(*) FILTER (WHERE without_key)",
					 partitioned ? "(SELECT pg_catalog.count(*) FROM differing WHERE \"is new row\")"
					 : "pg_catalog.count(*) FILTER (WHERE inserted)");
	if (parts->deletes)
		statement_append_removed_counts(&sql, parts);
	appendStringInfoString(&sql, "\nFROM written");
	return sql.data;
}

char *
statement_preview(const StatementParts *parts)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT r.%s, pg_catalog.to_jsonb(v.*)", order_name(parts));	/* v may be a column, too */
	if (parts->marks)
	{
		appendStringInfoString(&sql, ", ");
		append_checks(&sql, parts, strlen("SELECT "));
	}
	appendStringInfoString(&sql, "\nFROM ");
	append_rows(&sql, parts, strlen("FROM ("));
	appendStringInfoString(&sql, ",\nLATERAL (SELECT ");
	statement_append_names(&sql, parts, "r");
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
statement_key_match(const StatementParts *parts, const char *left, const char *right)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	foreach(lc, parts->key)
	{
		const TargetColumn *column = target_column(parts->target, lfirst(lc));
		const char *name = quote_identifier(column->name);

		appendStringInfo(&sql, "%s%s.%s %s %s.%s", lc == list_head(parts->key) ? "" : " AND ",
						 left, name, statement_equality_operator(column->type), right, name);
	}
	return sql.data;
}

char *
statement_differs(const StatementParts *parts, const char *left, const char *right)
{
	StringInfoData sql;

	if (statement_only_key_columns(parts))
		return NULL;
	initStringInfo(&sql);
	statement_append_distinct(&sql, parts, left, right);
	return sql.data;
}

char *
statement_equality_operator(Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR);

	if (!OidIsValid(entry->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("type %s has no equality operator, so it cannot be a key", format_type_be(type))));
	return operator_name(entry->eq_opr);
}

char *
statement_not_less_operator(Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	Oid			opr = InvalidOid;

	if (OidIsValid(entry->btree_opf))
		opr = get_opfamily_member(entry->btree_opf, entry->btree_opintype, entry->btree_opintype,
								  BTGreaterEqualStrategyNumber);
	return OidIsValid(opr) ? operator_name(opr) : NULL;
}

/* OPERATOR(pg_catalog.=) */
static char *
operator_name(Oid opr)
{
	HeapTuple	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(opr));
	Form_pg_operator form;
	char	   *text;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("cache lookup failed for operator %u", opr)));
	form = (Form_pg_operator) GETSTRUCT(tuple);
	text = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tuple);
	return text;
}

void
statement_append_insert_into(StringInfo sql, const StatementParts *parts, const char *alias)
{
	appendStringInfo(sql, "INSERT INTO %s", parts->target->qualified);
	if (alias != NULL)
		appendStringInfo(sql, " AS %s", alias);
	appendStringInfoString(sql, " (");
	statement_append_names(sql, parts, NULL);
	appendStringInfoChar(sql, ')');
}

/* a, b or s.a, s.b */
void
statement_append_names(StringInfo sql, const StatementParts *parts, const char *alias)
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
append_expressions(StringInfo sql, const StatementParts *parts, const List *columns, int indent)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		const StatementColumn *column = lfirst(lc);

		if (lc != list_head(columns))
			appendStringInfo(sql, ",\n%*s", indent, "");
		if (is_of_live(parts, column))
			appendStringInfo(sql, "CASE WHEN %s THEN NULL ELSE ", ITEM_DELETED);
		if (column->or_fallback)
			appendStringInfoString(sql, "COALESCE(");
		if (column->type == stored_type(parts, column))
			appendStringInfoString(sql, column->expression);
		else
			appendStringInfo(sql, "CAST(%s AS %s)", column->expression, type_name(stored_type(parts, column)));
		if (column->or_fallback)
			appendStringInfo(sql, ", %s)", column->column->fallback);
		if (is_of_live(parts, column))
			appendStringInfoString(sql, " END");
		appendStringInfo(sql, " AS %s", quote_identifier(column->column->name));
	}
}

/* Is the column's value of no interest where the row is to be deleted?  Nothing of it is computed then. */
static bool
is_of_live(const StatementParts *parts, const StatementColumn *column)
{
	return parts->deletes && !statement_is_key(parts, column) && column->column != parts->newer_by;
}

/* A domain's constraints are none that a value can fail which is not there. */
static Oid
stored_type(const StatementParts *parts, const StatementColumn *column)
{
	return is_of_live(parts, column) ? getBaseType(column->column->type) : column->column->type;
}

/* (SELECT ... FROM databite.batch() AS b(...)) AS r, with the position in the batch. */
static void
append_rows(StringInfo sql, const StatementParts *parts, int indent)
{
	int			columns = indent + strlen("SELECT ");
	ListCell   *lc;

	appendStringInfoString(sql, "(SELECT ");
	append_expressions(sql, parts, list_concat_copy(parts->columns, parts->checked), columns);
	foreach(lc, parts->values)
	{
		const StatementValue *value = lfirst(lc);

		if (parts->deletes)
			appendStringInfo(sql, ",\n%*sCASE WHEN %s THEN NULL ELSE %s END AS %s", columns, "",
							 ITEM_DELETED, value->expression, quote_identifier(value->name));
		else
			appendStringInfo(sql, ",\n%*s%s AS %s", columns, "", value->expression, quote_identifier(value->name));
	}
	if (parts->deletes)
		appendStringInfo(sql, ",\n%*s%s AS %s", columns, "", ITEM_DELETED, statement_deleted_name(parts));
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
		const char *failed = check->failed;

		if (parts->deletes && !check->of_key)
			failed = psprintf("NOT r.%s AND (%s)", statement_deleted_name(parts), failed);
		appendStringInfo(sql, "\n%*sWHEN %s THEN databite.fail_rule(r.%s, %d, %s)", branches, "",
						 failed, order, check->number, check->shown ? check->shown : "NULL");
	}
	appendStringInfo(sql, "\n%*sELSE true END", branches, "");
}

/* FROM the row of each key that counts (s), beside what the table has (o), WHERE they differ; or without a look at the table. */
static void
append_new_rows(StringInfo sql, const StatementParts *parts)
{
	appendStringInfoString(sql, "FROM ");
	if (parts->deletes)
		appendStringInfoString(sql, "latest");
	else
		statement_append_latest(sql, parts);
	appendStringInfoString(sql, " AS s");
	if (parts->look == LOOK_NOT)
		return;
	appendStringInfoChar(sql, '\n');
	if (parts->look == LOOK_BY_RANGE)
		append_range_lookup(sql, parts);
	else
		statement_append_lookup(sql, parts, NULL);
	appendStringInfoString(sql, "\nWHERE ");
	if (parts->deletes)
	{
		statement_append_live(sql, parts);
		appendStringInfoString(sql, "\n  AND (");
	}
	statement_append_key_is_null(sql, parts, "o");
	if (!statement_only_key_columns(parts))
	{
		appendStringInfoString(sql, "\n   OR ");
		statement_append_change(sql, parts, "o", "s");
	}
	if (parts->deletes)
		appendStringInfoChar(sql, ')');
}

/* (SELECT DISTINCT ON (key) ...): of several rows of a key, the one that counts. */
void
statement_append_latest(StringInfo sql, const StatementParts *parts)
{
	const char *order = order_name(parts);

	appendStringInfoString(sql, "(\n    SELECT DISTINCT ON (");
	append_sort_key(sql, parts);
	appendStringInfoString(sql, ") r.*\n    FROM ");
	if (parts->marks)
	{
		appendStringInfoString(sql, "(SELECT ");
		statement_append_names(sql, parts, "r");
		if (parts->deletes)
			appendStringInfo(sql, ", r.%s", statement_deleted_name(parts));
		appendStringInfo(sql, ", r.%s\n          FROM ", order);
		append_kept_rows(sql, parts, strlen("          FROM ("));
		appendStringInfoString(sql, ") AS r");
	}
	else
		append_rows(sql, parts, strlen("    FROM ("));
	appendStringInfoString(sql, "\n    ORDER BY ");
	append_sort_key(sql, parts);
	if (parts->newer_by != NULL)
		appendStringInfo(sql, ", r.%s%s DESC NULLS LAST",
						 quote_identifier(parts->newer_by->name), own_collation(parts->newer_by));
	appendStringInfo(sql, ", r.%s%s\n)", order, parts->first_wins ? "" : " DESC");
}

/*
 * LEFT JOIN LATERAL the row that the table has of the key (o).  condition: which
 * of them (k), where there may be several; o has all columns then.  Or NULL.
 */
void
statement_append_lookup(StringInfo sql, const StatementParts *parts, const char *condition)
{
	appendStringInfoString(sql, "LEFT JOIN LATERAL (\n    SELECT ");
	if (condition != NULL)
		appendStringInfoString(sql, "k.*");
	else
		statement_append_names(sql, parts, "k");
	appendStringInfo(sql, "\n    FROM %s AS k\n    WHERE ", statement_stored(parts));
	statement_append_key_match(sql, parts);
	if (condition != NULL)
		appendStringInfo(sql, " AND %s", condition);
	appendStringInfoString(sql, "\n    OFFSET 0\n) AS o ON true");
}

/* The same, of all rows between two keys at once: a merge join, both sides being in the key's order. */
static void
append_range_lookup(StringInfo sql, const StatementParts *parts)
{
	const TargetColumn *key = target_column(parts->target, linitial(parts->key));
	const char *name = quote_identifier(key->name);

	appendStringInfo(sql, "LEFT JOIN %s AS o ON o.%s %s s.%s", statement_stored(parts), name,
					 statement_equality_operator(key->type), name);
	appendStringInfo(sql, " AND o.%s OPERATOR(pg_catalog.>=) $2 AND o.%s OPERATOR(pg_catalog.<=) $3", name, name);
}

/* The table for statements that look at rows that are there: a table without those that inherit from it. */
const char *
statement_stored(const StatementParts *parts)
{
	return psprintf("%s%s", target_only(parts->target), parts->target->qualified);
}

/* The row that comes is a change of the one that is there, and not older. */
void
statement_append_change(StringInfo sql, const StatementParts *parts, const char *stored, const char *incoming)
{
	statement_append_distinct(sql, parts, stored, incoming);
	if (parts->newer_by == NULL)
		return;
	appendStringInfoString(sql, " AND ");
	statement_append_newer(sql, parts, stored, incoming);
}

/* A row without a value is as old as can be. */
void
statement_append_newer(StringInfo sql, const StatementParts *parts, const char *stored, const char *incoming)
{
	const char *name = quote_identifier(parts->newer_by->name);

	appendStringInfo(sql, "(%s.%s IS NULL OR %s.%s %s %s.%s)", stored, name, incoming, name,
					 statement_not_less_operator(parts->newer_by->type), stored, name);
}

static void
append_conflict(StringInfo sql, const StatementParts *parts)
{
	bool		first = true;
	ListCell   *lc;

	appendStringInfo(sql, "ON CONFLICT (%s) DO ", name_list_quoted(parts->key));
	if (statement_only_key_columns(parts))
	{
		appendStringInfoString(sql, "NOTHING");
		return;
	}
	appendStringInfoString(sql, "UPDATE SET ");
	foreach(lc, parts->columns)
	{
		const StatementColumn *column = lfirst(lc);
		const char *name = quote_identifier(column->column->name);

		if (statement_is_key(parts, column))
			continue;
		appendStringInfo(sql, "%s%s = excluded.%s", first ? "" : ", ", name, name);
		first = false;
	}
	appendStringInfoString(sql, "\nWHERE ");
	statement_append_change(sql, parts, "t", "excluded");
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
void
statement_append_key_match(StringInfo sql, const StatementParts *parts)
{
	appendStringInfoString(sql, statement_key_match(parts, "k", "s"));
}

/* (t.a, t.b) IS DISTINCT FROM (excluded.a, excluded.b), of all but the key's columns. */
void
statement_append_distinct(StringInfo sql, const StatementParts *parts, const char *left, const char *right)
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

		if (statement_is_key(parts, column))
			continue;
		appendStringInfoString(sql, first ? "" : ", ");
		first = false;
		if (column->column == parts->mark && getBaseType(parts->mark->type) == BOOLOID)
		{
			appendStringInfo(sql, "(%s.%s IS TRUE)", alias, quote_identifier(parts->mark->name));
			continue;
		}
		type = lookup_type_cache(column->column->type, TYPECACHE_EQ_OPR);
		appendStringInfo(sql, "%s.%s%s", alias, quote_identifier(column->column->name),
						 OidIsValid(type->eq_opr) ? "" : "::pg_catalog.text");
	}
	appendStringInfoChar(sql, ')');
}

void
statement_append_key_is_null(StringInfo sql, const StatementParts *parts, const char *alias)
{
	ListCell   *lc;

	appendStringInfoChar(sql, '(');
	foreach(lc, parts->key)
		appendStringInfo(sql, "%s%s.%s IS NULL", lc == list_head(parts->key) ? "" : " OR ",
						 alias, quote_identifier(lfirst(lc)));
	appendStringInfoChar(sql, ')');
}

bool
statement_is_key(const StatementParts *parts, const StatementColumn *column)
{
	return name_list_has(parts->key, column->column->name);
}

bool
statement_only_key_columns(const StatementParts *parts)
{
	return list_length(parts->columns) == list_length(parts->key);
}

/* The name of the row's position in the batch. */
static const char *
order_name(const StatementParts *parts)
{
	return statement_free_name(parts, "ord");
}

const char *
statement_deleted_name(const StatementParts *parts)
{
	return statement_free_name(parts, "deleted");
}

/* A name that is none of the columns'. */
const char *
statement_free_name(const StatementParts *parts, const char *name)
{
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
	return own_collation(column);
}

static const char *
own_collation(const TargetColumn *column)
{
	return OidIsValid(column->collation) ? psprintf(" COLLATE %s", generate_collation_name(column->collation)) : "";
}

static const char *
type_name(Oid type)
{
	return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}
