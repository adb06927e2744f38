/*
 * write_batch.c
 *	  Runs a write plan: one batch, one statement.
 *
 * Items that map to columns by name are written to those columns whose keys
 * were seen so far: a key that no item has leaves its column alone (its
 * default, or what an upsert finds there).  When an item brings a new one, the
 * statement is built again with it; from then on an item without the key gives
 * the column its default.
 *
 * New rows, the whole of a first run, need none of what an upsert does: no look
 * at what is there, no speculative insertion, no sort.  So after a batch of
 * nothing but new rows the next one is tried as a plain INSERT, which takes half
 * the time.  If it finds a duplicate key (of a row that is there, or of two
 * items), it is undone and the batch is upserted, and the next try waits for
 * twice as many batches of new rows.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "destination/write_plan_data.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

/* Settings that leave the planner one way to look up a batch's keys: see statement.c. */
static const char *const planner_settings[] = {
	"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin",
	"enable_material", "enable_memoize", "jit"
};

/* After so many batches of new rows the plain INSERT is tried again, however often it failed. */
#define MAX_NEW_BATCHES_NEEDED 64

/* A preview in the making. */
typedef struct Preview
{
	WritePlan  *plan;
	SPIPlanPtr	statement;
	bool		uses_scopes;
	Jsonb	   *scopes;
	MemoryContext result_context;
} Preview;

static void write_batch(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, WriteCounts *counts);
static bool note_keys(WritePlan *plan, const ItemBatch *batch);
static bool batch_has_path(const ItemBatch *batch, int path);
static bool insert_new_rows(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, WriteCounts *counts);
static void run_statement(SPIPlanPtr *statement, const char *sql, Jsonb *scopes);
static void add_insert_counts(int64 nitems, WriteCounts *counts);
static void add_upsert_counts(WritePlan *plan, int64 nitems, WriteCounts *counts);
static int64 count_column(int number);
static bool sql_uses_scopes(const char *sql);
static SPIPlanPtr prepare(const char *sql);
static void make_generic_plan(SPIPlanPtr statement);
static void set_for_now(const char *name, const char *value);
static void execute_prepared(SPIPlanPtr statement, bool uses_scopes, Jsonb *scopes);
static void preview_rows(const Preview *preview, const ItemBatch *batch, Jsonb **rows);
static bool preview_safely(const Preview *preview, const ItemBatch *batch, Jsonb **rows, char **error);
static ItemBatch single_item_batch(const ItemBatch *batch, int64 item);
static char *describe_error(const ErrorData *error);

void
write_plan_execute(WritePlan *plan, const ItemBatch *batch, int64 first_item,
				   Jsonb *scopes, WriteCounts *counts)
{
	if (plan->target == NULL || !OidIsValid(plan->target->oid))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("table %s is not created yet", write_plan_table(plan))));
	if (batch->nitems == 0)
		return;

	SPI_connect();
	batch_bind(plan->binding, batch, first_item);
	PG_TRY();
	{
		write_batch(plan, batch, scopes, counts);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();
	SPI_finish();
}

void
write_plan_preview(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes,
				   Jsonb **rows, char **errors)
{
	Preview		preview = {.plan = plan, .scopes = scopes, .result_context = CurrentMemoryContext};
	StatementParts parts;
	char	   *sql;

	for (int i = 0; i < batch->nitems; i++)
	{
		rows[i] = NULL;
		errors[i] = NULL;
	}
	if (batch->nitems == 0)
		return;

	if (note_keys(plan, batch))
		write_plan_build(plan);
	SPI_connect();
	parts = write_plan_parts(plan, true);
	sql = statement_preview(&parts);
	preview.uses_scopes = sql_uses_scopes(sql);
	preview.statement = prepare(sql);

	/* all at once; where that fails, each for itself */
	if (batch->bad != NIL || !preview_safely(&preview, batch, rows, NULL))
	{
		for (int i = 0; i < batch->nitems; i++)
		{
			ItemBatch	single = single_item_batch(batch, i);

			(void) preview_safely(&preview, &single, &rows[i], &errors[i]);
		}
	}
	SPI_finish();
}

