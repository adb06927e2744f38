/*
 * filters_null.c
 *	  Filters for values that are missing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/check.h"
#include "template/filters.h"

static Oid	alternatives_type(const AstNode *node);
static Oid	value_type(const AstNode *node);
static void compile_nullif(TemplateCompile *compile, const AstNode *node, Oid to);

const TemplateFilter template_null_filters[] = {
	{
		.name = "coalesce", .min_args = 1, .max_args = 1, .variadic = true,
		.natural_type = alternatives_type, .compile = template_compile_coalesce
	},
	{
		.name = "default", .min_args = 1, .max_args = 1,
		.natural_type = alternatives_type, .compile = template_compile_coalesce
	},
	{
		.name = "nullif", .function = "databite.filter_nullif",
		.input = JSONBOID, .min_args = 1, .max_args = 1,
		.natural_type = value_type, .compile = compile_nullif
	},
	{NULL}
};

static Oid
alternatives_type(const AstNode *node)
{
	Oid			type = ast_operand(node, 0)->type;
	ListCell   *lc;

	for_each_from(lc, node->operands, 1)
		type = template_common_type(type, ((AstNode *) lfirst(lc))->type);
	return type;
}

/*
 * What is not NULL is the value itself.
 */
static Oid
value_type(const AstNode *node)
{
	return ast_operand(node, 0)->type;
}

/*
 * The value is compared in its own type where that is the one in which "=="
 * compares the two.  Else both are JSON, of which the function finds out how to
 * compare it: the value stays what it is.
 */
static void
compile_nullif(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Oid			type = ast_operand(node, 0)->type;

	if (!OidIsValid(type) || template_comparison_type(type, ast_operand(node, 1)->type) != type)
		type = JSONBOID;
	template_filter_call_alike(compile, node, type, type, to);
}
