/*
 * filters.c
 *	  The filters of the language, as a table.
 *
 * A filter is a call of one SQL function; the two that are more say so in
 * their row.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/check.h"
#include "template/filters.h"

static const TemplateFilter *find_filter(const char *name);
static void unknown_filter(AstNode *node);
static void compile_call(TemplateCompile *compile, const AstNode *node, Oid to);
static Oid	default_type(const AstNode *node);
static void compile_to_datetime(TemplateCompile *compile, const AstNode *node, Oid to);

static const TemplateFilter filters[] =
{
	{
		.name = "default", .min_args = 1, .max_args = 1,
		.natural_type = default_type, .compile = template_compile_coalesce
	},
	{
		.name = "join", .function = "databite.filter_join",
		.input = JSONBOID, .result = TEXTOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {"','::pg_catalog.text"}
	},
	{
		.name = "lower", .function = "pg_catalog.lower",
		.input = TEXTOID, .result = TEXTOID
	},
	{
		.name = "round", .function = "pg_catalog.round",
		.input = NUMERICOID, .result = NUMERICOID, .max_args = 1,
		.arg_types = {INT4OID}, .arg_defaults = {"0"}
	},
	{
		.name = "to_datetime", .function = "databite.to_datetime",
		.input = TEXTOID, .result = TIMESTAMPTZOID, .max_args = 2,
		.arg_types = {TEXTOID, TEXTOID}, .arg_defaults = {NULL, "'UTC'::pg_catalog.text"},
		.compile = compile_to_datetime
	},
	{
		.name = "trim", .function = "pg_catalog.btrim",
		.input = TEXTOID, .result = TEXTOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {"E' \\t\\n\\r\\f\\v'::pg_catalog.text"}
	},
	{
		.name = "upper", .function = "pg_catalog.upper",
		.input = TEXTOID, .result = TEXTOID
	},
};

/* Filters that the language has but this version does not. */
static const char *const future_filters[] =
{
	"abs", "avg", "base64", "bool", "ceil", "coalesce", "concat", "contains", "date_add",
	"date_trunc", "decimal", "ends_with", "filter", "first", "flatten", "float", "floor",
	"format_date", "from_json", "from_unix", "get", "hex", "hmac_sha256", "int", "is_empty",
	"is_null", "keys", "last", "length", "ltrim", "map", "match", "max", "md5", "min", "now",
	"nullif", "omit", "pad_left", "pick", "regex_extract", "regex_replace", "reject", "replace",
	"required", "rtrim", "sha256", "size", "skip", "slice", "slug", "snake_case", "sort", "split",
	"split_part", "starts_with", "strip_html", "substr", "sum", "title", "to_date", "to_json",
	"to_unix", "today", "truncate", "tz", "unbase64", "unique", "url_decode", "url_encode", "uuid",
	"validate_email", "validate_phone", "validate_url", "validate_uuid", "values",
};

void
template_filter_resolve(AstNode *node)
{
	const TemplateFilter *filter = find_filter(node->text);
	int			nargs = list_length(node->operands) - 1;

	if (filter == NULL)
	{
		unknown_filter(node);
		return;
	}
	if (nargs < filter->min_args || nargs > filter->max_args)
	{
		if (filter->min_args == filter->max_args)
			source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
								"filter \"%s\" takes %d arguments, not %d",
								filter->name, filter->max_args, nargs);
		else
			source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
								"filter \"%s\" takes %d to %d arguments, not %d",
								filter->name, filter->min_args, filter->max_args, nargs);
		return;
	}
	node->filter = filter;
	node->type = filter->natural_type != NULL ? filter->natural_type(node) : filter->result;
}

void
template_filter_compile(TemplateCompile *compile, const AstNode *node, Oid to)
{
	if (node->filter->compile != NULL)
		node->filter->compile(compile, node, to);
	else
		compile_call(compile, node, to);
}

static const TemplateFilter *
find_filter(const char *name)
{
	for (int i = 0; i < lengthof(filters); i++)
	{
		if (strcmp(filters[i].name, name) == 0)
			return &filters[i];
	}
	return NULL;
}

/*
 * Adds the problem of a filter that is not there: not yet, or not at all.
 */
static void
unknown_filter(AstNode *node)
{
	const char *candidates[lengthof(filters) + lengthof(future_filters) + 1];
	int			n = 0;
	char	   *name = source_text_clip(node->text, CLIP_NAME);

	for (int i = 0; i < lengthof(future_filters); i++)
	{
		if (strcmp(future_filters[i], node->text) == 0)
		{
			source_text_problem(node->source, node->position, ERRCODE_FEATURE_NOT_SUPPORTED, NULL,
								"filter \"%s\" is not supported yet", name);
			return;
		}
		candidates[n++] = future_filters[i];
	}
	if (strchr(node->text, '.') != NULL)
	{
		source_text_problem(node->source, node->position, ERRCODE_FEATURE_NOT_SUPPORTED, NULL,
							"functions as filters are not supported yet: \"%s\"", name);
		return;
	}

	for (int i = 0; i < lengthof(filters); i++)
		candidates[n++] = filters[i].name;
	candidates[n] = NULL;
	source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE,
						source_text_suggest(node->text, candidates),
						"unknown filter \"%s\"", name);
}

/*
 * function(value, arguments, defaults of the arguments that are not given).
 */
static void
compile_call(TemplateCompile *compile, const AstNode *node, Oid to)
{
	const TemplateFilter *filter = node->filter;
	int			nargs = list_length(node->operands) - 1;
	Coercion	coercion = template_begin_as(compile, node, filter->result, to);

	appendStringInfo(compile->out, "%s(", filter->function);
	template_compile_node(compile, ast_operand(node, 0), filter->input);
	for (int i = 0; i < filter->max_args; i++)
	{
		if (i >= nargs && filter->arg_defaults[i] == NULL)
			break;
		appendStringInfoString(compile->out, ", ");
		if (i < nargs)
			template_compile_node(compile, ast_operand(node, i + 1), filter->arg_types[i]);
		else
			appendStringInfoString(compile->out, filter->arg_defaults[i]);
	}
	appendStringInfoChar(compile->out, ')');
	template_end_as(compile, &coercion);
}

static Oid
default_type(const AstNode *node)
{
	return template_common_type(ast_operand(node, 0)->type, ast_operand(node, 1)->type);
}

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
		compile_call(compile, node, to);
		return;
	}
	coercion = template_begin_as(compile, node, TIMESTAMPTZOID, to);
	template_compile_node(compile, ast_operand(node, 0), TIMESTAMPTZOID);
	template_end_as(compile, &coercion);
}
