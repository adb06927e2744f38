/*
 * template.h
 *	  {{ }} templates, compiled once to SQL expressions.
 *
 * A template is parsed, checked and translated to one SQL expression of a
 * known type.  It never holds a value: what comes from an item is a typed
 * column of the batch (b.p1, b.p2, ...), what comes from another scope is read
 * from one jsonb parameter ($1), and a secret is databite.secret('name', $2),
 * which answers only the statement that databite itself renders a request with:
 * it is given a key ($2), and a user's function that it calls is not.
 */
#ifndef DATABITE_TEMPLATE_H
#define DATABITE_TEMPLATE_H

#include "base/problem.h"
#include "job/definition.h"
#include "job/path.h"

/* Scopes a template may use; a mask. */
#define TEMPLATE_SCOPE_ITEM		(1 << 0)	/* item, index: columns of the batch */
#define TEMPLATE_SCOPE_SECRETS	(1 << 1)	/* tokens, secrets: requests only */
#define TEMPLATE_SCOPE_SYNC		(1 << 2)	/* last_sync_time, run.id, run.started_at */
#define TEMPLATE_SCOPE_PAYLOAD	(1 << 3)	/* payload of enqueue_job */
#define TEMPLATE_SCOPE_ANY		(1 << 4)	/* evaluate(): any name is looked up in $1 */
#define TEMPLATE_SCOPE_CONTROL	(1 << 5)	/* skip, reject: the item is marked in the batch */
#define TEMPLATE_SCOPE_PAGE		(1 << 6)	/* page, window: where the listing stands */
#define TEMPLATE_SCOPE_CURSOR	(1 << 7)	/* cursor */
#define TEMPLATE_SCOPE_RESPONSE (1 << 8)	/* response (the body), http (status, headers, url) */
#define TEMPLATE_SCOPE_AUTH		(1 << 9)	/* auth: what the answer that gave the token said beside it */
#define TEMPLATE_SCOPE_WEBHOOK	(1 << 12)	/* webhook: the delivery that the item came with */
#define TEMPLATE_SCOPE_BODY		(1 << 13)	/* payload is the item: that of the delivery */

/* Scopes that every transform finds in the context of an item (ItemContext) rather than in $1: see template_context_scopes. */
#define TEMPLATE_SCOPES_OF_CONTEXT	(TEMPLATE_SCOPE_PAGE | TEMPLATE_SCOPE_RESPONSE | TEMPLATE_SCOPE_WEBHOOK)

/* What templates over the items of a source may use beside the items. */
#define TEMPLATE_SCOPES_OF_SOURCE(source)            \
	(TEMPLATE_SCOPE_PAGE | TEMPLATE_SCOPE_RESPONSE | \
	 ((source)->type == SOURCE_WEBHOOK ? TEMPLATE_SCOPE_WEBHOOK | TEMPLATE_SCOPE_BODY : TEMPLATE_SCOPE_PAYLOAD))

/* The bare names by which templates have used scopes; a mask of TEMPLATE_SCOPE_, and of the parents. */
#define TEMPLATE_USES_PARENT	(1 << 30)
#define TEMPLATE_USES_BOUNDS	(1 << 29)	/* last_sync_time, cursor, window: what the run asks for is a part of all */

/* What templates may do to an item; a mask. */
#define TEMPLATE_SKIPS			(1 << 0)
#define TEMPLATE_REJECTS		(1 << 1)

/*
 * One input column of the batch: a path into the item, delivered as a type.
 * The same path with two types is two inputs.
 */
typedef struct TemplateInput
{
	char	   *name;			/* "p1", "p2", ... */
	JsonPath   *path;			/* nsteps 0: the whole item */
	bool		is_index;		/* not a path but the item's position in the list, from 0 (int8) */
	bool		is_context;		/* not a path but what the items of its page have in common (jsonb) */
	Oid			type;			/* type the expression needs */
	int32		typmod;
	bool		undecided;		/* lone path into a column whose type is not known yet: delivered as jsonb */
} TemplateInput;

/* Collects the inputs of all templates of one statement. */
typedef struct TemplateInputs
{
	List	   *inputs;			/* of TemplateInput * */
	int			marks;			/* TEMPLATE_SKIPS, TEMPLATE_REJECTS: what the templates may do to an item */
	int			used;			/* TEMPLATE_SCOPE_ of the scopes that the templates name, TEMPLATE_USES_PARENT */
	List	   *parent_fields;	/* of TemplateParentField *: what they name of parents */
} TemplateInputs;

/* {{ customers.id }}: a field of the row of a step that this one depends on. */
typedef struct TemplateParentField
{
	const JobStep *step;
	char	   *name;			/* of the column */
	bool		member;			/* a member of an object in it is named */
} TemplateParentField;

typedef struct TemplateCompiler
{
	int			scopes;			/* TEMPLATE_SCOPE_ mask */
	TemplateInputs *inputs;		/* shared by all templates of a statement */
	ProblemList *problems;
	bool		validated;		/* a value that a filter finds wrong or missing rejects its item */
	const char *column;			/* that the template fills, or NULL */
	int			batch_scopes;	/* template_context_scopes, where statements read the batch: they are in b, not in $1 */
	const List *parents;		/* of JobStep *: names of scopes, by id or table */
} TemplateCompiler;

/* A compiled template. */
typedef struct TemplateExpr
{
	char	   *sql;			/* an expression without outer context: every name qualified, every literal quoted */
	Oid			type;			/* its type; jsonb for an undecided lone path */
	TemplateInput *lone;		/* the input, where the template is one lone item path, else NULL */
	JsonPath   *scope_path;		/* one lone path beside the item, whose type is open; begins with the scope's name; else NULL */
	bool		in_context;		/* scope_path leads into ItemContext, else into $1 */
} TemplateExpr;

extern TemplateCompiler *template_compiler_create(int scopes, ProblemList *problems);

/*
 * Compiles one value of a definition for a place of the given type.
 * want InvalidOid: the type is not known (table not yet created): the
 * expression keeps its natural type and a lone path is jsonb, undecided.
 * A value without templates is a literal.  Problems are added with
 * value->pointer and the position in the template; NULL is returned then.
 */
extern TemplateExpr *template_compile(TemplateCompiler *compiler, const JobValue *value,
									  Oid want, int32 typmod);

/*
 * Compiles a text for a URL: as a text, but every embedded value is
 * percent-encoded (RFC 3986), except one at the very start, which is a base
 * URL.  A NULL value makes the whole NULL.
 */
extern TemplateExpr *template_compile_url(TemplateCompiler *compiler, const JobValue *value);

/*
 * Compiles a JSON document (an object or array with templates in its strings)
 * to an expression of type json; a lone template keeps its JSON type.
 */
extern TemplateExpr *template_compile_json(TemplateCompiler *compiler, const JobValue *value);

/*
 * Scopes (TEMPLATE_SCOPE_, TEMPLATE_USES_) that differ from item to item of the step, so that its transform finds them in
 * the context of an item.
 */
extern int	template_context_scopes(const JobStep *step);

/* Does a compiled expression read the input? */
extern bool template_uses_input(const char *sql, const TemplateInput *input);

/* True if the text holds {{ anywhere. */
extern bool template_has_template(const char *text);

#endif
