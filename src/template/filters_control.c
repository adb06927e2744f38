/*
 * filters_control.c
 *	  Filters for dropping and rejecting items.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"

const TemplateFilter template_control_filters[] = {
	{NULL}
};
