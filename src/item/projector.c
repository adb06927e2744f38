/*
 * projector.c
 *	  One item that lies in memory in one piece to its cells, in one pass.
 *
 * The item's text is walked over once; as long as a path goes through the value
 * at hand the trie is followed, everything else is only checked.  A leaf is
 * copied where it is met.  What happens where the same value is met twice:
 *
 * - A key that comes again in an object: the last one wins, as in jsonb.  The
 *   cells of the paths through it are taken back before it is read again.
 * - An index from the end ([-1]): the array's length is known only after it, so
 *   the array is walked over a second time, up to the wanted elements.
 * - A path with [*]: the text of each value is added to the path's collection,
 *   which becomes the cell, a JSON array, when the item ends.  That of the rest
 *   (PATH_REST) gets names too, and becomes an object.
 *
 * A projector is used for one item after the other and lives as long as its
 * context.  It keeps nothing of an item once the run is over.
 */
#include "postgres.h"

#include "item/batch_arena.h"
#include "item/projector.h"
#include "utils/memutils.h"

/* The values of a path with [*], so far: text with commas between. */
typedef struct Collection
{
	bool		begun;			/* the array is there */
	size_t		len;
	size_t		size;
	char	   *text;
} Collection;

struct Projector
{
	MemoryContext context;
	PathTrie   *trie;
	Collection *collections;	/* one for each path; unused without an [*] */
	JsonNesting nesting;
	uint64		objects;		/* objects met, to tell one from another */

	/* of the run */
	const char *end;
	ItemBatch  *batch;
	Cell	   *cells;
	JsonUnstorable unstorable;
	bool		anchored;		/* the item proper was met */
	bool		object;			/* and is an object */
};

static const char *project_value(Projector *projector, const char *p, TrieNode *node, int depth);
static const char *project_object(Projector *projector, const char *p, TrieNode *node, int depth);
static const char *find_member(Projector *projector, const char *p, TrieNode *node, TrieExpected *expected, TrieNode **member);
static const char *project_array(Projector *projector, const char *p, TrieNode *node, int depth);
static const char *project_from_end(Projector *projector, const char *p, TrieNode *node, int depth, int length);
static const char *walk_over(Projector *projector, const char *p, int depth);
static TrieNode *find_escaped_key(const TrieNode *node, const char *key, size_t len);
static void forget_earlier(Projector *projector, TrieNode *node, uint64 object);
static void set_cells(Projector *projector, TrieNode *node, CellKind kind, const char *text, size_t len, bool escaped);
static void collect(Projector *projector, TrieNode *node, const char *text, size_t len);
static void collect_member(Projector *projector, int path, const char *name, const char *name_end, const char *value,
						   const char *value_end);
static void add_to_collection(Projector *projector, int path, const char *text, size_t len, const char *separator);
static void begin_collections(Projector *projector, const TrieNode *all);
static void finish_collections(Projector *projector);
static inline void note_unstorable(Projector *projector, JsonUnstorable unstorable);

Projector *
projector_create(const JsonPathStep *prefix, int nprefix,
				 const JsonPath *const *paths, int npaths,
				 int max_depth, MemoryContext context)
{
	Projector  *projector = MemoryContextAllocZero(context, sizeof(Projector));

	projector->context = context;
	projector->trie = trie_create(prefix, nprefix, paths, npaths, context);
	projector->collections = MemoryContextAllocZero(context, Max(npaths, 1) * sizeof(Collection));
	projector->nesting.max_depth = max_depth;
	projector->nesting.objects = MemoryContextAllocZero(context, (max_depth / 64 + 1) * sizeof(uint64));
	return projector;
}

const char *
projector_run(Projector *projector, const char *p, const char *end,
			  ItemBatch *batch, Cell *cells, Projection *result)
{
	PathTrie   *trie = projector->trie;

	projector->end = end;
	projector->batch = batch;
	projector->cells = cells;
	projector->unstorable = JSON_STORABLE;
	projector->anchored = false;
	if (trie->npaths > 0)
		memset(cells, 0, trie->npaths * sizeof(Cell));
	for (int i = 0; i < trie->ncollected; i++)
	{
		projector->collections[trie->collected[i]].begun = false;
		projector->collections[trie->collected[i]].len = 0;
	}

	p = project_value(projector, p, trie->root, 0);
	if (p == NULL)
		return NULL;
	finish_collections(projector);
	result->unstorable = projector->unstorable;
	result->missing = !projector->anchored;
	result->object = projector->object;
	return p;
}

