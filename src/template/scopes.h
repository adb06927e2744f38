/*
 * scopes.h
 *	  The names a template may begin a path with.
 */
#ifndef DATABITE_SCOPES_H
#define DATABITE_SCOPES_H

#include "template/ast.h"
#include "template/template.h"

typedef enum ScopeKind
{
	SCOPE_ITEM,					/* columns of the batch */
	SCOPE_INDEX,
	SCOPE_SECRET,				/* databite.secret() */
	SCOPE_PARAMETER,			/* $1, or the item's context: see template.h */
	SCOPE_PARENT,				/* likewise, of the row of a step that this one depends on */
	SCOPE_CLOCK,				/* when the run began; becomes a filter */
	SCOPE_CONTROL				/* marks the item */
} ScopeKind;

typedef struct TemplateScope
{
	const char *name;
	ScopeKind	kind;
	int			mask;			/* TEMPLATE_SCOPE_, any of which makes it known */
	const char *where;			/* for the hint: where it may be used */
} TemplateScope;

/*
 * Finds what the path's name means to the compiler, sets node->scope and
 * node->type, or adds the problem.
 */
extern void template_scope_resolve(AstNode *node, const TemplateCompiler *compiler);

/* A path to run.started_at in the place of the node; NULL and a problem where no run is known. */
extern AstNode *template_scope_run_start(const AstNode *node, const TemplateCompiler *compiler);

/* The step that the name stands for, among those that the templates' step depends on, or NULL. */
extern const JobStep *template_scope_parent(const char *name, const TemplateCompiler *compiler);

#endif
