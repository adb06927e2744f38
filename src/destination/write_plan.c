/*
 * write_plan.c
 *	  What one step writes: from the definition to a statement.
 *
 * Lifecycle: a plan is made for a run and lives in one context of its own; its
 * prepared statement is released with that context.  Between the transactions
 * of a run it holds no lock.  Where the table does not exist and the
 * definition does not say its columns, the plan first learns them from sample
 * items.  write_batch.c runs it.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "destination/create_table.h"
#include "destination/infer.h"
#include "destination/schema_changes.h"
#include "destination/stage_data.h"
#include "destination/upsert_way.h"
#include "destination/write_mode.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static bool resolve_table(WritePlan *plan, ProblemList *problems);
static void plan_new_table(WritePlan *plan, const Sample *sample, ProblemList *problems);
static List *new_table_columns(WritePlan *plan, const Sample *sample, ProblemList *problems);
static char *new_table_schema(const WritePlan *plan, ProblemList *problems);
static void plan_columns(WritePlan *plan, ProblemList *problems);
static void plan_paths(WritePlan *plan);
static void plan_key(WritePlan *plan, ProblemList *problems);
static void plan_stated_key(WritePlan *plan, ProblemList *problems);
static void plan_usual_key(WritePlan *plan, ProblemList *problems);
static bool check_key_names(const WritePlan *plan, const Target *target, ProblemList *problems);
static bool upsert_is_possible(const WritePlan *plan);
static bool key_is_not_null(const WritePlan *plan);
static bool none_in_use(const WritePlan *plan);
static void name_input_columns(WritePlan *plan);
static const PlanColumn *only_reader(const WritePlan *plan, const TemplateInput *input);
static void release_statements(WritePlan *plan);
static void release_plan(void *arg);

WritePlan *
write_plan_create(const JobStep *step, WritePlanPurpose purpose,
				  ProblemList *problems, MemoryContext context)
{
	MemoryContext own = AllocSetContextCreate(context, "databite write plan", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	WritePlan  *plan = palloc0(sizeof(WritePlan));
	int			before = list_length(problems->problems);

	plan->context = own;
	plan->step = step;
	plan->purpose = purpose;
	plan->whole_item = plan->rest = -1;
	plan->release.func = release_plan;
	plan->release.arg = plan;
	MemoryContextRegisterResetCallback(own, &plan->release);

	plan->filter = item_filter_create(step, FILTER_WHERE, &step->source.where, problems);
	plan->scopes = columns_scopes(step) | (plan->filter ? item_filter_scopes(plan->filter) : 0);
	if (step->destination.deletes != NULL)
		plan->deletion = item_filter_create(step, FILTER_DELETED, &step->destination.deletes->when, problems);
	if (plan->deletion != NULL)
		plan->scopes |= item_filter_scopes(plan->deletion);
	mode_check_transform(step, problems);
	if (step->destination.none)
	{
		if (delivered_plan_target(plan, problems))
			plan_columns(plan, problems);
	}
	else if (resolve_table(plan, problems))
	{
		bool		right = true;

		if (plan->target == NULL)
			plan_new_table(plan, NULL, problems);
		else
		{
			right = schema_changes_plan(plan, NULL, problems);
			if (right && plan->target != NULL)
				(void) columns_of_schema(step, plan->target, problems);
		}
		if (right && plan->target != NULL)
			plan_columns(plan, problems);
		else
		{
			if (right && step->destination.schema != NIL && !plan->lacks_columns)
				columns_check(step, problems);	/* else the columns were made of it */
			rules_check(step, problems);
		}
	}
	else
	{
		columns_check(step, problems);
		rules_check(step, problems);
	}
	if (plan->target == NULL)
		plan_paths(plan);

	MemoryContextSwitchTo(old);
	if (list_length(problems->problems) > before)
	{
		MemoryContextDelete(own);
		return NULL;
	}
	return plan;
}

bool
write_plan_needs_sample(const WritePlan *plan)
{
	return plan->target == NULL;
}

