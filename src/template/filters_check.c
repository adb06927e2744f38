/*
 * filters_check.c
 *	  Filters for telling whether a value is valid.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"

const TemplateFilter template_check_filters[] = {
	{NULL}
};
