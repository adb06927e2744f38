/*
 * rejected_catalog.c
 *	  Table databite.rejected_item: items that were not written, and why.
 *
 * They are written in the transaction of their batch, leave when another try of them
 * fits (run/replay.c), and go with their run when history expires: see run_catalog_expire.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "catalog/rejected_catalog.h"
#include "catalog/row.h"
#include "miscadmin.h"
#include "utils/array.h"

void
rejected_catalog_add(const char *job_id, Oid owner, int64 run_id, const char *step,
					 int nrecords, const RejectedRecord *records)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;

	catalog_enter(&scope);
	for (int i = 0; i < nrecords; i++)
	{
		const RejectedRecord *record = &records[i];
		CatalogArgs args = {0};

		arg_text(&args, job_id);
		arg_oid(&args, owner);
		arg_int8(&args, run_id);
		arg_text(&args, step);
		arg_text(&args, record->item);
		arg_text(&args, unpack_sql_state(record->sqlstate));
		arg_text(&args, record->message);
		arg_text(&args, record->column);
		arg_text(&args, record->constraint);
		arg_text(&args, record->context);
		catalog_run_prepared(&plan,
							 "INSERT INTO databite.rejected_item"
							 " (job_id, owner, run_id, step, item, error_code, message, column_name, constraint_name, context)"
							 " VALUES ($1, $2::pg_catalog.regrole, $3, $4, $5::pg_catalog.json, $6, $7, $8, $9, $10::pg_catalog.json)",
							 &args, SPI_OK_INSERT);
		CHECK_FOR_INTERRUPTS();
	}
	catalog_leave(&scope);
}

List *
rejected_catalog_get(const char *job_id, int64 run_id, const char *step, int64 after_id, int max_items, int64 max_bytes)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	MemoryContext old;
	List	   *rows = NIL;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_int8_or_null(&args, run_id, 0);
	arg_text(&args, step);
	arg_int8(&args, after_id);
	arg_int4(&args, max_items);
	arg_int8(&args, max_bytes);
	catalog_run("SELECT id, run_id, item, context"
				" FROM (SELECT id, run_id, item, context, pg_catalog.row_number() OVER w AS number,"
				" pg_catalog.first_value(run_id) OVER w AS first_run,"
				" pg_catalog.sum(pg_catalog.octet_length(item) + COALESCE(pg_catalog.octet_length(context), 0)) OVER w AS bytes"
				" FROM (SELECT id, run_id, item::pg_catalog.text, context::pg_catalog.text FROM databite.rejected_item"
				" WHERE job_id = $1 AND ($2 IS NULL OR run_id = $2) AND step = $3 AND id > $4 AND item IS NOT NULL"
				" ORDER BY id LIMIT $5 FOR UPDATE) AS locked"
				" WINDOW w AS (ORDER BY id)) AS numbered"
				" WHERE run_id = first_run AND (bytes <= $6 OR number = 1) ORDER BY id",
				&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		RejectedRow *row = palloc(sizeof(RejectedRow));

		row->id = row_int8((int) i, 1, 0);
		row->run_id = row_int8((int) i, 2, 0);
		row->item = row_text((int) i, 3, scope.caller);
		row->context = row_text((int) i, 4, scope.caller);
		rows = lappend(rows, row);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return rows;
}

int64
rejected_catalog_count(const char *job_id, int64 run_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int64		count;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_int8_or_null(&args, run_id, 0);
	catalog_run("SELECT pg_catalog.count(*) FROM databite.rejected_item"
				" WHERE job_id = $1 AND ($2 IS NULL OR run_id = $2)",
				&args, SPI_OK_SELECT);
	count = row_int8(0, 1, 0);
	catalog_leave(&scope);
	return count;
}

void
rejected_catalog_update(int64 id, const RejectedRecord *record)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_int8(&args, id);
	arg_text(&args, unpack_sql_state(record->sqlstate));
	arg_text(&args, record->message);
	arg_text(&args, record->column);
	arg_text(&args, record->constraint);
	catalog_run_prepared(&plan,
						 "UPDATE databite.rejected_item SET error_code = $2, message = $3, column_name = $4,"
						 " constraint_name = $5, rejected_at = pg_catalog.clock_timestamp() WHERE id = $1",
						 &args, SPI_OK_UPDATE);
	catalog_leave(&scope);
	CHECK_FOR_INTERRUPTS();
}

void
rejected_catalog_remove(int nids, const int64 *ids)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	Datum	   *values = palloc(sizeof(Datum) * Max(nids, 1));

	if (nids == 0)
		return;
	for (int i = 0; i < nids; i++)
		values[i] = Int64GetDatum(ids[i]);
	catalog_enter(&scope);
	arg_datum(&args, INT8ARRAYOID,
			  PointerGetDatum(construct_array(values, nids, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
	catalog_run("DELETE FROM databite.rejected_item WHERE id = ANY ($1)", &args, SPI_OK_DELETE);
	catalog_leave(&scope);
}