/* Runs the statement over the bound batch. */
static void
write_batch(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, WriteCounts *counts)
{
	if (note_keys(plan, batch))
		write_plan_build(plan);
	counts->processed += batch->nitems;

	if (plan->insert_sql != NULL && plan->new_batches >= plan->new_batches_needed)
	{
		if (insert_new_rows(plan, batch, scopes, counts))
			return;
		plan->new_batches = 0;
		plan->new_batches_needed = Min(plan->new_batches_needed * 2, MAX_NEW_BATCHES_NEEDED);
	}

	run_statement(&plan->statement, plan->sql, scopes);
	if (plan->upserts)
		add_upsert_counts(plan, batch->nitems, counts);
	else
		add_insert_counts(batch->nitems, counts);
}

/* Tries the plain INSERT in a subtransaction; false, with nothing done, where a key is not new. */
static bool
insert_new_rows(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, WriteCounts *counts)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run_statement(&plan->insert_statement, plan->insert_sql, scopes);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	if (error == NULL)
	{
		add_insert_counts(batch->nitems, counts);
		return true;
	}
	if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
		error_rethrow(error);
	FreeErrorData(error);
	return false;
}

/* Prepares the statement, the first time, and runs it over the bound batch. */
static void
run_statement(SPIPlanPtr *statement, const char *sql, Jsonb *scopes)
{
	if (*statement == NULL)
	{
		SPIPlanPtr	prepared = prepare(sql);

		SPI_keepplan(prepared);
		*statement = prepared;
	}
	make_generic_plan(*statement);
	execute_prepared(*statement, sql_uses_scopes(sql), scopes);
}

/* Of a plain INSERT: rows that a trigger dropped are unchanged. */
static void
add_insert_counts(int64 nitems, WriteCounts *counts)
{
	counts->inserted += SPI_processed;
	counts->unchanged += nitems - (int64) SPI_processed;
}

/*
 * Takes columns into use whose keys the batch is the first to have.  True where
 * the statement has to be built again.
 */
static bool
note_keys(WritePlan *plan, const ItemBatch *batch)
{
	bool		changed = false;
	bool		any = false;
	ListCell   *lc;

	foreach(lc, plan->columns)
	{
		PlanColumn *column = lfirst(lc);

		if (!column->in_use &&
			batch_has_path(batch, batch_binding_path(plan->binding, column->expr->lone)))
		{
			column->in_use = true;
			changed = true;
		}
		any = any || column->in_use;
	}
	if (!any)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("no item has a key that is a column of table %s", plan->target->qualified),
				 errhint("Say in \"transform\" how items become rows.")));
	return changed;
}

static bool
batch_has_path(const ItemBatch *batch, int path)
{
	const Cell *cell = batch->cells + path;

	for (int64 item = 0; item < batch->nitems; item++, cell += batch->npaths)
	{
		if (cell->kind != CELL_MISSING)
			return true;
	}
	return false;
}

/*
 * Reads the row of counts that an upsert gives.  What was neither new nor
 * updated is unchanged: rows equal to what is there, earlier ones of the same key, and
 * rows that a trigger dropped.  (For a partitioned table, new rows are those
 * that were not there when they were looked up.)
 */
static void
add_upsert_counts(WritePlan *plan, int64 nitems, WriteCounts *counts)
{
	int64		written = count_column(1);
	int64		inserted = Min(written, count_column(2));

	if (count_column(3) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("an item has no value for the key (%s) of table %s",
						name_list_quoted(plan->key), plan->target->qualified),
				 errdetail("A row without a key could not be found again by the next run.")));
	counts->inserted += inserted;
	counts->updated += written - inserted;
	counts->unchanged += nitems - written;
	plan->new_batches = inserted == nitems ? plan->new_batches + 1 : 0;
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

