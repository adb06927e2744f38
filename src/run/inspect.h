/*
 * inspect.h
 *	  What a job would do, without doing it: checks, explain, preview.
 */
#ifndef DATABITE_INSPECT_H
#define DATABITE_INSPECT_H

#include "base/problem.h"
#include "catalog/job_catalog.h"
#include "job/definition.h"
#include "utils/jsonb.h"

/* Compiles every step of a parsed job as it would run now, for the current user; adds what is wrong. */
extern void inspect_check(const Job *job, ProblemList *problems);

/*
 * Lines of text (char *): each step's request (secrets masked) and statement, and
 * with costs how PostgreSQL would run that.
 */
extern List *inspect_explain(const JobRecord *record, bool costs);

/* Takes one item of a preview; item or row may be NULL, error is NULL where the row is good. */
typedef void (*PreviewReceiver) (void *arg, const char *step_id, Jsonb *item, Jsonb *row, const char *error);

/* Fetches the first page of each step and hands over up to max_items of its items. */
extern void inspect_preview(const JobRecord *record, int max_items, PreviewReceiver receive, void *arg);

#endif
