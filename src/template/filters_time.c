/*
 * filters_time.c
 *	  Filters for times.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"

static void compile_to_datetime(TemplateCompile *compile, const AstNode *node, Oid to);

const TemplateFilter template_time_filters[] = {
	{
		.name = "to_datetime", .function = "databite.to_datetime",
		.input = TEXTOID, .result = TIMESTAMPTZOID, .max_args = 2,
		.arg_types = {TEXTOID, TEXTOID}, .arg_defaults = {NULL, "'UTC'::pg_catalog.text"},
		.compile = compile_to_datetime
	},
	{NULL}
};

/*
 * Without a format the value is just wanted as a time, which a path of an item
 * is converted to without a detour over text.
 */
static void
compile_to_datetime(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion;

	if (list_length(node->operands) > 1)
	{
		template_filter_call(compile, node, to);
		return;
	}
	coercion = template_begin_as(compile, node, TIMESTAMPTZOID, to);
	template_compile_node(compile, ast_operand(node, 0), TIMESTAMPTZOID);
	template_end_as(compile, &coercion);
}
