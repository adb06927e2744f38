/*
 * delivery_catalog.c
 *	  Tables databite.delivery and delivery_seen: what webhooks have brought.
 */
#include "postgres.h"

#include "catalog/delivery_catalog.h"
#include "catalog/pg_type.h"
#include "catalog/row.h"
#include "utils/builtins.h"

JobRecord *
delivery_catalog_job(const char *endpoint)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	char	   *id = NULL;

	catalog_enter(&scope);
	arg_text(&args, endpoint);
	if (catalog_run_prepared(&plan,
							 "SELECT job_id FROM databite.job"
							 " WHERE (definition OPERATOR(pg_catalog.->) 'trigger' OPERATOR(pg_catalog.->>) 'endpoint') = $1",
							 &args, SPI_OK_SELECT) > 0)
		id = row_text(0, 1, scope.caller);
	catalog_leave(&scope);
	return id != NULL ? job_catalog_get(id, false) : NULL;
}

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
	(void) catalog_run_prepared(&plan,
								"INSERT INTO databite.delivery (job_id, headers, payload)"
								" VALUES ($1, $2::pg_catalog.json, $3::pg_catalog.json) RETURNING delivery_id",
								&args, SPI_OK_INSERT_RETURNING);
	id = row_int8(0, 1, 0);
	catalog_leave(&scope);
	return id;
}
