/*
 * filters_number.c
 *	  Filters for numbers and booleans.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"

const TemplateFilter template_number_filters[] = {
	{
		.name = "round", .function = "pg_catalog.round",
		.input = NUMERICOID, .result = NUMERICOID, .max_args = 1,
		.arg_types = {INT4OID}, .arg_defaults = {"0"}
	},
	{NULL}
};
