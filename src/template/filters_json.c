/*
 * filters_json.c
 *	  Filters for JSON arrays and objects.
 *
 * A path or an operator that is written down in the template is checked when the
 * template is compiled.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"
#include "template/json_operator.h"

static void compile_with_path(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_filter(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_sort(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_variadic(TemplateCompile *compile, const AstNode *node, Oid to);
static void check_path(const AstNode *node);

#define NO_PATH "CAST(NULL AS pg_catalog.text)"

const TemplateFilter template_json_filters[] = {
	{
		.name = "concat", .function = "databite.filter_concat",
		.input = JSONBOID, .result = JSONBOID, .min_args = 1, .max_args = 1, .variadic = true,
		.arg_types = {JSONBOID}, .compile = compile_variadic
	},
	{
		.name = "filter", .function = "databite.filter_filter",
		.input = JSONBOID, .result = JSONBOID, .any_kind = true, .min_args = 1, .max_args = 3,
		.arg_types = {TEXTOID, TEXTOID, JSONBOID}, .compile = compile_filter
	},
	{
		.name = "first", .function = "databite.filter_first",
		.input = JSONBOID, .result = JSONBOID
	},
	{
		.name = "flatten", .function = "databite.filter_flatten",
		.input = JSONBOID, .result = JSONBOID, .max_args = 1,
		.arg_types = {INT4OID}, .arg_defaults = {"1"}
	},
	{
		.name = "from_json", .function = "databite.filter_from_json",
		.input = TEXTOID, .result = JSONBOID
	},
	{
		.name = "get", .function = "databite.filter_get",
		.input = JSONBOID, .result = JSONBOID, .min_args = 1, .max_args = 1,
		.arg_types = {TEXTOID}, .compile = compile_with_path
	},
	{
		.name = "join", .function = "databite.filter_join",
		.input = JSONBOID, .result = TEXTOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {"','::pg_catalog.text"}
	},
	{
		.name = "keys", .function = "databite.filter_keys",
		.input = JSONBOID, .result = JSONBOID
	},
	{
		.name = "last", .function = "databite.filter_last",
		.input = JSONBOID, .result = JSONBOID
	},
	{
		.name = "map", .function = "databite.filter_map",
		.input = JSONBOID, .result = JSONBOID, .min_args = 1, .max_args = 1,
		.arg_types = {TEXTOID}, .compile = compile_with_path
	},
	{
		.name = "omit", .function = "databite.filter_omit",
		.input = JSONBOID, .result = JSONBOID, .min_args = 1, .max_args = 1, .variadic = true,
		.arg_types = {TEXTOID}, .compile = compile_variadic
	},
	{
		.name = "pick", .function = "databite.filter_pick",
		.input = JSONBOID, .result = JSONBOID, .min_args = 1, .max_args = 1, .variadic = true,
		.arg_types = {TEXTOID}, .compile = compile_variadic
	},
	{
		.name = "size", .function = "databite.filter_size",
		.input = JSONBOID, .result = INT8OID
	},
	{
		.name = "sort", .function = "databite.filter_sort",
		.input = JSONBOID, .result = JSONBOID, .any_kind = true, .max_args = 2,
		.arg_types = {TEXTOID, TEXTOID}, .arg_defaults = {NO_PATH, "'asc'::pg_catalog.text"},
		.compile = compile_sort
	},
	{
		.name = "to_json", .function = "databite.filter_to_json",
		.input = JSONBOID, .result = TEXTOID
	},
	{
		.name = "unique", .function = "databite.filter_unique",
		.input = JSONBOID, .result = JSONBOID, .any_kind = true, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {NO_PATH}, .compile = compile_with_path
	},
	{
		.name = "values", .function = "databite.filter_values",
		.input = JSONBOID, .result = JSONBOID
	},
	{NULL}
};

/* filter(path) and filter(path, value) */
static const TemplateFilter filter_equal = {
	.name = "filter", .function = "databite.filter_filter",
	.input = JSONBOID, .result = JSONBOID, .min_args = 1, .max_args = 2,
	.arg_types = {TEXTOID, JSONBOID}
};

static void
compile_with_path(TemplateCompile *compile, const AstNode *node, Oid to)
{
	check_path(node);
	template_filter_call(compile, node, to);
}

static void
compile_filter(TemplateCompile *compile, const AstNode *node, Oid to)
{
	const AstNode *op = template_filter_literal(node, 2, LITERAL_STRING);
	AstNode		copy = *node;

	check_path(node);
	if (list_length(node->operands) < 4)
		copy.filter = &filter_equal;
	else if (op != NULL && json_operator_find(op->text) == JSON_NO_OPERATOR)
		source_text_problem(op->source, op->position, ERRCODE_INVALID_PARAMETER_VALUE,
							"it is one of == != < <= > >= in contains",
							"filter \"filter\" does not know the operator \"%s\"",
							text_clip(op->text, CLIP_NAME));
	template_filter_call(compile, &copy, to);
}

static void
compile_sort(TemplateCompile *compile, const AstNode *node, Oid to)
{
	const AstNode *order = template_filter_literal(node, 2, LITERAL_STRING);

	check_path(node);
	if (order != NULL && strcmp(order->text, "asc") != 0 && strcmp(order->text, "desc") != 0)
		source_text_problem(order->source, order->position, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
							"filter \"sort\" needs \"asc\" or \"desc\" for the order");
	template_filter_call(compile, node, to);
}

/*
 * The call with all arguments in one array: PostgreSQL takes at most 100.
 */
static void
compile_variadic(TemplateCompile *compile, const AstNode *node, Oid to)
{
	const TemplateFilter *filter = node->filter;
	Coercion	coercion = template_begin_as(compile, node, filter->result, to);

	appendStringInfo(compile->out, "%s(", filter->function);
	template_compile_node(compile, ast_operand(node, 0), filter->input);
	appendStringInfoString(compile->out, ", VARIADIC ARRAY[");
	for (int i = 1; i < list_length(node->operands); i++)
	{
		if (i > 1)
			appendStringInfoString(compile->out, ", ");
		template_compile_node(compile, ast_operand(node, i), filter->arg_types[0]);
	}
	appendStringInfo(compile->out, "]::%s[])", template_type_name(filter->arg_types[0], -1));
	template_end_as(compile, &coercion);
}

/*
 * The first argument is a path.
 */
static void
check_path(const AstNode *node)
{
	const AstNode *path = template_filter_literal(node, 1, LITERAL_STRING);
	char	   *error;

	if (path != NULL && json_path_parse(path->text, &error) == NULL)
		source_text_problem(path->source, path->position, ERRCODE_INVALID_PARAMETER_VALUE,
							"write it like \"price.amount\" or \"tags[0]\"",
							"filter \"%s\" needs a path: %s", node->filter->name,
							text_clip(error, CLIP_MESSAGE));
}
