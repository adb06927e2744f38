/*
 * watch_catalog.c
 *	  What the page of the listener shows, read from databite's tables.
 *
 * What items and deliveries hold is not read here, nor are payloads and requests: the page is to
 * be safe to leave open.  Of a rejected item there is its error and where it was, without the
 * message, which may quote a value.
 *
 * A job may have any number of runs that wait or were skipped, so its last runs are looked for by status,
 * each in index run_by_status, rather than by going through all of them.  OFFSET 0 keeps what was looked up from being looked
 * up again wherever it is named.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "catalog/row.h"
#include "catalog/watch_catalog.h"

#define ENDED "ARRAY['completed', 'partial', 'failed', 'cancelled', 'crashed']"
#define FAILED "('partial', 'failed', 'crashed')"

/* The newest run of job j with a status: the end of a range of the index. */
#define LAST_OF(status) \
	"(SELECT pg_catalog.max(r.run_id) FROM databite.run AS r WHERE r.job_id = j.job_id AND r.status = '" status "')"

/* Runs of the last day, the newest first. */
#define RECENT \
	"(SELECT * FROM databite.run WHERE finished_at > pg_catalog.now() OPERATOR(pg_catalog.-) '1 day'::pg_catalog.interval" \
	" ORDER BY finished_at DESC, run_id DESC LIMIT $1) AS r"

/* Rejected items that are looked at for the newest reasons. */
#define MAX_REJECTED 1000

static void read_runs(List *jobs, int max);
static double row_float8(int row, int column, double null_value);

List *
watch_catalog_jobs(int max, int64 *failing)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *jobs = NIL;
	MemoryContext old;
	int			n;

	*failing = 0;
	catalog_enter(&scope);
	arg_int4(&args, max);
	n = catalog_run("WITH picked AS MATERIALIZED ("
					" SELECT j.job_id, f.run_id, f.failed, a.status, pg_catalog.count(*) FILTER (WHERE f.failed) OVER () AS failing"
					" FROM databite.job AS j"
					" CROSS JOIN LATERAL (SELECT"
					" GREATEST(" LAST_OF("completed") ", " LAST_OF("cancelled") ") AS good,"
					" GREATEST(" LAST_OF("partial") ", " LAST_OF("failed") ", " LAST_OF("crashed") ") AS bad OFFSET 0) AS l"
					" CROSS JOIN LATERAL (SELECT GREATEST(l.good, l.bad) AS run_id,"
					" COALESCE(l.bad > COALESCE(l.good, 0), false) AS failed OFFSET 0) AS f"
					" CROSS JOIN LATERAL (SELECT CASE WHEN " LAST_OF("running") " IS NOT NULL THEN 'running'"
					" WHEN " LAST_OF("queued") " IS NOT NULL THEN 'queued' END AS status OFFSET 0) AS a"
					" ORDER BY f.failed DESC, a.status IS NULL, j.job_id LIMIT $1)"
					" SELECT j.job_id, j.definition OPERATOR(pg_catalog.->>) 'name', j.owner::pg_catalog.text,"
					" COALESCE(p.status, CASE WHEN j.enabled THEN 'idle' ELSE 'paused' END),"
					" CASE WHEN j.enabled THEN j.next_run_at END,"
					" r.status, r.finished_at, r.records_processed, r.records_rejected,"
					" r.error OPERATOR(pg_catalog.->>) 'message', p.failing, p.failed"
					" FROM picked AS p JOIN databite.job AS j ON j.job_id = p.job_id"
					" LEFT JOIN databite.run AS r ON r.run_id = p.run_id"
					" ORDER BY p.failed DESC, j.job_id",
					&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		WatchJob   *job = palloc0(sizeof(WatchJob));

		job->id = row_text(i, 1, scope.caller);
		job->name = row_text(i, 2, scope.caller);
		job->owner = row_text(i, 3, scope.caller);
		job->state = row_text(i, 4, scope.caller);
		job->next_run_at = row_time(i, 5);
		job->last_status = row_text(i, 6, scope.caller);
		job->last_finished_at = row_time(i, 7);
		job->last_processed = row_int8(i, 8, 0);
		job->last_rejected = row_int8(i, 9, 0);
		job->last_error = row_text(i, 10, scope.caller);
		*failing = row_int8(i, 11, 0);
		job->is_failing = row_bool(i, 12);
		jobs = lappend(jobs, job);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	read_runs(jobs, WATCH_MAX_RUNS);
	return jobs;
}

