/*
 * schema_changes.c
 *	  Columns that items, a transform or a schema have and the table has not.
 *
 * Where items map to columns by name, the item reader collects the members that
 * are no column of the table into one cell (PATH_REST), in the pass in which it
 * finds the others, so an item without such members costs nothing more.  With "ignore",
 * and where a transform or a schema says what is wanted, there is no such path.
 *
 * Which paths a batch is read with does not change in a run.  What belongs to a
 * column that was added meanwhile is read from the rest's cell instead: the batch is
 * copied with more cells ("widened") before it is written.
 *
 * The column is added in the transaction of the rows that need it, and before
 * the statement has locked anything: two runs that both hold a weaker lock of the table
 * would wait for each other.  When that transaction is undone the column is
 * gone and the plan still has it, which the next batch finds out (settle).
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/subtransaction.h"
#include "catalog/pg_class.h"
#include "destination/create_table.h"
#include "destination/schema_changes.h"
#include "item/reread.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

static bool can_add_columns(const WritePlan *plan, ProblemList *problems);
static List *lacking_columns(const WritePlan *plan, const Sample *sample, bool *undecided, ProblemList *problems);
static List *lacking_of(const Target *target, const List *columns, List *lacking);
static void alter_table(WritePlan *plan, const List *columns);
static void add_missing(WritePlan *plan, const List *columns);
static List *missing_columns(const Target *target, const List *columns);
static char *alter_table_sql(const Target *target, const List *columns);
static Target *target_with(const Target *target, const List *columns);
static void settle(WritePlan *plan);
static bool has_new_keys(const ItemBatch *batch, int rest, const Marks *marks);
static void refuse_items(const WritePlan *plan, const ItemBatch *batch, int64 first_item, Marks *marks);
static char *list_keys(const List *keys);
static bool add_new_keys(WritePlan *plan, const ItemBatch *batch, int rest, const Marks *marks);
static void take_column(WritePlan *plan, const char *name);
static void rebuild(WritePlan *plan);
static JsonPath *rest_path(const List *names);
static ItemBatch *join_cells(const ItemBatch *batch, int npaths, const ItemBatch *more);

bool
schema_changes_plan(WritePlan *plan, const Sample *sample, ProblemList *problems)
{
	int			before = list_length(problems->problems);
	bool		undecided = false;
	List	   *columns;

	if (plan->step->destination.schema_changes != SCHEMA_ADD_COLUMNS)
		return true;
	if (!can_add_columns(plan, problems))
	{
		columns_check(plan->step, problems);
		return false;
	}
	columns = lacking_columns(plan, sample, &undecided, problems);
	if (list_length(problems->problems) > before)
		return false;
	plan->lacks_columns = undecided;
	if (undecided)
		plan->target = NULL;
	else if (columns != NIL)
		alter_table(plan, columns);
	return true;
}

/* What an ALTER TABLE ... ADD COLUMN is no way to give more columns that can be written. */
static bool
can_add_columns(const WritePlan *plan, ProblemList *problems)
{
	if (target_is_table(plan->target))
		return true;
	problem_add(problems, ERRCODE_WRONG_OBJECT_TYPE, psprintf("%s/destination/schemaChanges", plan->step->pointer),
				"Use \"ignore\" or \"fail\".",
				"%s is a view or foreign table: databite adds no columns to it", plan->target->qualified);
	return false;
}

/* Columns that the definition names and the table lacks; *undecided where a type is not known without a sample. */
static List *
lacking_columns(const WritePlan *plan, const Sample *sample, bool *undecided, ProblemList *problems)
{
	const JobStep *step = plan->step;
	int			before = list_length(problems->problems);
	List	   *lacking = lacking_of(plan->target, columns_of_schema(step, NULL, problems), NIL);
	bool		all = list_length(problems->problems) == before;
	const Target *known;
	ListCell   *lc;

	foreach(lc, step->transform)
	{
		const char *name = ((const JobNamedValue *) lfirst(lc))->name;

		all = all && (target_column(plan->target, name) != NULL || columns_find(lacking, name) != NULL);
	}
	if (all)					/* what is wrong with the templates is said where they are compiled for their columns */
		return lacking;
	known = target_with(plan->target, lacking);
	return lacking_of(plan->target, columns_of_transform(step, known, sample, undecided, problems), lacking);
}