void
write_plan_learn(WritePlan *plan, const ItemBatch *sample, int64 first_item, Jsonb *scopes)
{
	MemoryContext old;
	MemoryContext work;
	ProblemList *problems;
	Sample	   *items;
	Marks	   *marks;

	if (plan->target != NULL)
		return;
	marks = write_plan_mark(plan, sample, first_item, scopes);
	if (marks_all(marks, sample->nitems))
		return;

	old = MemoryContextSwitchTo(plan->context);
	problems = problem_list_create(plan->context);
	work = AllocSetContextCreate(plan->context, "databite sample", ALLOCSET_DEFAULT_SIZES);
	plan->target = target_find(plan->schema, plan->name);	/* another run may have been first */
	MemoryContextSwitchTo(work);
	items = sample_read(sample, 0, marks, scopes);
	if (plan->target == NULL)
		plan_new_table(plan, items, problems);
	else
		(void) schema_changes_plan(plan, items, problems);
	MemoryContextSwitchTo(plan->context);
	if (plan->target != NULL)
		plan_columns(plan, problems);
	MemoryContextSwitchTo(old);

	/* a target that is only planned lives there */
	if (plan->target != NULL && OidIsValid(plan->target->oid))
		MemoryContextDelete(work);
	problem_raise_first(problems);
}

void
write_plan_unlearn(WritePlan *plan)
{
	MemoryContext old = MemoryContextSwitchTo(plan->context);

	release_statements(plan);
	plan->target = NULL;
	plan->inputs = plan->columns = plan->key = NIL;
	plan->key_stated = plan->upserts = false;
	plan->binding = NULL;
	plan->rules = NULL;
	plan->marks = 0;
	plan->sql = plan->insert_sql = NULL;
	plan->stage = NULL;			/* undone with the table */
	plan->nstaged = 0;
	plan->position = NULL;
	plan_paths(plan);
	MemoryContextSwitchTo(old);
}

bool
write_plan_is_upsert(const WritePlan *plan)
{
	return plan->upserts || plan->step->destination.none;
}

bool
write_plan_goes_on(const WritePlan *plan)
{
	return (!write_plan_is_upsert(plan) && stage_content(plan) != STAGE_ROWS) || plan->step->destination.mode == WRITE_APPEND_HISTORY;
}

int
write_plan_scopes(const WritePlan *plan)
{
	return plan->scopes;
}

int
write_plan_paths(const WritePlan *plan, const JsonPath *const **paths)
{
	return batch_paths(plan->paths, paths);
}

bool
write_plan_is_validated(const WritePlan *plan)
{
	return plan->step->validation != NULL;
}

bool
write_plan_rejects(const WritePlan *plan)
{
	return write_plan_is_validated(plan) || plan->step->destination.rejects_bad_items;
}

const char *
write_plan_filter_sql(const WritePlan *plan)
{
	return plan->filter ? item_filter_sql(plan->filter) : NULL;
}

const char *
write_plan_deletion_sql(const WritePlan *plan)
{
	return plan->deletion ? item_filter_sql(plan->deletion) : NULL;
}

const char *
write_plan_sql(const WritePlan *plan)
{
	if (plan->lacks_columns)
		return "-- the table lacks columns: they are added, with types taken from the first items";
	if (plan->target == NULL)
		return "-- the table does not exist: its columns are taken from the first items";
	if (plan->alter_sql != NULL)
		return psprintf("%s;\n%s", plan->alter_sql, plan->sql);
	if (plan->step->destination.none)
		return delivered_sql(plan);
	return plan->sql;
}

List *
write_plan_take_notices(WritePlan *plan)
{
	List	   *notices = plan->notices;

	plan->notices = NIL;
	return notices;
}

bool
write_plan_lacks_columns(const WritePlan *plan)
{
	return plan->lacks_columns;
}

const char *
write_plan_table(const WritePlan *plan)
{
	if (plan->target != NULL)
		return plan->target->qualified;
	return quote_qualified_identifier(plan->schema, plan->name);
}

