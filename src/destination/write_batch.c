/*
 * write_batch.c
 *	  Runs a write plan: one batch, one statement.
 *
 * Items that map to columns by name are written to those columns whose keys
 * were seen so far: a key that no item has leaves its column alone (its
 * default, or what an upsert finds there).  When an item brings a new one, the
 * statement is built again with it; from then on an item without the key gives
 * the column its default.  A rule does not change that: it looks at the value
 * that the column would get in a new row.
 *
 * New rows, the whole of a first run, need none of what an upsert does: no look
 * at what is there, no speculative insertion, no sort.  So after a batch of
 * nothing but new rows the next one is tried as a plain INSERT, which takes half
 * the time.  If it finds a duplicate key (of a row that is there, or of two
 * items), or a row that is refused (which the upsert may not write at all), it is
 * undone and the batch is upserted, and the next try waits for twice as many
 * batches of new rows.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/subtransaction.h"
#include "destination/bulk_insert.h"
#include "destination/culprit.h"
#include "destination/isolate.h"
#include "destination/prepared.h"
#include "destination/schema_changes.h"
#include "destination/stage.h"
#include "destination/upsert_way.h"
#include "item/convert.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* After so many batches of new rows the plain INSERT is tried again, however often it failed. */
#define MAX_NEW_BATCHES_NEEDED 64

/* Of an item that is rejected, so many bytes are kept. */
#define MAX_KEPT_ITEM_BYTES (1024 * 1024)

/* A preview in the making. */
typedef struct Preview
{
	WritePlan  *plan;
	char	   *sql;
	SPIPlanPtr	statement;
	char	   *compute_sql;	/* the rows as the table would take them */
	SPIPlanPtr	compute_statement;
	Jsonb	   *scopes;
	Marks	   *marks;			/* of the whole batch, by source.where; NULL where that failed */
	Jsonb	  **rows;
	char	  **errors;
	MemoryContext result_context;
} Preview;

typedef void (*PreviewWork) (Preview *preview, const ItemBatch *batch, int first_item);

typedef struct PreviewAttempt
{
	Preview    *preview;
	PreviewWork work;
	const ItemBatch *batch;
	int			first_item;
} PreviewAttempt;

static void run_plan(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes,
					 Marks *marks, WriteCounts *counts);
static void explain_changed_table(const WritePlan *plan, ErrorData *error);
static void try_plan(void *arg);
static void try_part(void *arg);
static void filter_items(WritePlan *plan, ItemFilter *filter, const ItemBatch *batch, int64 first_item, Jsonb *scopes, Marks *marks);
static void try_filter(void *arg);
static List *finish_batch(const WritePlan *plan, const ItemBatch *batch, const Marks *marks, WriteCounts *counts);
static void reject_bad_items(Marks *marks, const ItemBatch *batch);
static List *rejected_items(const WritePlan *plan, const ItemBatch *batch, const Marks *marks);
static void write_batch(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, Marks *marks, WriteCounts *counts);
static int64 kept_items(const ItemBatch *batch, const Marks *marks);
static bool note_keys(WritePlan *plan, const ItemBatch *batch, const Marks *marks);
static bool batch_has_path(const ItemBatch *batch, int path, const Marks *marks, bool also_deleted);
static bool insert_new_rows(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, Marks *marks, WriteCounts *counts);
static void try_insert(void *arg);
static bool insert_in_bulk(SPIPlanPtr *statement, const char *sql, const ItemBatch *batch, Jsonb *scopes, const Marks *marks,
						   WriteCounts *counts);
static void add_insert_counts(int64 nitems, uint64 inserted, WriteCounts *counts);
static void add_upsert_counts(WritePlan *plan, int64 nitems, WriteCounts *counts);
static int64 count_column(int number);
static void preview_marks(Preview *preview, const ItemBatch *batch, int first_item);
static void preview_rows(Preview *preview, const ItemBatch *batch, int first_item);
static void run_preview(const Preview *preview, const ItemBatch *batch, int first_item, Marks *marks,
						SPIPlanPtr statement, const char *sql);
static void take_rows(Preview *preview, int first_item);
static void show_mark(Preview *preview, const ItemMark *mark, int item);
static bool preview_safely(Preview *preview, PreviewWork work, const ItemBatch *batch, int first_item, char **error);
static void try_preview(void *arg);
static ItemBatch single_item_batch(const ItemBatch *batch, int64 item);
static char *describe_error(const ErrorData *error);