/* A parameter that is declared and not used costs nothing, so a literal "$1" does no harm. */
static bool
sql_uses_scopes(const char *sql)
{
	return strstr(sql, "$1") != NULL;
}

static SPIPlanPtr
prepare(const char *sql)
{
	Oid			types[1] = {JSONBOID};
	SPIPlanPtr	statement = SPI_prepare_cursor(sql, sql_uses_scopes(sql) ? 1 : 0, types,
											   CURSOR_OPT_GENERIC_PLAN);

	if (statement == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not prepare a statement: %s", SPI_result_code_string(SPI_result))));
	return statement;
}

/*
 * Has the statement planned, if it is not, with the settings it needs.  They
 * hold for the planning alone: triggers of the table plan as ever.  The locks
 * that are taken here keep the plan valid until it is executed.
 */
static void
make_generic_plan(SPIPlanPtr statement)
{
	int			level = write_plan_set_planner();
	CachedPlan *cached;

	cached = SPI_plan_get_cached_plan(statement);
	if (cached != NULL)
		ReleaseCachedPlan(cached, CurrentResourceOwner);
	AtEOXact_GUC(true, level);
}

int
write_plan_set_planner(void)
{
	int			level = NewGUCNestLevel();

	for (int i = 0; i < lengthof(planner_settings); i++)
		set_for_now(planner_settings[i], "off");
	return level;
}

/* Sets a setting until the current GUC nest level ends. */
static void
set_for_now(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Executes; the result is in SPI_processed and SPI_tuptable. */
static void
execute_prepared(SPIPlanPtr statement, bool uses_scopes, Jsonb *scopes)
{
	Datum		values[1] = {PointerGetDatum(scopes)};
	char		nulls[1] = {scopes == NULL ? 'n' : ' '};
	int			level = NewGUCNestLevel();
	int			code;

	/* the one setting that would overrule the generic plan */
	if (plan_cache_mode == PLAN_CACHE_MODE_FORCE_CUSTOM_PLAN)
		set_for_now("plan_cache_mode", "auto");
	code = SPI_execute_plan(statement, uses_scopes ? values : NULL, uses_scopes ? nulls : NULL, false, 0);
	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not execute a statement: %s", SPI_result_code_string(code))));
	AtEOXact_GUC(true, level);
}

/* The rows of the batch, in the result context; raises the error of the first bad one. */
static void
preview_rows(const Preview *preview, const ItemBatch *batch, Jsonb **rows)
{
	batch_bind(preview->plan->binding, batch, 0);
	PG_TRY();
	{
		execute_prepared(preview->statement, preview->uses_scopes, preview->scopes);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();

	if (SPI_processed != batch->nitems)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("preview gave %llu rows for %d items",
			 (unsigned long long) SPI_processed, batch->nitems)));
	for (int i = 0; i < batch->nitems; i++)
	{
		bool		isnull;
		Datum		row = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext old = MemoryContextSwitchTo(preview->result_context);

		rows[i] = DatumGetJsonbPCopy(row);
		MemoryContextSwitchTo(old);
	}
	SPI_freetuptable(SPI_tuptable);
}

/* preview_rows in a subtransaction; false where it fails, with the error's text if that is wanted. */
static bool
preview_safely(const Preview *preview, const ItemBatch *batch, Jsonb **rows, char **error)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		preview_rows(preview, batch, rows);
		ReleaseCurrentSubTransaction();
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *data;

		MemoryContextSwitchTo(preview->result_context);
		data = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (ERRCODE_TO_CATEGORY(data->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
			ReThrowError(data);
		if (error != NULL)
		{
			MemoryContextSwitchTo(preview->result_context);
			*error = describe_error(data);
		}
		FreeErrorData(data);
	}
	PG_END_TRY();

	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return done;
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
