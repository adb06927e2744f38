/*
 * filters.h
 *	  The filters of the language: {{ value | name(arguments) }}.
 *
 * A filter is a row in the table of its group (filters_text.c, ...): most are a
 * call of one SQL function, which is in functions_*.c; what is more than a call
 * says so by a hook in its row.
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
	bool		variadic;		/* max_args and more; the further ones have the last one's type */
	bool		any_kind;		/* the hooks look at what literals there are among the arguments */
	Oid			arg_types[FILTER_MAX_ARGS];
	const char *arg_defaults[FILTER_MAX_ARGS];	/* SQL for an argument that is not given */

	/* Adds problems of arguments beyond their number and kind. */
	void		(*check) (const AstNode *node);

	/* Where a plain call is not enough; NULL: result, and a call. */
	Oid			(*natural_type) (const AstNode *node);
	void		(*compile) (TemplateCompile *compile, const AstNode *node, Oid to);
} TemplateFilter;

/* The groups; each ends with an empty row. */
extern const TemplateFilter template_null_filters[];
extern const TemplateFilter template_text_filters[];
extern const TemplateFilter template_number_filters[];
extern const TemplateFilter template_time_filters[];
extern const TemplateFilter template_json_filters[];
extern const TemplateFilter template_coding_filters[];
extern const TemplateFilter template_check_filters[];
extern const TemplateFilter template_control_filters[];

/*
 * Finds the filter of the node, or the user's function, and checks the number and
 * kind of its arguments; sets node->filter or node->function, and node->type, or
 * adds the problem.  The operands are checked.
 */
extern void template_filter_resolve(AstNode *node);

/* Writes the filter of the node with its operands, as the given type. */
extern void template_filter_compile(TemplateCompile *compile, const AstNode *node, Oid to);

/* The plain call, for hooks: function(value, arguments, defaults of those not given). */
extern void template_filter_call(TemplateCompile *compile, const AstNode *node, Oid to);

/* The same for a function that there is for values of several types. */
extern void template_filter_call_as(TemplateCompile *compile, const AstNode *node,
									Oid input, Oid result, Oid to);

/* The call of a function of two values of one type: function(value, argument). */
extern void template_filter_call_alike(TemplateCompile *compile, const AstNode *node,
									   Oid operands, Oid result, Oid to);

/* The nth argument, from 1, where it is given and a literal of that kind; else NULL. */
extern const AstNode *template_filter_literal(const AstNode *node, int n, AstLiteral kind);

/* Adds a problem at the place of the argument. */
extern void template_filter_problem(const AstNode *argument, const char *hint, const char *fmt,...) pg_attribute_printf(3, 4);

#endif