List *
write_plan_execute(WritePlan *plan, const ItemBatch *batch, int64 first_item,
				   Jsonb *scopes, WriteCounts *counts)
{
	Marks	   *marks;

	plan->failed_for_item = false;
	marks = write_plan_mark(plan, batch, first_item, scopes);
	plan->last_marks = marks;
	batch = schema_changes_apply(plan, batch, first_item, marks);
	if (!marks_all(marks, batch->nitems))
		run_plan(plan, batch, first_item, scopes, marks, counts);
	return finish_batch(plan, batch, marks, counts);
}

bool
write_plan_failed_for_item(const WritePlan *plan, const ErrorData *error)
{
	return plan->failed_for_item && isolate_is_possible(error);
}

List *
write_plan_reject_batch(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes,
						const ErrorData *error, WriteCounts *counts)
{
	Marks	   *marks = write_plan_mark(plan, batch, first_item, scopes);
	const char *column = culprit_refused_column(plan, error);
	char	   *message = psprintf("the batch failed: %s", error->message);

	if (marks == NULL)
		marks = marks_create(batch->nitems);
	reject_bad_items(marks, batch);
	for (int i = 0; i < batch->nitems; i++)
		marks_reject(marks, i, error->sqlerrcode, message, column, error->constraint_name);
	return finish_batch(plan, batch, marks, counts);
}

/* What has become of the batch's items. */
static List *
finish_batch(const WritePlan *plan, const ItemBatch *batch, const Marks *marks, WriteCounts *counts)
{
	MarkCounts	marked = marks_count(marks);

	counts->processed += batch->nitems;
	counts->unchanged += marked.skipped;
	counts->skipped += marked.skipped;
	counts->rejected += marked.rejected;
	return marked.rejected > 0 ? rejected_items(plan, batch, marks) : NIL;
}

Marks *
write_plan_mark(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes)
{
	bool		rejects = write_plan_rejects(plan);
	Marks	   *marks;

	if (plan->filter == NULL && plan->deletion == NULL && plan->marks == 0 && !rejects && batch->dropped == NULL)
		return NULL;

	marks = marks_create(batch->nitems);
	marks->validated = rejects;
	if (plan->rules != NULL)
	{
		marks->nfailures = plan->rules->nfailures;
		marks->failures = plan->rules->failures;
	}
	if (rejects)
		reject_bad_items(marks, batch);
	for (int item = bms_next_member(batch->dropped, -1); item >= 0; item = bms_next_member(batch->dropped, item))
		marks_drop(marks, item);
	if (plan->filter != NULL && batch->nitems > 0)
		filter_items(plan, plan->filter, batch, first_item, scopes, marks);
	if (plan->deletion != NULL && !marks_all(marks, batch->nitems))
		filter_items(plan, plan->deletion, batch, first_item, scopes, marks);
	return marks;
}

static void
reject_bad_items(Marks *marks, const ItemBatch *batch)
{
	ListCell   *lc;

	foreach(lc, batch->bad)
	{
		const BadItem *bad = lfirst(lc);

		marks_reject(marks, bad->item, bad->sqlstate, bad->reason, NULL, NULL);
	}
}

/* Marks what the condition is for; an item of which that cannot be told is a bad one. */
static void
filter_items(WritePlan *plan, ItemFilter *filter, const ItemBatch *batch, int64 first_item, Jsonb *scopes, Marks *marks)
{
	PlanRun		run = {plan, batch, first_item, scopes, marks, NULL, filter};
	const ItemMark *saved;
	ErrorData  *error;

	if (!plan->step->destination.rejects_bad_items)
	{
		plan->failed_for_item = true;	/* if it fails */
		try_filter(&run);
		plan->failed_for_item = false;
		return;
	}
	saved = marks_save(marks);
	error = subtransaction_run(try_filter, &run, SUBTRANSACTION_KEEP);
	if (error == NULL)
		return;
	marks_restore(marks, saved);
	if (!isolate_is_possible(error))
		error_rethrow(error);
	isolate_bad_items(try_filter, &run, error);
}

static void
try_filter(void *arg)
{
	PlanRun    *run = arg;

	SPI_connect();
	item_filter_mark(run->filter, run->batch, run->first_item, run->scopes, run->marks);
	SPI_finish();
}

/*
 * Writes the items that are not marked.  Where bad items are rejected, one
 * whose row cannot be computed is, as one is whose values cannot be
 * converted; that is found out only after the statement has failed.  Where the
 * destination says so, those that the table refuses are rejected too.
 */
