/*
 * convert_array.c
 *	  JSON arrays to PostgreSQL arrays of one dimension.
 */
#include "postgres.h"

#include "item/convert_parts.h"
#include "item/json_text.h"
#include "item/scanner.h"
#include "utils/array.h"
#include "utils/memutils.h"

/* The elements so far. */
typedef struct Elements
{
	int			count;
	int			size;
	Datum	   *values;
	bool	   *nulls;
} Elements;

static void add_element(Elements *elements, const ArrayTarget *target, const char *text, size_t len);
static CellKind element_kind(char first);

Datum
json_to_array(const ArrayTarget *target, const char *text, size_t len)
{
	const char *p = text;
	const char *end = text + len;
	uint64		objects[SCANNER_MAX_DEPTH / 64];
	JsonNesting nesting = {.max_depth = SCANNER_MAX_DEPTH, .objects = objects};
	Elements	elements = {0};
	int			dimension;
	int			lower_bound = 1;

	p = json_skip_space(p + 1, end);
	while (p < end && *p != ']')
	{
		JsonUnstorable unstorable = JSON_STORABLE;
		const char *after = json_value_end(p, end, 1, &nesting, &unstorable);

		if (after == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid JSON array")));
		add_element(&elements, target, p, after - p);
		p = json_skip_space(after, end);
		if (p < end && *p == ',')
			p = json_skip_space(p + 1, end);
	}
	if (elements.count == 0)
		return PointerGetDatum(construct_empty_array(target->element_type));
	dimension = elements.count;
	return PointerGetDatum(construct_md_array(elements.values, elements.nulls, 1, &dimension, &lower_bound,
											  target->element_type, target->typlen,
											  target->typbyval, target->typalign));
}

/* text is the element as it is written. */
static void
add_element(Elements *elements, const ArrayTarget *target, const char *text, size_t len)
{
	CellKind	kind = element_kind(*text);
	char	   *copy = MemoryContextAllocHuge(CurrentMemoryContext, len + 1);

	if (elements->count == elements->size)
	{
		elements->size = Max(16, elements->size * 2);
		if (elements->values == NULL)
		{
			elements->values = palloc(elements->size * sizeof(Datum));
			elements->nulls = palloc(elements->size * sizeof(bool));
		}
		else
		{
			elements->values = repalloc_huge(elements->values, elements->size * sizeof(Datum));
			elements->nulls = repalloc_huge(elements->nulls, elements->size * sizeof(bool));
		}
	}
	if (kind == CELL_STRING)
		len = json_unescape(text + 1, len - 2, copy);
	else
		memcpy(copy, text, len);
	copy[len] = '\0';
	elements->values[elements->count] = cell_convert(target->element, kind, copy, len,
													 &elements->nulls[elements->count]);
	elements->count++;
	pfree(copy);
}

/* What begins with the byte. */
static CellKind
element_kind(char first)
{
	switch (first)
	{
		case '"':
			return CELL_STRING;
		case '{':
		case '[':
			return CELL_JSON;
		case 't':
			return CELL_TRUE;
		case 'f':
			return CELL_FALSE;
		case 'n':
			return CELL_NULL;
		default:
			return CELL_NUMBER;
	}
}
