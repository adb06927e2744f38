/*
 * parents.h
 *	  Which rows of a step the requests of later steps are made of.
 */
#ifndef DATABITE_PARENTS_H
#define DATABITE_PARENTS_H

#include "base/problem.h"
#include "catalog/parent_catalog.h"
#include "job/definition.h"

/* The columns (char *) of the step that steps after it name in their templates.  Needs a transaction. */
extern List *parents_wanted(const Job *job, const JobStep *step);

/*
 * The step whose rows the requests of this one are made of; NULL where they name
 * none.  fields: of TemplateParentField *, what its request names.  A problem is
 * added where they name rows of two steps, or a column that the step does not fill.
 */
extern const JobStep *parents_of_request(const JobStep *step, const List *fields, ProblemList *problems);

#endif
