/*
 * filters_check.c
 *	  Filters for telling whether a value is valid.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"
#include "utils/lsyscache.h"

static void compile_is_null(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_is_empty(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_validate(TemplateCompile *compile, const AstNode *node, Oid to);

const TemplateFilter template_check_filters[] = {
	{
		.name = "is_empty", .function = "databite.filter_is_empty",
		.input = JSONBOID, .result = BOOLOID, .compile = compile_is_empty
	},
	{
		.name = "is_null", .result = BOOLOID, .compile = compile_is_null
	},
	{
		.name = "validate_email", .function = "databite.filter_validate_email",
		.input = TEXTOID, .result = TEXTOID, .compile = compile_validate
	},
	{
		.name = "validate_phone", .function = "databite.filter_validate_phone",
		.input = TEXTOID, .result = TEXTOID, .compile = compile_validate
	},
	{
		.name = "validate_url", .function = "databite.filter_validate_url",
		.input = TEXTOID, .result = TEXTOID, .compile = compile_validate
	},
	{
		.name = "validate_uuid", .function = "databite.filter_validate_uuid",
		.input = TEXTOID, .result = TEXTOID, .compile = compile_validate
	},
	{NULL}
};

/*
 * Any JSON is a text, and as a text it need not be parsed.
 */
static void
compile_is_null(TemplateCompile *compile, const AstNode *node, Oid to)
{
	const AstNode *value = ast_operand(node, 0);
	Coercion	coercion = template_begin_as(compile, node, BOOLOID, to);

	appendStringInfoChar(compile->out, '(');
	template_compile_node(compile, value, OidIsValid(value->type) ? value->type : TEXTOID);
	appendStringInfoString(compile->out, " IS NULL)");
	template_end_as(compile, &coercion);
}

static void
compile_is_empty(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Oid			type = ast_operand(node, 0)->type;

	template_filter_call_as(compile, node, type == TEXTOID ? TEXTOID : JSONBOID, BOOLOID, to);
}

/*
 * Where a boolean is wanted, whether the value is valid; anywhere else the value
 * if it is.  In a step with validation one that is not rejects its item.
 */
static void
compile_validate(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion;

	if (getBaseType(to) != BOOLOID && compile->compiler->validated)
	{
		template_compile_validated(compile, node, to);
		return;
	}
	if (getBaseType(to) != BOOLOID)
	{
		template_filter_call(compile, node, to);
		return;
	}
	coercion = template_begin_as(compile, node, BOOLOID, to);
	appendStringInfo(compile->out, "databite.valid_%s(", node->filter->name + strlen("validate_"));
	template_compile_node(compile, ast_operand(node, 0), TEXTOID);
	appendStringInfoChar(compile->out, ')');
	template_end_as(compile, &coercion);
}
