/*
 * filters.h
 *	  The filters of the language: {{ value | name(arguments) }}.
 */
#ifndef DATABITE_FILTERS_H
#define DATABITE_FILTERS_H

#include "template/compile.h"

#define FILTER_MAX_ARGS 3

typedef struct TemplateFilter
{
	const char *name;
	const char *function;		/* SQL function that is called with the value and the arguments */
	Oid			input;			/* its type of the value */
	Oid			result;			/* and of the result */
	int			min_args;
	int			max_args;
	Oid			arg_types[FILTER_MAX_ARGS];
	const char *arg_defaults[FILTER_MAX_ARGS];	/* SQL for an argument that is not given */

	/* Where a plain call is not enough; NULL: result, and a call. */
	Oid			(*natural_type) (const AstNode *node);
	void		(*compile) (TemplateCompile *compile, const AstNode *node, Oid to);
} TemplateFilter;

/*
 * Finds the filter of the node and checks the number of its arguments; sets
 * node->filter and node->type, or adds the problem.  The operands are checked.
 */
extern void template_filter_resolve(AstNode *node);

/* Writes the filter of the node with its operands, as the given type. */
extern void template_filter_compile(TemplateCompile *compile, const AstNode *node, Oid to);

#endif
