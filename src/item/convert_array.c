/*
 * convert_array.c
 *	  JSON arrays to PostgreSQL arrays.
 *
 * Arrays in arrays are dimensions, where the elements cannot be arrays
 * themselves.  As PostgreSQL wants it, all of one depth have one length.
 */
#include "postgres.h"

#include "base/compat.h"
#include "item/convert_parts.h"
#include "item/json_text.h"
#include "item/scanner.h"
#include "utils/array.h"
#include "utils/memutils.h"

/* An array in the making. */
typedef struct ArrayBuild
{
	const ArrayTarget *target;
	const char *text;			/* the whole JSON, for errors */
	size_t		len;
	JsonNesting *nesting;
	int			ndims;			/* of the deepest array so far */
	bool		has_element;	/* one was found, so ndims is what it is */
	int			sizes[MAXDIM];	/* -1: not known yet */
	int			count;
	int			size;
	Datum	   *values;
	bool	   *nulls;
} ArrayBuild;

static const char *read_array(ArrayBuild *build, const char *p, const char *end, int dimension);
static const char *read_element(ArrayBuild *build, const char *p, const char *end, int dimension);
static void add_element(ArrayBuild *build, const char *text, size_t len);
pg_noreturn static void reject_shape(const ArrayBuild *build);

Datum
json_to_array(const ArrayTarget *target, const char *text, size_t len)
{
	uint64		objects[SCANNER_MAX_DEPTH / 64];
	JsonNesting nesting = {.max_depth = SCANNER_MAX_DEPTH, .objects = objects};
	ArrayBuild	build = {.target = target, .text = text, .len = len, .nesting = &nesting};
	int			lower_bounds[MAXDIM];

	for (int i = 0; i < MAXDIM; i++)
	{
		build.sizes[i] = -1;
		lower_bounds[i] = 1;
	}
	(void) read_array(&build, text, text + len, 1);
	if (build.count == 0)
		return PointerGetDatum(construct_empty_array(target->element_type));
	return PointerGetDatum(construct_md_array(build.values, build.nulls, build.ndims, build.sizes, lower_bounds,
											  target->element_type, target->typlen,
											  target->typbyval, target->typalign));
}

/* Reads the array that begins at p, of that dimension counted from 1; returns the position after it. */
static const char *
read_array(ArrayBuild *build, const char *p, const char *end, int dimension)
{
	int			size = 0;

	if (dimension > MAXDIM)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("number of array dimensions exceeds the maximum allowed (%d)", MAXDIM)));
	if (dimension > build->ndims)
	{
		if (build->has_element)
			reject_shape(build);
		build->ndims = dimension;
	}

	p = json_skip_space(p + 1, end);
	while (p < end && *p != ']')
	{
		if (*p == '[' && build->target->nests)
			p = read_array(build, p, end, dimension + 1);
		else
			p = read_element(build, p, end, dimension);
		size++;
		p = json_skip_space(p, end);
		if (p < end && *p == ',')
			p = json_skip_space(p + 1, end);
	}

	if (build->sizes[dimension - 1] < 0)
		build->sizes[dimension - 1] = size;
	else if (build->sizes[dimension - 1] != size)
		reject_shape(build);
	return p + 1;
}

static const char *
read_element(ArrayBuild *build, const char *p, const char *end, int dimension)
{
	JsonUnstorable unstorable = JSON_STORABLE;
	const char *after = json_value_end(p, end, 1, build->nesting, &unstorable);

	if (after == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid JSON array")));
	if (dimension < build->ndims)
		reject_shape(build);
	build->has_element = true;
	add_element(build, p, after - p);
	return after;
}

/* text is the element as it is written. */
static void
add_element(ArrayBuild *build, const char *text, size_t len)
{
	if (build->count == build->size)
	{
		build->size = Max(16, build->size * 2);
		if (build->values == NULL)
		{
			build->values = palloc(build->size * sizeof(Datum));
			build->nulls = palloc(build->size * sizeof(bool));
		}
		else
		{
			build->values = repalloc_huge(build->values, build->size * sizeof(Datum));
			build->nulls = repalloc_huge(build->nulls, build->size * sizeof(bool));
		}
	}
	build->values[build->count] = json_convert(build->target->element, text, len, &build->nulls[build->count]);
	build->count++;
}

static void
reject_shape(const ArrayBuild *build)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("arrays of different length or depth in an array: %s", cell_shown(build->text, build->len)),
			 errhint("All arrays of one dimension have the same length; a column of type jsonb takes any.")));
}