const char *
projector_skip(Projector *projector, const char *p, const char *end, Projection *result)
{
	result->unstorable = JSON_STORABLE;
	result->missing = false;
	return json_value_end(p, end, 1, &projector->nesting, &result->unstorable);
}

/*
 * Reads a value that a path leads to or goes through.  depth is that of the
 * containers around it.
 */
static const char *
project_value(Projector *projector, const char *p, TrieNode *node, int depth)
{
	const char *start = p;
	const char *end = projector->end;
	JsonStringInfo string;

	if (unlikely(p >= end))
		return NULL;
	if (unlikely(node->anchor))
	{
		projector->anchored = true;
		projector->object = *p == '{';
	}

	switch (*p)
	{
		case '"':
			p = json_string_end(p + 1, end, &string);
			if (p == NULL)
				return NULL;
			p++;
			note_unstorable(projector, string.unstorable);
			if (likely(node->npaths > 0))
			{
				if (likely(!node->collects))
					set_cells(projector, node, CELL_STRING, start + 1, p - start - 2, string.escaped);
				else
					collect(projector, node, start, p - start);
			}
			return p;
		case '{':
			if (node->nkeys > 0)
				p = project_object(projector, p, node, depth + 1);
			else
				p = walk_over(projector, p, depth);
			break;
		case '[':
			if (node->nindexes > 0 || node->all != NULL)
				p = project_array(projector, p, node, depth + 1);
			else
				p = walk_over(projector, p, depth);
			break;
		case 't':
		case 'f':
		case 'n':
			p = json_literal_end(p, end);
			break;
		default:
			p = json_number_end(p, end);
			break;
	}
	if (p == NULL)
		return NULL;
	if (node->npaths > 0)
	{
		CellKind	kind;

		switch (*start)
		{
			case '{':
			case '[':
				kind = CELL_JSON;
				break;
			case 't':
				kind = CELL_TRUE;
				break;
			case 'f':
				kind = CELL_FALSE;
				break;
			case 'n':
				kind = CELL_NULL;
				break;
			default:
				kind = CELL_NUMBER;
				break;
		}
		if (likely(!node->collects))
			set_cells(projector, node, kind, start, p - start, false);
		else
			collect(projector, node, start, p - start);
	}
	return p;
}

/* depth is that of the object itself. */
static const char *
project_object(Projector *projector, const char *p, TrieNode *node, int depth)
{
	const char *end = projector->end;
	uint64		object = ++projector->objects;
	TrieExpected *expected = node->expected;
	const TrieExpected *last_expected = expected + TRIE_EXPECTED;

	if (depth > projector->nesting.max_depth)
		return NULL;
	p = json_skip_space(p + 1, end);
	if (p < end && *p == '}')
		return p + 1;
	for (;;)
	{
		const char *name = p;
		const char *name_end;
		const char *value;
		TrieNode   *member;

		if (unlikely(p >= end || *p != '"'))
			return NULL;
		if (likely(trie_is_expected(expected, p + 1, end - p - 1)))
		{
			member = expected->node;
			p += expected->len + 1;
		}
		else
		{
			p = find_member(projector, p + 1, node, expected, &member);
			if (unlikely(p == NULL))
				return NULL;
		}
		if (expected + 1 < last_expected)
			expected++;

		name_end = p + 1;
		p = json_skip_space(name_end, end);
		if (unlikely(p >= end || *p != ':'))
			return NULL;
		value = p = json_skip_space(p + 1, end);

		if (member != NULL)
		{
			forget_earlier(projector, member, object);
			p = project_value(projector, p, member, depth);
		}
		else
			p = walk_over(projector, p, depth);
		if (unlikely(p == NULL))
			return NULL;
		if (unlikely(node->rest > 0) && (member == NULL || !member->known))
			collect_member(projector, node->rest - 1, name, name_end, value, p);

		p = json_skip_space(p, end);
		if (unlikely(p >= end))
			return NULL;
		if (*p == '}')
			return p + 1;
		if (unlikely(*p != ','))
			return NULL;
		p = json_skip_space(p + 1, end);
	}
}