static List *
lacking_of(const Target *target, const List *columns, List *lacking)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		const TargetColumn *column = lfirst(lc);

		if (target_column(target, column->name) == NULL && columns_find(lacking, column->name) == NULL)
			lacking = lappend(lacking, lfirst(lc));
	}
	return lacking;
}

/*
 * Adds the columns, and looks at the table anew: another run may have been first with
 * some of them, and its types count.
 */
static void
alter_table(WritePlan *plan, const List *columns)
{
	MemoryContext old = MemoryContextSwitchTo(plan->context);

	if (plan->purpose == WRITE_PLAN_RUN)
	{
		add_missing(plan, columns);
		plan->target = target_find(plan->target->schema, plan->target->name);
	}
	else
	{
		char	   *sql = alter_table_sql(plan->target, columns);

		ereport(NOTICE,
				(errmsg("table \"%s.%s\" would be altered", plan->target->schema, plan->target->name),
				 errdetail_internal("%s", sql)));
		plan->alter_sql = plan->alter_sql ? psprintf("%s;\n%s", plan->alter_sql, sql) : sql;
		plan->target = target_with(plan->target, columns);
	}
	MemoryContextSwitchTo(old);
}

/* Whether another run adds a column just now is known only when the table is locked, and that does the ALTER TABLE. */
static void
add_missing(WritePlan *plan, const List *columns)
{
	List	   *missing = missing_columns(plan->target, columns);
	List	   *before = NIL;

	while (missing != NIL)
	{
		char	   *sql = alter_table_sql(plan->target, missing);
		ErrorData  *error = subtransaction_run(run_table_sql, sql, SUBTRANSACTION_KEEP);

		if (error == NULL)
		{
			ereport(NOTICE,
					(errmsg("table \"%s.%s\" altered", plan->target->schema, plan->target->name),
					 errdetail_internal("%s", sql)));
			plan->notices = lappend(plan->notices, sql);
			return;
		}
		before = missing;
		missing = missing_columns(plan->target, columns);
		if (error->sqlerrcode == ERRCODE_DUPLICATE_COLUMN && list_length(missing) < list_length(before))
			continue;
		if (error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE && error->hint == NULL)
			error->hint = pstrdup("Let the owner of the table add the columns or run the job, or set \"schemaChanges\" to \"ignore\".");
		error_rethrow(error);
	}
}

static List *
missing_columns(const Target *target, const List *columns)
{
	List	   *missing = NIL;
	ListCell   *lc;

	foreach(lc, columns)
	{
		if (get_attnum(target->oid, ((const TargetColumn *) lfirst(lc))->name) == InvalidAttrNumber)
			missing = lappend(missing, lfirst(lc));
	}
	return missing;
}

static char *
alter_table_sql(const Target *target, const List *columns)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "ALTER TABLE %s", target->qualified);
	foreach(lc, columns)
	{
		const TargetColumn *column = lfirst(lc);

		appendStringInfo(&sql, "%s ADD COLUMN %s %s", lc == list_head(columns) ? "" : ",",
						 quote_identifier(column->name), format_type_with_typemod(column->type, column->typmod));
	}
	return sql.data;
}

/* The table as it would be. */
static Target *
target_with(const Target *target, const List *columns)
{
	Target	   *altered = palloc(sizeof(Target));
	ListCell   *lc;

	*altered = *target;
	altered->columns = list_copy(target->columns);
	foreach(lc, columns)
	{
		const TargetColumn *column = lfirst(lc);

		altered->columns = lappend(altered->columns, new_column(column->name, column->type, column->typmod));
	}
	return altered;
}

