/*
 * secret_row.c
 *	  Rows with secrets, written and read without SQL.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/extension.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/secret_row.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* The columns of the primary key. */
#define SECRET_OWNER	1
#define SECRET_NAME		2

static Relation open_table(const char *table, LOCKMODE mode);
static HeapTuple find_row(Relation relation, Oid owner, const char *name);

void
secret_row_put(const char *table, Oid owner, const char *name, Datum *values, bool *nulls)
{
	/* Keeps other writers out, so that what is looked up stays true. */
	Relation	relation = open_table(table, ShareRowExclusiveLock);
	HeapTuple	new = heap_form_tuple(RelationGetDescr(relation), values, nulls);
	HeapTuple	old = find_row(relation, owner, name);

	if (old != NULL)
		CatalogTupleUpdate(relation, &old->t_self, new);
	else
		CatalogTupleInsert(relation, new);

	table_close(relation, NoLock);
	CommandCounterIncrement();
}

bool
secret_row_get(const char *table, Oid owner, const char *name, Datum *values, bool *nulls)
{
	Relation	relation = open_table(table, AccessShareLock);
	HeapTuple	row = find_row(relation, owner, name);

	/* Values that are stored out of line are fetched by whoever reads them, while the lock is there. */
	if (row != NULL)
		heap_deform_tuple(row, RelationGetDescr(relation), values, nulls);
	table_close(relation, NoLock);
	return row != NULL;
}

void
secret_row_lock(const char *table)
{
	table_close(open_table(table, ShareRowExclusiveLock), NoLock);
}

bool
secret_row_is_locked_by_us(const char *table)
{
	Relation	relation = open_table(table, AccessShareLock);
	bool		locked = CheckRelationLockedByMe(relation, RowExclusiveLock, true);

	table_close(relation, NoLock);
	return locked;
}

static Relation
open_table(const char *table, LOCKMODE mode)
{
	catalog_check_extension();
	return table_open(get_relname_relid(table, get_namespace_oid("databite", false)), mode);
}

/* By the primary key; a copy, or NULL. */
static HeapTuple
find_row(Relation relation, Oid owner, const char *name)
{
	Oid			index;
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	/* Makes sure that the primary key is known. */
	list_free(RelationGetIndexList(relation));
	index = relation->rd_pkindex;
	ScanKeyInit(&keys[0], SECRET_OWNER, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(owner));
	ScanKeyInit(&keys[1], SECRET_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	keys[1].sk_collation = TupleDescAttr(RelationGetDescr(relation), SECRET_NAME - 1)->attcollation;
	scan = systable_beginscan(relation, index, true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}
