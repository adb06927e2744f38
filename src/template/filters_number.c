/*
 * filters_number.c
 *	  Filters for numbers and booleans.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"

static Oid	element_type(const AstNode *node);
static void check_separator(const AstNode *node);

const TemplateFilter template_number_filters[] = {
	{
		.name = "abs", .function = "databite.filter_abs",
		.input = NUMERICOID, .result = NUMERICOID
	},
	{
		.name = "avg", .function = "databite.filter_avg",
		.input = JSONBOID, .result = NUMERICOID
	},
	{
		.name = "bool", .function = "databite.filter_bool",
		.input = JSONBOID, .result = BOOLOID
	},
	{
		.name = "ceil", .function = "databite.filter_ceil",
		.input = NUMERICOID, .result = NUMERICOID
	},
	{
		.name = "decimal", .function = "databite.filter_decimal",
		.input = JSONBOID, .result = NUMERICOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {"'.'::pg_catalog.text"},
		.check = check_separator
	},
	{
		.name = "float", .function = "databite.filter_float",
		.input = JSONBOID, .result = FLOAT8OID
	},
	{
		.name = "floor", .function = "databite.filter_floor",
		.input = NUMERICOID, .result = NUMERICOID
	},
	{
		.name = "int", .function = "databite.filter_int",
		.input = JSONBOID, .result = INT8OID
	},
	{
		.name = "max", .function = "databite.filter_max",
		.input = JSONBOID, .result = JSONBOID, .natural_type = element_type
	},
	{
		.name = "min", .function = "databite.filter_min",
		.input = JSONBOID, .result = JSONBOID, .natural_type = element_type
	},
	{
		.name = "round", .function = "databite.filter_round",
		.input = NUMERICOID, .result = NUMERICOID, .max_args = 1,
		.arg_types = {INT4OID}, .arg_defaults = {"0"}
	},
	{
		.name = "sum", .function = "databite.filter_sum",
		.input = JSONBOID, .result = NUMERICOID
	},
	{NULL}
};

/*
 * Whatever the elements are is only known when they have values.
 */
static Oid
element_type(const AstNode *node)
{
	return InvalidOid;
}

static void
check_separator(const AstNode *node)
{
	const AstNode *separator = template_filter_literal(node, 1, LITERAL_STRING);

	if (separator != NULL && strcmp(separator->text, ".") != 0 && strcmp(separator->text, ",") != 0)
		template_filter_problem(separator, NULL, "the decimal separator is \".\" or \",\"");
}
