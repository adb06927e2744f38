/*
 * scopes.c
 *	  The names a template may begin a path with.
 *
 * Which of them are known depends on the place of the template: items are
 * known in a transform, secrets in a request.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"
#include "template/scopes.h"
#include "template/template.h"

static const TemplateScope scopes[] =
{
	{"item", SCOPE_ITEM, TEMPLATE_SCOPE_ITEM, "an item is known in a transform only"},
	{"index", SCOPE_INDEX, TEMPLATE_SCOPE_ITEM, "an item is known in a transform only"},
	{"tokens", SCOPE_SECRET, TEMPLATE_SCOPE_SECRETS, "secrets may be used in requests only"},
	{"secrets", SCOPE_SECRET, TEMPLATE_SCOPE_SECRETS, "secrets may be used in requests only"},
	{"last_sync_time", SCOPE_PARAMETER, TEMPLATE_SCOPE_SYNC | TEMPLATE_USES_BOUNDS, "it is known in a run only"},
	{"run", SCOPE_PARAMETER, TEMPLATE_SCOPE_SYNC, "it is known in a run only"},
	{"now", SCOPE_CLOCK, TEMPLATE_SCOPE_SYNC | TEMPLATE_SCOPE_ANY, "it is known in a run only"},
	{"today", SCOPE_CLOCK, TEMPLATE_SCOPE_SYNC | TEMPLATE_SCOPE_ANY, "it is known in a run only"},
	{"payload", SCOPE_PARAMETER, TEMPLATE_SCOPE_PAYLOAD, "it is known in a run with a payload only"},
	{"payload", SCOPE_ITEM, TEMPLATE_SCOPE_BODY, "it is known in a run with a payload only"},
	{"skip", SCOPE_CONTROL, TEMPLATE_SCOPE_CONTROL, "an item can be skipped in a transform only"},
	{"reject", SCOPE_CONTROL, TEMPLATE_SCOPE_CONTROL, "an item can be rejected in a transform only"},
	{"response", SCOPE_PARAMETER, TEMPLATE_SCOPE_RESPONSE, "a response is known in a transform and in rules over responses only"},
	{"http", SCOPE_PARAMETER, TEMPLATE_SCOPE_RESPONSE, "a response is known in a transform and in rules over responses only"},
	{"page", SCOPE_PARAMETER, TEMPLATE_SCOPE_PAGE, "a page is known in a transform and in requests only"},
	{"window", SCOPE_PARAMETER, TEMPLATE_SCOPE_PAGE | TEMPLATE_USES_BOUNDS, "a window is known in a transform and in requests only"},
	{"cursor", SCOPE_PARAMETER, TEMPLATE_SCOPE_CURSOR | TEMPLATE_USES_BOUNDS, "it is known in a run only"},
	{"auth", SCOPE_PARAMETER, TEMPLATE_SCOPE_AUTH, "what the token's answer said may be used in requests only"},
	{"event", SCOPE_PARAMETER, TEMPLATE_SCOPE_SYNC, "it is known in a run only"},
	{"webhook", SCOPE_PARAMETER, TEMPLATE_SCOPE_WEBHOOK,
	"it is known in a transform of a source of type \"webhook_data\" only; elsewhere \"payload\" is what the webhook has brought"},
};

/* A step that this one depends on, by its id or its table. */
static const TemplateScope parent_scope = {"", SCOPE_PARENT, TEMPLATE_USES_PARENT};

/* Any other name, in evaluate(). */
static const TemplateScope any_scope = {"", SCOPE_PARAMETER, TEMPLATE_SCOPE_ANY};

static const char *const run_members[] = {"id", "started_at", NULL};

static const TemplateScope *find_scope(AstNode *node, const TemplateCompiler *compiler);
static const char *table_name(const JobStep *step);
static void become_filter(AstNode *node);
static void unknown_name(AstNode *node, const TemplateCompiler *compiler);
static void check_members(AstNode *node);
static void check_secret(AstNode *node);
static void check_parent(AstNode *node);
static void check_run(AstNode *node);
static Oid	scope_type(const AstNode *node);
static bool is_name(const AstNode *node, const char *name);

void
template_scope_resolve(AstNode *node, const TemplateCompiler *compiler)
{
	node->scope = find_scope(node, compiler);
	if (node->scope == NULL)
		return;
	if (node->scope != &any_scope)
		check_members(node);
	if (node->scope->kind == SCOPE_CLOCK)
		become_filter(node);
	else
		node->type = scope_type(node);
}

int
template_context_scopes(const JobStep *step)
{
	const JobIncremental *incremental = step->source.incremental;
	bool		own_cursors = incremental != NULL && incremental->per_parent_state;

	return TEMPLATE_SCOPES_OF_CONTEXT | TEMPLATE_USES_PARENT | (own_cursors ? TEMPLATE_USES_BOUNDS : 0);
}

AstNode *
template_scope_run_start(const AstNode *node, const TemplateCompiler *compiler)
{
	static JsonPathStep step = {.kind = PATH_KEY, .key = "started_at", .keylen = sizeof("started_at") - 1};
	static JsonPath path = {.nsteps = 1, .steps = &step};
	AstNode    *start = ast_create(AST_PATH, node->source, node->position);

	start->text = "run";
	start->path = &path;
	template_scope_resolve(start, compiler);
	return start->scope != NULL ? start : NULL;
}

/*
 * The scope of the path, or NULL and a problem.
 */
