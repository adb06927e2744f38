/*
 * filters_text.c
 *	  Filters for texts, and for what texts and arrays have in common.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "parser/parse_coerce.h"
#include "regex/regex.h"
#include "template/filters.h"

#define WHITE_SPACE "E' \\t\\n\\r\\f\\x0B'::pg_catalog.text"

static Oid	slice_type(const AstNode *node);
static void compile_slice(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_length(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_contains(TemplateCompile *compile, const AstNode *node, Oid to);
static bool is_text(const AstNode *node);
static void check_value(const AstNode *node);
static void check_split(const AstNode *node);
static void check_split_part(const AstNode *node);
static void check_substr(const AstNode *node);
static void check_truncate(const AstNode *node);
static void check_pad_left(const AstNode *node);
static void check_not_negative(const AstNode *node, int n);
static void check_not_empty(const AstNode *node, int n);
static void check_pattern(const AstNode *node);
static void check_group(const AstNode *node, int groups);

const TemplateFilter template_text_filters[] = {
	{
		.name = "contains", .function = "databite.filter_contains",
		.input = JSONBOID, .result = BOOLOID, .min_args = 1, .max_args = 1,
		.arg_types = {JSONBOID}, .check = check_value, .compile = compile_contains
	},
	{
		.name = "ends_with", .function = "databite.filter_ends_with",
		.input = TEXTOID, .result = BOOLOID, .min_args = 1, .max_args = 1, .arg_types = {TEXTOID}
	},
	{
		.name = "length", .function = "databite.filter_length",
		.input = JSONBOID, .result = INT8OID, .check = check_value, .compile = compile_length
	},
	{
		.name = "lower", .function = "databite.filter_lower",
		.input = TEXTOID, .result = TEXTOID
	},
	{
		.name = "ltrim", .function = "databite.filter_ltrim",
		.input = TEXTOID, .result = TEXTOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {WHITE_SPACE}
	},
	{
		.name = "match", .function = "databite.filter_match",
		.input = TEXTOID, .result = BOOLOID, .min_args = 1, .max_args = 1,
		.arg_types = {TEXTOID}, .check = check_pattern
	},
	{
		.name = "pad_left", .function = "databite.filter_pad_left",
		.input = TEXTOID, .result = TEXTOID, .min_args = 1, .max_args = 2,
		.arg_types = {INT4OID, TEXTOID}, .arg_defaults = {NULL, "' '::pg_catalog.text"},
		.check = check_pad_left
	},
	{
		.name = "regex_extract", .function = "databite.filter_regex_extract",
		.input = TEXTOID, .result = TEXTOID, .min_args = 1, .max_args = 2,
		.arg_types = {TEXTOID, INT4OID}, .check = check_pattern
	},
	{
		.name = "regex_replace", .function = "databite.filter_regex_replace",
		.input = TEXTOID, .result = TEXTOID, .min_args = 2, .max_args = 2,
		.arg_types = {TEXTOID, TEXTOID}, .check = check_pattern
	},
	{
		.name = "replace", .function = "databite.filter_replace",
		.input = TEXTOID, .result = TEXTOID, .min_args = 2, .max_args = 2,
		.arg_types = {TEXTOID, TEXTOID}
	},
	{
		.name = "rtrim", .function = "databite.filter_rtrim",
		.input = TEXTOID, .result = TEXTOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {WHITE_SPACE}
	},
	{
		.name = "slice", .function = "databite.filter_slice",
		.input = JSONBOID, .result = JSONBOID, .min_args = 1, .max_args = 2,
		.arg_types = {INT4OID, INT4OID},
		.check = check_value, .natural_type = slice_type, .compile = compile_slice
	},
	{
		.name = "slug", .function = "databite.filter_slug",
		.input = TEXTOID, .result = TEXTOID
	},
	{
		.name = "snake_case", .function = "databite.filter_snake_case",
		.input = TEXTOID, .result = TEXTOID
	},
	{
		.name = "split", .function = "databite.filter_split",
		.input = TEXTOID, .result = JSONBOID, .min_args = 1, .max_args = 1,
		.arg_types = {TEXTOID}, .check = check_split
	},
	{
		.name = "split_part", .function = "databite.filter_split_part",
		.input = TEXTOID, .result = TEXTOID, .min_args = 2, .max_args = 2,
		.arg_types = {TEXTOID, INT4OID}, .check = check_split_part
	},
	{
		.name = "starts_with", .function = "databite.filter_starts_with",
		.input = TEXTOID, .result = BOOLOID, .min_args = 1, .max_args = 1, .arg_types = {TEXTOID}
	},
	{
		.name = "strip_html", .function = "databite.filter_strip_html",
		.input = TEXTOID, .result = TEXTOID
	},
	{
		.name = "substr", .function = "databite.filter_substr",
		.input = TEXTOID, .result = TEXTOID, .min_args = 1, .max_args = 2,
		.arg_types = {INT4OID, INT4OID}, .check = check_substr
	},
	{
		.name = "title", .function = "databite.filter_title",
		.input = TEXTOID, .result = TEXTOID
	},
	{
		.name = "trim", .function = "databite.filter_trim",
		.input = TEXTOID, .result = TEXTOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {WHITE_SPACE}
	},
	{
		.name = "truncate", .function = "databite.filter_truncate",
		.input = TEXTOID, .result = TEXTOID, .min_args = 1, .max_args = 2,
		.arg_types = {INT4OID, TEXTOID}, .arg_defaults = {NULL, "''::pg_catalog.text"},
		.check = check_truncate
	},
	{
		.name = "upper", .function = "databite.filter_upper",
		.input = TEXTOID, .result = TEXTOID
	},
	{NULL}
};

/*
 * A part of a text is a text, one of a path whatever its place wants.
 */
