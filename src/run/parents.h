/*
 * parents.h
 *	  Which rows of a step the requests of later steps are made of.
 */
#ifndef DATABITE_PARENTS_H
#define DATABITE_PARENTS_H

#include "base/problem.h"
#include "catalog/parent_catalog.h"
#include "job/definition.h"
#include "run/context.h"

/* What a step delivers to a later one, whose requests are made of it. */
typedef struct ParentDelivery
{
	const JobStep *to;
	List	   *names;			/* of char *: the columns that it names */
} ParentDelivery;

/* The columns (char *) of the step that steps after it name in their templates.  Needs a transaction. */
extern List *parents_wanted(const Job *job, const JobStep *step);

/*
 * The same for each of these steps by itself (ParentDelivery *): what one names besides must not make another ask
 * twice for what it names.
 */
extern List *parents_deliveries(const Job *job, const JobStep *step);

/*
 * Sets what steps without a destination deliver, once templates can be compiled; as often as one likes.  A problem is
 * added for each of which no later step names anything; problems NULL: that was found out before.
 */
extern void parents_link(const Job *job, ProblemList *problems);

/*
 * The step whose rows the requests of this one are made of; NULL where they name
 * none.  fields: of TemplateParentField *, what its request names.  A problem is
 * added where they name rows of two steps, or a column that the step does not fill.
 */
extern const JobStep *parents_of_request(const JobStep *step, const List *fields, ProblemList *problems);

/* False where the query of the step names a row of another one, which is a problem. */
extern bool parents_check_query(const JobStep *step, ProblemList *problems);

/*
 * Adds a problem for each template over items that names what is not known of them; parent: the step whose rows the
 * requests are made of, or NULL.
 */
extern void parents_check_items(const JobStep *step, const JobStep *parent, ProblemList *problems);
/* Adds a problem where the step is to keep a state of each row of such a step (or NULL), and there is none. */
extern void parents_check_state(const JobStep *step, const JobStep *parent, ProblemList *problems);

/* Are the step's requests made of the same columns of the same step's rows as in the old definition?  Needs a transaction. */
extern bool parents_are_same(const Job *old, const Job *job, const JobStep *step);

/*
 * parents_clear.c: forgets the rows that the step (NULL: any step of the job) makes its requests of, in transactions of
 * its own.
 */
extern void parents_clear(RunContext *run, const char *step_id);

/* As many rows of all steps as a transaction should delete, in the current one.  False where that was all. */
extern bool parents_clear_some(RunContext *run);

#endif
