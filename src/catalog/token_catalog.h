/*
 * token_catalog.h
 *	  Table databite.token: secrets of roles.
 */
#ifndef DATABITE_TOKEN_CATALOG_H
#define DATABITE_TOKEN_CATALOG_H

#include "catalog/tables.h"

/* Stores a secret; replaces one of that name. */
extern void token_catalog_set(Oid owner, const char *name, const char *value);

/* False where there is none of that name. */
extern bool token_catalog_delete(Oid owner, const char *name);

/* NULL: none.  A value leaves here only towards a request that is being rendered. */
extern char *token_catalog_get(Oid owner, const char *name);

#endif
