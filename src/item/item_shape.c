/*
 * item_shape.c
 *	  Items that are made of what the list has: members of an object, rows of values.
 *
 * See item_shape.h.  The item is put together as JSON text, from the texts in the
 * response, and goes through the projector like any other.  A shape lives as long
 * as its context and keeps nothing of a document but the names.
 */
#include "postgres.h"

#include "item/byte_buffer.h"
#include "item/item_shape.h"
#include "item/json_seek.h"
#include "item/name_table.h"
#include "utils/memutils.h"

/* Bytes after an item's text that may be read. */
#define TEXT_PADDING	16

/* A path with at most one [*]: to an array, and from its elements. */
typedef struct ElementPath
{
	const JsonPath *path;
	int			nbefore;		/* steps to the array */
	int			first_after;	/* where those from an element begin */
} ElementPath;

/* One pair of names and values. */
typedef struct ShapePart
{
	ElementPath names;			/* path NULL: the names come with the header row */
	ElementPath values;			/* path NULL: the row itself is the values */
	int			first;			/* of its names */
	int			count;
	bool		known;			/* its names were met */
} ShapePart;

struct ItemShape
{
	const JsonPathStep *steps;
	int			nsteps;
	char	   *item_path;		/* to the item proper, printed */
	int			nparts;
	ShapePart  *parts;
	bool		header_row;
	JsonNesting nesting;
	size_t		keep_bytes;		/* of an item's text, allocated for the next one */

	/* of the document */
	NameTable	names;
	bool		envelope_lost;

	/* of the item */
	ByteBuffer	text;
	int			sqlstate;
	char		problem[512];
};

static void element_path_init(ElementPath *result, const JsonPath *path);
static ShapeStatus shape_member(ItemShape *shape, const char *key, size_t key_len, const char *p, const char *value_end, const char *end);
static ShapeStatus shape_row(ItemShape *shape, const char *p, const char *end);
static bool add_values(ItemShape *shape, ShapePart *part, const char *p, const char *end);
static bool read_names(ItemShape *shape, ShapePart *part, const char *p, const char *end);
static bool add_name(ItemShape *shape, const char *text, size_t len);
static void explain_names(ItemShape *shape);
static void add_text(ItemShape *shape, const char *text);
static ShapeStatus bad(ItemShape *shape, int sqlstate);

ItemShape *
shape_create(const JsonPathStep *steps, int nsteps, const List *zip, int max_depth, size_t keep_bytes, MemoryContext context)
{
	ItemShape  *shape = MemoryContextAllocZero(context, sizeof(ItemShape));
	JsonPath	path = {.nsteps = nsteps, .steps = unconstify(JsonPathStep *, steps)};

	shape->steps = steps;
	shape->nsteps = nsteps;
	shape->item_path = json_path_print(&path);
	name_table_init(&shape->names, context);
	shape->text.context = context;
	shape->nesting.max_depth = max_depth;
	shape->keep_bytes = keep_bytes;
	shape->nesting.objects = MemoryContextAllocZero(context, (max_depth / 64 + 1) * sizeof(uint64));
	shape->nparts = list_length(zip);
	shape->parts = MemoryContextAllocZero(context, Max(shape->nparts, 1) * sizeof(ShapePart));
	for (int i = 0; i < shape->nparts; i++)
	{
		const JobZip *part = list_nth(zip, i);

		shape->header_row = shape->header_row || part->header_row;
		element_path_init(&shape->parts[i].names, part->names);
		element_path_init(&shape->parts[i].values, part->values);
	}
	return shape;
}

void
shape_begin(ItemShape *shape)
{
	name_table_reset(&shape->names);
	shape->envelope_lost = false;
	for (int i = 0; i < shape->nparts; i++)
		shape->parts[i].known = false;
}

size_t
shape_held(const ItemShape *shape)
{
	return shape->text.size;
}

void
shape_forget(ItemShape *shape)
{
	buffer_reset(&shape->text, shape->keep_bytes);
}