static void
run_plan(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes,
		 Marks *marks, WriteCounts *counts)
{
	PlanRun		run = {plan, batch, first_item, scopes, marks, counts};
	const ItemMark *saved = marks_save(marks);
	ErrorData  *error;

	if (plan->target == NULL || (!OidIsValid(plan->target->oid) && !plan->step->destination.none))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("table %s is not created yet", write_plan_table(plan))));

	plan->in_bulk = !plan->upserts && !plan->step->destination.none;
	error = subtransaction_run(try_plan, &run, SUBTRANSACTION_KEEP);
	if (error != NULL && plan->in_bulk && culprit_is_possible(error->sqlerrcode))
	{
		/* which item is to blame, and for what, the statement itself knows */
		marks_restore(marks, saved);
		plan->in_bulk = false;
		error = subtransaction_run(try_plan, &run, SUBTRANSACTION_KEEP);
	}
	plan->in_bulk = false;
	if (error == NULL)
		return;
	marks_restore(marks, saved);
	if (write_plan_rejects(plan) && culprit_is_possible(error->sqlerrcode) &&
		culprit_reject_all(plan, batch, first_item, scopes, marks) > 0)
	{
		if (marks_all(marks, batch->nitems))
			return;
		saved = marks_save(marks);
		error = subtransaction_run(try_plan, &run, SUBTRANSACTION_KEEP);
		if (error == NULL)
			return;
		marks_restore(marks, saved);
	}
	if (plan->step->destination.rejects_bad_items && isolate_is_possible(error))
	{
		isolate_bad_items(try_part, &run, error);
		return;
	}
	plan->failed_for_item = culprit_explain(plan, batch, first_item, scopes, marks, CULPRIT_OF_WRITE, error);
	explain_changed_table(plan, error);
	error_rethrow(error);
}

/* Somebody has taken away, or made into something else, what the statement is about. */
static void
explain_changed_table(const WritePlan *plan, ErrorData *error)
{
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION ||
		plan->step->destination.none ||
		(!target_has_changed(plan->target) && (plan->insert_sql == NULL || target_has_unique_key(plan->target, plan->key))))
		return;
	error->hint = psprintf("Table %s was changed while the job was running: run it again.", plan->target->qualified);
}