/* The end of the key that begins at p, and its member, which the next object is then expected to have here. */
static const char *
find_member(Projector *projector, const char *p, TrieNode *node, TrieExpected *expected, TrieNode **member)
{
	const char *key = p;
	JsonStringInfo string;

	p = json_string_end(key, projector->end, &string);
	if (p == NULL)
		return NULL;
	if (likely(!string.escaped))
	{
		*member = trie_find_key(node, key, p - key, projector->end - key);
		trie_expect(expected, key, p - key, *member);
	}
	else
	{
		note_unstorable(projector, string.unstorable);
		*member = find_escaped_key(node, key, p - key);
	}
	return p;
}

/* depth is that of the array itself. */
static const char *
project_array(Projector *projector, const char *p, TrieNode *node, int depth)
{
	const char *end = projector->end;
	const char *start = p;
	int			length = 0;

	if (depth > projector->nesting.max_depth)
		return NULL;
	if (node->all != NULL && !node->collects)
		begin_collections(projector, node->all);
	p = json_skip_space(p + 1, end);
	if (p < end && *p == ']')
		return p + 1;
	for (;; length++)
	{
		const char *element = p;

		p = NULL;
		if (length <= node->last_index)
		{
			for (int i = 0; i < node->nindexes; i++)
			{
				if (node->indexes[i].index == length)
					p = project_value(projector, element, node->indexes[i].node, depth);
			}
		}
		if (node->all != NULL)
			p = project_value(projector, element, node->all, depth);
		else if (p == NULL)
			p = walk_over(projector, element, depth);
		if (p == NULL)
			return NULL;

		p = json_skip_space(p, end);
		if (p >= end)
			return NULL;
		if (*p == ']')
			break;
		if (*p != ',')
			return NULL;
		p = json_skip_space(p + 1, end);
	}
	if (node->from_end && project_from_end(projector, start, node, depth, length + 1) == NULL)
		return NULL;
	return p + 1;
}

/*
 * Goes over an array of that length, which is known to be right, once more for
 * the elements that are counted from the end.
 */
static const char *
project_from_end(Projector *projector, const char *p, TrieNode *node, int depth, int length)
{
	const char *end = projector->end;

	p++;
	for (int position = 0; position < length; position++)
	{
		const char *element = json_skip_space(p, end);

		p = NULL;
		for (int i = 0; i < node->nindexes; i++)
		{
			if (node->indexes[i].index == position - length)
				p = project_value(projector, element, node->indexes[i].node, depth);
		}
		if (p == NULL)
			p = walk_over(projector, element, depth);
		if (p == NULL)
			return NULL;
		p = json_skip_space(p, end) + 1;	/* the comma */
	}
	return p;
}

/* Goes over a value that nothing is wanted of.  depth is that of the containers around it. */
static const char *
walk_over(Projector *projector, const char *p, int depth)
{
	return json_value_end(p, projector->end, depth + 1, &projector->nesting, &projector->unstorable);
}

static TrieNode *
find_escaped_key(const TrieNode *node, const char *key, size_t len)
{
	char		buffer[256];
	char	   *plain = len <= sizeof(buffer) ? buffer : palloc_extended(len, MCXT_ALLOC_HUGE);
	size_t		plain_len = json_unescape(key, len, plain);
	TrieNode   *member = trie_find_key(node, plain, plain_len, plain_len);

	if (plain != buffer)
		pfree(plain);
	return member;
}

/*
 * A member is about to be read: takes back what an earlier one of the same name
 * in the same object has left.
 */
