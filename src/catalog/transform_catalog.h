/*
 * transform_catalog.h
 *	  Table databite.transform: functions that roles have named as filters.
 */
#ifndef DATABITE_TRANSFORM_CATALOG_H
#define DATABITE_TRANSFORM_CATALOG_H

#include "catalog/tables.h"

/* The function is kept by its names, which a dump carries; an OID would mean another one after a restore. */
typedef struct TransformRecord
{
	char	   *name;
	char	   *schema;			/* of the function */
	char	   *function;		/* its name alone */
	char	   *signature;		/* as user_function_signature() writes it */
} TransformRecord;

/* Stores a transform of the role; replaces one of that name. */
extern void transform_catalog_set(Oid owner, const TransformRecord *transform);

/* False where the role has none of that name. */
extern bool transform_catalog_delete(Oid owner, const char *name);

/* False where the role has none of that name. */
extern bool transform_catalog_get(Oid owner, const char *name, TransformRecord *transform);

#endif