void
write_plan_build(WritePlan *plan)
{
	MemoryContext old = MemoryContextSwitchTo(plan->context);
	StatementParts parts;

	release_statements(plan);
	if (plan->sql != NULL)
		pfree(plan->sql);
	if (plan->insert_sql != NULL)
		pfree(plan->insert_sql);
	plan->upserts = upsert_is_possible(plan);
	parts = write_plan_parts(plan, false);
	if (plan->step->destination.none)
	{
		plan->sql = statement_compute(&parts);
		name_input_columns(plan);
		MemoryContextSwitchTo(old);
		return;
	}
	stage_follow(plan);
	if (stage_content(plan) == STAGE_ROWS)
		plan->sql = stage_rows_statement(plan, &parts);
	else
		plan->sql = plan->upserts ? mode_statement(plan, &parts) : statement_insert(&parts);
	plan->insert_sql = plan->upserts && mode_inserts_new(plan) && key_is_not_null(plan) ? statement_insert(&parts) : NULL;
	upsert_way_build(plan, &parts);
	plan->new_batches = 0;
	plan->new_batches_needed = 1;
	name_input_columns(plan);
	mode_bind(plan);
	MemoryContextSwitchTo(old);
}

StatementParts
write_plan_parts(const WritePlan *plan, bool preview)
{
	StatementParts parts = {.target = plan->target, .from = batch_from_clause(plan->inputs)};
	bool		all = none_in_use(plan);
	List	   *columns = NIL;
	List	   *checked = NIL;
	ListCell   *lc;

	if (plan->upserts)
		mode_add_parts(plan, &parts);
	if (plan->rules != NULL)
	{
		parts.values = plan->rules->values;
		parts.checks = plan->rules->checks;
		if (plan->upserts)
			parts.checks = list_concat_copy(parts.checks, plan->rules->key_checks);
	}
	parts.marks = plan->marks != 0 || parts.checks != NIL;
	foreach(lc, plan->columns)
	{
		const PlanColumn *column = lfirst(lc);
		const char *name = column->column->name;
		bool		written = all || column->in_use || mode_looks_at(&parts, column->column);
		bool		ruled = rules_have_column(plan->step, name);
		StatementColumn *part;

		if (!written && !ruled)
			continue;
		part = palloc0(sizeof(StatementColumn));
		part->column = column->column;
		part->expression = column->expr->sql;
		part->type = column->expr->type;
		part->or_fallback = (ruled || !preview) && !plan->step->has_transform && column->column->fallback != NULL &&
			column->column != parts.newer_by;
		if (written)
			columns = lappend(columns, part);
		else
			checked = lappend(checked, part);
	}
	parts.columns = preview ? columns : mode_add_mark(&parts, columns);
	parts.checked = checked;
	return parts;
}

/* Finds the table, if it exists.  False where the name is wrong or it is nothing to write to. */
static bool
resolve_table(WritePlan *plan, ProblemList *problems)
{
	const JobDestination *destination = &plan->step->destination;
	Target	   *target;
	char	   *error;

	if (!target_parse_name(destination->table, &plan->schema, &plan->name, &error))
	{
		problem_add(problems, ERRCODE_INVALID_NAME, destination->table_pointer, NULL, "%s", error);
		return false;
	}
	target = target_find(plan->schema, plan->name);
	if (target != NULL && !target_is_writable(target))
	{
		problem_add(problems, ERRCODE_WRONG_OBJECT_TYPE, destination->table_pointer,
					"Name a table, a partitioned table, a foreign table or a view.",
					"%s is nothing that rows can be written to", target->qualified);
		return false;
	}
	plan->target = target;
	return true;
}

/*
 * The table does not exist.  If its columns are known, creates it, or with
 * WRITE_PLAN_CHECK goes on as if it had been; else leaves the target NULL.
 */
static void
plan_new_table(WritePlan *plan, const Sample *sample, ProblemList *problems)
{
	int			before = list_length(problems->problems);
	char	   *schema = new_table_schema(plan, problems);
	List	   *columns = new_table_columns(plan, sample, problems);
	Target	   *planned;

	if (list_length(problems->problems) > before || columns == NIL)
		return;

	planned = mode_planned_target(plan->step, schema, plan->name, columns, problems);
	if (planned == NULL || !check_key_names(plan, planned, problems))
		return;
	plan->target = planned;
	if (plan->purpose == WRITE_PLAN_RUN)
	{
		MemoryContext old = MemoryContextSwitchTo(plan->context);

		plan->target = create_or_find_table(planned);
		MemoryContextSwitchTo(old);
	}
}

