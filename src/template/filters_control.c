/*
 * filters_control.c
 *	  Filters for dropping and rejecting items.
 *
 * They mark the item in the batch by a function that gets its position, b.ord,
 * and gives NULL; the statement leaves out items that are marked.  See
 * destination/marks.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"
#include "utils/builtins.h"

static Oid	value_type(const AstNode *node);
static void compile_skip(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_reject(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_required(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_marked(TemplateCompile *compile, const AstNode *node, const AstNode *condition,
						   const AstNode *reason, Oid to);
static void append_mark(TemplateCompile *compile, const AstNode *node, const AstNode *reason, Oid to);
static bool may_mark(TemplateCompile *compile, const AstNode *node);
static const char *column_literal(const TemplateCompile *compile);
static const char *value_name(const AstNode *node);

const TemplateFilter template_control_filters[] = {
	{
		.name = "skip", .max_args = 1,
		.natural_type = value_type, .compile = compile_skip
	},
	{
		.name = "reject", .max_args = 2,
		.natural_type = value_type, .compile = compile_reject
	},
	{
		.name = "required",
		.natural_type = value_type, .compile = compile_required
	},
	{NULL}
};

void
template_compile_mark(TemplateCompile *compile, const AstNode *node, Oid to)
{
	append_mark(compile, node, NULL, to);
}

void
template_compile_validated(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion = template_begin_as(compile, node, TEXTOID, to);

	compile->inputs->marks |= TEMPLATE_REJECTS;
	appendStringInfo(compile->out, "databite.reject_invalid(b.ord, %s, '%s', ",
					 column_literal(compile), node->filter->name);
	template_compile_node(compile, ast_operand(node, 0), TEXTOID);
	appendStringInfoChar(compile->out, ')');
	template_end_as(compile, &coercion);
}

static Oid
value_type(const AstNode *node)
{
	return ast_operand(node, 0)->type;
}

/*
 * skip, skip(condition)
 */
static void
compile_skip(TemplateCompile *compile, const AstNode *node, Oid to)
{
	bool		conditional = list_length(node->operands) > 1;

	compile_marked(compile, node, conditional ? ast_operand(node, 1) : NULL, NULL, to);
}

/*
 * reject, reject("reason"), reject(condition), reject(condition, "reason"): a
 * single argument that is a text is the reason.
 */
static void
compile_reject(TemplateCompile *compile, const AstNode *node, Oid to)
{
	int			nargs = list_length(node->operands) - 1;
	const AstNode *first = nargs > 0 ? ast_operand(node, 1) : NULL;

	if (nargs == 2)
		compile_marked(compile, node, first, ast_operand(node, 2), to);
	else if (nargs == 1 && first->type == TEXTOID)
		compile_marked(compile, node, NULL, first, to);
	else
		compile_marked(compile, node, first, NULL, to);
}

/*
 * NULL is an error, or rejects the item where the step is validated.  COALESCE
 * makes that cost nothing where there is a value.
 */
static void
compile_required(TemplateCompile *compile, const AstNode *node, Oid to)
{
	const char *name = quote_literal_cstr(value_name(ast_operand(node, 0)));

	appendStringInfoString(compile->out, "COALESCE(");
	template_compile_node(compile, ast_operand(node, 0), to);
	appendStringInfoString(compile->out, ", CAST(");
	if (compile->compiler->validated)
	{
		compile->inputs->marks |= TEMPLATE_REJECTS;
		appendStringInfo(compile->out, "databite.reject_missing(b.ord, %s, %s)",
						 column_literal(compile), name);
	}
	else
		appendStringInfo(compile->out, "databite.missing(%s)", name);
	appendStringInfo(compile->out, " AS %s))", template_type_name(to, -1));
}

/*
 * The value, unless the condition, which may be NULL for none, is true.
 */
static void
compile_marked(TemplateCompile *compile, const AstNode *node, const AstNode *condition,
			   const AstNode *reason, Oid to)
{
	if (condition == NULL)
	{
		append_mark(compile, node, reason, to);
		return;
	}
	appendStringInfoString(compile->out, "(CASE WHEN ");
	template_compile_node(compile, condition, BOOLOID);
	appendStringInfoString(compile->out, " THEN ");
	append_mark(compile, node, reason, to);
	appendStringInfoString(compile->out, " ELSE ");
	template_compile_branch(compile, ast_operand(node, 0), to);
	appendStringInfoString(compile->out, " END)");
}

/*
 * Marks the item as the name of the node, a filter or a path, says; gives NULL.
 */
static void
append_mark(TemplateCompile *compile, const AstNode *node, const AstNode *reason, Oid to)
{
	bool		skips = strcmp(node->text, "skip") == 0;

	if (!may_mark(compile, node))
		return;
	compile->inputs->marks |= skips ? TEMPLATE_SKIPS : TEMPLATE_REJECTS;
	appendStringInfoString(compile->out, "CAST(");
	if (skips)
		appendStringInfoString(compile->out, "databite.skip_item(b.ord)");
	else
	{
		appendStringInfo(compile->out, "databite.reject_item(b.ord, %s, ", column_literal(compile));
		if (reason != NULL)
			template_compile_node(compile, reason, TEXTOID);
		else
			appendStringInfoString(compile->out, "NULL");
		appendStringInfoChar(compile->out, ')');
	}
	appendStringInfo(compile->out, " AS %s)", template_type_name(to, -1));
}

/*
 * Is there an item here that can be marked?  Adds the problem where there is none.
 */
static bool
may_mark(TemplateCompile *compile, const AstNode *node)
{
	if ((compile->compiler->scopes & TEMPLATE_SCOPE_CONTROL) != 0)
		return true;
	source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE,
						psprintf("an item can be %s in a transform only",
								 strcmp(node->text, "skip") == 0 ? "skipped" : "rejected"),
						"filter \"%s\" cannot be used here", node->text);
	return false;
}

static const char *
column_literal(const TemplateCompile *compile)
{
	return compile->compiler->column ? quote_literal_cstr(compile->compiler->column) : "NULL";
}

/*
 * How a value that is missing is called: a path by itself, anything else by the
 * template it is in.
 */
static const char *
value_name(const AstNode *node)
{
	const char *steps;

	if (node->kind != AST_PATH)
		return text_clip(node->source->text, CLIP_NAME);
	if (node->path->nsteps == 0)
		return node->text;
	steps = json_path_print(node->path);
	return psprintf("%s%s%s", node->text, steps[0] == '[' ? "" : ".", steps);
}
