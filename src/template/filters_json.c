/*
 * filters_json.c
 *	  Filters for JSON arrays and objects.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"

const TemplateFilter template_json_filters[] = {
	{
		.name = "join", .function = "databite.filter_join",
		.input = JSONBOID, .result = TEXTOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {"','::pg_catalog.text"}
	},
	{NULL}
};
