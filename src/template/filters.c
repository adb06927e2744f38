/*
 * filters.c
 *	  Finds filters and writes their calls.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"
#include "template/filters_user.h"

static const TemplateFilter *const groups[] = {
	template_null_filters,
	template_text_filters,
	template_number_filters,
	template_time_filters,
	template_json_filters,
	template_coding_filters,
	template_check_filters,
	template_control_filters,
};

static const TemplateFilter *find_filter(const char *name);
static void unknown_filter(AstNode *node);
static char *known_elsewhere(const char *name);
static bool check_argument_count(const AstNode *node, const TemplateFilter *filter);
static bool check_argument_kinds(const AstNode *node, const TemplateFilter *filter);
static bool is_wrong_kind(const AstNode *argument, Oid type);
static const char *describe_kind(Oid type);

void
template_filter_resolve(AstNode *node)
{
	const TemplateFilter *filter;

	/* a user's transform comes before a filter of that name */
	if (template_user_filter_resolve(node))
		return;
	filter = find_filter(node->text);
	if (filter == NULL)
	{
		unknown_filter(node);
		return;
	}
	if (!check_argument_count(node, filter) || !check_argument_kinds(node, filter))
		return;
	node->filter = filter;
	if (filter->check != NULL)
		filter->check(node);
	node->type = filter->natural_type != NULL ? filter->natural_type(node) : filter->result;
}

void
template_filter_compile(TemplateCompile *compile, const AstNode *node, Oid to)
{
	if (node->function != NULL)
		template_user_filter_compile(compile, node, to);
	else if (node->filter->compile != NULL)
		node->filter->compile(compile, node, to);
	else
		template_filter_call(compile, node, to);
}

void
template_filter_call(TemplateCompile *compile, const AstNode *node, Oid to)
{
	template_filter_call_as(compile, node, node->filter->input, node->filter->result, to);
}

void
template_filter_call_as(TemplateCompile *compile, const AstNode *node, Oid input, Oid result, Oid to)
{
	const TemplateFilter *filter = node->filter;
	int			nargs = list_length(node->operands) - 1;
	Coercion	coercion = template_begin_as(compile, node, result, to);

	appendStringInfo(compile->out, "%s(", filter->function);
	template_compile_node(compile, ast_operand(node, 0), input);
	for (int i = 0; i < Max(nargs, filter->max_args); i++)
	{
		int			last = Min(i, filter->max_args - 1);

		if (i >= nargs && filter->arg_defaults[last] == NULL)
			break;
		appendStringInfoString(compile->out, ", ");
		if (i < nargs)
			template_compile_node(compile, ast_operand(node, i + 1), filter->arg_types[last]);
		else
			appendStringInfoString(compile->out, filter->arg_defaults[last]);
	}
	appendStringInfoChar(compile->out, ')');
	template_end_as(compile, &coercion);
}

void
template_filter_call_alike(TemplateCompile *compile, const AstNode *node, Oid operands, Oid result, Oid to)
{
	Coercion	coercion = template_begin_as(compile, node, result, to);

	appendStringInfo(compile->out, "%s(", node->filter->function);
	template_compile_node(compile, ast_operand(node, 0), operands);
	appendStringInfoString(compile->out, ", ");
	template_compile_node(compile, ast_operand(node, 1), operands);
	appendStringInfoChar(compile->out, ')');
	template_end_as(compile, &coercion);
}

const AstNode *
template_filter_literal(const AstNode *node, int n, AstLiteral kind)
{
	const AstNode *argument;

	if (n >= list_length(node->operands))
		return NULL;
	argument = ast_operand(node, n);
	return ast_is_literal(argument, kind) ? argument : NULL;
}

void
template_filter_problem(const AstNode *argument, const char *hint, const char *fmt,...)
{
	va_list		args;
	char		message[CLIP_MESSAGE];

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	source_text_problem(argument->source, argument->position, ERRCODE_INVALID_PARAMETER_VALUE, hint, "%s", message);
}

static const TemplateFilter *
find_filter(const char *name)
{
	for (int i = 0; i < lengthof(groups); i++)
	{
		for (const TemplateFilter *filter = groups[i]; filter->name != NULL; filter++)
		{
			if (strcmp(filter->name, name) == 0)
				return filter;
		}
	}
	return NULL;
}

