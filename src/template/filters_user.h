/*
 * filters_user.h
 *	  Functions of users as filters: {{ x | my_schema.my_fn(1) }}, or named by create_transform.
 */
#ifndef DATABITE_FILTERS_USER_H
#define DATABITE_FILTERS_USER_H

#include "template/compile.h"

/*
 * Looks for the function that the filter of the node names: a qualified one, or
 * a transform of the current user.  False where it names none of these.  Else
 * sets node->function and node->type, or adds the problem.  The operands are
 * checked.
 */
extern bool template_user_filter_resolve(AstNode *node);

/* Writes the call of node->function, as the given type. */
extern void template_user_filter_compile(TemplateCompile *compile, const AstNode *node, Oid to);

#endif
