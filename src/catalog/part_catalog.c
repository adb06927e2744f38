/*
 * part_catalog.c
 *	  Table databite.writer_part: what parallel writers have committed that no checkpoint has yet.
 */
#include "postgres.h"

#include "catalog/part_catalog.h"
#include "catalog/pg_type.h"
#include "catalog/row.h"
#include "utils/builtins.h"

static PartRecord *part_from_row(int row, MemoryContext context);

void
part_catalog_add(const char *job_id, int64 epoch, const char *step_id, const PartRecord *part)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_int8(&args, epoch);
	arg_text(&args, step_id);
	arg_int8(&args, part->run_id);
	arg_int8(&args, part->round);
	arg_int4(&args, part->part);
	arg_datum(&args, JSONOID, CStringGetTextDatum(part->items));
	arg_int8(&args, part->counts.processed);
	arg_int8(&args, part->counts.inserted);
	arg_int8(&args, part->counts.updated);
	arg_int8(&args, part->counts.unchanged);
	arg_int8(&args, part->counts.deleted);
	arg_int8(&args, part->counts.rejected);
	arg_int8(&args, part->counts.skipped);
	catalog_run_prepared(&plan,
						 "INSERT INTO databite.writer_part (job_id, step_id, run_id, round, part, items, records_processed,"
						 " records_inserted, records_updated, records_unchanged, records_deleted, records_rejected, records_skipped)"
						 " SELECT job_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM databite.job"
						 " WHERE job_id = $1 AND state_epoch = $2 FOR KEY SHARE",
						 &args, SPI_OK_INSERT);
	catalog_leave(&scope);
}

List *
part_catalog_get(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *parts = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	n = catalog_run("SELECT run_id, round, part, items, counted, records_processed, records_inserted, records_updated,"
					" records_unchanged, records_deleted, records_rejected, records_skipped"
					" FROM databite.writer_part WHERE job_id = $1 AND step_id = $2",
					&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int row = 0; row < n; row++)
		parts = lappend(parts, part_from_row(row, scope.caller));
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return parts;
}

void
part_catalog_set_counted(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	catalog_run("UPDATE databite.writer_part SET counted = true WHERE job_id = $1 AND step_id = $2 AND NOT counted",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

void
part_catalog_forget_round(const char *job_id, const char *step_id, int64 run_id, int64 round)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_int8(&args, run_id);
	arg_int8(&args, round);
	catalog_run_prepared(&plan,
						 "DELETE FROM databite.writer_part WHERE job_id = $1 AND step_id = $2 AND run_id = $3 AND round = $4",
						 &args, SPI_OK_DELETE);
	catalog_leave(&scope);
}

void
part_catalog_forget_earlier(const char *job_id, const char *step_id, int64 run_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_int8(&args, run_id);
	catalog_run("DELETE FROM databite.writer_part WHERE job_id = $1 AND step_id = $2 AND run_id <> $3", &args, SPI_OK_DELETE);
	catalog_leave(&scope);
}

void
part_catalog_clear(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	catalog_run("DELETE FROM databite.writer_part WHERE job_id = $1 AND ($2 IS NULL OR step_id = $2)", &args, SPI_OK_DELETE);
	catalog_leave(&scope);
}

static PartRecord *
part_from_row(int row, MemoryContext context)
{
	PartRecord *part = MemoryContextAllocZero(context, sizeof(PartRecord));

	part->run_id = row_int8(row, 1, 0);
	part->round = row_int8(row, 2, 0);
	part->part = row_int4(row, 3, 0);
	part->items = row_text(row, 4, context);
	part->counted = row_bool(row, 5);
	part->counts.processed = row_int8(row, 6, 0);
	part->counts.inserted = row_int8(row, 7, 0);
	part->counts.updated = row_int8(row, 8, 0);
	part->counts.unchanged = row_int8(row, 9, 0);
	part->counts.deleted = row_int8(row, 10, 0);
	part->counts.rejected = row_int8(row, 11, 0);
	part->counts.skipped = row_int8(row, 12, 0);
	return part;
}
