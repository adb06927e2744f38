/*
 * transform_catalog.c
 *	  Table databite.transform: functions that roles have named as filters.
 */
#include "postgres.h"

#include "catalog/row.h"
#include "catalog/transform_catalog.h"

void
transform_catalog_set(Oid owner, const TransformRecord *transform)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_oid(&args, owner);
	arg_text(&args, transform->name);
	arg_text(&args, transform->schema);
	arg_text(&args, transform->function);
	arg_text(&args, transform->signature);
	catalog_run("INSERT INTO databite.transform (owner, name, function_schema, function_name, signature)"
				" VALUES ($1::pg_catalog.regrole, $2, $3, $4, $5)"
				" ON CONFLICT (owner, name) DO UPDATE SET function_schema = excluded.function_schema,"
				" function_name = excluded.function_name, signature = excluded.signature",
				&args, SPI_OK_INSERT);
	catalog_leave(&scope);
}

bool
transform_catalog_delete(Oid owner, const char *name)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		deleted;

	catalog_enter(&scope);
	arg_oid(&args, owner);
	arg_text(&args, name);
	deleted = catalog_run("DELETE FROM databite.transform WHERE owner = $1::pg_catalog.regrole AND name = $2",
						  &args, SPI_OK_DELETE) > 0;
	catalog_leave(&scope);
	return deleted;
}

/*
 * Asked for every filter of every template, so the statement is kept.
 */
bool
transform_catalog_get(Oid owner, const char *name, TransformRecord *transform)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		found;

	catalog_enter(&scope);
	arg_oid(&args, owner);
	arg_text(&args, name);
	found = catalog_run_prepared(&plan,
								 "SELECT name, function_schema, function_name, signature FROM databite.transform"
								 " WHERE owner = $1::pg_catalog.regrole AND name = $2",
								 &args, SPI_OK_SELECT) > 0;
	if (found)
	{
		transform->name = row_text(0, 1, scope.caller);
		transform->schema = row_text(0, 2, scope.caller);
		transform->function = row_text(0, 3, scope.caller);
		transform->signature = row_text(0, 4, scope.caller);
	}
	catalog_leave(&scope);
	return found;
}
