/*
 * rejected_catalog.c
 *	  Table databite.rejected_item: items that were not written, and why.
 *
 * They are written in the transaction of their batch, and go with their run when
 * history expires: see run_catalog_expire.
 */
#include "postgres.h"

#include "catalog/rejected_catalog.h"
#include "catalog/row.h"
#include "miscadmin.h"

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
		catalog_run_prepared(&plan,
							 "INSERT INTO databite.rejected_item"
							 " (job_id, owner, run_id, step, item, error_code, message, column_name, constraint_name)"
							 " VALUES ($1, $2::pg_catalog.regrole, $3, $4, $5::pg_catalog.json, $6, $7, $8, $9)",
							 &args, SPI_OK_INSERT);
		CHECK_FOR_INTERRUPTS();
	}
	catalog_leave(&scope);
}