static Oid
slice_type(const AstNode *node)
{
	Oid			type = ast_operand(node, 0)->type;

	return OidIsValid(type) && !is_text(node) ? JSONBOID : type;
}

static void
compile_slice(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Oid			type = is_text(node) ? TEXTOID : JSONBOID;

	template_filter_call_as(compile, node, type, type, to);
}

static void
compile_length(TemplateCompile *compile, const AstNode *node, Oid to)
{
	template_filter_call_as(compile, node, is_text(node) ? TEXTOID : JSONBOID, INT8OID, to);
}

/*
 * What is looked for in a text is a text, in anything else JSON.
 */
static void
compile_contains(TemplateCompile *compile, const AstNode *node, Oid to)
{
	template_filter_call_alike(compile, node, is_text(node) ? TEXTOID : JSONBOID, BOOLOID, to);
}

/*
 * The value of the filter is a text whatever the item holds.
 */
static bool
is_text(const AstNode *node)
{
	return ast_operand(node, 0)->type == TEXTOID;
}

/*
 * A number or boolean has neither elements nor characters.
 */
static void
check_value(const AstNode *node)
{
	const AstNode *value = ast_operand(node, 0);
	TYPCATEGORY category;

	if (!OidIsValid(value->type))
		return;
	category = TypeCategory(value->type);
	if (category == TYPCATEGORY_NUMERIC || category == TYPCATEGORY_BOOLEAN)
		template_filter_problem(node, NULL, "filter \"%s\" cannot be used on %s",
								node->filter->name, template_describe_type(value->type));
}

static void
check_split(const AstNode *node)
{
	check_not_empty(node, 1);
}

static void
check_split_part(const AstNode *node)
{
	const AstNode *n = template_filter_literal(node, 2, LITERAL_NUMBER);

	check_not_empty(node, 1);
	if (n != NULL && strcmp(n->text, "0") == 0)
		template_filter_problem(n, "the first part is 1, the last -1", "there is no part 0");
}

static void
check_substr(const AstNode *node)
{
	check_not_negative(node, 2);
}

static void
check_truncate(const AstNode *node)
{
	check_not_negative(node, 1);
}

static void
check_pad_left(const AstNode *node)
{
	check_not_negative(node, 1);
	check_not_empty(node, 2);
}

static void
check_not_negative(const AstNode *node, int n)
{
	const AstNode *length = template_filter_literal(node, n, LITERAL_NUMBER);

	if (length != NULL && length->text[0] == '-')
		template_filter_problem(length, NULL, "the length in filter \"%s\" must not be negative", node->filter->name);
}

static void
check_not_empty(const AstNode *node, int n)
{
	const AstNode *text = template_filter_literal(node, n, LITERAL_STRING);

	if (text != NULL && text->text[0] == '\0')
		template_filter_problem(text, NULL, "argument %d of filter \"%s\" must not be empty", n, node->filter->name);
}

/*
 * A regular expression that is written down must be one.
 */
static void
check_pattern(const AstNode *node)
{
	const AstNode *pattern = template_filter_literal(node, 1, LITERAL_STRING);
	regex_t		regex;
	pg_wchar   *wide;
	int			len;
	int			result;

	if (pattern == NULL)
		return;
	len = strlen(pattern->text);
	wide = palloc((len + 1) * sizeof(pg_wchar));
	len = pg_mb2wchar_with_len(pattern->text, wide, len);
	result = pg_regcomp(&regex, wide, len, REG_ADVANCED, DEFAULT_COLLATION_OID);
	if (result == REG_OKAY)
	{
		check_group(node, regex.re_nsub);
		pg_regfree(&regex);
	}
	else
	{
		char		message[100];

		pg_regerror(result, &regex, message, sizeof(message));
		source_text_problem(pattern->source, pattern->position, ERRCODE_INVALID_REGULAR_EXPRESSION, NULL,
							"invalid regular expression: %s", message);
	}
	pfree(wide);
}

/*
 * The group that regex_extract names is one of the pattern's.
 */
static void
check_group(const AstNode *node, int groups)
{
	const AstNode *group = template_filter_literal(node, 2, LITERAL_NUMBER);

	if (group != NULL && (group->text[0] == '-' || atof(group->text) > groups))
		template_filter_problem(group, "0 is the whole match", "the regular expression has %d groups", groups);
}