List *
schema_changes_add_path(WritePlan *plan, List *paths)
{
	const JobStep *step = plan->step;
	List	   *names = NIL;
	ListCell   *lc;

	plan->rest = -1;
	plan->added = NIL;
	plan->nplanned_columns = list_length(plan->columns);
	plan->nplanned_inputs = list_length(plan->inputs);
	if (plan->target == NULL || step->has_transform || step->destination.schema != NIL ||
		step->destination.schema_changes == SCHEMA_IGNORE)
		return paths;
	foreach(lc, plan->target->columns)
		names = lappend(names, ((const TargetColumn *) lfirst(lc))->name);
	plan->rest = list_length(paths);
	return lappend(paths, rest_path(names));
}

const ItemBatch *
schema_changes_apply(WritePlan *plan, const ItemBatch *batch, int64 first_item, Marks *marks)
{
	const ItemBatch *wide;
	int			rest;

	if (plan->rest < 0 || marks_all(marks, batch->nitems))
		return batch;
	settle(plan);
	wide = schema_changes_widen(plan, batch);
	rest = wide == batch ? plan->rest : wide->npaths - 1;
	if (!has_new_keys(wide, rest, marks))
		return wide;
	if (plan->step->destination.schema_changes == SCHEMA_FAIL)
		refuse_items(plan, wide, first_item, marks);
	else if (add_new_keys(plan, wide, rest, marks))
		wide = schema_changes_widen(plan, batch);
	return wide;
}

/* The cells of the added columns, and of what is left of the rest, come last. */
const ItemBatch *
schema_changes_widen(const WritePlan *plan, const ItemBatch *batch)
{
	List	   *names = NIL;
	const JsonPath *const *paths;
	int			npaths;
	ListCell   *lc;

	if (plan->rest < 0 || plan->added == NIL)
		return batch;
	foreach(lc, plan->added)
		names = lappend(names, ((const JsonPath *) lfirst(lc))->steps[0].key);
	npaths = batch_paths(lappend(list_copy(plan->added), rest_path(names)), &paths);
	return join_cells(batch, list_length(plan->paths),
					  item_batch_reread(batch, plan->rest, npaths, paths, CurrentMemoryContext));
}

/*
 * Forgets what was added if some of it is not there: the transaction that added it was
 * undone.  What is there all the same is found again like a column of another run.
 */
static void
settle(WritePlan *plan)
{
	bool		gone = false;
	ListCell   *lc;

	plan->notices = NIL;		/* of a batch that was undone */
	if (plan->purpose != WRITE_PLAN_RUN)
		return;
	foreach(lc, plan->added)
	{
		const char *name = ((const JsonPath *) lfirst(lc))->steps[0].key;

		if (get_attnum(plan->target->oid, name) != InvalidAttrNumber)
			continue;
		gone = true;
		plan->target->columns = list_delete_ptr(plan->target->columns, target_column(plan->target, name));
	}
	if (!gone)
		return;
	plan->added = NIL;
	plan->columns = list_truncate(plan->columns, plan->nplanned_columns);
	plan->inputs = list_truncate(plan->inputs, plan->nplanned_inputs);
	rebuild(plan);
}

static bool
has_new_keys(const ItemBatch *batch, int rest, const Marks *marks)
{
	for (int64 item = 0; item < batch->nitems; item++)
	{
		if (batch->cells[item * batch->npaths + rest].kind != CELL_MISSING && !marks_has(marks, item))
			return true;
	}
	return false;
}

/* Rejects the items that have keys with values for which there is no column, or raises the error of the first one. */
static void
refuse_items(const WritePlan *plan, const ItemBatch *batch, int64 first_item, Marks *marks)
{
	const Sample *sample = sample_read(batch, plan->rest, marks, NULL);

	for (int64 item = 0; item < batch->nitems; item++)
	{
		const List *keys = sample_keys(sample, item);
		char	   *message;

		if (keys == NIL)
			continue;
		message = psprintf(list_length(keys) == 1 ? "key %s is no column of table %s" : "keys %s are no columns of table %s",
						   list_keys(keys), plan->target->qualified);
		if (!plan->step->destination.rejects_bad_items)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg_internal("%s", message),
					 errhint("Add the columns, set \"schemaChanges\" to \"add_columns\", or say in \"transform\" what is wanted."),
					 errcontext("item " INT64_FORMAT, first_item + item + 1)));
		marks_reject(marks, item, ERRCODE_UNDEFINED_COLUMN, message, NULL, NULL);
	}
}