/* The last runs of each job, by one statement. */
static void
read_runs(List *jobs, int max)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *ids = NIL;
	MemoryContext old;
	ListCell   *lc;
	int			n;

	foreach(lc, jobs)
		ids = lappend(ids, ((WatchJob *) lfirst(lc))->id);
	catalog_enter(&scope);
	arg_datum(&args, TEXTARRAYOID, catalog_text_array(ids));
	arg_int4(&args, max);
	n = catalog_run("SELECT j.number::pg_catalog.int4 - 1, l.status,"
					" COALESCE(EXTRACT(epoch FROM l.finished_at - l.started_at), 0)::pg_catalog.float8,"
					" l.records_inserted + l.records_updated + l.records_deleted"
					" FROM pg_catalog.unnest($1) WITH ORDINALITY AS j (job_id, number)"
					" CROSS JOIN LATERAL (SELECT s.* FROM pg_catalog.unnest(" ENDED ") AS e (status) CROSS JOIN LATERAL"
					" (SELECT r.run_id, r.status, r.started_at, r.finished_at, r.records_inserted, r.records_updated, r.records_deleted"
					" FROM databite.run AS r WHERE r.job_id = j.job_id AND r.status = e.status"
					" ORDER BY r.run_id DESC LIMIT $2) AS s ORDER BY s.run_id DESC LIMIT $2) AS l"
					" ORDER BY j.number, l.run_id",
					&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		WatchJob   *job = list_nth(jobs, row_int4(i, 1, 0));
		WatchRun   *run = palloc(sizeof(WatchRun));

		run->status = row_text(i, 2, scope.caller);
		run->seconds = row_float8(i, 3, 0);
		run->rows = row_int8(i, 4, 0);
		job->runs = lappend(job->runs, run);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
}

void
watch_catalog_totals(WatchTotals *totals)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_int4(&args, WATCH_MAX_COUNT);
	(void) catalog_run("SELECT j.jobs, j.paused, a.running,"
					   " (SELECT pg_catalog.count(*) FROM (SELECT FROM databite.run WHERE status = 'queued' LIMIT $1 + 1) AS q),"
					   " (SELECT pg_catalog.count(*) FROM (SELECT FROM databite.delivery LIMIT $1 + 1) AS d),"
					   " CASE WHEN r.ended < $1 THEN pg_catalog.now() - '1 day'::pg_catalog.interval ELSE r.since END, r.ended < $1,"
					   " r.runs, r.failed, r.processed, r.inserted, r.updated, r.deleted, r.rejected"
					   " FROM (SELECT pg_catalog.count(*) AS jobs, pg_catalog.count(*) FILTER (WHERE NOT enabled) AS paused"
					   " FROM databite.job) AS j"
					   " CROSS JOIN (SELECT pg_catalog.count(*) AS running FROM databite.run WHERE status = 'running') AS a"
					   " CROSS JOIN (SELECT pg_catalog.count(*) AS ended, pg_catalog.min(r.finished_at) AS since,"
					   " pg_catalog.count(*) FILTER (WHERE r.status <> 'skipped') AS runs,"
					   " pg_catalog.count(*) FILTER (WHERE r.status IN " FAILED ") AS failed,"
					   " COALESCE(pg_catalog.sum(r.records_processed), 0)::pg_catalog.int8 AS processed,"
					   " COALESCE(pg_catalog.sum(r.records_inserted), 0)::pg_catalog.int8 AS inserted,"
					   " COALESCE(pg_catalog.sum(r.records_updated), 0)::pg_catalog.int8 AS updated,"
					   " COALESCE(pg_catalog.sum(r.records_deleted), 0)::pg_catalog.int8 AS deleted,"
					   " COALESCE(pg_catalog.sum(r.records_rejected), 0)::pg_catalog.int8 AS rejected"
					   " FROM " RECENT ") AS r",
					   &args, SPI_OK_SELECT);
	totals->jobs = row_int8(0, 1, 0);
	totals->paused = row_int8(0, 2, 0);
	totals->running = row_int8(0, 3, 0);
	totals->queued = row_int8(0, 4, 0);
	totals->deliveries = row_int8(0, 5, 0);
	totals->since = row_time(0, 6);
	totals->is_whole_day = row_bool(0, 7);
	totals->runs = row_int8(0, 8, 0);
	totals->failed = row_int8(0, 9, 0);
	totals->processed = row_int8(0, 10, 0);
	totals->inserted = row_int8(0, 11, 0);
	totals->updated = row_int8(0, 12, 0);
	totals->deleted = row_int8(0, 13, 0);
	totals->rejected = row_int8(0, 14, 0);
	catalog_leave(&scope);
}

