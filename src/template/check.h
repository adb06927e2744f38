/*
 * check.h
 *	  What a parsed template means: names, filters, natural types.
 */
#ifndef DATABITE_CHECK_H
#define DATABITE_CHECK_H

#include "template/ast.h"
#include "template/template.h"

/* Fills in the scope, filter and type of every node; adds all problems it finds. */
extern void template_check(AstNode *node, const TemplateCompiler *compiler);

/*
 * The type two alternatives have in common (of ?? and the conditional):
 * InvalidOid, whatever is wanted, gives way to any other; two different ones
 * meet in jsonb.
 */
extern Oid	template_common_type(Oid a, Oid b);

/* The type in which two values are compared. */
extern Oid	template_comparison_type(Oid a, Oid b);

#endif
