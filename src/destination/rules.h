/*
 * rules.h
 *	  "validation": what rows must be like, as conditions of the statement that writes them.
 */
#ifndef DATABITE_RULES_H
#define DATABITE_RULES_H

#include "destination/columns.h"
#include "destination/marks.h"
#include "destination/statement.h"

typedef struct Rules
{
	List	   *values;			/* of StatementValue *: what the rules' templates give */
	List	   *checks;			/* of StatementCheck *, in the order in which they are made */
	List	   *key_checks;		/* the same, that the key has values: of an upsert only */
	int			nfailures;
	RuleFailure *failures;		/* by the checks' number */
} Rules;

/*
 * Compiles the step's rules for the columns (of PlanColumn *) that it fills;
 * compiler is that of the transform, whose inputs they share.  Adds a problem
 * for each rule that cannot be.  NULL where the step has no validation.
 */
extern Rules *rules_create(const JobStep *step, const Target *target, const List *columns,
						   const TemplateCompiler *compiler);

/* Adds that the columns of the key (of char *) have values. */
extern void rules_require_key(Rules *rules, const Target *target, const List *key);

/* What can be said of the rules while the table's columns are not known: names, templates, and patterns. */
extern void rules_check(const JobStep *step, ProblemList *problems);

/* Is the column one that a rule looks at? */
extern bool rules_have_column(const JobStep *step, const char *column);

#endif
