/*
 * problem.h
 *	  The list of what is wrong with a job definition.
 *
 * Parsing, checking and compiling a definition add problems to one list and
 * go on, so that validate_job can show all of them and schedule_job can raise
 * the first.  A problem names its place by JSON pointer (RFC 6901).
 */
#ifndef DATABITE_PROBLEM_H
#define DATABITE_PROBLEM_H

#include "nodes/pg_list.h"

typedef struct Problem
{
	int			sqlstate;		/* ERRCODE_..., mostly 22023 or 0A000 */
	char	   *pointer;		/* JSON pointer of the place, "" is the root */
	char	   *message;		/* errmsg style: lower case, no period */
	char	   *hint;			/* what to do, or NULL */
} Problem;

typedef struct ProblemList
{
	MemoryContext context;		/* problems and their texts live here */
	List	   *problems;		/* of Problem *, in the order found */
} ProblemList;

extern ProblemList *problem_list_create(MemoryContext context);

/* Adds a problem; hint may be NULL. */
extern void problem_add(ProblemList *list, int sqlstate, const char *pointer,
						const char *hint, const char *fmt,...) pg_attribute_printf(5, 6);

/* Raises the first problem as an ERROR (detail: the pointer and how many more there are); returns if there is none. */
extern void problem_raise_first(ProblemList *list);

/* "did you mean "x"?" for the nearest of candidates (NULL-terminated), or NULL where none is near. */
extern char *problem_suggest(const char *word, const char *const *candidates);

#endif