static void
try_plan(void *arg)
{
	PlanRun    *run = arg;

	SPI_connect();
	batch_bind(run->plan->binding, run->batch, run->first_item, run->marks);
	PG_TRY();
	{
		write_batch(run->plan, run->batch, run->scopes, run->marks, run->counts);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();
	SPI_finish();
}

/* As try_plan, of a part of a batch that the statement has been built for. */
static void
try_part(void *arg)
{
	PlanRun    *run = arg;

	SPI_connect();
	batch_bind(run->plan->binding, run->batch, run->first_item, run->marks);
	PG_TRY();
	{
		write_plan_run_statement(run->plan, run->batch, run->scopes, run->marks, run->counts);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();
	SPI_finish();
}

/* The items that the marks reject, with their text. */
static List *
rejected_items(const WritePlan *plan, const ItemBatch *batch, const Marks *marks)
{
	List	   *items = NIL;
	ListCell   *stretch = list_head(batch->contexts);
	const char *context = NULL;

	for (int64 i = 0; i < batch->nitems; i++)
	{
		const ItemMark *mark = &marks->items[i];
		const Cell *cell;
		RejectedItem *rejected;

		for (; stretch != NULL && ((ContextStretch *) lfirst(stretch))->first_item <= i + batch->before;
			 stretch = lnext(batch->contexts, stretch))
			context = ((ContextStretch *) lfirst(stretch))->context->json;
		if (mark->kind != MARK_REJECTED)
			continue;
		rejected = palloc0(sizeof(RejectedItem));
		rejected->sqlstate = mark->sqlstate;
		rejected->message = mark->message;
		rejected->column = mark->column;
		rejected->constraint = mark->constraint;
		rejected->position = i;
		rejected->context = context;
		items = lappend(items, rejected);
		if (plan->whole_item < 0)	/* a function of the user's has rejected it, which no template of the step does */
			continue;
		cell = &batch->cells[i * batch->npaths + plan->whole_item];
		if (cell->length <= MAX_KEPT_ITEM_BYTES)
			rejected->item = cell_json_text(batch, cell);
		else
			rejected->message = psprintf("%s (the item has %u bytes and is not kept)", mark->message, cell->length);
	}
	return items;
}

void
write_plan_preview(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes,
				   Jsonb **rows, char **errors)
{
	Preview		preview = {.plan = plan, .scopes = scopes, .rows = rows, .errors = errors,
		.result_context = CurrentMemoryContext};
	StatementParts parts;

	for (int i = 0; i < batch->nitems; i++)
	{
		rows[i] = NULL;
		errors[i] = NULL;
	}
	if (batch->nitems == 0)
		return;

	/* A column that only items have which are dropped is none, unless that cannot be told. */
	(void) preview_safely(&preview, preview_marks, batch, 0, NULL);
	if (plan->step->destination.schema_changes == SCHEMA_ADD_COLUMNS)
		batch = schema_changes_apply(plan, batch, 0, preview.marks);
	if (plan->target != NULL && !marks_all(preview.marks, batch->nitems) && note_keys(plan, batch, preview.marks))
		write_plan_build(plan);
	SPI_connect();
	if (plan->target != NULL)
	{
		parts = write_plan_parts(plan, true);
		preview.sql = statement_preview(&parts);
		preview.statement = prepared_create(preview.sql);
		preview.compute_sql = statement_compute(&parts);
		preview.compute_statement = prepared_create(preview.compute_sql);
	}

	/* all at once; where that fails, each for itself */
	if ((batch->bad != NIL && !write_plan_rejects(plan)) || !preview_safely(&preview, preview_rows, batch, 0, NULL))
	{
		for (int i = 0; i < batch->nitems; i++)
		{
			ItemBatch	single = single_item_batch(batch, i);

			(void) preview_safely(&preview, preview_rows, &single, i, &errors[i]);
		}
	}
	SPI_finish();
}

/* Runs the statement over the bound batch. */
static void
write_batch(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, Marks *marks, WriteCounts *counts)
{
	if (note_keys(plan, batch, marks))
		write_plan_build(plan);

	/* without the index that the plan has seen, an INSERT would take any key for a new one */
	if (plan->insert_sql != NULL && plan->new_batches >= plan->new_batches_needed &&
		target_has_unique_key(plan->target, plan->key))
	{
		if (insert_new_rows(plan, batch, scopes, marks, counts))
			return;
		plan->new_batches = 0;
		plan->new_batches_needed = Min(plan->new_batches_needed * 2, MAX_NEW_BATCHES_NEEDED);
	}

	/* Where it cannot be done in bulk, the statement is not to be run once more when it fails. */
	plan->in_bulk = plan->in_bulk && stage_content(plan) != STAGE_ROWS &&
		insert_in_bulk(&plan->statement, plan->sql, batch, scopes, marks, counts);
	if (!plan->in_bulk)
		write_plan_run_statement(plan, batch, scopes, marks, counts);
}

void
write_plan_run_statement(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, const Marks *marks,
						 WriteCounts *counts)
{
	if (stage_content(plan) == STAGE_ROWS)
	{
		prepared_run(&plan->statement, plan->sql, scopes);
		return;					/* counted when they are published */
	}
	if (plan->step->destination.none)
	{
		prepared_run(&plan->statement, plan->sql, scopes);
		counts->unchanged += kept_items(batch, marks);
		return;
	}
	if (plan->upserts)
	{
		upsert_way_run(plan, batch, scopes, marks);
		add_upsert_counts(plan, kept_items(batch, marks), counts);
		return;
	}
	prepared_run(&plan->statement, plan->sql, scopes);
	add_insert_counts(kept_items(batch, marks), SPI_processed, counts);
}

/* Items that the statement had to write. */
static int64
kept_items(const ItemBatch *batch, const Marks *marks)
{
	MarkCounts	marked = marks_count(marks);

	return batch->nitems - marked.skipped - marked.rejected;
}

/*
 * Tries the plain INSERT in a subtransaction; false, with nothing done, where it
 * fails for what the rows hold: a key that is not new, or a row that is refused here, but
 * that a later one of its key replaces in an upsert.
 */
static bool
insert_new_rows(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, Marks *marks, WriteCounts *counts)
{
	PlanRun		run = {plan, batch, .scopes = scopes, .marks = marks, .counts = counts};
	const ItemMark *saved = marks_save(marks);
	ErrorData  *error = subtransaction_run(try_insert, &run, SUBTRANSACTION_KEEP);

	if (error == NULL)
		return true;
	if (!culprit_is_possible(error->sqlerrcode))
		error_rethrow(error);
	FreeErrorData(error);
	marks_restore(marks, saved);
	return false;
}

static void
try_insert(void *arg)
{
	PlanRun    *run = arg;

	WritePlan  *plan = run->plan;

	if (insert_in_bulk(&plan->insert_statement, plan->insert_sql, run->batch, run->scopes, run->marks, run->counts))
		return;
	prepared_run(&plan->insert_statement, plan->insert_sql, run->scopes);
	add_insert_counts(kept_items(run->batch, run->marks), SPI_processed, run->counts);
}

/* Runs a plain INSERT in the faster way, if it has one. */
static bool
insert_in_bulk(SPIPlanPtr *statement, const char *sql, const ItemBatch *batch, Jsonb *scopes, const Marks *marks,
			   WriteCounts *counts)
{
	uint64		inserted;

	prepared_plan(statement, sql);
	if (!bulk_insert_run(*statement, sql, scopes, &inserted))
		return false;
	add_insert_counts(kept_items(batch, marks), inserted, counts);
	return true;
}

/* Of a plain INSERT: rows that a trigger dropped are unchanged. */
static void
add_insert_counts(int64 nitems, uint64 inserted, WriteCounts *counts)
{
	counts->inserted += inserted;
	counts->unchanged += nitems - (int64) inserted;
}

/*
 * Takes columns into use whose keys the batch is the first to have.  True where
 * the statement has to be built again.
 */
static bool
note_keys(WritePlan *plan, const ItemBatch *batch, const Marks *marks)
{
	bool		changed = false;
	bool		any = false;
	ListCell   *lc;

	foreach(lc, plan->columns)
	{
		PlanColumn *column = lfirst(lc);

		if (!column->in_use &&
			batch_has_path(batch, batch_binding_path(plan->binding, column->expr->lone), marks,
						   name_list_has(plan->key, column->column->name)))
		{
			column->in_use = true;
			changed = true;
		}
		any = any || column->in_use;
	}
	if (!any && plan->step->destination.none)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("no item of step \"%s\" has a key that a later step names", plan->step->id),
				 errhint("Say in \"transform\" what the columns of the step are.")));
	if (!any)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("no item has a key that is a column of table %s", plan->target->qualified),
				 errhint("Say in \"transform\" how items become rows.")));
	return changed;
}

