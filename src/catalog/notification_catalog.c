/*
 * notification_catalog.c
 *	  Table databite.notification: what is to be told by webhooks, and was.
 *
 * A try is counted, and the time of the next one set, before it is made: a process that dies meanwhile
 * costs a try and no notification, and one that is sent twice has one name both times.
 */
#include "postgres.h"

#include "catalog/notification_catalog.h"
#include "catalog/pg_type.h"
#include "catalog/row.h"
#include "utils/array.h"

void
notification_catalog_add(const char *job_id, Oid owner, int64 run_id, const char *body)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_oid(&args, owner);
	arg_int8(&args, run_id);
	arg_text(&args, body);
	catalog_run("INSERT INTO databite.notification (webhook_id, job_id, owner, run_id, body)"
				" VALUES ('msg_' || pg_catalog.replace(pg_catalog.gen_random_uuid()::pg_catalog.text, '-', ''),"
				" $1, $2::pg_catalog.regrole, $3, $4)",
				&args, SPI_OK_INSERT);
	catalog_leave(&scope);
}

TimestampTz
notification_catalog_next(Oid *owner)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	TimestampTz when = 0;

	catalog_enter(&scope);
	if (catalog_run_prepared(&plan,
							 "SELECT next_try_at, owner::pg_catalog.oid FROM databite.notification"
							 " WHERE status = 'waiting' ORDER BY next_try_at LIMIT 1",
							 &args, SPI_OK_SELECT) > 0)
	{
		when = row_time(0, 1);
		*owner = row_oid(0, 2);
	}
	catalog_leave(&scope);
	return when;
}

List *
notification_catalog_take(Oid owner, const int64 *pauses_ms, int npauses, int max)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *notifications = NIL;
	MemoryContext old;
	Datum	   *pauses = palloc(sizeof(Datum) * npauses);
	int			n;

	for (int i = 0; i < npauses; i++)
		pauses[i] = Int64GetDatum(pauses_ms[i]);
	catalog_enter(&scope);
	arg_oid(&args, owner);
	arg_datum(&args, INT8ARRAYOID,
			  PointerGetDatum(construct_array(pauses, npauses, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
	arg_int4(&args, max);
	n = catalog_run("WITH due AS MATERIALIZED (SELECT notification_id FROM databite.notification"
					" WHERE status = 'waiting' AND next_try_at <= pg_catalog.clock_timestamp() AND owner = $1::pg_catalog.regrole"
					" ORDER BY next_try_at LIMIT $3),"
					" taken AS (UPDATE databite.notification AS n SET tries = n.tries + 1, next_try_at = pg_catalog.clock_timestamp()"
					" + pg_catalog.make_interval(secs => $2[LEAST(n.tries + 1, pg_catalog.cardinality($2))] / 1000.0)"
					" FROM due AS d WHERE n.notification_id = d.notification_id"
					" RETURNING n.notification_id, n.webhook_id, n.job_id, n.body, n.tries)"
					" SELECT notification_id, webhook_id, job_id, body, tries FROM taken ORDER BY notification_id",
					&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		Notification *notification = palloc(sizeof(Notification));

		notification->id = row_int8(i, 1, 0);
		notification->webhook_id = row_text(i, 2, scope.caller);
		notification->job_id = row_text(i, 3, scope.caller);
		notification->body = row_text(i, 4, scope.caller);
		notification->tries = row_int4(i, 5, 0);
		notifications = lappend(notifications, notification);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return notifications;
}

void
notification_catalog_sent(int64 id, int status)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_int8(&args, id);
	arg_int4(&args, status);
	catalog_run("UPDATE databite.notification SET status = 'sent', next_try_at = NULL, http_status = $2, error = NULL,"
				" finished_at = pg_catalog.clock_timestamp() WHERE notification_id = $1",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

void
notification_catalog_failed(int64 id, int status, const char *error, bool for_good, TimestampTz next_try_at)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_int8(&args, id);
	arg_int8_or_null(&args, status, 0);
	arg_text(&args, error);
	arg_bool(&args, for_good);
	arg_time(&args, next_try_at);
	catalog_run("UPDATE databite.notification SET http_status = $2::pg_catalog.int4, error = $3,"
				" status = CASE WHEN $4 THEN 'failed' ELSE status END,"
				" next_try_at = CASE WHEN $4 THEN NULL ELSE GREATEST(next_try_at, $5) END,"
				" finished_at = CASE WHEN $4 THEN pg_catalog.clock_timestamp() END WHERE notification_id = $1",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}
