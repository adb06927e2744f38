/*
 * delivered.c
 *	  The rows that a batch delivered, for steps whose requests are made of them.
 */
#include "postgres.h"

#include "destination/prepared.h"
#include "destination/schema_changes.h"
#include "destination/write_plan_data.h"
#include "executor/spi.h"

static int	take_rows(Jsonb **rows, const Marks *marks, MemoryContext context);

int
write_plan_delivered(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes, Jsonb ***rows)
{
	MemoryContext context = CurrentMemoryContext;
	StatementParts parts = write_plan_parts(plan, true);
	Marks	   *marks = plan->last_marks;
	const ItemMark *saved = marks_save(marks);
	char	   *sql = statement_preview(&parts);
	int			nrows;

	batch = schema_changes_widen(plan, batch);
	*rows = palloc(sizeof(Jsonb *) * Max(batch->nitems, 1));
	SPI_connect();
	batch_bind(plan->binding, batch, first_item, marks);
	PG_TRY();
	{
		prepared_execute(prepared_create(sql), sql, scopes);
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();
	nrows = take_rows(*rows, marks, context);
	SPI_finish();
	marks_restore(marks, saved);
	return nrows;
}

/* (position in the batch, row) of SPI's result; of an item whose row is deleted there is none. */
static int
take_rows(Jsonb **rows, const Marks *marks, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	int			nrows = 0;

	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		int64		item = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));

		if (marks_has_deleted(marks, item))
			continue;
		rows[nrows++] = DatumGetJsonbPCopy(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
	}
	MemoryContextSwitchTo(old);
	return nrows;
}
