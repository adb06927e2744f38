/*
 * filters_text.c
 *	  Filters for texts.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"

const TemplateFilter template_text_filters[] = {
	{
		.name = "lower", .function = "pg_catalog.lower",
		.input = TEXTOID, .result = TEXTOID
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
	{NULL}
};
