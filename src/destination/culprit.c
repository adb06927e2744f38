/*
 * culprit.c
 *	  Which item of a batch its statement fails for.
 *
 * There are two questions.  Which rows cannot be computed is asked of a SELECT of the same
 * expressions: rows do not depend on each other, so halves are looked at until
 * one item is left, and then each column by itself.  Which rows the table refuses
 * (its constraints, triggers, indexes) only the statement itself can tell, and there rows do
 * depend on each other: of two with one value of a unique column the second is
 * refused.  So an INSERT is tried over ever other beginnings of the batch, and so is what takes the
 * first row of each key.  An upsert takes the last one; there it is ends of the batch, which hold the same
 * last rows as the whole.
 *
 * Items are left out by marks, which databite.batch() heeds in every statement.
 *
 * Only an item that raises the very same error is named: the search can find
 * nothing, but not mislead.  Cost, for a batch of n items: the SELECTs look at
 * 3n items in all; where it comes to the statement itself, that writes, and undoes, up
 * to n items log2(n) + 2 times.  With the usual 1,000 items that is a tenth of a second, once in a run
 * that fails.  In the good case it costs the subtransaction around the statement.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "base/clip.h"
#include "base/errors.h"
#include "base/subtransaction.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_constraint.h"
#include "destination/culprit.h"
#include "destination/prepared.h"
#include "destination/stage.h"
#include "destination/write_mode.h"
#include "item/convert.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* What an error shows of an item is cut to that many bytes. */
#define SHOWN_ITEM_BYTES	200

typedef struct Culprit
{
	int64		item;			/* in the batch */
	const char *column;			/* of the table, or NULL where it cannot be told */
} Culprit;

/* A SELECT that computes rows, or a column of them. */
typedef struct Computation
{
	const char *column;			/* that is to blame where it fails, or NULL */
	char	   *sql;
	SPIPlanPtr	statement;
} Computation;

typedef struct Search
{
	WritePlan  *plan;
	const ItemBatch *batch;
	int64		first_item;
	Jsonb	   *scopes;
	const Marks *marks;			/* as before the statement; or NULL */
	MemoryContext memory;

	Computation *rows;
	List	   *columns;		/* of Computation *: each column, each rule */

	/* what is tried just now */
	Marks	   *scratch;
	Computation *computation;	/* NULL: the plan's own statement */
} Search;

static bool find_culprit(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes,
						 const Marks *marks, CulpritScope scope, const ErrorData *error, Culprit *culprit);
static Search *begin_search(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes, const Marks *marks);
static void end_search(Search *search);
static void make_computations(Search *search);
static Computation *make_computation(const StatementParts *parts, const char *column);
static void release_computation(Computation *computation);
static bool find_uncomputable(Search *search, const ErrorData *error, Culprit *culprit);
static bool find_refused(Search *search, const ErrorData *error, Culprit *culprit);
static const char *find_column(Search *search, int64 item, const ErrorData *error);
static int	reject_range(Search *search, int64 begin, int64 end, Marks *marks);
static bool rejects_item(const WritePlan *plan, int sqlstate);
static ErrorData *attempt(Search *search, Computation *computation, int64 begin, int64 end);
static void run_attempt(void *arg);
static void leave_only(Search *search, int64 begin, int64 end);
static bool same_error(const ErrorData *a, const ErrorData *b);
static bool same_text(const char *a, const char *b);
static bool is_part_of(Oid table, Oid target);
static char *describe(const WritePlan *plan, const ItemBatch *batch, int64 first_item, const Culprit *culprit);
static char *item_values(const WritePlan *plan, const ItemBatch *batch, const Culprit *culprit);
static char *clipped(const char *text);

bool
culprit_is_possible(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_CONNECTION_EXCEPTION:
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INTERNAL_ERROR:
			return false;
		default:
			return true;
	}
}

int
culprit_reject_all(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes, Marks *marks)
{
	Search	   *search = begin_search(plan, batch, first_item, scopes, marks);
	volatile int rejected = 0;

	PG_TRY();
	{
		if (attempt(search, search->rows, 0, batch->nitems) != NULL &&
			attempt(search, search->rows, 0, 0) == NULL)
			rejected = reject_range(search, 0, batch->nitems, marks);
	}
	PG_FINALLY();
	{
		end_search(search);
	}
	PG_END_TRY();
	return rejected;
}

