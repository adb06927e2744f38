/*
 * extension.c
 *	  The extension in this database, and whether its SQL objects fit this library.
 *
 * The library is the server's, the SQL objects are a database's: after an
 * installation each database has those of the version before until somebody runs
 * ALTER EXTENSION databite UPDATE there.  A process that has loaded the library
 * before the installation keeps the old one, and then finds objects that are newer.
 * Tables, functions and types change between versions, so nothing is done with
 * objects that the library does not know: whoever enters databite's tables comes
 * here first (catalog_enter), in every transaction, and hears what to do.
 *
 * pg_extension has no syscache and sends no invalidation, so its row is read each
 * time, by index.  That it stays true until the end of the transaction is due to
 * the lock, for which DROP EXTENSION waits, and ALTER EXTENSION UPDATE where databite
 * is preloaded (worker/hooks.c); it also keeps an update script, which locks table
 * after table, from deadlocks with those who use them.
 */
#include "postgres.h"

#include <stdlib.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/version.h"
#include "catalog/extension.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

/* Versions of the SQL script that this library works with. */
static const char *const sql_versions[] = {DATABITE_VERSION};

/* The row of pg_extension. */
typedef struct ExtensionRow
{
	Oid			oid;			/* InvalidOid: there is none */
	Oid			owner;
	char		version[NAMEDATALEN];	/* cut where it is longer: then it is none of ours */
} ExtensionRow;

static void lock_row(ExtensionRow *row);
static void read_row(ExtensionRow *row);
static bool version_fits(const char *version);
static void describe_misfit(const char *version, ExtensionMisfit *misfit);
static bool version_is_newer(const char *version, const char *than);

Oid
catalog_extension_oid(void)
{
	return get_extension_oid("databite", true);
}

Oid
catalog_lock_extension(void)
{
	ExtensionRow row;

	lock_row(&row);
	return row.oid;
}

Oid
catalog_extension_owner(void)
{
	ExtensionRow row;
	ExtensionMisfit misfit;

	lock_row(&row);
	if (!OidIsValid(row.oid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension databite is not created in this database"),
				 errhint("Run CREATE EXTENSION databite.")));
	if (!version_fits(row.version))
	{
		describe_misfit(row.version, &misfit);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg_internal("%s", misfit.message),
				 errhint("%s", misfit.hint)));
	}
	return row.owner;
}

void
catalog_check_extension(void)
{
	(void) catalog_extension_owner();
}

bool
catalog_extension_misfits(ExtensionMisfit *misfit)
{
	ExtensionRow row;

	lock_row(&row);
	if (!OidIsValid(row.oid) || version_fits(row.version))
		return false;
	describe_misfit(row.version, misfit);
	return true;
}

char *
catalog_extension_version(void)
{
	ExtensionRow row;

	read_row(&row);
	return OidIsValid(row.oid) ? pstrdup(row.version) : NULL;
}

/* Locks the extension before its row is read, so that what is read stays true. */
static void
lock_row(ExtensionRow *row)
{
	static Oid	known = InvalidOid; /* as found before: the first guess */

	if (OidIsValid(known))
		LockDatabaseObject(ExtensionRelationId, known, 0, AccessShareLock);
	for (;;)
	{
		read_row(row);
		if (!OidIsValid(row->oid) || row->oid == known)
			return;

		/* The lock may have waited for a DROP EXTENSION to commit: look again. */
		known = row->oid;
		LockDatabaseObject(ExtensionRelationId, known, 0, AccessShareLock);
	}
}

static void
read_row(ExtensionRow *row)
{
	Relation	relation = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	memset(row, 0, sizeof(ExtensionRow));
	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum("databite"));
	scan = systable_beginscan(relation, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		version = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(relation), &isnull);

		row->oid = ((Form_pg_extension) GETSTRUCT(tuple))->oid;
		row->owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
		if (!isnull)
			text_to_cstring_buffer(DatumGetTextPP(version), row->version, sizeof(row->version));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
}

static bool
version_fits(const char *version)
{
	for (int i = 0; i < lengthof(sql_versions); i++)
	{
		if (strcmp(version, sql_versions[i]) == 0)
			return true;
	}
	return false;
}

static void
describe_misfit(const char *version, ExtensionMisfit *misfit)
{
	misfit->newer = version_is_newer(version, DATABITE_VERSION);
	misfit->message = psprintf("extension \"databite\" has version %s, the library needs %s", version, DATABITE_VERSION);
	misfit->hint = misfit->newer
		? psprintf("Install databite %s. Where that has been done, restart the server,"
				   " or begin a new session if databite is not preloaded.",
				   version)
		: pstrdup("Run ALTER EXTENSION databite UPDATE.");
}

/* By their numbers: 1.10 is newer than 1.9. */
static bool
version_is_newer(const char *version, const char *than)
{
	for (;;)
	{
		char	   *rest;
		char	   *than_rest;
		long		number = strtol(version, &rest, 10);
		long		than_number = strtol(than, &than_rest, 10);

		if (number != than_number)
			return number > than_number;
		if (*than_rest != '.')
			return *rest == '.';
		if (*rest != '.')
			return false;
		version = rest + 1;
		than = than_rest + 1;
	}
}
