/*
 * response_rules.h
 *	  What the definition says of responses: errorWhen, onStatus, stopWhen, and {{response}} in a transform.
 *
 * Rules are templates over "response" (the body: JSON, else its text) and "http"
 * ({"status", "headers": {lower-case name: value}, "url"}), compiled to one
 * statement.
 */
#ifndef DATABITE_RESPONSE_RULES_H
#define DATABITE_RESPONSE_RULES_H

#include "base/problem.h"
#include "run/context.h"
#include "utils/jsonb.h"

typedef struct ResponseRules ResponseRules;

typedef struct ResponseVerdict
{
	ResponseAction action;		/* ACTION_DEFAULT: no rule has spoken */
	char	   *message;		/* of the error, or NULL: in the current memory context, secrets masked */
} ResponseVerdict;

/* NULL where the source has none.  Needs a transaction. */
extern ResponseRules *response_rules_create(const JobSource *source, ProblemList *problems, MemoryContext context);

/* What rules see of the run: $1 of the transform; must outlive the rules. */
extern void response_rules_set_run(ResponseRules *rules, Jsonb *scopes);

/* Is there a rule for responses that are no success, or for successes? */
extern bool response_rules_for_errors(const ResponseRules *rules);
extern bool response_rules_for_successes(const ResponseRules *rules);

/*
 * Evaluates the rules that fit the response's status, in a short transaction of
 * the run (read only).  body: of an error its beginning, of a success the
 * envelope; NULL where it is too large.
 */
extern void response_rules_judge(ResponseRules *rules, RunContext *run, const HttpResponse *response,
								 const char *body, size_t len, ResponseVerdict *verdict);

/* pagination.stopWhen, likewise; false where there is none. */
extern bool response_rules_stop(ResponseRules *rules, RunContext *run, const HttpResponse *response,
								const char *body, size_t len);

/* {"response": ..., "http": ...} in the database's encoding, in the current memory context; for a transform's context. */
extern char *response_scope_json(const HttpResponse *response, const char *body, size_t len);

#endif