void
shape_begin_list(ItemShape *shape, const char *envelope, size_t len)
{
	if (shape->header_row)
		shape_begin(shape);
	else if (envelope == NULL)
		shape->envelope_lost = true;
	else
	{
		/* What is wrong with the names is said when the first row needs them. */
		for (int i = 0; i < shape->nparts; i++)
		{
			if (!shape->parts[i].known && !read_names(shape, &shape->parts[i], envelope, envelope + len + 1))
				return;
		}
	}
}

bool
shape_awaits_names(const ItemShape *shape)
{
	return shape->header_row && !shape->parts[0].known;
}

const char *
shape_value_end(ItemShape *shape, const char *p, const char *end, JsonUnstorable *unstorable)
{
	return json_value_end(p, end, 1, &shape->nesting, unstorable);
}

ShapeStatus
shape_item(ItemShape *shape, const char *key, size_t key_len, const char *p, const char *end)
{
	static const char padding[TEXT_PADDING];
	const char *value_end;
	ShapeStatus status;

	shape->problem[0] = '\0';
	p = json_seek(p, end, shape->steps, shape->nsteps, &shape->nesting, &value_end);
	if (p == NULL)
	{
		snprintf(shape->problem, sizeof(shape->problem), "element of the list has no \"%.150s\"", shape->item_path);
		return shape_awaits_names(shape) ? SHAPE_WRONG : bad(shape, ERRCODE_SQL_JSON_MEMBER_NOT_FOUND);
	}
	if (shape_awaits_names(shape))
		return read_names(shape, &shape->parts[0], p, end) ? SHAPE_NAMES : SHAPE_WRONG;

	buffer_reset(&shape->text, shape->keep_bytes);
	status = shape->nparts > 0 ? shape_row(shape, p, end) : shape_member(shape, key, key_len, p, value_end, end);
	buffer_add(&shape->text, padding, TEXT_PADDING);
	return status;
}

const char *
shape_text(const ItemShape *shape, const char **readable_end)
{
	*readable_end = shape->text.bytes + shape->text.len;
	return shape->text.bytes;
}

const char *
shape_problem(const ItemShape *shape, int *sqlstate)
{
	*sqlstate = shape->sqlstate;
	return shape->problem;
}

static void
element_path_init(ElementPath *result, const JsonPath *path)
{
	result->path = path;
	if (path == NULL)
		return;
	while (result->nbefore < path->nsteps && path->steps[result->nbefore].kind != PATH_ALL)
		result->nbefore++;
	result->first_after = Min(result->nbefore + 1, path->nsteps);
}

/* The name comes last, so that it wins over a member of the object that has its name. */
static ShapeStatus
shape_member(ItemShape *shape, const char *key, size_t key_len, const char *p, const char *value_end, const char *end)
{
	if (*p == '{')
	{
		buffer_add(&shape->text, p, value_end - p - 1);
		add_text(shape, *json_skip_space(p + 1, end) == '}' ? "\"_key\":" : ",\"_key\":");
		buffer_add(&shape->text, key, key_len);
	}
	else
	{
		add_text(shape, "{\"_key\":");
		buffer_add(&shape->text, key, key_len);
		add_text(shape, ",\"_value\":");
		buffer_add(&shape->text, p, value_end - p);
	}
	add_text(shape, "}");
	return SHAPE_ITEM;
}

static ShapeStatus
shape_row(ItemShape *shape, const char *p, const char *end)
{
	add_text(shape, "{");
	for (int i = 0; i < shape->nparts; i++)
	{
		ShapePart  *part = &shape->parts[i];

		if (!part->known)
		{
			char	   *names = json_path_print(part->names.path);

			if (shape->names.problem[0] != '\0')
				explain_names(shape);
			else if (shape->envelope_lost)
				snprintf(shape->problem, sizeof(shape->problem),
						 "the response before the list of items is too large to have the names at \"%.150s\" found in it", names);
			else
				snprintf(shape->problem, sizeof(shape->problem),
						 "the response has no list of names at \"%.150s\" before the list of items", names);
			pfree(names);
			return SHAPE_WRONG;
		}
		if (!add_values(shape, part, p, end))
			return bad(shape, ERRCODE_BAD_COPY_FILE_FORMAT);
	}
	add_text(shape, "}");
	return SHAPE_ITEM;
}