static void
forget_earlier(Projector *projector, TrieNode *node, uint64 object)
{
	bool		again = (node->seen_in == object);

	node->seen_in = object;
	if (unlikely(node->collects))
	{
		for (int i = 0; i < node->nbelow; i++)
		{
			Collection *collection = &projector->collections[node->below[i]];

			if (again)
				collection->len = node->collected[i];
			else
				node->collected[i] = collection->len;
		}
	}
	else if (unlikely(again))
	{
		for (int i = 0; i < node->nbelow; i++)
		{
			memset(&projector->cells[node->below[i]], 0, sizeof(Cell));
			projector->collections[node->below[i]].begun = false;
			projector->collections[node->below[i]].len = 0;
		}
		if (node->above_anchor)
			projector->anchored = false;
	}
}

/* text is what goes into the cell, a string without its quotes. */
static void
set_cells(Projector *projector, TrieNode *node, CellKind kind, const char *text, size_t len, bool escaped)
{
	for (int i = 0; i < node->npaths; i++)
	{
		ItemBatch  *batch = projector->batch;
		Cell	   *cell = &projector->cells[node->paths[i]];
		char	   *dst = batch_arena_reserve(batch, len);
		size_t		written = len;

		if (unlikely(escaped))
			written = json_unescape(text, len, dst);
		else if (len <= 16 && projector->end - text >= 16)
			memcpy(dst, text, 16);	/* inlined; the arena has the room */
		else
			memcpy(dst, text, len);
		dst[written] = '\0';
		cell->kind = kind;
		cell->length = written;
		cell->offset = batch->arena_used;
		batch->arena_used += written + 1;
	}
}

/* text is the value as it was written. */
static void
collect(Projector *projector, TrieNode *node, const char *text, size_t len)
{
	for (int i = 0; i < node->npaths; i++)
		add_to_collection(projector, node->paths[i], text, len, ", ");
}

/* Name, with its quotes, and value as they were written. */
static void
collect_member(Projector *projector, int path, const char *name, const char *name_end, const char *value,
			   const char *value_end)
{
	add_to_collection(projector, path, name, name_end - name, ", ");
	add_to_collection(projector, path, value, value_end - value, ": ");
	projector->collections[path].begun = true;
}

/* separator: two bytes that stand between this and what is there. */
static void
add_to_collection(Projector *projector, int path, const char *text, size_t len, const char *separator)
{
	Collection *collection = &projector->collections[path];

	if (collection->size - collection->len < len + 2)
	{
		collection->size = Max(1024, (collection->len + len + 2) * 2);
		if (collection->text == NULL)
			collection->text = MemoryContextAllocHuge(projector->context, collection->size);
		else
			collection->text = repalloc_huge(collection->text, collection->size);
	}
	if (collection->len > 0)
	{
		memcpy(collection->text + collection->len, separator, 2);
		collection->len += 2;
	}
	memcpy(collection->text + collection->len, text, len);
	collection->len += len;
}

/* An array is met that no other [*] is around: its paths have a value now, if only an empty one. */
static void
begin_collections(Projector *projector, const TrieNode *all)
{
	for (int i = 0; i < all->nbelow; i++)
	{
		projector->collections[all->below[i]].begun = true;
		projector->collections[all->below[i]].len = 0;
	}
}

static void
finish_collections(Projector *projector)
{
	ItemBatch  *batch = projector->batch;

	for (int i = 0; i < projector->trie->ncollected; i++)
	{
		int			path = projector->trie->collected[i];
		Collection *collection = &projector->collections[path];
		Cell	   *cell = &projector->cells[path];
		bool		object = path == projector->trie->rest;
		char	   *dst;

		if (!collection->begun)
			continue;
		dst = batch_arena_reserve(batch, collection->len + 2);
		dst[0] = object ? '{' : '[';
		if (collection->len > 0)
			memcpy(dst + 1, collection->text, collection->len);
		dst[collection->len + 1] = object ? '}' : ']';
		dst[collection->len + 2] = '\0';
		cell->kind = CELL_JSON;
		cell->length = collection->len + 2;
		cell->offset = batch->arena_used;
		batch->arena_used += collection->len + 3;
	}
}

static inline void
note_unstorable(Projector *projector, JsonUnstorable unstorable)
{
	if (unlikely(unstorable != JSON_STORABLE) && projector->unstorable == JSON_STORABLE)
		projector->unstorable = unstorable;
}
