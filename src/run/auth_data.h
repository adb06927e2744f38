/*
 * auth_data.h
 *	  The inside of an AuthSession, for the auth files of run/.
 */
#ifndef DATABITE_AUTH_DATA_H
#define DATABITE_AUTH_DATA_H

#include "catalog/access_token_catalog.h"
#include "run/auth.h"
#include "run/request_plan.h"

struct AuthSession
{
	const JobSource *source;
	const JobAuth *auth;
	MemoryContext memory;		/* all of it */
	MemoryContext token_memory; /* token_request, token, scope: reset when they are read anew */

	/* Values of source.auth and source.tls, rendered as the headers of a request that is never sent. */
	RequestPlan *values_plan;	/* NULL: none */
	HttpRequest *values;		/* NULL before refresh */

	/* oauth2 and login */
	RequestPlan *token_plan;	/* the request that gets a token; NULL: none is got */
	HttpRequest *token_request;
	char	   *key;			/* what identifies it: whatever the token is got with */
	AccessToken *token;			/* NULL: none yet */
	char	   *scope;			/* of {{auth.x}}, JSON text */
	char	   *rejected;		/* a token that a 401 was the answer to, or NULL */
	int			tokens;			/* how many there have been */
};

/* auth.c; the rendered value of a field, or NULL. */
extern const char *auth_value(const AuthSession *session, const char *name);

/* auth.c; a list of JobNamedValue * with one more, if the definition has that value. */
extern List *auth_add_value(List *values, const char *name, const JobValue *value);

/* auth.c; the header of RFC 7617. */
extern void auth_set_basic(HttpRequest *request, const char *username, const char *password);

/* auth.c; the session's TLS, or NULL. */
extern HttpTls *auth_tls(const AuthSession *session);

/* auth_token.c */

/* The plan of the token request, or NULL where none is needed or a problem was added. */
extern RequestPlan *auth_token_plan(const JobSource *source, ProblemList *problems, MemoryContext context);

/* Is there a token that may be used? */
extern bool auth_token_is_fresh(const AuthSession *session);

/* Takes the token from the store, or gets a new one.  scopes as for requests. */
extern void auth_token_get(AuthSession *session, RunContext *run, Jsonb *scopes);

/* auth_answer.c */

/*
 * Reads what a token endpoint has answered into the session; in a transaction.
 * *rotated: a new refresh token, or NULL.  Raises what is wrong with it.
 */
extern AccessToken *auth_answer_read(const AuthSession *session, const char *body, size_t len,
									 const HttpResponse *response, char **rotated);

/* What an answer that is no success says is wrong, in words of OAuth; NULL where it says nothing of the kind. */
extern char *auth_answer_error(const char *body, size_t len);

/* {{auth.x}}: extra, and base_url of it; JSON text. */
extern char *auth_answer_scope(const JobAuth *auth, const char *extra);

#endif