/*
 * Adds the problem of a filter that is not there, with the nearest that is.
 */
static void
unknown_filter(AstNode *node)
{
	const char **candidates;
	char	   *hint;
	int			n = 0;

	for (int i = 0; i < lengthof(groups); i++)
	{
		for (const TemplateFilter *filter = groups[i]; filter->name != NULL; filter++)
			n++;
	}
	candidates = palloc((n + 1) * sizeof(char *));
	n = 0;
	for (int i = 0; i < lengthof(groups); i++)
	{
		for (const TemplateFilter *filter = groups[i]; filter->name != NULL; filter++)
			candidates[n++] = filter->name;
	}
	candidates[n] = NULL;
	hint = known_elsewhere(node->text);
	if (hint == NULL)
		hint = source_text_suggest(node->text, candidates);
	if (hint == NULL)
		hint = "a function of yours is written schema.function, or named by databite.create_transform";
	source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE, hint,
						"unknown filter \"%s\"", text_clip(node->text, CLIP_NAME));
}

/*
 * The hint for what the filter is called in Jinja, Liquid and their like; NULL
 * for any other name.
 */
static char *
known_elsewhere(const char *name)
{
	static const char *const names[][2] = {
		{"capitalize", "title"},
		{"count", "size"},
		{"date", "format_date"},
		{"downcase", "lower"},
		{"json", "to_json"},
		{"number", "decimal"},
		{"parse_date", "to_datetime"},
		{"parse_json", "from_json"},
		{"select", "filter"},
		{"strftime", "format_date"},
		{"strip", "trim"},
		{"strptime", "to_datetime"},
		{"striptags", "strip_html"},
		{"upcase", "upper"},
		{"where", "filter"},
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(name, names[i][0]) == 0)
			return psprintf("it is called \"%s\" here", names[i][1]);
	}
	return NULL;
}

static bool
check_argument_count(const AstNode *node, const TemplateFilter *filter)
{
	int			nargs = list_length(node->operands) - 1;
	const char *takes;

	if (nargs >= filter->min_args && (nargs <= filter->max_args || filter->variadic))
		return true;

	if (filter->variadic)
		takes = psprintf("at least %d", filter->min_args);
	else if (filter->min_args == filter->max_args)
		takes = psprintf("%d", filter->max_args);
	else
		takes = psprintf("%d to %d", filter->min_args, filter->max_args);
	source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
						"filter \"%s\" takes %s argument%s, not %d", filter->name, takes,
						filter->min_args == 1 && (filter->max_args == 1 || filter->variadic) ? "" : "s", nargs);
	return false;
}

/*
 * A literal must be what the filter takes: a number is not meant as a separator.
 * What other arguments are is known only when they have values.
 */
static bool
check_argument_kinds(const AstNode *node, const TemplateFilter *filter)
{
	bool		good = true;

	for (int n = 1; n < list_length(node->operands) && filter->max_args > 0 && !filter->any_kind; n++)
	{
		const AstNode *argument = ast_operand(node, n);
		Oid			type = filter->arg_types[Min(n, filter->max_args) - 1];

		if (!is_wrong_kind(argument, type))
			continue;
		template_filter_problem(argument, NULL, "argument %d of filter \"%s\" must be %s", n, filter->name, describe_kind(type));
		good = false;
	}
	return good;
}

static bool
is_wrong_kind(const AstNode *argument, Oid type)
{
	bool		list = argument->kind == AST_ARRAY || argument->kind == AST_OBJECT;

	if (describe_kind(type) == NULL || (argument->kind != AST_LITERAL && !list))
		return false;
	if (list)
		return true;
	switch (argument->literal)
	{
		case LITERAL_STRING:
			return type != TEXTOID;
		case LITERAL_NUMBER:
			return type != INT4OID && type != INT8OID && type != NUMERICOID;
		case LITERAL_BOOLEAN:
			return type != BOOLOID;
		default:
			return true;
	}
}

/*
 * NULL for the types that are not a matter of the literal's kind.
 */
static const char *
describe_kind(Oid type)
{
	switch (type)
	{
		case TEXTOID:
			return "a text";
		case INT4OID:
		case INT8OID:
			return "a whole number";
		case NUMERICOID:
			return "a number";
		case BOOLOID:
			return "true or false";
		default:
			return NULL;
	}
}
