/*
 * filters_coding.c
 *	  Filters for encoding, decoding and hashing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"

const TemplateFilter template_coding_filters[] = {
	{NULL}
};
