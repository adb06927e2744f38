/*
 * target.c
 *	  Finds a step's table and reads what has to be known of it.
 *
 * A Target is a copy of catalog facts as of one moment; the statement built
 * from it names the table, so PostgreSQL itself replans it, or raises an
 * error, when the table changes under a run.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/heap.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "destination/target.h"
#include "nodes/makefuncs.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"
#include "utils/ruleutils.h"

static const char *parse_name_part(const char *at, char **part, char **error);
static List *read_columns(Relation relation);
static void read_keys(Relation relation, Target *target);
static bool has_writing_rules(Relation relation);
static bool index_can_arbitrate(Relation index);
static bool index_is_checked_at_once(Relation index);
static bool index_is_of_open_versions(Relation relation, Relation index);
static List *index_key_names(Relation relation, Relation index);
static bool same_names(const List *a, const List *b);

bool
target_parse_name(const char *text, char **schema, char **name, char **error)
{
	const char *at;
	char	   *first;

	*schema = NULL;
	at = parse_name_part(text, &first, error);
	if (at == NULL)
		return false;
	if (*at == '\0')
	{
		*name = first;
		return true;
	}

	*schema = first;
	at = parse_name_part(at + 1, name, error);
	if (at == NULL)
		return false;
	if (*at != '\0')
	{
		*error = psprintf("table name \"%s\" has more than two parts", text);
		return false;
	}
	return true;
}

char *
target_check_identifier(const char *name, int *sqlstate)
{
	if (name[0] == '\0')
	{
		*sqlstate = ERRCODE_INVALID_NAME;
		return pstrdup("a name must not be empty");
	}
	if (strlen(name) >= NAMEDATALEN)
	{
		*sqlstate = ERRCODE_NAME_TOO_LONG;
		return psprintf("name \"%s\" is longer than %d bytes", name, NAMEDATALEN - 1);
	}
	return NULL;
}

char *
target_check_column(const char *name, int *sqlstate)
{
	if (SystemAttributeByName(name) == NULL)
		return target_check_identifier(name, sqlstate);
	*sqlstate = ERRCODE_DUPLICATE_COLUMN;
	return psprintf("\"%s\" is the name of a system column", name);
}

Target *
target_find(const char *schema, const char *name)
{
	RangeVar   *range = makeRangeVar(schema != NULL ? pstrdup(schema) : NULL, pstrdup(name), -1);
	Oid			oid = RangeVarGetRelid(range, AccessShareLock, true);
	Relation	relation;
	Target	   *target;

	if (!OidIsValid(oid))
		return NULL;

	relation = relation_open(oid, NoLock);
	target = palloc0(sizeof(Target));
	target->oid = oid;
	target->relkind = relation->rd_rel->relkind;
	target->schema = get_namespace_name(RelationGetNamespace(relation));
	target->name = pstrdup(RelationGetRelationName(relation));
	target->qualified = quote_qualified_identifier(target->schema, target->name);
	target->columns = read_columns(relation);
	read_keys(relation, target);
	target->has_rules = has_writing_rules(relation);
	relation_close(relation, NoLock);
	return target;
}

Target *
target_planned(const char *schema, const char *name, List *columns, List *primary_key)
{
	Target	   *target = palloc0(sizeof(Target));

	target->oid = InvalidOid;
	target->relkind = RELKIND_RELATION;
	target->schema = pstrdup(schema);
	target->name = pstrdup(name);
	target->qualified = quote_qualified_identifier(schema, name);
	target->columns = columns;
	target->primary_key = primary_key;
	return target;
}

TargetColumn *
target_column(const Target *target, const char *name)
{
	ListCell   *lc;

	foreach(lc, target->columns)
	{
		TargetColumn *column = lfirst(lc);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

const char *const *
target_column_names(const Target *target)
{
	const char **names = palloc0(sizeof(char *) * (list_length(target->columns) + 1));
	int			n = 0;
	ListCell   *lc;

	foreach(lc, target->columns)
		names[n++] = ((TargetColumn *) lfirst(lc))->name;
	return names;
}

bool
target_has_unique_key(const Target *target, const List *key)
{
	Relation	relation;
	List	   *indexes;
	ListCell   *lc;
	bool		found = false;

	if (!OidIsValid(target->oid))
		return same_names(key, target->primary_key);

	relation = try_relation_open(target->oid, AccessShareLock);
	if (relation == NULL)
		return false;			/* it was dropped meanwhile */
	indexes = RelationGetIndexList(relation);
	foreach(lc, indexes)
	{
		Relation	index = relation_open(lfirst_oid(lc), AccessShareLock);

		found = index_can_arbitrate(index) &&
			same_names(key, index_key_names(relation, index));
		relation_close(index, AccessShareLock);
		if (found)
			break;
	}
	list_free(indexes);
	relation_close(relation, NoLock);
	return found;
}

bool
target_has_open_key(const Target *target, const List *key)
{
	ListCell   *lc;

	foreach(lc, target->open_keys)
	{
		if (same_names(key, lfirst(lc)))
			return true;
	}
	return false;
}

bool
target_is_writable(const Target *target)
{
	return target_is_table(target) ||
		target->relkind == RELKIND_FOREIGN_TABLE || target->relkind == RELKIND_VIEW;
}

bool
target_is_table(const Target *target)
{
	return target->relkind == RELKIND_RELATION || target->relkind == RELKIND_PARTITIONED_TABLE;
}

bool
target_supports_upsert(const Target *target)
{
	return target_is_table(target) && !target->has_rules;
}

