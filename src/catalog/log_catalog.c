/*
 * log_catalog.c
 *	  Table databite.log: lines on the runs of jobs that name no log table of their own.
 *
 * Lines go when they are old (expiry_catalog.c), whatever has become of their run.
 */
#include "postgres.h"

#include "catalog/log_catalog.h"
#include "catalog/row.h"

void
log_catalog_add(const char *job_id, Oid owner, int64 run_id, const char *lines)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_int8(&args, run_id);
	arg_text(&args, lines);
	arg_oid(&args, owner);
	catalog_run_prepared(&plan,
						 "INSERT INTO databite.log (" LOG_COLUMNS ", owner)"
						 " SELECT r.\"time\", r.level, r.job_id, r.run_id, r.step, r.message, r.detail, $4::pg_catalog.regrole"
						 " FROM (" LOG_ROWS ") AS r(" LOG_COLUMNS ")",
						 &args, SPI_OK_INSERT);
	catalog_leave(&scope);
}
