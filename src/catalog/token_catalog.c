/*
 * token_catalog.c
 *	  Table databite.token: secrets of roles.
 *
 * A secret is written without SQL.  As a parameter of a statement it would be a
 * constant of its plan, and auto_explain writes plans to the log.  Reading and
 * deleting name no value, so they are statements as everywhere in catalog/.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/row.h"
#include "catalog/token_catalog.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Columns of databite.token. */
#define TOKEN_OWNER		1
#define TOKEN_NAME		2
#define TOKEN_VALUE		3
#define TOKEN_COLUMNS	3

static HeapTuple find_token(Relation relation, Oid owner, const char *name);

void
token_catalog_set(Oid owner, const char *name, const char *value)
{
	Oid			schema = get_namespace_oid("databite", false);
	Relation	relation;
	HeapTuple	old;
	HeapTuple	new;
	Datum		values[TOKEN_COLUMNS];
	bool		nulls[TOKEN_COLUMNS] = {false};

	/* Keeps other writers out, so that what is looked up stays true. */
	relation = table_open(get_relname_relid("token", schema), ShareRowExclusiveLock);

	values[TOKEN_OWNER - 1] = ObjectIdGetDatum(owner);
	values[TOKEN_NAME - 1] = CStringGetTextDatum(name);
	values[TOKEN_VALUE - 1] = CStringGetTextDatum(value);
	new = heap_form_tuple(RelationGetDescr(relation), values, nulls);
	old = find_token(relation, owner, name);
	if (old != NULL)
		CatalogTupleUpdate(relation, &old->t_self, new);
	else
		CatalogTupleInsert(relation, new);

	table_close(relation, NoLock);
	CommandCounterIncrement();
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
	CatalogScope scope;
	CatalogArgs args = {0};
	char	   *value = NULL;

	catalog_enter(&scope);
	arg_oid(&args, owner);
	arg_text(&args, name);
	if (catalog_run("SELECT value FROM databite.token WHERE owner = $1::pg_catalog.regrole AND name = $2",
					&args, SPI_OK_SELECT) > 0)
		value = row_text(0, 1, scope.caller);
	catalog_leave(&scope);
	return value;
}

/* By the primary key; a copy, or NULL. */
static HeapTuple
find_token(Relation relation, Oid owner, const char *name)
{
	Oid			index;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	/* Makes sure that the primary key is known. */
	list_free(RelationGetIndexList(relation));
	index = relation->rd_pkindex;
	ScanKeyInit(&keys[0], TOKEN_OWNER, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(owner));
	ScanKeyInit(&keys[1], TOKEN_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	keys[1].sk_collation = TupleDescAttr(RelationGetDescr(relation), TOKEN_NAME - 1)->attcollation;
	scan = systable_beginscan(relation, index, true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}