/* Adds the members that the part gives to the item of the row at p; false where the row does not fit the names. */
static bool
add_values(ItemShape *shape, ShapePart *part, const char *p, const char *end)
{
	const JsonPath *path = part->values.path;
	JsonElements elements;
	const char *element;
	const char *value_end;
	int			position = 0;

	if (path != NULL)
		p = json_seek(p, end, path->steps, part->values.nbefore, &shape->nesting, &value_end);
	if (p == NULL || *p == 'n')
		return true;
	if (!json_elements_begin(&elements, p, end, &shape->nesting))
	{
		char	   *place = path != NULL ? json_path_print(path) : NULL;

		if (place != NULL)
			snprintf(shape->problem, sizeof(shape->problem), "row has no list of values at \"%.150s\"", place);
		else
			strlcpy(shape->problem, "row is no list of values", sizeof(shape->problem));
		return false;
	}
	for (; (element = json_elements_next(&elements, &value_end)) != NULL; position++)
	{
		const char *value = element;
		const char *name;
		size_t		name_len;

		if (position >= part->count)
			continue;
		if (path != NULL && part->values.first_after < path->nsteps)
			value = json_seek(element, end, path->steps + part->values.first_after,
							  path->nsteps - part->values.first_after, &shape->nesting, &value_end);
		if (value == NULL)
			continue;
		if (shape->text.len > 1)
			add_text(shape, ",");
		name = name_table_get(&shape->names, part->first + position, &name_len);
		buffer_add(&shape->text, name, name_len);
		buffer_add(&shape->text, value, value_end - value);
	}
	if (position > part->count)
	{
		snprintf(shape->problem, sizeof(shape->problem), "row has %d values, and there are %d names", position, part->count);
		return false;
	}
	return true;
}

/* Reads the names of a part from the value at p; false where they are not there, with the problem set where they are wrong. */
static bool
read_names(ItemShape *shape, ShapePart *part, const char *p, const char *end)
{
	const JsonPath *path = part->names.path;
	JsonElements elements;
	const char *value;
	const char *value_end;

	shape->problem[0] = '\0';
	if (path != NULL)
		p = json_seek(p, end, path->steps, part->names.nbefore, &shape->nesting, &value_end);
	if (p == NULL || !json_elements_begin(&elements, p, end, &shape->nesting))
	{
		if (path == NULL)
			strlcpy(shape->problem, "the first row of the list must be a list of names", sizeof(shape->problem));
		return false;
	}
	part->first = shape->names.count;
	while ((value = json_elements_next(&elements, &value_end)) != NULL)
	{
		if (path != NULL && part->names.first_after < path->nsteps)
			value = json_seek(value, end, path->steps + part->names.first_after,
							  path->nsteps - part->names.first_after, &shape->nesting, &value_end);
		if (!add_name(shape, value, value ? value_end - value : 0))
			return false;
	}
	part->count = shape->names.count - part->first;
	part->known = true;
	return true;
}

/* text is that of a JSON value, or NULL.  A number is a name, too: a spreadsheet's header may be a year. */
static bool
add_name(ItemShape *shape, const char *text, size_t len)
{
	if (text != NULL && *text == '"')
	{
		text++;
		len -= 2;
	}
	else if (text == NULL || strchr("-0123456789tf", *text) == NULL)
		len = 0;
	if (name_table_add(&shape->names, text, len))
		return true;
	explain_names(shape);
	return false;
}

/* Says in problem what is wrong with a name. */
static void
explain_names(ItemShape *shape)
{
	snprintf(shape->problem, sizeof(shape->problem), "the names of the rows' values cannot be used: %s", shape->names.problem);
}

static void
add_text(ItemShape *shape, const char *text)
{
	buffer_add(&shape->text, text, strlen(text));
}

static ShapeStatus
bad(ItemShape *shape, int sqlstate)
{
	shape->sqlstate = sqlstate;
	return SHAPE_BAD;
}
