/*
 * compile.h
 *	  A checked template to SQL text; shared by the files that write it.
 *
 * Every template_compile_ function appends one SQL expression of exactly the
 * type that is asked for to compile->out.  It may be put anywhere an operand
 * may stand.  What cannot be is added as a problem; the text is then not used.
 */
#ifndef DATABITE_COMPILE_H
#define DATABITE_COMPILE_H

#include "lib/stringinfo.h"
#include "template/ast.h"
#include "template/coerce.h"
#include "template/template.h"

typedef struct TemplateCompile
{
	StringInfo	out;
	const TemplateCompiler *compiler;
	TemplateInputs *inputs;
	const AstNode *root;		/* the whole template */
	int32		typmod;			/* of its place */
	bool		in_branch;		/* what is compiled may be left unevaluated, and must not fail then */
} TemplateCompile;

/* compile.c */

/* to: the type, or InvalidOid for the natural one. */
extern void template_compile_node(TemplateCompile *compile, const AstNode *node, Oid to);

/* The same for a part that is only evaluated where its value is taken, as a branch of CASE. */
extern void template_compile_branch(TemplateCompile *compile, const AstNode *node, Oid to);

/* The type template_compile_node gives for InvalidOid. */
extern Oid	template_natural_type(const AstNode *node);

/* The first operand that is not NULL, written as COALESCE. */
extern void template_compile_coalesce(TemplateCompile *compile, const AstNode *node, Oid to);

/* Writes what stands before an expression to change its type; a problem where that cannot be. */
extern Coercion template_begin_as(TemplateCompile *compile, const AstNode *node, Oid from, Oid to);
extern void template_end_as(TemplateCompile *compile, const Coercion *coercion);

/* compile_path.c */

extern void template_compile_path(TemplateCompile *compile, const AstNode *node, Oid to);

/* The input column of a path into the item, a new one or one that is there; NULL and a problem where there are too many. */
extern TemplateInput *template_path_input(TemplateCompile *compile, const AstNode *node,
										  Oid type, int32 typmod, bool undecided);

/* The node is a path into the item that one input column can hold. */
extern bool template_is_item_path(const AstNode *node);

/*
 * Where the node is a path beside the item whose type is open: the same with the scope's name before it, as long as the inputs
 * live; else NULL.
 */
extern JsonPath *template_scope_path(const TemplateCompile *compile, const AstNode *node);

/* The scope differs from item to item: its values are in ItemContext, else in $1. */
extern bool template_is_in_context(const TemplateCompile *compile, const AstNode *node);

/* filters_control.c */

/* The bare names "skip" and "reject". */
extern void template_compile_mark(TemplateCompile *compile, const AstNode *node, Oid to);

/* A filter validate_x whose value, where it is not valid, rejects the item. */
extern void template_compile_validated(TemplateCompile *compile, const AstNode *node, Oid to);

/* literal.c */

extern void template_compile_literal(TemplateCompile *compile, const AstNode *node, Oid to);

/*
 * Does the type's input function take the text?  If not, *error is its error.
 * Runs it in a subtransaction, or, where there can be none, just says yes.
 */
extern bool template_literal_fits(Oid type, int32 typmod, const char *text, ErrorData **error);

#endif
