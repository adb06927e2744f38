/*
 * auth.h
 *	  Who asks: credentials for the requests of a step, got and kept fresh.
 *
 * bearer, basic and api_key are rendered with the request.  oauth2 and login get
 * an access token by a request of their own, which goes through the same client
 * (address guard, TLS, time limits); the token is kept, with its lifetime, in a
 * table that no view shows and no dump carries, so that other runs use it too.
 * One process at a time gets a new one, by a lock; the others wait for it and
 * take what it got.
 */
#ifndef DATABITE_AUTH_H
#define DATABITE_AUTH_H

#include "base/problem.h"
#include "run/context.h"
#include "source/request.h"
#include "utils/jsonb.h"

typedef struct AuthSession AuthSession;

/*
 * Compiles the templates of source.auth and source.tls; problems are added, the
 * result is NULL then, and also where the source has neither: all functions below
 * take that for a session that has nothing to do.  Needs a transaction.
 */
extern AuthSession *auth_session_create(const JobSource *source, ProblemList *problems, MemoryContext context);

/*
 * Sees to it that the credentials are there and fresh: outside of any
 * transaction (but in RUN_IN_FUNCTION), as it may have to ask for a token and
 * to commit it.  scopes as for requests.  True where they changed since they
 * were last used, so that requests must be rendered anew.  Raises what goes wrong.
 */
extern bool auth_session_refresh(AuthSession *session, RunContext *run, Jsonb *scopes);

/* Which access token requests get just now: 0 none, and another number for each. */
extern int	auth_session_token(const AuthSession *session);

/*
 * A response of 401 to a request with that access token: true where another one
 * is to be had, which refresh then gets, unless it has been got meanwhile for
 * another request that went out with the same.
 */
extern bool auth_session_expired(AuthSession *session, int token);

/*
 * Puts the credentials into a rendered request: headers, query, cookie, what
 * is needed to sign it when it is sent, certificates.  masked: secrets become "***".
 * Allocates in the current memory context.
 */
extern void auth_session_apply(AuthSession *session, HttpRequest *request, bool masked);

/* {{auth.x}}: what the answer that gave the token said beside secrets, and base_url; JSON text, "null" where there is none. */
extern const char *auth_session_scope(const AuthSession *session);

#endif
