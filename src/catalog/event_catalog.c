/*
 * event_catalog.c
 *	  Table databite.event: what was emitted.
 */
#include "postgres.h"

#include "catalog/event_catalog.h"
#include "catalog/row.h"

int64
event_catalog_add(const char *name, const char *source, const char *payload, Oid emitter)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	int64		id;

	catalog_enter(&scope);
	arg_text(&args, name);
	arg_text(&args, source);
	arg_jsonb(&args, payload);
	arg_oid(&args, emitter);
	(void) catalog_run_prepared(&plan,
								"INSERT INTO databite.event (name, source, payload, emitter)"
								" VALUES ($1, $2, $3, $4::pg_catalog.regrole) RETURNING event_id",
								&args, SPI_OK_INSERT_RETURNING);
	id = row_int8(0, 1, 0);
	catalog_leave(&scope);
	return id;
}

char *
event_catalog_json(int64 id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	char	   *json = NULL;

	catalog_enter(&scope);
	arg_int8(&args, id);
	if (catalog_run("SELECT pg_catalog.json_build_object('id', event_id, 'name', name, 'source', source, 'timestamp',"
					" pg_catalog.to_char(emitted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), 'payload', payload)"
					" FROM databite.event WHERE event_id = $1",
					&args, SPI_OK_SELECT) > 0)
		json = row_text(0, 1, scope.caller);
	catalog_leave(&scope);
	return json;
}