static const TemplateScope *
find_scope(AstNode *node, const TemplateCompiler *compiler)
{
	const TemplateScope *scope = NULL;
	int			mask = compiler->scopes;

	for (int i = 0; i < lengthof(scopes); i++)
	{
		if (is_name(node, scopes[i].name) && (scope == NULL || (scopes[i].mask & mask) != 0))
			scope = &scopes[i];
	}
	if (scope != NULL && (scope->mask & mask) != 0)
		return scope;
	if (scope == NULL && template_scope_parent(node->text, compiler) != NULL)
		return &parent_scope;
	if ((mask & TEMPLATE_SCOPE_ANY) != 0)
		return &any_scope;

	if (scope == NULL)
		unknown_name(node, compiler);
	else
		source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE,
							scope->where, "\"%s\" cannot be used here", scope->name);
	return NULL;
}

const JobStep *
template_scope_parent(const char *name, const TemplateCompiler *compiler)
{
	ListCell   *lc;

	foreach(lc, compiler->parents)
	{
		const JobStep *step = lfirst(lc);

		if (strcmp(step->id, name) == 0 ||
			(step->destination.table != NULL && strcmp(table_name(step), name) == 0))
			return step;
	}
	return NULL;
}

/* The name of the step's table without its schema. */
static const char *
table_name(const JobStep *step)
{
	const char *dot = strrchr(step->destination.table, '.');

	return dot != NULL ? dot + 1 : step->destination.table;
}

/*
 * A bare now or today is the filter of that name, which takes nothing from its
 * input.
 */
static void
become_filter(AstNode *node)
{
	node->kind = AST_FILTER;
	ast_add_operand(node, ast_literal(LITERAL_NULL, NULL, node->source, node->position));
	template_filter_resolve(node);
}

/*
 * Adds the problem of a name that does not exist, with the nearest that does.
 */
static void
unknown_name(AstNode *node, const TemplateCompiler *compiler)
{
	int			mask = compiler->scopes;
	const char **candidates = palloc((lengthof(scopes) + 8 + 2 * list_length(compiler->parents)) * sizeof(char *));
	int			n = 0;
	char	   *hint;
	ListCell   *lc;

	for (int i = 0; i < lengthof(scopes); i++)
	{
		if ((scopes[i].mask & mask) != 0)
			candidates[n++] = scopes[i].name;
	}
	foreach(lc, compiler->parents)
	{
		const JobStep *step = lfirst(lc);

		candidates[n++] = step->id;
		if (step->destination.table != NULL)
			candidates[n++] = table_name(step);
	}
	candidates[n++] = "and";
	candidates[n++] = "or";
	candidates[n++] = "not";
	candidates[n++] = "in";
	candidates[n++] = "true";
	candidates[n++] = "false";
	candidates[n++] = "null";
	candidates[n] = NULL;

	hint = source_text_suggest(node->text, candidates);
	if (hint == NULL && (mask & TEMPLATE_SCOPE_ITEM) != 0)
		hint = "a field of the item is written {{ item.field }}, a text {{ \"text\" }}";
	source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE, hint,
						"unknown name \"%s\"", text_clip(node->text, CLIP_NAME));
}

/*
 * Does the scope have what the path asks for?
 */
static void
check_members(AstNode *node)
{
	if (node->scope->kind == SCOPE_SECRET)
		check_secret(node);
	else if (node->scope->kind == SCOPE_PARENT)
		check_parent(node);
	else if (is_name(node, "run"))
		check_run(node);
	else if ((node->scope->kind == SCOPE_INDEX || node->scope->kind == SCOPE_CLOCK ||
			  node->scope->kind == SCOPE_CONTROL || is_name(node, "last_sync_time")) &&
			 node->path->nsteps > 0)
		source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
							"\"%s\" has no members", node->scope->name);
}

/*
 * A secret is one name below tokens or secrets.
 */
static void
check_secret(AstNode *node)
{
	if (node->path->nsteps != 1 || node->path->steps[0].kind != PATH_KEY)
		source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE,
							psprintf("write {{ %s.name }}", node->scope->name),
							"a secret is named by one word");
}

/* A field of a parent is a column of its table. */
static void
check_parent(AstNode *node)
{
	if (node->path->nsteps == 0 || node->path->steps[0].kind != PATH_KEY)
		source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE,
							psprintf("write {{ %s.column }}", node->text),
							"of a step, a column must be named");
}

static void
check_run(AstNode *node)
{
	const JsonPath *path = node->path;
	const char *member = "";

	if (path->nsteps == 0)
		return;
	if (path->nsteps == 1 && path->steps[0].kind == PATH_KEY)
		member = path->steps[0].key;
	for (int i = 0; run_members[i] != NULL; i++)
	{
		if (strcmp(run_members[i], member) == 0)
			return;
	}
	source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE,
						source_text_suggest(member, run_members),
						"a run has the members \"id\" and \"started_at\"");
}

/*
 * The natural type: InvalidOid for JSON, which becomes what is wanted.
 */
static Oid
scope_type(const AstNode *node)
{
	for (int i = 0; i < node->path->nsteps; i++)
	{
		if (node->path->steps[i].kind == PATH_ALL)
			return JSONBOID;
	}
	if (node->scope->kind == SCOPE_INDEX)
		return INT8OID;
	if (node->scope->kind == SCOPE_SECRET)
		return TEXTOID;
	if ((is_name(node, "last_sync_time") && node->path->nsteps == 0) ||
		(is_name(node, "run") && node->path->nsteps == 1 &&
		 node->path->steps[0].kind == PATH_KEY &&
		 strcmp(node->path->steps[0].key, "started_at") == 0))
		return TIMESTAMPTZOID;
	return InvalidOid;
}

static bool
is_name(const AstNode *node, const char *name)
{
	return strcmp(node->text, name) == 0;
}
