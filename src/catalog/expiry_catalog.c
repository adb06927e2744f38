/*
 * expiry_catalog.c
 *	  Deletes rows of databite's tables that are old or left over, a few at a time.
 *
 * Each call is one statement, which looks at so many rows at most, however many
 * there are, and finds them by an index.
 */
#include "postgres.h"

#include "catalog/expiry_catalog.h"
#include "catalog/row.h"
#include "utils/timestamp.h"

#define RUNS_MAX 1000
#define ITEMS_MAX 10000
#define JOBS_MAX 1000
#define ROWS_MAX 10000

/*
 * Tables in which a run may still have written when its job was removed.  Not
 * those of cursors: runs lock the job before they write there, and a dump that
 * is being restored may bring them before it brings their jobs.
 */
static const char *const leftover_tables[] = {
	"databite.parent_row",
	"databite.writer_part",
	"databite.checkpoint",
	"databite.delivery",
	"databite.delivery_seen",
};

static bool delete_old(const char *sql, int minutes);

bool
expiry_catalog_history(int minutes, ExpiryPosition *position)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		more = false;

	catalog_enter(&scope);
	arg_int4(&args, minutes);
	arg_time(&args, position->time != 0 ? position->time : DT_NOBEGIN);
	arg_int8(&args, position->id);
	arg_int4(&args, RUNS_MAX);
	arg_int4(&args, ITEMS_MAX);
	catalog_run("WITH old AS MATERIALIZED (SELECT job_id, run_id, status, finished_at FROM databite.run"
				" WHERE finished_at < pg_catalog.now() - pg_catalog.make_interval(mins => $1)"
				" AND (finished_at, run_id) > ($2, $3)"
				" AND status NOT IN ('queued', 'running') ORDER BY finished_at, run_id LIMIT $4),"
				" expired AS MATERIALIZED (SELECT o.job_id, o.run_id FROM old AS o"
				" WHERE o.status = 'skipped' OR NOT EXISTS (SELECT FROM databite.job AS j WHERE j.job_id = o.job_id)"
				" OR EXISTS (SELECT FROM databite.run AS n WHERE n.job_id = o.job_id AND n.run_id > o.run_id"
				" AND n.status NOT IN ('queued', 'running', 'skipped'))),"
				" item AS (DELETE FROM databite.rejected_item WHERE id IN (SELECT i.id FROM expired AS e"
				" JOIN databite.rejected_item AS i ON i.job_id = e.job_id AND i.run_id = e.run_id LIMIT $5)"
				" RETURNING 1),"
				" items AS MATERIALIZED (SELECT pg_catalog.count(*) < $5 AS are_all FROM item),"
				" gone AS (DELETE FROM databite.run WHERE (SELECT are_all FROM items)"
				" AND run_id IN (SELECT run_id FROM expired))"
				" SELECT (SELECT are_all FROM items), (SELECT pg_catalog.count(*) FROM old) = $4, o.finished_at, o.run_id"
				" FROM (SELECT finished_at, run_id FROM old ORDER BY finished_at DESC, run_id DESC LIMIT 1) AS o",
				&args, SPI_OK_SELECT);
	if (SPI_processed > 0)
	{
		more = true;
		if (row_bool(0, 1))
		{
			more = row_bool(0, 2);
			position->time = row_time(0, 3);
			position->id = row_int8(0, 4, 0);
		}
	}
	catalog_leave(&scope);
	return more;
}

bool
expiry_catalog_events(int minutes, ExpiryPosition *position)
{
	return delete_old("DELETE FROM databite.event WHERE event_id = ANY (ARRAY(SELECT e.event_id FROM databite.event AS e"
					  " WHERE e.emitted_at < pg_catalog.now() - pg_catalog.make_interval(mins => $1)"
					  " AND NOT EXISTS (SELECT FROM databite.run AS r"
					  " WHERE r.status IN ('queued', 'running') AND r.event_id = e.event_id)"
					  " ORDER BY e.emitted_at LIMIT $2))",
					  minutes);
}

bool
expiry_catalog_notifications(int minutes, ExpiryPosition *position)
{
	return delete_old("DELETE FROM databite.notification WHERE notification_id = ANY (ARRAY(SELECT n.notification_id"
					  " FROM databite.notification AS n"
					  " WHERE n.finished_at < pg_catalog.now() - pg_catalog.make_interval(mins => $1)"
					  " ORDER BY n.finished_at LIMIT $2))",
					  minutes);
}

bool
expiry_catalog_deliveries(int minutes, ExpiryPosition *position)
{
	return delete_old("DELETE FROM databite.delivery_seen WHERE ctid = ANY (ARRAY(SELECT s.ctid FROM databite.delivery_seen AS s"
					  " WHERE s.received_at < pg_catalog.now() - pg_catalog.make_interval(mins => $1)"
					  " ORDER BY s.received_at LIMIT $2))",
					  minutes);
}

bool
expiry_catalog_log(int minutes, ExpiryPosition *position)
{
	return delete_old("DELETE FROM databite.log WHERE log_id = ANY (ARRAY(SELECT l.log_id FROM databite.log AS l"
					  " WHERE l.\"time\" < pg_catalog.now() - pg_catalog.make_interval(mins => $1)"
					  " ORDER BY l.\"time\" LIMIT $2))",
					  minutes);
}

/* A statement of minutes and of how many rows it deletes at most; are there more? */
static bool
delete_old(const char *sql, int minutes)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int			deleted;

	catalog_enter(&scope);
	arg_int4(&args, minutes);
	arg_int4(&args, ROWS_MAX);
	deleted = catalog_run(sql, &args, SPI_OK_DELETE);
	catalog_leave(&scope);
	return deleted == ROWS_MAX;
}

bool
expiry_catalog_leftovers(int minutes, ExpiryPosition *position)
{
	const char *table = leftover_tables[position->table];
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, position->key);
	arg_int4(&args, JOBS_MAX);
	arg_int4(&args, ROWS_MAX);

	/* Walks from job to job by the index, whatever number of rows each has. */
	catalog_run(psprintf("WITH RECURSIVE next AS ((SELECT job_id FROM %s WHERE job_id > $1 ORDER BY job_id LIMIT 1)"
						 " UNION ALL SELECT (SELECT t.job_id FROM %s AS t WHERE t.job_id > n.job_id ORDER BY t.job_id LIMIT 1)"
						 " FROM next AS n WHERE n.job_id IS NOT NULL),"
						 " jobs AS MATERIALIZED (SELECT job_id FROM next WHERE job_id IS NOT NULL LIMIT $2),"
						 " gone AS (DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT t.ctid FROM jobs AS g JOIN %s AS t USING (job_id)"
						 " WHERE NOT EXISTS (SELECT FROM databite.job AS j WHERE j.job_id = g.job_id) LIMIT $3)) RETURNING 1)"
						 " SELECT (SELECT pg_catalog.count(*) FROM gone) = $3, pg_catalog.count(*) = $2, pg_catalog.max(job_id) FROM jobs",
						 table, table, table, table),
				&args, SPI_OK_SELECT);
	if (!row_bool(0, 1))
	{
		if (row_bool(0, 2))
			strlcpy(position->key, row_text(0, 3, CurrentMemoryContext), sizeof(position->key));
		else
		{
			position->table++;
			position->key[0] = '\0';
		}
	}
	catalog_leave(&scope);
	return position->table < lengthof(leftover_tables);
}
