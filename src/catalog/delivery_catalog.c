/*
 * delivery_catalog.c
 *	  Tables databite.delivery and delivery_seen: what webhooks have brought.
 */
#include "postgres.h"

#include "catalog/delivery_catalog.h"
#include "catalog/pg_type.h"
#include "catalog/row.h"
#include "utils/array.h"
#include "utils/builtins.h"

static void change(SPIPlanPtr *plan, const char *sql, const char *job_id, const int64 *ids, int nids, int expected);

bool
delivery_catalog_see(const char *job_id, const uint8 *hash, size_t len)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		added;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_datum(&args, BYTEAOID, PointerGetDatum(cstring_to_text_with_len((const char *) hash, len)));
	added = catalog_run_prepared(&plan,
								 "INSERT INTO databite.delivery_seen (job_id, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING",
								 &args, SPI_OK_INSERT) > 0;
	catalog_leave(&scope);
	return added;
}

int64
delivery_catalog_add(const char *job_id, const char *headers, const char *payload)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	int64		id;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, headers);
	arg_text(&args, payload);
	arg_int4(&args, strlen(headers) + strlen(payload));
	(void) catalog_run_prepared(&plan,
								"INSERT INTO databite.delivery (job_id, headers, payload, bytes)"
								" VALUES ($1, $2::pg_catalog.json, $3::pg_catalog.json, $4) RETURNING delivery_id",
								&args, SPI_OK_INSERT_RETURNING);
	id = row_int8(0, 1, 0);
	catalog_leave(&scope);
	return id;
}

List *
delivery_catalog_next(const char *job_id, int64 after, int max, int64 max_bytes)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *deliveries = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_int8(&args, after);
	arg_int4(&args, max);
	arg_int8(&args, max_bytes);
	n = catalog_run_prepared(&plan,
							 "SELECT d.delivery_id, d.headers::pg_catalog.text, d.payload::pg_catalog.text, d.received_at"
							 " FROM (SELECT w.*, pg_catalog.sum(w.bytes) OVER (ORDER BY w.delivery_id) - w.bytes AS before"
							 " FROM (SELECT * FROM databite.delivery WHERE job_id = $1 AND NOT set_aside AND delivery_id > $2"
							 " ORDER BY delivery_id LIMIT $3) AS w) AS d"
							 " WHERE d.before < $4 ORDER BY d.delivery_id",
							 &args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		Delivery   *delivery = palloc(sizeof(Delivery));

		delivery->id = row_int8(i, 1, 0);
		delivery->headers = row_text(i, 2, scope.caller);
		delivery->payload = row_text(i, 3, scope.caller);
		delivery->received_at = row_time(i, 4);
		deliveries = lappend(deliveries, delivery);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return deliveries;
}

void
delivery_catalog_remove(const char *job_id, const int64 *ids, int nids)
{
	static SPIPlanPtr plan = NULL;

	change(&plan, "DELETE FROM databite.delivery WHERE job_id = $1 AND delivery_id = ANY ($2)", job_id, ids, nids, SPI_OK_DELETE);
}

void
delivery_catalog_set_aside(const char *job_id, const int64 *ids, int nids)
{
	static SPIPlanPtr plan = NULL;

	change(&plan, "UPDATE databite.delivery SET set_aside = true WHERE job_id = $1 AND delivery_id = ANY ($2)",
		   job_id, ids, nids, SPI_OK_UPDATE);
}

void
delivery_catalog_take_back(const char *job_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	catalog_run("UPDATE databite.delivery SET set_aside = false WHERE job_id = $1 AND set_aside", &args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

/* A statement over the deliveries of a job with those ids. */
static void
change(SPIPlanPtr *plan, const char *sql, const char *job_id, const int64 *ids, int nids, int expected)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	Datum	   *values = palloc(sizeof(Datum) * nids);

	for (int i = 0; i < nids; i++)
		values[i] = Int64GetDatum(ids[i]);
	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_datum(&args, INT8ARRAYOID,
			  PointerGetDatum(construct_array(values, nids, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
	(void) catalog_run_prepared(plan, sql, &args, expected);
	catalog_leave(&scope);
}

/* One look for each job that has any, however many there are. */
List *
delivery_catalog_waiting(void)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *jobs = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	n = catalog_run("WITH RECURSIVE waiting AS ("
					"(SELECT job_id FROM databite.delivery ORDER BY job_id LIMIT 1)"
					" UNION ALL SELECT (SELECT d.job_id FROM databite.delivery AS d WHERE d.job_id > w.job_id ORDER BY d.job_id LIMIT 1)"
					" FROM waiting AS w WHERE w.job_id IS NOT NULL)"
					" SELECT w.job_id, first.received_at FROM waiting AS w"
					" CROSS JOIN LATERAL (SELECT d.received_at FROM databite.delivery AS d"
					" WHERE d.job_id = w.job_id AND NOT d.set_aside ORDER BY d.delivery_id LIMIT 1) AS first"
					" WHERE (SELECT j.enabled"
					" AND (j.definition OPERATOR(pg_catalog.->) 'source' OPERATOR(pg_catalog.->>) 'type' = 'webhook_data'"
					" OR pg_catalog.jsonb_path_exists(j.definition, '$.steps[*].source.type ? (@ == \"webhook_data\")'))"
					" FROM databite.job AS j WHERE j.job_id = w.job_id)"
					" AND NOT EXISTS (SELECT FROM databite.run AS r"
					" WHERE r.status IN ('queued', 'running') AND r.job_id = w.job_id)",
					&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		WaitingJob *job = palloc(sizeof(WaitingJob));

		job->id = row_text(i, 1, scope.caller);
		job->since = row_time(i, 2);
		jobs = lappend(jobs, job);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return jobs;
}