List *
watch_catalog_progress(int max)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *runs = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	arg_int4(&args, max);
	n = catalog_run("SELECT job_id, step, pages, items, total_items, items_per_second::pg_catalog.float8,"
					" EXTRACT(epoch FROM elapsed)::pg_catalog.float8, EXTRACT(epoch FROM remaining)::pg_catalog.float8, waiting_for"
					" FROM databite.progress ORDER BY started_at, job_id LIMIT $1",
					&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		WatchProgress *run = palloc(sizeof(WatchProgress));

		run->job_id = row_text(i, 1, scope.caller);
		run->step = row_text(i, 2, scope.caller);
		run->pages = row_int8(i, 3, 0);
		run->items = row_int8(i, 4, 0);
		run->total_items = row_int8(i, 5, -1);
		run->items_per_second = row_float8(i, 6, -1);
		run->seconds = row_float8(i, 7, 0);
		run->remaining = row_float8(i, 8, -1);
		run->waiting_for = row_text(i, 9, scope.caller);
		runs = lappend(runs, run);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return runs;
}

List *
watch_catalog_errors(int max)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *errors = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	arg_int4(&args, WATCH_MAX_COUNT);
	arg_int4(&args, max);
	n = catalog_run("SELECT r.job_id, r.run_id, r.status, r.finished_at, r.error OPERATOR(pg_catalog.->>) 'step',"
					" r.error OPERATOR(pg_catalog.->>) 'code', r.error OPERATOR(pg_catalog.->>) 'message'"
					" FROM " RECENT " WHERE r.status IN " FAILED " AND r.error IS NOT NULL"
					" ORDER BY r.finished_at DESC, r.run_id DESC LIMIT $2",
					&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		WatchError *error = palloc(sizeof(WatchError));

		error->job_id = row_text(i, 1, scope.caller);
		error->run_id = row_int8(i, 2, 0);
		error->status = row_text(i, 3, scope.caller);
		error->finished_at = row_time(i, 4);
		error->step = row_text(i, 5, scope.caller);
		error->code = row_text(i, 6, scope.caller);
		error->message = row_text(i, 7, scope.caller);
		errors = lappend(errors, error);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return errors;
}

List *
watch_catalog_rejections(int max)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *rejections = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	arg_int4(&args, MAX_REJECTED);
	arg_int4(&args, max);
	n = catalog_run("SELECT i.job_id, i.run_id, i.step, i.error_code, i.column_name, i.constraint_name, pg_catalog.count(*),"
					" pg_catalog.max(i.rejected_at)"
					" FROM (SELECT id, job_id, run_id, step, error_code, column_name, constraint_name, rejected_at"
					" FROM databite.rejected_item ORDER BY id DESC LIMIT $1) AS i"
					" GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY pg_catalog.max(i.id) DESC LIMIT $2",
					&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		WatchRejection *rejection = palloc(sizeof(WatchRejection));

		rejection->job_id = row_text(i, 1, scope.caller);
		rejection->run_id = row_int8(i, 2, 0);
		rejection->step = row_text(i, 3, scope.caller);
		rejection->code = row_text(i, 4, scope.caller);
		rejection->column = row_text(i, 5, scope.caller);
		rejection->constraint = row_text(i, 6, scope.caller);
		rejection->items = row_int8(i, 7, 0);
		rejection->rejected_at = row_time(i, 8);
		rejections = lappend(rejections, rejection);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return rejections;
}

static double
row_float8(int row, int column, double null_value)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);

	return isnull ? null_value : DatumGetFloat8(value);
}