/* Columns of a table that is to be created; NIL where they are not known (yet). */
static List *
new_table_columns(WritePlan *plan, const Sample *sample, ProblemList *problems)
{
	const JobStep *step = plan->step;
	bool		undecided = false;
	List	   *columns;

	if (step->destination.schema != NIL)
		return columns_of_schema(step, NULL, problems);
	if (step->has_transform)
	{
		columns = columns_of_transform(step, NULL, sample, &undecided, problems);
		return undecided ? NIL : columns;
	}
	if (sample == NULL)
		return NIL;

	columns = sample_columns(sample, false);
	if (columns == NIL)
		problem_add(problems, ERRCODE_INVALID_TABLE_DEFINITION, step->destination.table_pointer,
					"State the columns in \"schema\", or a transform.",
					"table \"%s\" does not exist and the items have no keys to make columns of", plan->name);
	return columns;
}

/* The schema that a new table goes to; NULL with a problem where there is none. */
static char *
new_table_schema(const WritePlan *plan, ProblemList *problems)
{
	const char *pointer = plan->step->destination.table_pointer;
	char	   *schema;

	if (plan->schema != NULL)
	{
		if (OidIsValid(get_namespace_oid(plan->schema, true)))
			return plan->schema;
		problem_add(problems, ERRCODE_UNDEFINED_SCHEMA, pointer, "Create the schema, or name another one.",
					"schema \"%s\" does not exist", plan->schema);
		return NULL;
	}
	schema = creation_schema();
	if (schema == NULL)
		problem_add(problems, ERRCODE_UNDEFINED_SCHEMA, pointer,
					"Write the table as \"schema.name\", or set search_path.",
					"table \"%s\" does not exist, and no schema has been selected to create it in", plan->name);
	return schema;
}

/* The table is known: compiles what goes into it and builds the statement. */
static void
plan_columns(WritePlan *plan, ProblemList *problems)
{
	int			before = list_length(problems->problems);
	TemplateCompiler *compiler = columns_compiler(plan->step, problems);

	if (plan->step->has_transform)
		plan->columns = columns_from_transform(plan->step, plan->target, compiler);
	else
		plan->columns = columns_map_by_name(plan->step, plan->target, compiler->inputs);
	plan->rules = rules_create(plan->step, plan->target, plan->columns, compiler);
	if (stage_content(plan) == STAGE_ROWS)
		plan->position = stage_add_position(&compiler->inputs->inputs);
	plan->inputs = compiler->inputs->inputs;
	plan->marks = compiler->inputs->marks;

	/* a column that failed to compile must not count as one that is not filled */
	if (list_length(problems->problems) > before)
		return;
	if (plan->columns == NIL)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, plan->step->destination.table_pointer, NULL,
					"there is no column of %s to write to", plan->target->qualified);
		return;
	}

	if (!plan->step->destination.none)
		plan_key(plan, problems);
	if (list_length(problems->problems) > before)
		return;

	if (plan->rules != NULL)
		rules_require_key(plan->rules, plan->target, plan->key);
	plan_paths(plan);
	write_plan_build(plan);
}

static void
plan_key(WritePlan *plan, ProblemList *problems)
{
	if (plan->step->destination.key != NIL)
		plan_stated_key(plan, problems);
	else
		plan_usual_key(plan, problems);
	mode_check_target(plan, problems);
}

/*
 * What the reader is to find: what the statement needs, what source.where needs,
 * and the whole item where it may be rejected, or is to be learned from.
 */