bool
culprit_explain(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes,
				const Marks *marks, CulpritScope scope, ErrorData *error)
{
	Culprit		culprit = {0};

	if (!batch_binding_failed(plan->binding, &culprit.column))
	{
		char	   *place;

		if (!find_culprit(plan, batch, first_item, scopes, marks, scope, error, &culprit))
			return false;
		place = describe(plan, batch, first_item, &culprit);
		error->context = error->context ? psprintf("%s\n%s", place, error->context) : place;
	}
	if (error->column_name == NULL && culprit.column != NULL)
		error->column_name = pstrdup(culprit.column);
	return true;
}

/*
 * Finds an item without which this error would not be raised: the first whose row
 * cannot be computed, else one that the table refuses.  marks: as before the
 * statement.  False where none is found: what is volatile need not fail twice.
 *
 * About 2 * log2(items) statements, each over a part of the batch, and one for
 * each column.
 */
static bool
find_culprit(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes,
			 const Marks *marks, CulpritScope scope, const ErrorData *error, Culprit *culprit)
{
	Search	   *search;
	volatile bool found = false;

	if (!culprit_is_possible(error->sqlerrcode) || batch->nitems == 0)
		return false;
	search = begin_search(plan, batch, first_item, scopes, marks);
	PG_TRY();
	{
		found = find_uncomputable(search, error, culprit) ||
			(scope == CULPRIT_OF_WRITE && find_refused(search, error, culprit));
	}
	PG_FINALLY();
	{
		end_search(search);
	}
	PG_END_TRY();
	return found;
}

static Search *
begin_search(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes, const Marks *marks)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "databite culprit", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	Search	   *search = palloc0(sizeof(Search));

	search->plan = plan;
	search->batch = batch;
	search->first_item = first_item;
	search->scopes = scopes;
	search->marks = marks;
	search->memory = memory;
	search->scratch = marks_create(batch->nitems);
	make_computations(search);
	MemoryContextSwitchTo(old);
	return search;
}

/* Prepared statements live outside of the search's memory. */
static void
end_search(Search *search)
{
	ListCell   *lc;

	release_computation(search->rows);
	foreach(lc, search->columns)
		release_computation(lfirst(lc));
	MemoryContextDelete(search->memory);
}

static void
make_computations(Search *search)
{
	StatementParts whole = write_plan_parts(search->plan, false);
	const Rules *rules = search->plan->rules;
	ListCell   *lc;

	search->rows = make_computation(&whole, NULL);
	foreach(lc, whole.columns)
	{
		const StatementColumn *column = lfirst(lc);
		StatementParts alone = whole;

		alone.columns = list_make1(lfirst(lc));
		alone.values = alone.checks = NIL;
		search->columns = lappend(search->columns, make_computation(&alone, column->column->name));
	}
	foreach(lc, whole.checks)
	{
		const StatementCheck *check = lfirst(lc);
		StatementParts alone = whole;

		alone.checks = list_make1(lfirst(lc));
		search->columns = lappend(search->columns, make_computation(&alone, rules->failures[check->number].column));
	}
}

static Computation *
make_computation(const StatementParts *parts, const char *column)
{
	Computation *computation = palloc0(sizeof(Computation));

	computation->column = column;
	computation->sql = statement_compute(parts);
	return computation;
}

static void
release_computation(Computation *computation)
{
	if (computation->statement != NULL)
		SPI_freeplan(computation->statement);
}

/* The first item that a SELECT of the rows fails for. */
static bool
find_uncomputable(Search *search, const ErrorData *error, Culprit *culprit)
{
	int64		begin = 0;
	int64		end = search->batch->nitems;

	if (!same_error(attempt(search, search->rows, begin, end), error))
		return false;
	while (end - begin > 1)
	{
		int64		middle = begin + (end - begin) / 2;

		if (attempt(search, search->rows, begin, middle) != NULL)
			end = middle;
		else
			begin = middle;
	}
	if (!same_error(attempt(search, search->rows, begin, end), error) ||
		attempt(search, search->rows, 0, 0) != NULL)
		return false;
	culprit->item = begin;
	culprit->column = find_column(search, begin, error);
	return true;
}