/* also_deleted: of items whose rows are to be deleted it counts, too. */
static bool
batch_has_path(const ItemBatch *batch, int path, const Marks *marks, bool also_deleted)
{
	const Cell *cell = batch->cells + path;

	for (int64 item = 0; item < batch->nitems; item++, cell += batch->npaths)
	{
		if (cell->kind != CELL_MISSING && !marks_has(marks, item) && (also_deleted || !marks_has_deleted(marks, item)))
			return true;
	}
	return false;
}

/*
 * Reads the row of counts that a statement gives which finds rows by their key.  What was
 * neither new nor updated nor deleted is unchanged: rows equal to what is there, others of the same key,
 * rows that the mode leaves alone, and rows that a trigger dropped.  (For a partitioned table, new rows are those
 * that were not there when they were looked up.)
 */
static void
add_upsert_counts(WritePlan *plan, int64 nitems, WriteCounts *counts)
{
	int64		written = count_column(1);
	int64		inserted = Min(written, count_column(2));
	int64		deleted = plan->deletion ? count_column(4) : 0;

	if (count_column(3) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("an item has no value for the key (%s) of table %s",
						name_list_quoted(plan->key), plan->target->qualified),
				 errdetail("A row without a key could not be found again by the next run.")));
	counts->inserted += inserted;
	counts->updated += written - inserted;
	counts->deleted += deleted;
	counts->unchanged += nitems - written - deleted;
	plan->new_batches = inserted == nitems ? plan->new_batches + 1 : 0;
	upsert_way_note(plan, nitems, written);
	SPI_freetuptable(SPI_tuptable);
}

static int64
count_column(int number)
{
	bool		isnull;

	if (SPI_tuptable == NULL || SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("upsert gave no counts")));
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number, &isnull));
}

/* Leaves the marks of what source.where drops. */
static void
preview_marks(Preview *preview, const ItemBatch *batch, int first_item)
{
	MemoryContext old = MemoryContextSwitchTo(preview->result_context);

	preview->marks = write_plan_mark(preview->plan, batch, first_item, preview->scopes);
	MemoryContextSwitchTo(old);
}

