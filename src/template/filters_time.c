/*
 * filters_time.c
 *	  Filters for times.
 *
 * What is written down in the template, a format, a zone or a unit, is checked
 * when the template is compiled.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"
#include "template/scopes.h"
#include "template/time_format.h"
#include "utils/lsyscache.h"

static void compile_to_datetime(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_to_date(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_format_date(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_unix(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_date_add(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_date_trunc(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_tz(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_now(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_today(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_wanted(TemplateCompile *compile, const AstNode *node, Oid type, Oid to);
static void refuse_number(const AstNode *node);
static AstNode *with_zone_of_tz(const AstNode *node);
static void check_format(const AstNode *node, int n, bool read);
static void check_zone(const AstNode *node, int n);
static void check_unit(const AstNode *node, int n, const char *const *names);
static bool unit_known(const char *unit, const char *const *names);

#define UTC "'UTC'::pg_catalog.text"

const TemplateFilter template_time_filters[] = {
	{
		.name = "date_add", .function = "databite.filter_date_add",
		.input = TIMESTAMPTZOID, .result = TIMESTAMPTZOID, .min_args = 1, .max_args = 2,
		.arg_types = {NUMERICOID, TEXTOID}, .any_kind = true, .compile = compile_date_add
	},
	{
		.name = "date_trunc", .function = "databite.filter_date_trunc",
		.input = TIMESTAMPTZOID, .result = TIMESTAMPTZOID, .min_args = 1, .max_args = 2,
		.arg_types = {TEXTOID, TEXTOID}, .arg_defaults = {NULL, UTC}, .compile = compile_date_trunc
	},
	{
		.name = "format_date", .function = "databite.filter_format_date",
		.input = TIMESTAMPTZOID, .result = TEXTOID, .min_args = 1, .max_args = 2,
		.arg_types = {TEXTOID, TEXTOID}, .arg_defaults = {NULL, UTC}, .compile = compile_format_date
	},
	{
		.name = "from_unix", .function = "databite.filter_from_unix",
		.input = NUMERICOID, .result = TIMESTAMPTZOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {"'s'::pg_catalog.text"}, .compile = compile_unix
	},
	{
		.name = "now", .input = JSONBOID, .result = TIMESTAMPTZOID, .compile = compile_now
	},
	{
		.name = "to_date", .function = "databite.filter_to_date",
		.input = TEXTOID, .result = DATEOID, .max_args = 1,
		.arg_types = {TEXTOID}, .compile = compile_to_date
	},
	{
		.name = "to_datetime", .function = "databite.to_datetime",
		.input = TEXTOID, .result = TIMESTAMPTZOID, .max_args = 2,
		.arg_types = {TEXTOID, TEXTOID}, .arg_defaults = {NULL, UTC}, .compile = compile_to_datetime
	},
	{
		.name = "to_unix", .function = "databite.filter_to_unix",
		.input = TIMESTAMPTZOID, .result = NUMERICOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {"'s'::pg_catalog.text"}, .compile = compile_unix
	},
	{
		.name = "today", .function = "databite.filter_today",
		.input = JSONBOID, .result = DATEOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {UTC}, .compile = compile_today
	},
	{
		.name = "tz", .function = "databite.filter_tz",
		.input = TIMESTAMPTZOID, .result = TIMESTAMPTZOID, .min_args = 1, .max_args = 1,
		.arg_types = {TEXTOID}, .compile = compile_tz
	},
	{NULL}
};

/* date_add("1 day") */
static const TemplateFilter date_add_interval = {
	.name = "date_add", .function = "databite.filter_date_add",
	.input = TIMESTAMPTZOID, .result = TIMESTAMPTZOID, .min_args = 1, .max_args = 1,
	.arg_types = {TEXTOID}
};

/* tz as a text, and as the clock on the wall */
static const TemplateFilter tz_text = {
	.name = "tz", .function = "databite.filter_tz",
	.input = TIMESTAMPTZOID, .result = TEXTOID, .min_args = 1, .max_args = 1,
	.arg_types = {TEXTOID}
};
static const TemplateFilter tz_local = {
	.name = "tz", .function = "databite.filter_tz_local",
	.input = TIMESTAMPTZOID, .result = TIMESTAMPOID, .min_args = 1, .max_args = 1,
	.arg_types = {TEXTOID}
};

