/*
 * write_mode.c
 *	  What the modes ask of a table, and what they make of the rows.
 *
 * A mode is what one statement does with the rows of a batch (statement.c,
 * statement_modes.c); batch_insert and streaming_insert only say how
 * the batches come about.  Beside the columns that a step fills there may be some
 * that are databite's own: the mark of a soft delete, and the times of a version in a history.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "destination/create_table.h"
#include "destination/write_mode.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static const JobDeletes *soft_deletes(const JobDestination *destination);
static bool keeps_history(const JobDestination *destination);
static List *own_columns(const JobDestination *destination);
static TargetColumn *named_column(const List *columns, const char *name);
static bool is_declared(const JobDestination *destination, const char *name);
static void check_newer_by(const WritePlan *plan, ProblemList *problems);
static void check_mark(const WritePlan *plan, ProblemList *problems);
static void check_history(const WritePlan *plan, ProblemList *problems);
static char *add_columns_sql(const WritePlan *plan, const List *names);
static bool is_needed_of_deleted(const WritePlan *plan, const TemplateInput *input);
static char *mode_pointer(const JobStep *step);

bool
mode_takes_first(WriteMode mode)
{
	return mode == WRITE_INSERT_ONLY;
}

const char *
mode_needs_key(const JobStep *step, const char **pointer)
{
	const JobDestination *destination = &step->destination;

	*pointer = mode_pointer(step);
	switch (destination->mode)
	{
		case WRITE_UPSERT:
		case WRITE_INSERT_ONLY:
		case WRITE_UPDATE_ONLY:
		case WRITE_APPEND_HISTORY:
			return psprintf("mode \"%s\"", write_mode_name(destination->mode));
		default:
			break;
	}
	if (destination->deletes != NULL && destination->deletes->when.text != NULL)
	{
		*pointer = destination->deletes->when.pointer;
		return "a delete";
	}
	if (destination->deletes != NULL && destination->deletes->missing != DELETE_NONE)
	{
		*pointer = destination->deletes->pointer;
		return "\"missing\"";
	}
	if (destination->newer_by != NULL)
	{
		*pointer = destination->newer_by_pointer;
		return "\"newerBy\"";
	}
	return NULL;
}

List *
mode_usual_key(WriteMode mode, const Target *target)
{
	if (mode != WRITE_APPEND_HISTORY)
		return target->primary_key;
	return list_length(target->open_keys) == 1 ? linitial(target->open_keys) : NIL;
}

bool
mode_owns_column(const JobDestination *destination, const char *name)
{
	return name_list_has(own_columns(destination), name);
}

void
mode_check_transform(const JobStep *step, ProblemList *problems)
{
	ListCell   *lc;

	foreach(lc, step->transform)
	{
		const JobNamedValue *value = lfirst(lc);

		if (mode_owns_column(&step->destination, value->name))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, value->value.pointer,
						"Take the column out of the transform.",
						"column \"%s\" is filled by databite: it says %s", value->name,
						keeps_history(&step->destination) ? "when a version began or ended" : "that a row was deleted");
	}
}

/*
 * The columns of databite's own have the type that they need, unless the
 * schema says another one; what the items have by the name does not matter.
 */
Target *
mode_planned_target(const JobStep *step, const char *schema, const char *name,
					List *columns, ProblemList *problems)
{
	const JobDestination *destination = &step->destination;
	List	   *key = new_primary_key(columns, destination->key);
	Target	   *target;
	ListCell   *lc;

	if (destination->mode == WRITE_UPDATE_ONLY)
	{
		problem_add(problems, ERRCODE_UNDEFINED_TABLE, destination->table_pointer,
					"Create the table, or use mode \"upsert\".",
					"table \"%s\" does not exist, and mode \"update_only\" writes only to rows that are there", name);
		return NULL;
	}
	foreach(lc, own_columns(destination))
	{
		TargetColumn *column = named_column(columns, lfirst(lc));

		if (column == NULL)
			columns = lappend(columns, new_column(lfirst(lc), TIMESTAMPTZOID, -1));
		else if (!is_declared(destination, lfirst(lc)))
			*column = *new_column(lfirst(lc), TIMESTAMPTZOID, -1);
	}

	target = target_planned(schema, name, columns, key);
	if (keeps_history(destination))
	{
		if (key == NIL)
		{
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, mode_pointer(step),
						"Say in \"key\" which columns the versions of a row have in common.",
						"mode \"append_history\" needs a key, and there is no column \"id\"");
			return NULL;
		}
		target->open_keys = list_make1(key);
		target->primary_key = lappend(list_copy(key), pstrdup(HISTORY_FROM));
	}
	return target;
}