/* "a", "b" */
static char *
list_keys(const List *keys)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, keys)
		appendStringInfo(&text, "%s\"%s\"", lc == list_head(keys) ? "" : ", ", (char *) lfirst(lc));
	return text.data;
}

/* False where all of their values are null: these tell no type. */
static bool
add_new_keys(WritePlan *plan, const ItemBatch *batch, int rest, const Marks *marks)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "databite new keys", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	List	   *columns = sample_columns(sample_read(batch, rest, marks, NULL), true);
	ListCell   *lc;

	if (columns != NIL)
	{
		alter_table(plan, columns);
		MemoryContextSwitchTo(plan->context);
		foreach(lc, columns)
			take_column(plan, ((const TargetColumn *) lfirst(lc))->name);
		rebuild(plan);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return columns != NIL;
}

/* The column is filled from now on, unless it is one that PostgreSQL fills.  In the plan's memory. */
static void
take_column(WritePlan *plan, const char *name)
{
	const TargetColumn *column = target_column(plan->target, name);
	TemplateInputs inputs = {.inputs = plan->inputs};
	PlanColumn *plan_column;

	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("column \"%s\" of table %s has disappeared", name, plan->target->qualified)));
	plan_column = columns_of_key(&inputs, column);
	plan_column->in_use = true;
	plan->inputs = inputs.inputs;
	plan->added = lappend(plan->added, plan_column->expr->lone->path);
	if (!column->generated)
		plan->columns = lappend(plan->columns, plan_column);
}

/* Binding and statement, for the columns as they are now. */
static void
rebuild(WritePlan *plan)
{
	MemoryContext old = MemoryContextSwitchTo(plan->context);

	plan->binding = batch_binding_create(plan->inputs, list_concat_copy(plan->paths, plan->added), plan->context);
	write_plan_build(plan);
	MemoryContextSwitchTo(old);
}

/* To the members that have none of the names. */
static JsonPath *
rest_path(const List *names)
{
	JsonPath   *path = palloc0(sizeof(JsonPath));
	ListCell   *lc;

	path->steps = palloc0(sizeof(JsonPathStep) * (list_length(names) + 1));
	path->steps[path->nsteps++].kind = PATH_REST;
	foreach(lc, names)
	{
		JsonPathStep *step = &path->steps[path->nsteps++];

		step->kind = PATH_KEY;
		step->key = pstrdup(lfirst(lc));
		step->keylen = strlen(step->key);
	}
	return path;
}

/* The first cells of each item of the batch, and behind them those of the other batch. */
static ItemBatch *
join_cells(const ItemBatch *batch, int npaths, const ItemBatch *more)
{
	ItemBatch  *joined = palloc(sizeof(ItemBatch));
	Cell	   *cell;

	*joined = *batch;
	joined->npaths = npaths + more->npaths;
	joined->arena_used = joined->arena_size = batch->arena_used + more->arena_used;
	joined->arena = MemoryContextAllocHuge(CurrentMemoryContext, Max(joined->arena_size, 1));
	memcpy(joined->arena, batch->arena, batch->arena_used);
	memcpy(joined->arena + batch->arena_used, more->arena, more->arena_used);
	cell = joined->cells = MemoryContextAllocHuge(CurrentMemoryContext,
												  Max((Size) batch->nitems * joined->npaths, 1) * sizeof(Cell));
	for (int64 item = 0; item < batch->nitems; item++)
	{
		memcpy(cell, batch->cells + item * batch->npaths, npaths * sizeof(Cell));
		cell += npaths;
		memcpy(cell, more->cells + item * more->npaths, more->npaths * sizeof(Cell));
		for (int i = 0; i < more->npaths; i++, cell++)
			cell->offset += batch->arena_used;
	}
	return joined;
}
