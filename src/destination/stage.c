/*
 * stage.c
 *	  Fills the stage: the rows of mode "replace", or the keys of what was seen.
 *
 * Rows are staged by the statement that would insert them, into the stage
 * instead of the table: so values are converted, checked by validation and rejected
 * item by item as in every other mode, and the stage's columns have the types of the
 * table's.  What only the table refuses (constraints, triggers) is heard when
 * the rows are published.
 *
 * The stage has every column that an item might fill, as nobody knows
 * beforehand which keys the items have (what was staged before the first item
 * with a key gets the column's default when it is published), and the position
 * of the item in the pass: of several rows of a key the last one counts.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "catalog/stage_catalog.h"
#include "destination/prepared.h"
#include "destination/schema_changes.h"
#include "destination/stage_data.h"
#include "destination/statement.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* For a person, while there is none. */
#define UNNAMED_STAGE "databite.stage_n"

static void append_column(StringInfo sql, const TargetColumn *column);
static char *collation_name(Oid collation);
static Target *stage_target(const WritePlan *plan);
static char *keys_statement(const WritePlan *plan);

StageContent
stage_content(const WritePlan *plan)
{
	const JobDestination *destination = &plan->step->destination;

	if (destination->mode == WRITE_REPLACE)
		return STAGE_ROWS;
	return destination->deletes != NULL && destination->deletes->missing != DELETE_NONE ? STAGE_KEYS : STAGE_NOTHING;
}

char *
stage_columns(const WritePlan *plan)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	if (stage_content(plan) == STAGE_KEYS)
	{
		foreach(lc, plan->key)
			append_column(&sql, target_column(plan->target, lfirst(lc)));
		return sql.data;
	}
	foreach(lc, plan->columns)
		append_column(&sql, ((const PlanColumn *) lfirst(lc))->column);
	appendStringInfo(&sql, ", %s pg_catalog.int8", stage_position_name(plan->target));
	return sql.data;
}

static void
append_column(StringInfo sql, const TargetColumn *column)
{
	appendStringInfo(sql, "%s%s %s", sql->len > 0 ? ", " : "", quote_identifier(column->name),
					 format_type_extended(column->type, column->typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
	if (OidIsValid(column->collation) && column->collation != get_typcollation(column->type))
		appendStringInfo(sql, " COLLATE %s", collation_name(column->collation));
}

/* With its schema, whatever the search_path: it is the extension's owner who reads it. */
static char *
collation_name(Oid collation)
{
	HeapTuple	tuple = SearchSysCache1(COLLOID, ObjectIdGetDatum(collation));
	Form_pg_collation form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("cache lookup failed for collation %u", collation)));
	form = (Form_pg_collation) GETSTRUCT(tuple);
	name = quote_qualified_identifier(get_namespace_name(form->collnamespace), NameStr(form->collname));
	ReleaseSysCache(tuple);
	return name;
}

void
stage_use(WritePlan *plan, const char *relation)
{
	plan->stage = MemoryContextStrdup(plan->context, relation);
	plan->nstaged = list_length(plan->columns);
	write_plan_build(plan);
}

void
stage_follow(WritePlan *plan)
{
	if (plan->stage == NULL || stage_content(plan) != STAGE_ROWS)
		return;

	/* What was added in a transaction that was undone is not there, and may come once more. */
	plan->nstaged = Min(plan->nstaged, list_length(plan->columns));
	if (list_length(plan->columns) == plan->nstaged)
		return;
	SPI_connect();
	for (; plan->nstaged < list_length(plan->columns); plan->nstaged++)
	{
		const PlanColumn *column = list_nth(plan->columns, plan->nstaged);
		StringInfoData definition;

		initStringInfo(&definition);
		append_column(&definition, column->column);
		(void) stage_execute(psprintf("ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s", plan->stage, definition.data));
	}
	SPI_finish();
	stage_catalog_set_columns(plan->stage, stage_columns(plan));
}