/*
 * The item that the statement fails for: the last one of the shortest beginning
 * of the batch that fails, or the first one of the shortest end.
 */
static bool
find_refused(Search *search, const ErrorData *error, Culprit *culprit)
{
	int64		nitems = search->batch->nitems;
	bool		ends = search->plan->upserts && !mode_takes_first(search->plan->step->destination.mode) &&
		stage_content(search->plan) != STAGE_ROWS;
	int64		begin = 0;
	int64		end = nitems;

	if (!same_error(attempt(search, NULL, 0, nitems), error) ||
		same_error(attempt(search, NULL, 0, 0), error))
		return false;
	while (end - begin > 1)
	{
		int64		middle = begin + (end - begin) / 2;
		ErrorData  *found = ends ? attempt(search, NULL, middle, nitems) : attempt(search, NULL, 0, middle);

		if (same_error(found, error) == ends)
			begin = middle;
		else
			end = middle;
	}
	culprit->item = begin;
	culprit->column = culprit_refused_column(search->plan, error);
	return true;
}

/* The first column, or rule of one, that fails by itself; NULL where none does. */
static const char *
find_column(Search *search, int64 item, const ErrorData *error)
{
	ListCell   *lc;

	foreach(lc, search->columns)
	{
		Computation *computation = lfirst(lc);

		if (!same_error(attempt(search, computation, item, item + 1), error))
			continue;

		/* most likely the next item's too */
		search->columns = list_delete_nth_cell(search->columns, foreach_current_index(lc));
		search->columns = lcons(computation, search->columns);
		return computation->column;
	}
	return NULL;
}

/* Rejects what fails of a range that fails. */
static int
reject_range(Search *search, int64 begin, int64 end, Marks *marks)
{
	int64		middle = begin + (end - begin) / 2;
	int			rejected = 0;
	ErrorData  *error;

	if (end - begin > 1)
	{
		bool		left = attempt(search, search->rows, begin, middle) != NULL;

		if (left)
			rejected += reject_range(search, begin, middle, marks);
		if (!left || attempt(search, search->rows, middle, end) != NULL)
			rejected += reject_range(search, middle, end, marks);
		return rejected;
	}

	error = attempt(search, search->rows, begin, end);
	if (error == NULL || !rejects_item(search->plan, error->sqlerrcode))
		return 0;
	marks_reject(marks, begin, error->sqlerrcode, error->message, find_column(search, begin, error), NULL);
	return 1;
}

/* Is it the values of the item, for certain, or as far as it matters to the destination? */
static bool
rejects_item(const WritePlan *plan, int sqlstate)
{
	if (plan->step->destination.rejects_bad_items)
		return culprit_is_possible(sqlstate);
	return ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_DATA_EXCEPTION ||
		ERRCODE_TO_CATEGORY(sqlstate) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION;
}

/*
 * Tries a part of the batch, and undoes it: the error, or NULL.  computation NULL: the
 * statement that writes.
 */
