/*
 * token_catalog.c
 *	  Table databite.token: secrets of roles.
 *
 * A secret is written without SQL.  As a parameter of a statement it would be a
 * constant of its plan, and auto_explain writes plans to the log.  It is read
 * without SQL too, by a snapshot of the moment: a refresh token that another
 * process has just replaced must not be spent a second time, whatever the
 * isolation level.  Deleting names no value, so it is a statement as everywhere
 * in catalog/.
 */
#include "postgres.h"

#include "catalog/row.h"
#include "catalog/secret_row.h"
#include "catalog/token_catalog.h"
#include "utils/builtins.h"

/* Columns of databite.token. */
#define TOKEN_OWNER		1
#define TOKEN_NAME		2
#define TOKEN_VALUE		3
#define TOKEN_COLUMNS	3

void
token_catalog_set(Oid owner, const char *name, const char *value)
{
	Datum		values[TOKEN_COLUMNS];
	bool		nulls[TOKEN_COLUMNS] = {false};

	values[TOKEN_OWNER - 1] = ObjectIdGetDatum(owner);
	values[TOKEN_NAME - 1] = CStringGetTextDatum(name);
	values[TOKEN_VALUE - 1] = CStringGetTextDatum(value);
	secret_row_put("token", owner, name, values, nulls);
}

bool
token_catalog_delete(Oid owner, const char *name)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		deleted;

	catalog_enter(&scope);
	arg_oid(&args, owner);
	arg_text(&args, name);
	deleted = catalog_run("DELETE FROM databite.token WHERE owner = $1::pg_catalog.regrole AND name = $2",
						  &args, SPI_OK_DELETE) > 0;
	catalog_leave(&scope);
	return deleted;
}

char *
token_catalog_get(Oid owner, const char *name)
{
	Datum		values[TOKEN_COLUMNS];
	bool		nulls[TOKEN_COLUMNS];

	if (!secret_row_get("token", owner, name, values, nulls))
		return NULL;
	return TextDatumGetCString(values[TOKEN_VALUE - 1]);
}
