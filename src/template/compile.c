/*
 * compile.c
 *	  A checked template to SQL text: one function for each kind of node.
 *
 * The type that a place wants is pushed down to the leaves, so that a path of
 * the item arrives in that type and nothing is cast on the way.  Every operand
 * is written once, every function and operator by its schema, and every text of
 * the template as a quoted constant.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "template/check.h"
#include "template/compile.h"
#include "template/filters.h"
#include "utils/builtins.h"

/* Members of an object built by one call; a function takes at most 100 arguments. */
#define MEMBERS_PER_CALL 50

static void compile_unary(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_binary(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_infix(TemplateCompile *compile, const AstNode *node, Oid operands, const char *sql);
static void compile_divide(TemplateCompile *compile, const AstNode *node);
static void compile_join(TemplateCompile *compile, const AstNode *node);
static void compile_comparison(TemplateCompile *compile, const AstNode *node);
static bool compile_null_test(TemplateCompile *compile, const AstNode *node);
static const char *comparison_operator(AstOperator op);
static void compile_in(TemplateCompile *compile, const AstNode *node);
static void compile_in_list(TemplateCompile *compile, const AstNode *value, const AstNode *list);
static void compile_conditional(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_constant(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_array(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_object(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_concat(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_parts(TemplateCompile *compile, const AstNode *node, int first, int n);
static void compile_part(TemplateCompile *compile, const AstNode *node, int n);
static void compile_not_null_text(TemplateCompile *compile, const AstNode *node);

void
template_compile_node(TemplateCompile *compile, const AstNode *node, Oid to)
{
	CHECK_FOR_INTERRUPTS();
	if (!OidIsValid(to))
		to = template_natural_type(node);

	switch (node->kind)
	{
		case AST_LITERAL:
			template_compile_literal(compile, node, to);
			break;
		case AST_PATH:
			template_compile_path(compile, node, to);
			break;
		case AST_UNARY:
			compile_unary(compile, node, to);
			break;
		case AST_BINARY:
			compile_binary(compile, node, to);
			break;
		case AST_CONDITIONAL:
			compile_conditional(compile, node, to);
			break;
		case AST_FILTER:
			template_filter_compile(compile, node, to);
			break;
		case AST_ARRAY:
			compile_array(compile, node, to);
			break;
		case AST_OBJECT:
			compile_object(compile, node, to);
			break;
		case AST_CONCAT:
			compile_concat(compile, node, to);
			break;
	}
}

void
template_compile_branch(TemplateCompile *compile, const AstNode *node, Oid to)
{
	bool		outside = compile->in_branch;

	compile->in_branch = true;
	template_compile_node(compile, node, to);
	compile->in_branch = outside;
}

Oid
template_natural_type(const AstNode *node)
{
	return OidIsValid(node->type) ? node->type : JSONBOID;
}

void
template_compile_coalesce(TemplateCompile *compile, const AstNode *node, Oid to)
{
	appendStringInfoString(compile->out, "COALESCE(");
	template_compile_node(compile, ast_operand(node, 0), to);
	for (int i = 1; i < list_length(node->operands); i++)
	{
		appendStringInfoString(compile->out, ", ");
		template_compile_branch(compile, ast_operand(node, i), to);
	}
	appendStringInfoChar(compile->out, ')');
}

Coercion
template_begin_as(TemplateCompile *compile, const AstNode *node, Oid from, Oid to)
{
	Coercion	coercion;

	if (!template_coercion(from, to, &coercion))
	{
		source_text_problem(node->source, node->position, ERRCODE_DATATYPE_MISMATCH, NULL,
							"%s cannot become %s", template_describe_type(from),
							template_describe_type(to));
		coercion.before = coercion.after = "";
	}
	appendStringInfoString(compile->out, coercion.before);
	return coercion;
}

void
template_end_as(TemplateCompile *compile, const Coercion *coercion)
{
	appendStringInfoString(compile->out, coercion->after);
}

static void
compile_unary(TemplateCompile *compile, const AstNode *node, Oid to)
{
	bool		negate = node->op == OP_NEGATE;
	Coercion	coercion = template_begin_as(compile, node, node->type, to);

	appendStringInfoString(compile->out, negate ? "(OPERATOR(pg_catalog.-) " : "(NOT ");
	template_compile_node(compile, ast_operand(node, 0), node->type);
	appendStringInfoChar(compile->out, ')');
	template_end_as(compile, &coercion);
}

static void
compile_binary(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion;

	if (node->op == OP_COALESCE)
	{
		template_compile_coalesce(compile, node, to);
		return;
	}

	coercion = template_begin_as(compile, node, node->type, to);
	switch (node->op)
	{
		case OP_ADD:
			compile_infix(compile, node, NUMERICOID, "OPERATOR(pg_catalog.+)");
			break;
		case OP_SUBTRACT:
			compile_infix(compile, node, NUMERICOID, "OPERATOR(pg_catalog.-)");
			break;
		case OP_MULTIPLY:
			compile_infix(compile, node, NUMERICOID, "OPERATOR(pg_catalog.*)");
			break;
		case OP_MODULO:
			compile_infix(compile, node, NUMERICOID, "OPERATOR(pg_catalog.%)");
			break;
		case OP_DIVIDE:
			compile_divide(compile, node);
			break;
		case OP_JOIN:
			compile_join(compile, node);
			break;
		case OP_AND:
			compile_infix(compile, node, BOOLOID, "AND");
			break;
		case OP_OR:
			compile_infix(compile, node, BOOLOID, "OR");
			break;
		case OP_IN:
		case OP_NOT_IN:
			compile_in(compile, node);
			break;
		default:
			compile_comparison(compile, node);
			break;
	}
	template_end_as(compile, &coercion);
}

/*
 * (left operator right), both operands as the given type.
 */
static void
compile_infix(TemplateCompile *compile, const AstNode *node, Oid operands, const char *sql)
{
	appendStringInfoChar(compile->out, '(');
	template_compile_node(compile, ast_operand(node, 0), operands);
	appendStringInfo(compile->out, " %s ", sql);
	template_compile_node(compile, ast_operand(node, 1), operands);
	appendStringInfoChar(compile->out, ')');
}

/*
 * 10 / 4 is 2.5, and not the 2.5000000000000000 that numeric makes of it.
 */
static void
compile_divide(TemplateCompile *compile, const AstNode *node)
{
	appendStringInfoString(compile->out, "pg_catalog.trim_scale");
	compile_infix(compile, node, NUMERICOID, "OPERATOR(pg_catalog./)");
}

static void
compile_join(TemplateCompile *compile, const AstNode *node)
{
	appendStringInfoChar(compile->out, '(');
	compile_not_null_text(compile, ast_operand(node, 0));
	appendStringInfoString(compile->out, " OPERATOR(pg_catalog.||) ");
	compile_not_null_text(compile, ast_operand(node, 1));
	appendStringInfoChar(compile->out, ')');
}

static void
compile_comparison(TemplateCompile *compile, const AstNode *node)
{
	if (compile_null_test(compile, node))
		return;
	compile_infix(compile, node,
				  template_comparison_type(ast_operand(node, 0)->type, ast_operand(node, 1)->type),
				  comparison_operator(node->op));
}

/*
 * Writes x == null and x != null as a test; false where the node is neither.
 */
static bool
compile_null_test(TemplateCompile *compile, const AstNode *node)
{
	AstNode    *value = ast_operand(node, 0);

	if (node->op != OP_EQUAL && node->op != OP_NOT_EQUAL)
		return false;
	if (ast_is_literal(value, LITERAL_NULL))
		value = ast_operand(node, 1);
	else if (!ast_is_literal(ast_operand(node, 1), LITERAL_NULL))
		return false;

	/* Any JSON is a text, and as a text it need not be parsed. */
	appendStringInfoChar(compile->out, '(');
	template_compile_node(compile, value, OidIsValid(value->type) ? value->type : TEXTOID);
	appendStringInfo(compile->out, " IS %sNULL)", node->op == OP_EQUAL ? "" : "NOT ");
	return true;
}

static const char *
comparison_operator(AstOperator op)
{
	switch (op)
	{
		case OP_EQUAL:
			return "OPERATOR(pg_catalog.=)";
		case OP_NOT_EQUAL:
			return "OPERATOR(pg_catalog.<>)";
		case OP_LESS:
			return "OPERATOR(pg_catalog.<)";
		case OP_LESS_EQUAL:
			return "OPERATOR(pg_catalog.<=)";
		case OP_GREATER:
			return "OPERATOR(pg_catalog.>)";
		case OP_GREATER_EQUAL:
			return "OPERATOR(pg_catalog.>=)";
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg_internal("not a comparison")));
	}
}

/*
 * "in" and "not in": a list that is written down, or a JSON array.  A missing
 * array holds nothing.
 */
static void
compile_in(TemplateCompile *compile, const AstNode *node)
{
	const AstNode *value = ast_operand(node, 0);
	const AstNode *list = ast_operand(node, 1);

	appendStringInfoString(compile->out, node->op == OP_NOT_IN ? "(NOT (" : "(");
	if (list->kind == AST_ARRAY)
		compile_in_list(compile, value, list);
	else
	{
		template_compile_node(compile, value, JSONBOID);
		appendStringInfoString(compile->out,
							   " OPERATOR(pg_catalog.=) ANY (SELECT pg_catalog.jsonb_array_elements(");
		template_compile_node(compile, list, JSONBOID);
		appendStringInfoString(compile->out, "))");
	}
	appendStringInfoString(compile->out, node->op == OP_NOT_IN ? "))" : ")");
}

/*
 * An element of the list that turns out to be NULL is not in it.
 */
static void
compile_in_list(TemplateCompile *compile, const AstNode *value, const AstNode *list)
{
	Oid			type = value->type;
	char	   *type_name;
	ListCell   *lc;

	foreach(lc, list->operands)
		type = template_comparison_type(type, ((AstNode *) lfirst(lc))->type);
	if (list->operands == NIL)
		type = template_comparison_type(type, InvalidOid);
	type_name = template_type_name(type, -1);

	template_compile_node(compile, value, type);
	appendStringInfoString(compile->out, " OPERATOR(pg_catalog.=) ANY (");
	appendStringInfoString(compile->out, list->constant ? "ARRAY[" : "pg_catalog.array_remove(ARRAY[");
	foreach(lc, list->operands)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(compile->out, ", ");
		template_compile_node(compile, lfirst(lc), type);
	}
	appendStringInfo(compile->out, "]::%s[]", type_name);
	if (!list->constant)
		appendStringInfo(compile->out, ", CAST(NULL AS %s))", type_name);
	appendStringInfoChar(compile->out, ')');
}

static void
compile_conditional(TemplateCompile *compile, const AstNode *node, Oid to)
{
	appendStringInfoString(compile->out, "(CASE WHEN ");
	template_compile_node(compile, ast_operand(node, 0), BOOLOID);
	appendStringInfoString(compile->out, " THEN ");
	template_compile_branch(compile, ast_operand(node, 1), to);
	appendStringInfoString(compile->out, " ELSE ");
	template_compile_branch(compile, ast_operand(node, 2), to);
	appendStringInfoString(compile->out, " END)");
}

/*
 * An array or object of constants is one constant.
 */
static void
compile_constant(TemplateCompile *compile, const AstNode *node, Oid to)
{
	AstNode    *literal = ast_literal(LITERAL_JSON, ast_constant_json(node),
									  node->source, node->position);

	template_compile_literal(compile, literal, to);
}

static void
compile_array(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion;
	ListCell   *lc;

	if (node->constant)
	{
		compile_constant(compile, node, to);
		return;
	}

	coercion = template_begin_as(compile, node, JSONBOID, to);
	appendStringInfoString(compile->out, "pg_catalog.to_jsonb(ARRAY[");
	foreach(lc, node->operands)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(compile->out, ", ");
		template_compile_node(compile, lfirst(lc), JSONBOID);
	}
	appendStringInfoString(compile->out, "]::pg_catalog.jsonb[])");
	template_end_as(compile, &coercion);
}

static void
compile_object(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion;
	ListCell   *lc;

	if (node->constant)
	{
		compile_constant(compile, node, to);
		return;
	}

	coercion = template_begin_as(compile, node, JSONBOID, to);
	appendStringInfoChar(compile->out, '(');
	foreach(lc, node->operands)
	{
		int			n = foreach_current_index(lc);

		if (n % MEMBERS_PER_CALL == 0)
			appendStringInfo(compile->out, "%spg_catalog.jsonb_build_object(",
							 n > 0 ? ") OPERATOR(pg_catalog.||) " : "");
		else
			appendStringInfoString(compile->out, ", ");
		appendStringInfo(compile->out, "%s::pg_catalog.text, ",
						 quote_literal_cstr(list_nth(node->keys, n)));
		template_compile_node(compile, lfirst(lc), JSONBOID);
	}
	appendStringInfoString(compile->out, "))");
	template_end_as(compile, &coercion);
}

static void
compile_concat(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion = template_begin_as(compile, node, node->type, to);

	if (node->mode == CONCAT_JSON)
		appendStringInfoString(compile->out, "CAST(");
	compile_parts(compile, node, 0, list_length(node->operands));
	if (node->mode == CONCAT_JSON)
		appendStringInfoString(compile->out, " AS pg_catalog.json)");
	template_end_as(compile, &coercion);
}

/*
 * Joins n parts from the first on by ||, as a balanced tree: many parts must
 * not become a deep expression.
 */
static void
compile_parts(TemplateCompile *compile, const AstNode *node, int first, int n)
{
	if (n == 1)
	{
		compile_part(compile, node, first);
		return;
	}
	appendStringInfoChar(compile->out, '(');
	compile_parts(compile, node, first, n / 2);
	appendStringInfoString(compile->out, " OPERATOR(pg_catalog.||) ");
	compile_parts(compile, node, first + n / 2, n - n / 2);
	appendStringInfoChar(compile->out, ')');
}

/*
 * One part of a concatenation as text, as its mode wants it.
 */
static void
compile_part(TemplateCompile *compile, const AstNode *node, int n)
{
	const AstNode *part = ast_operand(node, n);

	if (part->verbatim)
	{
		template_compile_node(compile, part, TEXTOID);
		return;
	}
	switch (node->mode)
	{
		case CONCAT_TEXT:
			compile_not_null_text(compile, part);
			break;
		case CONCAT_URL:
			appendStringInfoString(compile->out, n > 0 ? "databite.filter_url_encode(" : "(");
			template_compile_node(compile, part, TEXTOID);
			appendStringInfoChar(compile->out, ')');
			break;
		case CONCAT_JSON:
			appendStringInfoString(compile->out, "COALESCE(CAST(");
			template_compile_node(compile, part, JSONBOID);
			appendStringInfoString(compile->out, " AS pg_catalog.text), 'null')");
			break;
	}
}

/*
 * The node as text, the empty one for NULL.
 */
static void
compile_not_null_text(TemplateCompile *compile, const AstNode *node)
{
	if (ast_is_literal(node, LITERAL_STRING))
	{
		template_compile_node(compile, node, TEXTOID);
		return;
	}
	appendStringInfoString(compile->out, "COALESCE(");
	template_compile_node(compile, node, TEXTOID);
	appendStringInfoString(compile->out, ", '')");
}
