/*
 * extension.h
 *	  The extension in this database, and whether its SQL objects fit this library.
 */
#ifndef DATABITE_EXTENSION_H
#define DATABITE_EXTENSION_H

#include "postgres.h"

/* Why the SQL objects do not fit; texts are palloc'd. */
typedef struct ExtensionMisfit
{
	bool		newer;			/* than the library; ALTER EXTENSION helps where it is older */
	char	   *message;
	char	   *hint;
} ExtensionMisfit;

/* OID of extension databite in this database, InvalidOid where it is not (or no longer) there. */
extern Oid	catalog_extension_oid(void);

/*
 * As catalog_extension_oid, but also takes a lock on the extension until the end of the
 * transaction that makes DROP EXTENSION and ALTER EXTENSION UPDATE wait, and looks again after that.
 */
extern Oid	catalog_lock_extension(void);

/* The same, and its owner; 55000 where it is not there or does not fit. */
extern Oid	catalog_extension_owner(void);

/* Raises 55000 where the extension is not there or does not fit: for entries that may come to no table first. */
extern void catalog_check_extension(void);

/* False where the extension is there and fits, or is not there. */
extern bool catalog_extension_misfits(ExtensionMisfit *misfit);

/* Version of the extension in this database, palloc'd; NULL where it is not there. */
extern char *catalog_extension_version(void);

#endif