/*
 * Without a format the value is just wanted as a time, which a path of an item
 * is converted to without a detour over text.
 */
static void
compile_to_datetime(TemplateCompile *compile, const AstNode *node, Oid to)
{
	if (list_length(node->operands) == 1)
	{
		compile_wanted(compile, node, TIMESTAMPTZOID, to);
		return;
	}
	check_format(node, 1, true);
	check_zone(node, 2);
	template_filter_call(compile, node, to);
}

static void
compile_to_date(TemplateCompile *compile, const AstNode *node, Oid to)
{
	if (list_length(node->operands) == 1)
	{
		compile_wanted(compile, node, DATEOID, to);
		return;
	}
	check_format(node, 1, true);
	template_filter_call(compile, node, to);
}

static void
compile_format_date(TemplateCompile *compile, const AstNode *node, Oid to)
{
	refuse_number(node);
	node = with_zone_of_tz(node);
	check_format(node, 1, false);
	check_zone(node, 2);
	template_filter_call(compile, node, to);
}

static void
compile_unix(TemplateCompile *compile, const AstNode *node, Oid to)
{
	check_unit(node, 1, time_unix_unit_names);
	template_filter_call(compile, node, to);
}

/*
 * A number and its unit, or an interval.
 */
static void
compile_date_add(TemplateCompile *compile, const AstNode *node, Oid to)
{
	const AstNode *argument = ast_operand(node, 1);
	AstNode		copy = *node;
	ErrorData  *error;

	if (list_length(node->operands) > 2)
	{
		check_unit(node, 2, time_unit_names);
		template_filter_call(compile, node, to);
		return;
	}
	if (argument->type == NUMERICOID)
		source_text_problem(argument->source, argument->position, ERRCODE_INVALID_PARAMETER_VALUE,
							"write {{ ... | date_add(1, \"day\") }}", "a number needs a unit");
	else if (template_filter_literal(node, 1, LITERAL_STRING) != NULL &&
			 !template_literal_fits(INTERVALOID, -1, argument->text, &error))
		source_text_problem(argument->source, argument->position, error->sqlerrcode,
							"write it as \"1 day 2 hours\"",
							"%s", text_clip(error->message, CLIP_MESSAGE));
	copy.filter = &date_add_interval;
	template_filter_call(compile, &copy, to);
}

static void
compile_date_trunc(TemplateCompile *compile, const AstNode *node, Oid to)
{
	node = with_zone_of_tz(node);
	check_unit(node, 1, time_trunc_unit_names);
	check_zone(node, 2);
	template_filter_call(compile, node, to);
}

/*
 * A point in time, until it is wanted as something that shows the zone: a text,
 * a date, a time of the day.
 */
static void
compile_tz(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Oid			base = getBaseType(to);
	AstNode		copy = *node;

	check_zone(node, 1);
	if (base == TIMESTAMPTZOID)
		compile_wanted(compile, node, TIMESTAMPTZOID, to);
	else
	{
		copy.filter = base == TIMESTAMPOID || base == DATEOID || base == TIMEOID ? &tz_local : &tz_text;
		template_filter_call(compile, &copy, to);
	}
}

/*
 * When the run began, whatever the input is.
 */
static void
compile_now(TemplateCompile *compile, const AstNode *node, Oid to)
{
	AstNode    *path = template_scope_run_start(node, compile->compiler);

	if (path != NULL)
		template_compile_node(compile, path, to);
}

static void
compile_today(TemplateCompile *compile, const AstNode *node, Oid to)
{
	AstNode    *path = template_scope_run_start(node, compile->compiler);
	TemplateFilter filter = *node->filter;
	AstNode		copy = *node;

	if (path == NULL)
		return;
	check_zone(node, 1);
	filter.input = TIMESTAMPTZOID;
	copy.filter = &filter;
	copy.operands = list_copy(node->operands);
	linitial(copy.operands) = path;
	template_filter_call(compile, &copy, to);
}