bool
mode_check_index(const WritePlan *plan, ProblemList *problems)
{
	const JobDestination *destination = &plan->step->destination;
	const Target *target = plan->target;
	const char *columns = name_list_quoted(destination->key);

	if (keeps_history(destination))
	{
		if (target_has_open_key(target, destination->key))
			return true;
		if (target_column(target, HISTORY_TO) == NULL)	/* which says more */
		{
			check_history(plan, problems);
			return false;
		}
		problem_add(problems, ERRCODE_INVALID_COLUMN_REFERENCE, destination->key_pointer,
					psprintf("CREATE UNIQUE INDEX ON %s (%s) WHERE " HISTORY_TO " IS NULL", target->qualified, columns),
					"table %s has no unique index on (%s) WHERE " HISTORY_TO " IS NULL", target->qualified, columns);
		return false;
	}
	if (target_has_unique_key(target, destination->key))
		return true;
	problem_add(problems, ERRCODE_INVALID_COLUMN_REFERENCE, destination->key_pointer,
				psprintf("CREATE UNIQUE INDEX ON %s (%s)", target->qualified, columns),
				"table %s has no unique index on (%s)", target->qualified, columns);
	return false;
}

void
mode_check_target(const WritePlan *plan, ProblemList *problems)
{
	const JobDestination *destination = &plan->step->destination;

	if (plan->key == NIL)
		return;
	if (destination->newer_by != NULL)
		check_newer_by(plan, problems);
	if (soft_deletes(destination) != NULL)
		check_mark(plan, problems);
	if (keeps_history(destination))
		check_history(plan, problems);
}

/* What is new is what a look at the table has not found, so there is nothing to be gained where more than that is looked at. */
bool
mode_inserts_new(const WritePlan *plan)
{
	switch (plan->step->destination.mode)
	{
		case WRITE_INSERT_ONLY:
		case WRITE_UPDATE_ONLY:
		case WRITE_REPLACE:
		case WRITE_APPEND_HISTORY:
			return false;
		default:
			return plan->deletion == NULL;
	}
}

char *
mode_statement(const WritePlan *plan, const StatementParts *parts)
{
	switch (plan->step->destination.mode)
	{
		case WRITE_INSERT_ONLY:
			return statement_insert_only(parts);
		case WRITE_UPDATE_ONLY:
			return statement_update(parts);
		case WRITE_APPEND_HISTORY:
			return statement_history(parts);
		default:
			return statement_upsert(parts);
	}
}

void
mode_add_parts(const WritePlan *plan, StatementParts *parts)
{
	const JobDestination *destination = &plan->step->destination;

	parts->key = plan->key;
	parts->first_wins = mode_takes_first(destination->mode);
	if (destination->newer_by != NULL)
		parts->newer_by = target_column(plan->target, destination->newer_by);
	parts->deletes = plan->deletion != NULL;
	parts->deletes_softly = parts->deletes && destination->deletes->mode == DELETE_SOFT;
	if (soft_deletes(destination) != NULL)
		parts->mark = target_column(plan->target, destination->deletes->column);
}

bool
mode_looks_at(const StatementParts *parts, const TargetColumn *column)
{
	return column == parts->newer_by || name_list_has(parts->key, column->name);
}

List *
mode_add_mark(const StatementParts *parts, List *columns)
{
	StatementColumn *part;

	if (parts->mark == NULL)
		return columns;
	part = palloc0(sizeof(StatementColumn));
	part->column = parts->mark;
	part->type = getBaseType(parts->mark->type);
	part->expression = part->type == BOOLOID ? "false" : psprintf("NULL::%s", format_type_be_qualified(part->type));
	return lappend(columns, part);
}

void
mode_bind(WritePlan *plan)
{
	ListCell   *lc;

	if (plan->deletion == NULL)
		return;
	foreach(lc, plan->inputs)
	{
		if (!is_needed_of_deleted(plan, lfirst(lc)))
			batch_binding_leave_deleted(plan->binding, lfirst(lc));
	}
}

static const JobDeletes *
soft_deletes(const JobDestination *destination)
{
	const JobDeletes *deletes = destination->deletes;

	return deletes != NULL && (deletes->mode == DELETE_SOFT || deletes->missing == DELETE_SOFT) ? deletes : NULL;
}

static bool
keeps_history(const JobDestination *destination)
{
	return destination->mode == WRITE_APPEND_HISTORY;
}

/* Names of the columns that databite fills. */
static List *
own_columns(const JobDestination *destination)
{
	List	   *names = NIL;

	if (soft_deletes(destination) != NULL)
		names = lappend(names, destination->deletes->column);
	if (keeps_history(destination))
		names = lappend(lappend(names, pstrdup(HISTORY_FROM)), pstrdup(HISTORY_TO));
	return names;
}

static TargetColumn *
named_column(const List *columns, const char *name)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		TargetColumn *column = lfirst(lc);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

static bool
is_declared(const JobDestination *destination, const char *name)
{
	ListCell   *lc;

	foreach(lc, destination->schema)
	{
		if (strcmp(((const JobColumn *) lfirst(lc))->name, name) == 0)
			return true;
	}
	return false;
}