static void
plan_paths(WritePlan *plan)
{
	static const JsonPath whole_item = {0, NULL};
	bool		rejects = write_plan_rejects(plan) || (plan->marks & TEMPLATE_REJECTS) != 0 ||
		plan->step->destination.rejects_failed_batches;

	plan->paths = plan->target ? batch_add_paths(NIL, plan->inputs) : list_make1(unconstify(JsonPath *, &whole_item));
	if (plan->filter != NULL)
		plan->paths = item_filter_add_paths(plan->filter, plan->paths);
	if (plan->deletion != NULL)
		plan->paths = item_filter_add_paths(plan->deletion, plan->paths);
	if (rejects && batch_path_number(plan->paths, &whole_item) < 0)
		plan->paths = lappend(plan->paths, unconstify(JsonPath *, &whole_item));
	plan->whole_item = rejects ? batch_path_number(plan->paths, &whole_item) : -1;
	plan->paths = schema_changes_add_path(plan, plan->paths);

	if (plan->target != NULL)
		plan->binding = batch_binding_create(plan->inputs, plan->paths, plan->context);
	if (plan->filter != NULL)
		item_filter_bind_paths(plan->filter, plan->paths);
	if (plan->deletion != NULL)
		item_filter_bind_paths(plan->deletion, plan->paths);
}

/* The definition names a key: it must be one that ON CONFLICT can use, unless rows are only inserted. */
static void
plan_stated_key(WritePlan *plan, ProblemList *problems)
{
	const JobDestination *destination = &plan->step->destination;
	const Target *target = plan->target;
	ListCell   *lc;

	if (!check_key_names(plan, target, problems) || destination->mode == WRITE_INSERT)
		return;
	if (!target_supports_upsert(target))
	{
		problem_add(problems, ERRCODE_WRONG_OBJECT_TYPE, destination->key_pointer,
					destination->mode == WRITE_REPLACE ? "Leave the key out." : "Use mode \"insert\" without a key.",
					"%s %s: rows cannot be found and updated by a key", target->qualified, target_no_upsert_reason(target));
		return;
	}
	foreach(lc, destination->key)
	{
		if (write_plan_column(plan, lfirst(lc)) != NULL)
			continue;
		problem_add(problems, ERRCODE_INVALID_COLUMN_REFERENCE, destination->key_pointer, NULL,
					"key column \"%s\" is not filled by the step", (char *) lfirst(lc));
		return;
	}
	if (!mode_check_index(plan, problems))
		return;
	plan->key = destination->key;
	plan->key_stated = true;
}

/* No key is named: the primary key, if the step fills it. */
static void
plan_usual_key(WritePlan *plan, ProblemList *problems)
{
	WriteMode	mode = plan->step->destination.mode;
	const Target *target = plan->target;
	List	   *key = mode_usual_key(mode, target);
	bool		filled = target_supports_upsert(target) && key != NIL;
	const char *pointer;
	const char *needs = mode_needs_key(plan->step, &pointer);
	ListCell   *lc;

	if (mode == WRITE_INSERT)
		return;
	foreach(lc, key)
		filled = filled && write_plan_column(plan, lfirst(lc)) != NULL;

	if (filled)
	{
		plan->key = key;
		plan->key_stated = needs != NULL;
	}
	else if (needs != NULL && !target_supports_upsert(target))
		problem_add(problems, ERRCODE_WRONG_OBJECT_TYPE, pointer, "Use mode \"insert\".",
					"%s %s: rows cannot be found and updated by a key", target->qualified, target_no_upsert_reason(target));
	else if (needs != NULL && mode == WRITE_APPEND_HISTORY)
		problem_add(problems, ERRCODE_INVALID_COLUMN_REFERENCE, pointer,
					"Say in \"key\" which columns the versions of a row have in common.",
					"%s needs a key, and table %s has not one unique index WHERE valid_to IS NULL whose columns the step fills",
					needs, target->qualified);
	else if (needs != NULL)
		problem_add(problems, ERRCODE_INVALID_COLUMN_REFERENCE, pointer,
					"Name columns that have a unique index in \"key\".",
					"%s needs a key, and table %s has no primary key that the step fills",
					needs, target->qualified);
}