/*
 * The value as that type, which is a time of some kind.
 */
static void
compile_wanted(TemplateCompile *compile, const AstNode *node, Oid type, Oid to)
{
	Coercion	coercion = template_begin_as(compile, node, type, to);

	refuse_number(node);
	template_compile_node(compile, ast_operand(node, 0), type);
	template_end_as(compile, &coercion);
}

/*
 * A number has no unit, so it is no time.
 */
static void
refuse_number(const AstNode *node)
{
	const AstNode *value = ast_operand(node, 0);

	if (value->type == NUMERICOID || value->type == INT8OID)
		source_text_problem(node->source, node->position, ERRCODE_DATATYPE_MISMATCH,
							"say what it means: {{ ... | from_unix }}",
							"filter \"%s\" needs a time, not a number", node->filter->name);
}

/*
 * {{ x | tz(zone) | format_date(format) }} is format_date(format, zone) of x.
 */
static AstNode *
with_zone_of_tz(const AstNode *node)
{
	AstNode    *copy = palloc(sizeof(AstNode));
	const AstNode *value = ast_operand(node, 0);

	*copy = *node;
	if (list_length(node->operands) == 2 && value->filter != NULL && value->filter->compile == compile_tz)
		copy->operands = list_make3(ast_operand(value, 0), ast_operand(node, 1), ast_operand(value, 1));
	return copy;
}

static void
check_format(const AstNode *node, int n, bool read)
{
	const AstNode *format = template_filter_literal(node, n, LITERAL_STRING);
	TimeFormatKind kind;
	int			scale;
	char	   *mistake;

	if (format == NULL)
		return;
	kind = time_format_kind(format->text, &scale);
	if (kind != TIME_STRFTIME && kind != TIME_PATTERN)
		return;
	mistake = time_format_mistake(format->text, read);
	if (mistake != NULL)
		source_text_problem(format->source, format->position, ERRCODE_INVALID_PARAMETER_VALUE,
							kind == TIME_STRFTIME ? "a format with \"%\" is one of strftime: \"%Y-%m-%d %H:%M:%S\""
							: "a format is one of strftime, \"iso\" or its like, or a pattern such as \"DD.MM.YYYY HH24:MI\"",
							"%s", mistake);
}

static void
check_zone(const AstNode *node, int n)
{
	const AstNode *zone = template_filter_literal(node, n, LITERAL_STRING);

	if (zone != NULL && time_zone_find(zone->text) == NULL)
		source_text_problem(zone->source, zone->position, ERRCODE_INVALID_PARAMETER_VALUE,
							"write a name such as \"Europe/Riga\", or an offset such as \"+02:00\"",
							"unknown time zone \"%s\"", text_clip(zone->text, CLIP_NAME));
}

static void
check_unit(const AstNode *node, int n, const char *const *names)
{
	const AstNode *unit = template_filter_literal(node, n, LITERAL_STRING);
	char	   *hint;

	if (unit == NULL || unit_known(unit->text, names))
		return;
	hint = source_text_suggest(unit->text, names);
	if (hint == NULL)
	{
		StringInfoData list;

		initStringInfo(&list);
		for (int i = 0; names[i] != NULL; i++)
			appendStringInfo(&list, "%s\"%s\"", i > 0 ? ", " : "it is one of ", names[i]);
		hint = list.data;
	}
	source_text_problem(unit->source, unit->position, ERRCODE_INVALID_PARAMETER_VALUE, hint,
						"filter \"%s\" does not know the unit \"%s\"", node->filter->name,
						text_clip(unit->text, CLIP_NAME));
}

static bool
unit_known(const char *unit, const char *const *names)
{
	if (names == time_unit_names)
		return time_unit_find(unit) != NULL;
	for (int i = 0; names[i] != NULL; i++)
	{
		if (strcmp(names[i], unit) == 0)
			return true;
	}
	return false;
}
