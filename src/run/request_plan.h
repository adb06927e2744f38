/*
 * request_plan.h
 *	  The request of a step: its templates compiled, then rendered.
 */
#ifndef DATABITE_REQUEST_PLAN_H
#define DATABITE_REQUEST_PLAN_H

#include "base/problem.h"
#include "job/definition.h"
#include "source/request.h"
#include "utils/jsonb.h"

typedef struct RequestPlan RequestPlan;

/* Compiles; problems are added, the result is NULL then. */
extern RequestPlan *request_plan_create(const JobStep *step, ProblemList *problems, MemoryContext context);

/* TEMPLATE_SCOPE_ of the scopes that its templates name, TEMPLATE_USES_PARENT. */
extern int	request_plan_uses(const RequestPlan *plan);

/* The step whose rows the requests are made of: one for each combination of values; NULL: none.  plan may be NULL. */
extern const JobStep *request_plan_parent(const RequestPlan *plan);

/* The columns of it that they name: char *. */
extern const List *request_plan_parent_columns(const RequestPlan *plan);

/*
 * Renders in the current transaction, with the tokens of owner; scopes is $1 of
 * the templates.  masked: secrets become "***" (explain_job).  A query
 * parameter or header whose value is NULL is left out; a URL that is NULL is an
 * error.
 */
extern HttpRequest *request_plan_render(RequestPlan *plan, Oid owner, Jsonb *scopes, bool masked);

#endif