const char *
target_no_upsert_reason(const Target *target)
{
	return target_is_table(target) ? "has rules for INSERT or UPDATE" : "is a view or foreign table";
}

bool
target_has_changed(const Target *target)
{
	const Target *now = target_find(target->schema, target->name);
	ListCell   *a;
	ListCell   *b;

	if (now == NULL || now->oid != target->oid || list_length(now->columns) != list_length(target->columns))
		return true;
	forboth(a, now->columns, b, target->columns)
	{
		const TargetColumn *x = lfirst(a);
		const TargetColumn *y = lfirst(b);

		if (strcmp(x->name, y->name) != 0 || x->type != y->type || x->typmod != y->typmod || x->generated != y->generated)
			return true;
	}
	return target_supports_upsert(now) != target_supports_upsert(target);
}

const char *
target_only(const Target *target)
{
	return target->relkind == RELKIND_RELATION ? "ONLY " : "";
}

bool
name_list_has(const List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	}
	return false;
}

char *
name_list_quoted(const List *names)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, names)
	{
		if (text.len > 0)
			appendStringInfoString(&text, ", ");
		appendStringInfoString(&text, quote_identifier(lfirst(lc)));
	}
	return text.data;
}

/*
 * Reads one part of a table name, up to the dot or the end; returns where it
 * stopped, or NULL with *error set.
 */
static const char *
parse_name_part(const char *at, char **part, char **error)
{
	StringInfoData name;
	int			sqlstate;

	initStringInfo(&name);
	if (*at == '"')
	{
		bool		closed = false;

		for (at++; *at != '\0'; at++)
		{
			if (*at == '"' && *++at != '"')
			{
				closed = true;
				break;
			}
			appendStringInfoChar(&name, *at);
		}
		if (!closed || (*at != '\0' && *at != '.'))
		{
			*error = pstrdup("a quoted part of a table name must end with a double quote, followed by a dot or the end");
			return NULL;
		}
	}
	else
	{
		while (*at != '\0' && *at != '.')
			appendStringInfoChar(&name, *at++);
	}

	*part = name.data;
	*error = target_check_identifier(name.data, &sqlstate);
	return *error == NULL ? at : NULL;
}

static List *
read_columns(Relation relation)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	List	   *context = deparse_context_for(RelationGetRelationName(relation), RelationGetRelid(relation));
	List	   *columns = NIL;

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		TargetColumn *column;

		if (attribute->attisdropped)
			continue;
		column = palloc0(sizeof(TargetColumn));
		column->name = pstrdup(NameStr(attribute->attname));
		column->type = attribute->atttypid;
		column->typmod = attribute->atttypmod;
		column->collation = attribute->attcollation;
		column->not_null = attribute->attnotnull;
		column->generated = attribute->attgenerated != '\0' ||
			attribute->attidentity == ATTRIBUTE_IDENTITY_ALWAYS;
		if (!column->generated)
		{
			Node	   *fallback = build_column_default(relation, attribute->attnum);

			if (fallback != NULL)
				column->fallback = deparse_expression(fallback, context, false, false);
		}
		columns = lappend(columns, column);
	}
	return columns;
}

/*
 * The primary key's columns, unless it is a deferrable one, which ON CONFLICT cannot use; and those of
 * unique indexes whose rows are those of a history that are open.
 */
static void
read_keys(Relation relation, Target *target)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = relation_open(lfirst_oid(lc), AccessShareLock);

		if (index->rd_index->indisprimary && index_can_arbitrate(index))
			target->primary_key = index_key_names(relation, index);
		if (index_is_checked_at_once(index) && index_is_of_open_versions(relation, index))
			target->open_keys = lappend(target->open_keys, index_key_names(relation, index));
		relation_close(index, AccessShareLock);
	}
	list_free(indexes);
}

static bool
has_writing_rules(Relation relation)
{
	const RuleLock *rules = relation->rd_rules;

	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
	{
		if (rules->rules[i]->event == CMD_INSERT || rules->rules[i]->event == CMD_UPDATE)
			return true;
	}
	return false;
}

/* Unique, complete, checked at once, and on columns only. */
static bool
index_can_arbitrate(Relation index)
{
	return index_is_checked_at_once(index) && RelationGetIndexPredicate(index) == NIL;
}

static bool
index_is_checked_at_once(Relation index)
{
	Form_pg_index form = index->rd_index;

	return form->indisunique && form->indimmediate && form->indisvalid && form->indisready &&
		RelationGetIndexExpressions(index) == NIL;
}

/* WHERE valid_to IS NULL, and nothing else. */
static bool
index_is_of_open_versions(Relation relation, Relation index)
{
	List	   *predicate = RelationGetIndexPredicate(index);
	const NullTest *test = list_length(predicate) == 1 ? linitial(predicate) : NULL;

	return test != NULL && IsA(test, NullTest) && test->nulltesttype == IS_NULL && IsA(test->arg, Var) &&
		((const Var *) test->arg)->varattno == get_attnum(RelationGetRelid(relation), HISTORY_TO);
}

static List *
index_key_names(Relation relation, Relation index)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	List	   *names = NIL;

	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(index); i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, index->rd_index->indkey.values[i] - 1);

		names = lappend(names, pstrdup(NameStr(attribute->attname)));
	}
	return names;
}

/* The same names in any order; neither list has one twice. */
static bool
same_names(const List *a, const List *b)
{
	ListCell   *lc;

	if (list_length(a) != list_length(b))
		return false;
	foreach(lc, a)
	{
		if (!name_list_has(b, lfirst(lc)))
			return false;
	}
	return true;
}
