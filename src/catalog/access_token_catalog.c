/*
 * access_token_catalog.c
 *	  Table databite.access_token: what sources have given for secrets of roles.
 */
#include "postgres.h"

#include "catalog/access_token_catalog.h"
#include "catalog/row.h"
#include "catalog/secret_row.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* Columns of databite.access_token. */
#define ACCESS_OWNER		1
#define ACCESS_KEY			2
#define ACCESS_VALUE		3
#define ACCESS_OBTAINED_AT	4
#define ACCESS_EXPIRES_AT	5
#define ACCESS_EXTRA		6
#define ACCESS_COLUMNS		6

AccessToken *
access_token_catalog_get(Oid owner, const char *key)
{
	Datum		values[ACCESS_COLUMNS];
	bool		nulls[ACCESS_COLUMNS];
	AccessToken *token;

	if (!secret_row_get("access_token", owner, key, values, nulls))
		return NULL;
	token = palloc0(sizeof(AccessToken));
	token->value = TextDatumGetCString(values[ACCESS_VALUE - 1]);
	token->obtained_at = DatumGetTimestampTz(values[ACCESS_OBTAINED_AT - 1]);
	if (!nulls[ACCESS_EXPIRES_AT - 1])
		token->expires_at = DatumGetTimestampTz(values[ACCESS_EXPIRES_AT - 1]);
	token->extra = DatumGetCString(DirectFunctionCall1(jsonb_out, values[ACCESS_EXTRA - 1]));
	return token;
}

void
access_token_catalog_put(Oid owner, const char *key, const AccessToken *token)
{
	Datum		values[ACCESS_COLUMNS];
	bool		nulls[ACCESS_COLUMNS] = {false};

	values[ACCESS_OWNER - 1] = ObjectIdGetDatum(owner);
	values[ACCESS_KEY - 1] = CStringGetTextDatum(key);
	values[ACCESS_VALUE - 1] = CStringGetTextDatum(token->value);
	values[ACCESS_OBTAINED_AT - 1] = TimestampTzGetDatum(token->obtained_at);
	values[ACCESS_EXPIRES_AT - 1] = TimestampTzGetDatum(token->expires_at);
	nulls[ACCESS_EXPIRES_AT - 1] = token->expires_at == 0;
	values[ACCESS_EXTRA - 1] = DirectFunctionCall1(jsonb_in, CStringGetDatum(token->extra));
	secret_row_put("access_token", owner, key, values, nulls);
}

void
access_token_catalog_forget(Oid owner)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_oid(&args, owner);
	catalog_run("DELETE FROM databite.access_token WHERE owner = $1::pg_catalog.regrole", &args, SPI_OK_DELETE);
	catalog_leave(&scope);
}

/* In the order of databite.set_token. */
void
access_token_catalog_lock(void)
{
	secret_row_lock("token");
	secret_row_lock("access_token");
}

bool
access_token_catalog_is_locked_by_us(void)
{
	return secret_row_is_locked_by_us("token") || secret_row_is_locked_by_us("access_token");
}
