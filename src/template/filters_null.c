/*
 * filters_null.c
 *	  Filters for values that are missing.
 */
#include "postgres.h"

#include "template/check.h"
#include "template/filters.h"

static Oid	default_type(const AstNode *node);

const TemplateFilter template_null_filters[] = {
	{
		.name = "default", .min_args = 1, .max_args = 1,
		.natural_type = default_type, .compile = template_compile_coalesce
	},
	{NULL}
};

static Oid
default_type(const AstNode *node)
{
	return template_common_type(ast_operand(node, 0)->type, ast_operand(node, 1)->type);
}
