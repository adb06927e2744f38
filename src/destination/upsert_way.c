/*
 * upsert_way.c
 *	  By which of its statements a batch of an upsert is written.
 *
 * What differs between them is how they come to know which rows are as they were
 * (statement.c has the reasons to ask):
 *
 * by key: each key is looked up in the index.  That is the plan's own statement.
 *
 * by range: where the keys of a batch are integers that lie close together, as those of a
 * listing by id do, the part of the index between the least and the greatest is read
 * once, in its order, beside the sorted rows of the batch.  There can be no
 * more rows in it than integers, so a range of a few times the batch's size is a
 * bound on the work that needs no statistics.
 *
 * not at all: after batches of which every row was written, a look is wasted.
 * ON CONFLICT finds what is there by itself, and its own WHERE leaves what has not
 * changed, at the cost of a lock on the row (which writes WAL).  When more than
 * a tenth of a batch was not to be written, the next is looked at again, and it
 * takes twice as many batches to get back here.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "destination/prepared.h"
#include "destination/upsert_way.h"
#include "destination/write_mode.h"
#include "item/convert.h"

/* A range is read that could have so many rows for each item. */
#define MAX_ROWS_PER_ITEM 4

/* After so many batches that were written whole, the look is left out again, however often that was wrong. */
#define MAX_WRITTEN_BATCHES_NEEDED 64

static const TemplateInput *integer_key_input(const WritePlan *plan);
static bool find_range(const WritePlan *plan, const ItemBatch *batch, const Marks *marks, int64 *least, int64 *greatest);

void
upsert_way_build(WritePlan *plan, const StatementParts *parts)
{
	UpsertWays *ways = &plan->ways;
	StatementParts other = *parts;

	upsert_way_release(plan);
	memset(ways, 0, sizeof(UpsertWays));
	ways->written_batches_needed = 2;
	if (!plan->upserts || !mode_inserts_new(plan) || plan->target->relkind != RELKIND_RELATION ||
		list_length(parts->columns) == list_length(parts->key))
		return;
	ways->key_input = integer_key_input(plan);
	if (ways->key_input != NULL)
	{
		other.look = LOOK_BY_RANGE;
		ways->range_sql = statement_upsert(&other);
	}
	other.look = LOOK_NOT;
	ways->blind_sql = statement_upsert(&other);
}

void
upsert_way_release(WritePlan *plan)
{
	UpsertWays *ways = &plan->ways;

	if (ways->range_statement != NULL)
		SPI_freeplan(ways->range_statement);
	if (ways->blind_statement != NULL)
		SPI_freeplan(ways->blind_statement);
	ways->range_statement = ways->blind_statement = NULL;
}

void
upsert_way_run(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, const Marks *marks)
{
	UpsertWays *ways = &plan->ways;
	int64		least;
	int64		greatest;

	ways->blind = ways->blind_sql != NULL && ways->written_batches >= ways->written_batches_needed;
	if (ways->blind)
		prepared_run(&ways->blind_statement, ways->blind_sql, scopes);
	else if (ways->range_sql != NULL && find_range(plan, batch, marks, &least, &greatest))
		prepared_run_range(&ways->range_statement, ways->range_sql, scopes, least, greatest);
	else
		prepared_run(&plan->statement, plan->sql, scopes);
}

void
upsert_way_note(WritePlan *plan, int64 nitems, int64 written)
{
	UpsertWays *ways = &plan->ways;

	if (written == nitems)
		ways->written_batches = Min(ways->written_batches + 1, MAX_WRITTEN_BATCHES_NEEDED);
	else if (!ways->blind)
		ways->written_batches = 0;
	else if (nitems - written > nitems / 10)
	{
		ways->written_batches = 0;
		ways->written_batches_needed = Min(ways->written_batches_needed * 2, MAX_WRITTEN_BATCHES_NEEDED);
	}
}

/* The input that goes as it is to the key's only column, which is an integer; or NULL. */
static const TemplateInput *
integer_key_input(const WritePlan *plan)
{
	const PlanColumn *column;
	Oid			type;

	if (list_length(plan->key) != 1)
		return NULL;
	column = write_plan_column(plan, linitial(plan->key));
	if (column == NULL)
		return NULL;
	type = column->column->type;
	return column->expr->type == type && (type == INT2OID || type == INT4OID || type == INT8OID) ? column->expr->lone : NULL;
}

/* False where some key is no plain integer, or they are far apart. */
static bool
find_range(const WritePlan *plan, const ItemBatch *batch, const Marks *marks, int64 *least, int64 *greatest)
{
	const Cell *cell = batch->cells + batch_binding_path(plan->binding, plan->ways.key_input);
	int64		keys = 0;

	*least = PG_INT64_MAX;
	*greatest = PG_INT64_MIN;
	for (int64 item = 0; item < batch->nitems; item++, cell += batch->npaths)
	{
		int64		key;

		if (marks_has(marks, item))
			continue;
		if (!cell_plain_integer(cell->kind, batch->arena + cell->offset, cell->length, &key))
			return false;
		*least = Min(*least, key);
		*greatest = Max(*greatest, key);
		keys++;
	}
	return keys > 0 && *greatest - *least < keys * MAX_ROWS_PER_ITEM;
}
