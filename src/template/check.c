/*
 * check.c
 *	  What a parsed template means: names, filters, natural types.
 *
 * The natural type of a node is what it is by itself: a sum is numeric, a
 * comparison boolean, a text text.  A path into JSON has none (InvalidOid): it
 * becomes what its place wants.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "template/check.h"
#include "template/filters.h"
#include "template/scopes.h"
#include "utils/lsyscache.h"

static Oid	literal_type(const AstNode *node);
static Oid	operator_type(const AstNode *node);
static void check_list(const AstNode *node);
static bool is_number(Oid type);
static bool is_time(Oid type);

void
template_check(AstNode *node, const TemplateCompiler *compiler)
{
	ListCell   *lc;

	CHECK_FOR_INTERRUPTS();
	foreach(lc, node->operands)
		template_check(lfirst(lc), compiler);

	switch (node->kind)
	{
		case AST_LITERAL:
			node->type = literal_type(node);
			break;
		case AST_PATH:
			template_scope_resolve(node, compiler);
			break;
		case AST_UNARY:
		case AST_BINARY:
			node->type = operator_type(node);
			break;
		case AST_CONDITIONAL:
			node->type = template_common_type(ast_operand(node, 1)->type,
											  ast_operand(node, 2)->type);
			break;
		case AST_FILTER:
			template_filter_resolve(node);
			break;
		case AST_ARRAY:
		case AST_OBJECT:
			node->type = JSONBOID;
			break;
		case AST_CONCAT:
			node->type = node->mode == CONCAT_JSON ? JSONOID : TEXTOID;
			break;
	}
}

Oid
template_common_type(Oid a, Oid b)
{
	if (a == b || !OidIsValid(b))
		return a;
	if (!OidIsValid(a))
		return b;
	if (is_number(a) && is_number(b))
		return NUMERICOID;
	return JSONBOID;
}

/*
 * The one of these that comes first; two plain paths are compared as jsonb.
 * A text so becomes what it is compared with: the time in
 * {{ (item.at | to_datetime) > "2024-01-01" }}.
 */
Oid
template_comparison_type(Oid a, Oid b)
{
	a = OidIsValid(a) ? getBaseType(a) : a;
	b = OidIsValid(b) ? getBaseType(b) : b;
	if (a == JSONBOID || b == JSONBOID)
		return JSONBOID;
	if (is_time(a) || is_time(b))
		return TIMESTAMPTZOID;
	if (is_number(a) || is_number(b))
		return NUMERICOID;
	if (a == BOOLOID || b == BOOLOID)
		return BOOLOID;
	if (a == TEXTOID || b == TEXTOID)
		return TEXTOID;
	return JSONBOID;
}

static Oid
literal_type(const AstNode *node)
{
	switch (node->literal)
	{
		case LITERAL_BOOLEAN:
			return BOOLOID;
		case LITERAL_NUMBER:
			return NUMERICOID;
		case LITERAL_STRING:
			return TEXTOID;
		case LITERAL_JSON:
			return JSONBOID;
		case LITERAL_NULL:
			break;
	}
	return InvalidOid;
}

static Oid
operator_type(const AstNode *node)
{
	switch (node->op)
	{
		case OP_NEGATE:
		case OP_ADD:
		case OP_SUBTRACT:
		case OP_MULTIPLY:
		case OP_DIVIDE:
		case OP_MODULO:
			return NUMERICOID;
		case OP_JOIN:
			return TEXTOID;
		case OP_COALESCE:
			return template_common_type(ast_operand(node, 0)->type, ast_operand(node, 1)->type);
		case OP_IN:
		case OP_NOT_IN:
			check_list(node);
			return BOOLOID;
		default:
			return BOOLOID;
	}
}

/*
 * The right side of "in" is a list without null, which nothing is equal to.
 */
static void
check_list(const AstNode *node)
{
	AstNode    *list = ast_operand(node, 1);
	ListCell   *lc;

	if (list->kind != AST_ARRAY)
	{
		if (list->kind == AST_OBJECT || (OidIsValid(list->type) && list->type != JSONBOID))
			source_text_problem(list->source, list->position, ERRCODE_DATATYPE_MISMATCH,
								"write a list as [1, 2, 3]", "\"in\" needs a list on its right side");
		return;
	}

	foreach(lc, list->operands)
	{
		AstNode    *element = lfirst(lc);

		if (ast_is_literal(element, LITERAL_NULL))
			source_text_problem(element->source, element->position,
								ERRCODE_INVALID_PARAMETER_VALUE,
								"write {{ x == null or x in [...] }}",
								"null is not found in a list");
	}
}

static bool
is_number(Oid type)
{
	return OidIsValid(type) && TypeCategory(type) == TYPCATEGORY_NUMERIC;
}

static bool
is_time(Oid type)
{
	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
}
