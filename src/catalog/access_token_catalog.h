/*
 * access_token_catalog.h
 *	  Table databite.access_token: what sources have given for secrets of roles.
 */
#ifndef DATABITE_ACCESS_TOKEN_CATALOG_H
#define DATABITE_ACCESS_TOKEN_CATALOG_H

#include "catalog/tables.h"
#include "datatype/timestamp.h"

typedef struct AccessToken
{
	char	   *value;
	TimestampTz obtained_at;
	TimestampTz expires_at;		/* 0: not known */
	char	   *extra;			/* JSON text of an object: what the answer said beside secrets */
} AccessToken;

/* In the current memory context, as it is now whatever the isolation level; NULL: none. */
extern AccessToken *access_token_catalog_get(Oid owner, const char *key);

/* Stores one; replaces one of that key. */
extern void access_token_catalog_put(Oid owner, const char *key, const AccessToken *token);

/* Forgets all of a role: they were got with secrets that have changed. */
extern void access_token_catalog_forget(Oid owner);

/*
 * Locks this table and databite.token until the end of the transaction, so that
 * neither put nor token_catalog_set has to wait.
 */
extern void access_token_catalog_lock(void);

/* Has the current transaction such a lock on either of them, as it has changed tokens? */
extern bool access_token_catalog_is_locked_by_us(void);

#endif