static ErrorData *
attempt(Search *search, Computation *computation, int64 begin, int64 end)
{
	MemoryContext old = MemoryContextSwitchTo(search->memory);
	ErrorData  *error;

	CHECK_FOR_INTERRUPTS();
	search->computation = computation;
	leave_only(search, begin, end);
	error = subtransaction_run(run_attempt, search, SUBTRANSACTION_UNDO);
	MemoryContextSwitchTo(old);
	if (error != NULL && ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		error_rethrow(error);
	return error;
}

static void
run_attempt(void *arg)
{
	Search	   *search = arg;
	Computation *computation = search->computation;
	WriteCounts counts = {0};

	SPI_connect();
	batch_bind(search->plan->binding, search->batch, search->first_item, search->scratch);
	PG_TRY();
	{
		if (computation != NULL)
			prepared_run(&computation->statement, computation->sql, search->scopes);
		else
			write_plan_run_statement(search->plan, search->batch, search->scopes, search->scratch, &counts);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();
	SPI_finish();
}

/* Marks what is not to be tried; the rest as before the statement. */
static void
leave_only(Search *search, int64 begin, int64 end)
{
	Marks	   *scratch = search->scratch;
	ItemMark   *items = scratch->items;

	if (search->marks != NULL)
	{
		*scratch = *search->marks;
		scratch->context = search->memory;
		scratch->items = items;
		marks_restore(scratch, search->marks->items);
	}
	else
		memset(items, 0, sizeof(ItemMark) * scratch->nitems);
	for (int64 i = 0; i < scratch->nitems; i++)
	{
		if (i < begin || i >= end)
			marks_drop(scratch, i);
	}
}

/* The detail has the row's values where the table refuses it. */
static bool
same_error(const ErrorData *a, const ErrorData *b)
{
	return a != NULL && a->sqlerrcode == b->sqlerrcode &&
		same_text(a->message, b->message) && same_text(a->detail, b->detail);
}

static bool
same_text(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

const char *
culprit_refused_column(const WritePlan *plan, const ErrorData *error)
{
	Oid			table;
	Oid			constraint;
	Bitmapset  *columns;
	int			column;

	if (plan->target == NULL || error->schema_name == NULL || error->table_name == NULL)
		return NULL;
	table = RangeVarGetRelid(makeRangeVar(error->schema_name, error->table_name, -1), NoLock, true);
	if (!OidIsValid(table) || !is_part_of(table, plan->target->oid))
		return NULL;
	if (error->column_name != NULL || error->constraint_name == NULL)
		return error->column_name;
	columns = get_relation_constraint_attnos(table, error->constraint_name, true, &constraint);
	if (!bms_get_singleton_member(columns, &column))
		return NULL;
	return get_attname(table, column + FirstLowInvalidHeapAttributeNumber, true);
}

/* Is the table the one that is written to, or a partition of it, rather than one that a trigger writes to? */
static bool
is_part_of(Oid table, Oid target)
{
	return table == target ||
		(get_rel_relispartition(table) && list_member_oid(get_partition_ancestors(table), target));
}

/* item 17, column "ratio", values {"a": 1, "b": 0} */
static char *
describe(const WritePlan *plan, const ItemBatch *batch, int64 first_item, const Culprit *culprit)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "item " INT64_FORMAT, item_batch_position(batch, first_item, culprit->item) + 1);
	if (culprit->column != NULL)
		appendStringInfo(&text, ", column \"%s\"", culprit->column);
	appendStringInfo(&text, ", values %s", clipped(item_values(plan, batch, culprit)));
	return text.data;
}

/*
 * What was read of the item, by path: for the column, if that is known, else for
 * all.  The item itself where a template takes it whole.
 */
static char *
item_values(const WritePlan *plan, const ItemBatch *batch, const Culprit *culprit)
{
	const PlanColumn *column = culprit->column ? write_plan_column(plan, culprit->column) : NULL;
	const char *expression = column ? column->expr->sql : NULL;
	StringInfoData json;
	List	   *seen = NIL;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	foreach(lc, plan->inputs)
	{
		const TemplateInput *input = lfirst(lc);
		int			path = batch_binding_path(plan->binding, input);
		char	   *value;

		if (path < 0 || list_member_int(seen, path) ||
			(expression != NULL && !template_uses_input(expression, input)))
			continue;
		seen = lappend_int(seen, path);
		value = cell_json_text(batch, &batch->cells[culprit->item * batch->npaths + path]);
		if (input->path->nsteps == 0)
			return value ? value : pstrdup("null");
		if (json.len > SHOWN_ITEM_BYTES)
			continue;
		if (json.len > 1)
			appendStringInfoString(&json, ", ");
		escape_json(&json, json_path_print(input->path));
		appendStringInfo(&json, ": %s", value ? value : "null");
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* On one line, as every line of a context is one of its places. */
static char *
clipped(const char *text)
{
	char	   *line = text_clip(text, SHOWN_ITEM_BYTES);

	for (char *c = line; *c != '\0'; c++)
	{
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	}
	return line;
}