const char *
stage_name(const WritePlan *plan)
{
	return plan->stage != NULL ? plan->stage : UNNAMED_STAGE;
}

const char *
stage_position_name(const Target *target)
{
	const char *name = "item_position";

	while (target_column(target, name) != NULL)
		name = psprintf("%s_", name);
	return name;
}

TemplateInput *
stage_add_position(List **inputs)
{
	static JsonPath no_path = {0};
	TemplateInput *input;
	ListCell   *lc;

	foreach(lc, *inputs)
	{
		input = lfirst(lc);
		if (input->is_index)
			return input;
	}
	input = palloc0(sizeof(TemplateInput));
	input->name = psprintf("p%d", list_length(*inputs) + 1);
	input->path = &no_path;
	input->is_index = true;
	input->type = INT8OID;
	input->typmod = -1;
	*inputs = lappend(*inputs, input);
	return input;
}

char *
stage_rows_statement(const WritePlan *plan, const StatementParts *rows)
{
	StatementParts parts = *rows;
	TargetColumn *position = palloc0(sizeof(TargetColumn));
	StatementColumn *part = palloc0(sizeof(StatementColumn));

	position->name = pstrdup(stage_position_name(plan->target));
	position->type = INT8OID;
	position->typmod = -1;
	part->column = position;
	part->expression = psprintf("b.%s", plan->position->name);
	part->type = INT8OID;
	parts.target = stage_target(plan);
	parts.columns = lappend(list_copy(parts.columns), part);
	return statement_insert(&parts);
}

/* The table's columns by the stage's name. */
static Target *
stage_target(const WritePlan *plan)
{
	Target	   *target = palloc(sizeof(Target));

	*target = *plan->target;
	target->qualified = pstrdup(stage_name(plan));
	return target;
}

void
stage_add_keys(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes)
{
	Marks	   *marks = plan->last_marks;
	const ItemMark *saved;

	if (marks_all(marks, batch->nitems))
		return;
	if (plan->key_sql == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(plan->context);

		plan->key_sql = keys_statement(plan);
		MemoryContextSwitchTo(old);
	}
	saved = marks_save(marks);
	batch = schema_changes_widen(plan, batch);
	SPI_connect();
	batch_bind(plan->binding, batch, first_item, marks);
	PG_TRY();
	{
		prepared_run(&plan->key_statement, plan->key_sql, scopes);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();
	SPI_finish();
	marks_restore(marks, saved);
}

/* INSERT INTO the stage SELECT the key of the rows whose items are not marked. */
static char *
keys_statement(const WritePlan *plan)
{
	StatementParts parts = write_plan_parts(plan, false);
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, parts.columns)
	{
		StatementColumn *column = lfirst(lc);

		if (name_list_has(plan->key, column->column->name))
			columns = lappend(columns, column);
	}
	parts.target = stage_target(plan);
	parts.columns = columns;
	parts.checked = parts.values = parts.checks = NIL;	/* what fails one is marked by now */
	parts.deletes = false;		/* a row that an item deletes is not missing */
	return statement_insert(&parts);
}

List *
stage_columns_in_use(const WritePlan *plan)
{
	List	   *names = NIL;
	ListCell   *lc;

	foreach(lc, plan->columns)
	{
		const PlanColumn *column = lfirst(lc);

		if (column->in_use)
			names = lappend(names, column->column->name);
	}
	return names;
}

void
stage_take_into_use(WritePlan *plan, const List *names)
{
	ListCell   *lc;

	foreach(lc, plan->columns)
	{
		PlanColumn *column = lfirst(lc);

		column->in_use = column->in_use || name_list_has(names, column->column->name);
	}
	if (names != NIL)
		write_plan_build(plan);
}

int
stage_filter_scopes(const WritePlan *plan)
{
	return plan->filter != NULL ? item_filter_scopes(plan->filter) : 0;
}
