/*
 * total_catalog.c
 *	  Table databite.job_total: what runs of a job have done in all.
 *
 * Nobody waits here.  A row that another transaction has changed stays locked until that one commits, which may be long
 * after a run that execute_job has ended; meanwhile the scheduler notes that the job was skipped.  So a row that is locked is
 * passed over, and where no other is left there will be one more.  Several of a job and a status become one when rows expire.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "base/subtransaction.h"
#include "catalog/row.h"
#include "catalog/total_catalog.h"

/* A row of the run $1, as it is added.  When a run that crashed ended is not known; a replay brings nothing up to date. */
#define WHAT_IT_DID \
	"SELECT r.job_id, r.status, 1 AS runs," \
	" CASE WHEN r.status = 'crashed' OR r.started_at IS NULL THEN 0" \
	" ELSE EXTRACT(epoch FROM r.finished_at - r.started_at) END::pg_catalog.float8 AS seconds," \
	" r.records_processed, r.records_inserted, r.records_updated, r.records_unchanged, r.records_deleted, r.records_rejected," \
	" r.records_skipped, r.pages, r.requests, r.retries, r.bytes_received," \
	" CASE WHEN r.trigger <> 'replay' THEN r.finished_at END AS last_at" \
	" FROM databite.run AS r WHERE r.run_id = $1"

/* Jobs and statuses whose rows one call makes one. */
#define MERGE_MAX 1000

#define NUMBERS \
	"runs, seconds, records_processed, records_inserted, records_updated, records_unchanged, records_deleted, records_rejected," \
	" records_skipped, pages, requests, retries, bytes_received"

typedef struct EndedRun
{
	int64		id;
	const char *job_id;
	const char *status;
	bool		added;
} EndedRun;

static void add_to_row(void *arg);
static void add_row(const EndedRun *run);

void
total_catalog_add(int64 run_id, const char *job_id, const char *status)
{
	EndedRun	run = {.id = run_id, .job_id = job_id, .status = status};

	/* In a transaction with one snapshot, a row that has changed since is as good as locked. */
	if (IsolationUsesXactSnapshot())
	{
		ErrorData  *error = subtransaction_run(add_to_row, &run, SUBTRANSACTION_KEEP);

		if (error != NULL && error->sqlerrcode != ERRCODE_T_R_SERIALIZATION_FAILURE)
			error_rethrow(error);
		run.added = run.added && error == NULL;
	}
	else
		add_to_row(&run);
	if (!run.added)
		add_row(&run);
}

static void
add_to_row(void *arg)
{
	static SPIPlanPtr plan = NULL;
	EndedRun   *run = arg;
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_int8(&args, run->id);
	arg_text(&args, run->job_id);
	arg_text(&args, run->status);
	run->added = catalog_run_prepared(&plan,
									  "UPDATE databite.job_total AS t SET runs = t.runs + w.runs, seconds = t.seconds + w.seconds,"
									  " records_processed = t.records_processed + w.records_processed,"
									  " records_inserted = t.records_inserted + w.records_inserted,"
									  " records_updated = t.records_updated + w.records_updated,"
									  " records_unchanged = t.records_unchanged + w.records_unchanged,"
									  " records_deleted = t.records_deleted + w.records_deleted,"
									  " records_rejected = t.records_rejected + w.records_rejected,"
									  " records_skipped = t.records_skipped + w.records_skipped, pages = t.pages + w.pages,"
									  " requests = t.requests + w.requests, retries = t.retries + w.retries,"
									  " bytes_received = t.bytes_received + w.bytes_received, last_at = GREATEST(t.last_at, w.last_at)"
									  " FROM (" WHAT_IT_DID ") AS w"
									  " WHERE t.ctid = (SELECT f.ctid FROM databite.job_total AS f"
									  " WHERE f.job_id = $2 AND f.status = $3 LIMIT 1 FOR UPDATE SKIP LOCKED)",
									  &args, SPI_OK_UPDATE) > 0;
	catalog_leave(&scope);
}

static void
add_row(const EndedRun *run)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_int8(&args, run->id);
	(void) catalog_run("INSERT INTO databite.job_total (job_id, status, " NUMBERS ", last_at)"
					   " SELECT w.* FROM (" WHAT_IT_DID ") AS w"
					   " WHERE EXISTS (SELECT FROM databite.job AS j WHERE j.job_id = w.job_id)",
					   &args, SPI_OK_INSERT);
	catalog_leave(&scope);
}

/*
 * Only what was deleted is added up: a row that somebody has changed since this statement began is found by the lock, but not
 * by the deletion, and stays.
 */
bool
total_catalog_merge(int minutes, ExpiryPosition *position)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int			merged;

	catalog_enter(&scope);
	arg_int4(&args, MERGE_MAX);
	merged = catalog_run("WITH several AS MATERIALIZED (SELECT job_id, status FROM databite.job_total"
						 " GROUP BY job_id, status HAVING pg_catalog.count(*) > 1 LIMIT $1),"
						 " part AS (DELETE FROM databite.job_total WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM several"
						 " JOIN databite.job_total AS t USING (job_id, status) FOR UPDATE OF t SKIP LOCKED)) RETURNING *)"
						 " INSERT INTO databite.job_total (job_id, status, " NUMBERS ", last_at)"
						 " SELECT job_id, status, pg_catalog.sum(runs), pg_catalog.sum(seconds), pg_catalog.sum(records_processed),"
						 " pg_catalog.sum(records_inserted), pg_catalog.sum(records_updated), pg_catalog.sum(records_unchanged),"
						 " pg_catalog.sum(records_deleted), pg_catalog.sum(records_rejected), pg_catalog.sum(records_skipped),"
						 " pg_catalog.sum(pages), pg_catalog.sum(requests), pg_catalog.sum(retries), pg_catalog.sum(bytes_received),"
						 " pg_catalog.max(last_at) FROM part GROUP BY job_id, status",
						 &args, SPI_OK_INSERT);
	catalog_leave(&scope);
	return merged == MERGE_MAX;
}
