/*
 * token_keeper.h
 *	  A process that commits tokens while our own transaction goes on.
 *
 * execute_job runs in its caller's transaction, which may be rolled back; a
 * server that has replaced a refresh token does not take that back.  So a
 * background worker stores the tokens in a transaction of its own.  It is there,
 * and has the locks that it needs, before the token endpoint is asked: what can
 * be known to fail fails before anything is spent.
 *
 * start; ask for the tokens; store; end.
 */
#ifndef DATABITE_TOKEN_KEEPER_H
#define DATABITE_TOKEN_KEEPER_H

#include "catalog/access_token_catalog.h"

typedef struct TokenKeeper TokenKeeper;

/*
 * Starts the worker and waits until it can store the tokens of owner, allocated in
 * the current memory context.  Errors: 53400 where no worker slot is free, 55000
 * where the current transaction has changed tokens itself, 55P03 where another
 * one has and does not end (lock_timeout, or 10 s).
 */
extern TokenKeeper *token_keeper_start(Oid owner);

/*
 * Has the tokens stored, once: the access token of key and, where refresh_token is
 * not NULL, that one under name.  When it returns they are committed and on disk;
 * it raises an error where they are not.
 */
extern void token_keeper_store(TokenKeeper *keeper, const char *name, const char *refresh_token,
							   const char *key, const AccessToken *token);

/* Ends the worker, if it is still there, and wipes what it was given; nothing where keeper is NULL. */
extern void token_keeper_end(TokenKeeper *keeper);

/* Entry point of the process. */
extern PGDLLEXPORT void databite_token_keeper_main(Datum arg);

#endif