/* Fills rows and errors of the items from first_item on; raises the error of the first bad one. */
static void
preview_rows(Preview *preview, const ItemBatch *batch, int first_item)
{
	Marks	   *marks = write_plan_mark(preview->plan, batch, first_item, preview->scopes);

	if (preview->plan->step->destination.schema_changes == SCHEMA_FAIL)
		(void) schema_changes_apply(preview->plan, batch, first_item, marks);
	if (preview->statement != NULL && !marks_all(marks, batch->nitems))
	{
		run_preview(preview, batch, first_item, marks, preview->statement, preview->sql);
		take_rows(preview, first_item);
		run_preview(preview, batch, first_item, marks, preview->compute_statement, preview->compute_sql);
	}
	for (int i = 0; marks != NULL && i < batch->nitems; i++)
		show_mark(preview, &marks->items[i], first_item + i);
}

static void
run_preview(const Preview *preview, const ItemBatch *batch, int first_item, Marks *marks,
			SPIPlanPtr statement, const char *sql)
{
	batch_bind(preview->plan->binding, batch, first_item, marks);
	PG_TRY();
	{
		prepared_execute(statement, sql, preview->scopes);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();
}

static void
take_rows(Preview *preview, int first_item)
{
	MemoryContext old = MemoryContextSwitchTo(preview->result_context);

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		int64		item = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		Datum		row = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull);

		preview->rows[first_item + item] = DatumGetJsonbPCopy(row);
	}
	MemoryContextSwitchTo(old);
	SPI_freetuptable(SPI_tuptable);
}

/* Says why the item would not be written; only of a rejected one its row is of interest. */
static void
show_mark(Preview *preview, const ItemMark *mark, int item)
{
	switch (mark->kind)
	{
		case MARK_KEPT:
			if (!mark->deleted)
				break;
			preview->errors[item] = "its row is deleted";
			preview->rows[item] = NULL;
			break;
		case MARK_DROPPED:
			preview->errors[item] = "dropped by source.where";
			preview->rows[item] = NULL;
			break;
		case MARK_SKIPPED:
			preview->errors[item] = "skipped";
			preview->rows[item] = NULL;
			break;
		case MARK_REJECTED:
			preview->errors[item] = MemoryContextStrdup(preview->result_context, mark->message);
			break;
	}
}

/* The work in a subtransaction; false where it fails, with the error's text if that is wanted. */
static bool
preview_safely(Preview *preview, PreviewWork work, const ItemBatch *batch, int first_item, char **error)
{
	PreviewAttempt attempt = {preview, work, batch, first_item};
	MemoryContext old = MemoryContextSwitchTo(preview->result_context);
	ErrorData  *data = subtransaction_run(try_preview, &attempt, SUBTRANSACTION_KEEP);

	if (data != NULL && ERRCODE_TO_CATEGORY(data->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		error_rethrow(data);
	if (data != NULL && error != NULL)
	{
		if (preview->statement != NULL)
			(void) culprit_explain(preview->plan, batch, first_item, preview->scopes, NULL, CULPRIT_OF_COMPUTATION, data);
		*error = describe_error(data);
	}
	MemoryContextSwitchTo(old);
	return data == NULL;
}

static void
try_preview(void *arg)
{
	PreviewAttempt *attempt = arg;

	attempt->work(attempt->preview, attempt->batch, attempt->first_item);
}

/* A batch that is one item of another. */
static ItemBatch
single_item_batch(const ItemBatch *batch, int64 item)
{
	ItemBatch	single = *batch;
	ListCell   *lc;

	single.nitems = 1;
	single.cells = batch->cells + item * batch->npaths;
	single.bad = NIL;
	foreach(lc, batch->bad)
	{
		const BadItem *bad = lfirst(lc);

		if (bad->item == item)
		{
			BadItem    *copy = palloc(sizeof(BadItem));

			*copy = *bad;
			copy->item = 0;
			single.bad = lappend(single.bad, copy);
		}
	}
	return single;
}

/* The error in one line, with the column and value where the conversion failed. */
static char *
describe_error(const ErrorData *error)
{
	const char *place = error->context != NULL ? strstr(error->context, ", column ") : NULL;
	int			length;

	if (place == NULL && error->context != NULL)
		place = strstr(error->context, ", path ");
	if (place == NULL)
		return pstrdup(error->message);
	place += 2;
	length = strcspn(place, "\n");
	return psprintf("%s (%.*s)", error->message, length, place);
}