/* newerBy names a column that is filled, that can be compared, and that is no key, as then it would always be equal. */
static void
check_newer_by(const WritePlan *plan, ProblemList *problems)
{
	const JobDestination *destination = &plan->step->destination;
	const Target *target = plan->target;
	const TargetColumn *column = target_column(target, destination->newer_by);

	if (column == NULL)
		problem_add(problems, ERRCODE_UNDEFINED_COLUMN, destination->newer_by_pointer,
					problem_suggest(destination->newer_by, target_column_names(target)),
					"column \"%s\" of \"newerBy\" is no column of table %s", destination->newer_by, target->qualified);
	else if (write_plan_column(plan, column->name) == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, destination->newer_by_pointer, NULL,
					"column \"%s\" of \"newerBy\" is not filled by the step", column->name);
	else if (name_list_has(plan->key, column->name))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, destination->newer_by_pointer, NULL,
					"column \"%s\" of \"newerBy\" is part of the key", column->name);
	else if (statement_not_less_operator(column->type) == NULL)
		problem_add(problems, ERRCODE_DATATYPE_MISMATCH, destination->newer_by_pointer, NULL,
					"column \"%s\" of \"newerBy\" has type %s, whose values have no order",
					column->name, format_type_be(column->type));
}

/* The column of a soft delete is a time or a boolean. */
static void
check_mark(const WritePlan *plan, ProblemList *problems)
{
	const JobDeletes *deletes = plan->step->destination.deletes;
	const TargetColumn *column = target_column(plan->target, deletes->column);

	if (column == NULL)
	{
		problem_add(problems, ERRCODE_UNDEFINED_COLUMN, deletes->pointer, add_columns_sql(plan, list_make1(deletes->column)),
					"table %s has no column \"%s\", which a soft delete sets", plan->target->qualified, deletes->column);
		return;
	}
	switch (getBaseType(column->type))
	{
		case BOOLOID:
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
		case DATEOID:
			if (!column->generated && !name_list_has(plan->key, column->name))
				return;
			break;
		default:
			break;
	}
	problem_add(problems, ERRCODE_DATATYPE_MISMATCH, deletes->pointer,
				"Use a column of type timestamptz, timestamp, date or boolean that is neither generated nor part of the key.",
				"column \"%s\" of table %s cannot be the mark of a soft delete", column->name, plan->target->qualified);
}

/* A history has the times of its versions, and room for more than one of them. */
static void
check_history(const WritePlan *plan, ProblemList *problems)
{
	const JobStep *step = plan->step;
	const List *key = plan->key ? plan->key : step->destination.key;
	ListCell   *lc;

	foreach(lc, own_columns(&step->destination))
	{
		const TargetColumn *column = target_column(plan->target, lfirst(lc));

		if (column == NULL)
		{
			problem_add(problems, ERRCODE_UNDEFINED_COLUMN, mode_pointer(step),
						add_columns_sql(plan, own_columns(&step->destination)),
						"table %s has no column \"%s\", which a history needs", plan->target->qualified, (char *) lfirst(lc));
			return;
		}
		if (column->generated || column->type != TIMESTAMPTZOID || name_list_has(key, column->name))
		{
			problem_add(problems, ERRCODE_DATATYPE_MISMATCH, mode_pointer(step), NULL,
						"column \"%s\" of table %s must be a timestamptz that is neither generated nor part of the key",
						column->name, plan->target->qualified);
			return;
		}
	}
	if (target_has_unique_key(plan->target, key))
		problem_add(problems, ERRCODE_INVALID_COLUMN_REFERENCE, mode_pointer(step),
					psprintf("Make that index one on (%s, " HISTORY_FROM ").", name_list_quoted(key)),
					"table %s has a unique index on (%s), so there is room for one version of a row only",
					plan->target->qualified, name_list_quoted(key));
}

/* ALTER TABLE ... for those of the columns that the table has not. */
static char *
add_columns_sql(const WritePlan *plan, const List *names)
{
	StringInfoData sql;
	const char *before = "";
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "ALTER TABLE %s", plan->target->qualified);
	foreach(lc, names)
	{
		if (target_column(plan->target, lfirst(lc)) != NULL)
			continue;
		appendStringInfo(&sql, "%s ADD COLUMN %s timestamptz", before, quote_identifier(lfirst(lc)));
		before = ",";
	}
	return sql.data;
}

/* Does the key, or newerBy, read the input? */
static bool
is_needed_of_deleted(const WritePlan *plan, const TemplateInput *input)
{
	const char *newer_by = plan->step->destination.newer_by;
	ListCell   *lc;

	foreach(lc, plan->columns)
	{
		const PlanColumn *column = lfirst(lc);
		const char *name = column->column->name;

		if ((name_list_has(plan->key, name) || (newer_by != NULL && strcmp(name, newer_by) == 0)) &&
			template_uses_input(column->expr->sql, input))
			return true;
	}
	return false;
}

static char *
mode_pointer(const JobStep *step)
{
	return psprintf("%s/destination/mode", step->pointer);
}