/* Are the stated key's names columns of the table, each once? */
static bool
check_key_names(const WritePlan *plan, const Target *target, ProblemList *problems)
{
	const JobDestination *destination = &plan->step->destination;
	List	   *seen = NIL;
	ListCell   *lc;

	foreach(lc, destination->key)
	{
		char	   *name = lfirst(lc);

		if (target_column(target, name) == NULL)
		{
			problem_add(problems, ERRCODE_UNDEFINED_COLUMN, destination->key_pointer,
						problem_suggest(name, target_column_names(target)),
						"key column \"%s\" is no column of table %s", name, target->qualified);
			return false;
		}
		if (name_list_has(seen, name))
		{
			problem_add(problems, ERRCODE_DUPLICATE_COLUMN, destination->key_pointer, NULL,
						"key column \"%s\" is named twice", name);
			return false;
		}
		seen = lappend(seen, name);
	}
	return true;
}

PlanColumn *
write_plan_column(const WritePlan *plan, const char *name)
{
	ListCell   *lc;

	foreach(lc, plan->columns)
	{
		PlanColumn *column = lfirst(lc);

		if (strcmp(column->column->name, name) == 0)
			return column;
	}
	return NULL;
}

/* A unique index takes any number of nulls, so a plain INSERT would take an item without a key. */
static bool
key_is_not_null(const WritePlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->key)
	{
		if (!target_column(plan->target, lfirst(lc))->not_null)
			return false;
	}
	return true;
}

/*
 * Where the key is not stated, items that do not have it are inserted: the
 * table may number its rows itself.
 */
static bool
upsert_is_possible(const WritePlan *plan)
{
	ListCell   *lc;

	if (plan->key == NIL)
		return false;
	if (plan->key_stated || none_in_use(plan))
		return true;
	foreach(lc, plan->key)
	{
		if (!write_plan_column(plan, lfirst(lc))->in_use)
			return false;
	}
	return true;
}

/* Has no item come yet that shows which columns are written? */
static bool
none_in_use(const WritePlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->columns)
	{
		if (((PlanColumn *) lfirst(lc))->in_use)
			return false;
	}
	return true;
}

/*
 * Tells the binding which column an input is for, for its errors: that whose
 * expression alone reads it, or one that it goes into as it is.  The key's
 * columns come last: an input that goes to a key and to another column is
 * named by the key.
 */
static void
name_input_columns(WritePlan *plan)
{
	ListCell   *lc;

	foreach(lc, plan->inputs)
	{
		const PlanColumn *column = only_reader(plan, lfirst(lc));

		if (column != NULL)
			batch_binding_name_column(plan->binding, lfirst(lc), column->column->name, false);
	}
	for (int key = 0; key <= 1; key++)
	{
		foreach(lc, plan->columns)
		{
			const PlanColumn *column = lfirst(lc);
			const char *name = column->column->name;
			bool		is_key = plan->upserts && name_list_has(plan->key, name);

			if (column->expr->lone != NULL && is_key == (key == 1))
				batch_binding_name_column(plan->binding, column->expr->lone, name,
										  is_key && !write_plan_is_validated(plan));
		}
	}
}

/* The one column whose expression reads the input; NULL where there are several, or only rules do. */
static const PlanColumn *
only_reader(const WritePlan *plan, const TemplateInput *input)
{
	const PlanColumn *reader = NULL;
	ListCell   *lc;

	foreach(lc, plan->columns)
	{
		const PlanColumn *column = lfirst(lc);

		if (!template_uses_input(column->expr->sql, input))
			continue;
		if (reader != NULL)
			return NULL;
		reader = column;
	}
	return reader;
}

/* Frees the prepared statements, if there are any. */
static void
release_statements(WritePlan *plan)
{
	if (plan->statement != NULL)
		SPI_freeplan(plan->statement);
	if (plan->insert_statement != NULL)
		SPI_freeplan(plan->insert_statement);
	if (plan->key_statement != NULL)
		SPI_freeplan(plan->key_statement);
	plan->statement = plan->insert_statement = plan->key_statement = NULL;
	plan->key_sql = NULL;
	upsert_way_release(plan);
}

/* Reset callback of the plan's context. */
static void
release_plan(void *arg)
{
	WritePlan  *plan = arg;

	release_statements(plan);
	if (plan->filter != NULL)
		item_filter_release(plan->filter);
	if (plan->deletion != NULL)
		item_filter_release(plan->deletion);
}
