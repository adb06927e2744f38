/*
 * trie.c
 *	  The wanted paths of an item as a tree, to be followed while the item is read.
 *
 * See trie.h.  Everything lives in the context given to trie_create and goes
 * with it.
 */
#include "postgres.h"

#include "item/trie.h"
#include "utils/memutils.h"

static TrieNode *node_create(const TrieNode *parent, MemoryContext context);
static TrieNode *descend(TrieNode *node, const JsonPathStep *step, MemoryContext context);
static TrieNode *find_or_add_key(TrieNode *node, const JsonPathStep *step, MemoryContext context);
static TrieNode *find_or_add_index(TrieNode *node, int index, MemoryContext context);
static void add_rest(PathTrie *trie, TrieNode *node, int number, const JsonPath *path, MemoryContext context);
static void add_number(int **numbers, int *count, int number, MemoryContext context);
static void finish_node(TrieNode *node, MemoryContext context);
static void *grow(void *array, int count, size_t size, MemoryContext context);

PathTrie *
trie_create(const JsonPathStep *prefix, int nprefix,
			const JsonPath *const *paths, int npaths, MemoryContext context)
{
	PathTrie   *trie = MemoryContextAllocZero(context, sizeof(PathTrie));
	TrieNode   *anchor;

	trie->npaths = npaths;
	trie->rest = -1;
	trie->root = node_create(NULL, context);
	trie->root->above_anchor = true;

	anchor = trie->root;
	for (int i = 0; i < nprefix; i++)
	{
		anchor = descend(anchor, &prefix[i], context);
		anchor->above_anchor = true;
	}
	anchor->anchor = true;

	for (int path = 0; path < npaths; path++)
	{
		TrieNode   *node = trie->root;

		add_number(&node->below, &node->nbelow, path, context);
		for (int i = 0; i < nprefix; i++)
		{
			node = descend(node, &prefix[i], context);
			add_number(&node->below, &node->nbelow, path, context);
		}
		if (paths[path]->nsteps > 0 && paths[path]->steps[0].kind == PATH_REST)
		{
			add_rest(trie, node, path, paths[path], context);
			continue;
		}
		for (int i = 0; i < paths[path]->nsteps; i++)
		{
			node = descend(node, &paths[path]->steps[i], context);
			add_number(&node->below, &node->nbelow, path, context);
		}
		add_number(&node->paths, &node->npaths, path, context);
		if (node->collects)
			add_number(&trie->collected, &trie->ncollected, path, context);
	}
	finish_node(trie->root, context);
	return trie;
}

static TrieNode *
node_create(const TrieNode *parent, MemoryContext context)
{
	TrieNode   *node = MemoryContextAllocZero(context, sizeof(TrieNode));

	node->collects = parent != NULL && parent->collects;
	node->last_index = -1;
	return node;
}

/* The node one step down, made where it is missing. */
static TrieNode *
descend(TrieNode *node, const JsonPathStep *step, MemoryContext context)
{
	switch (step->kind)
	{
		case PATH_KEY:
			return find_or_add_key(node, step, context);
		case PATH_INDEX:
			return find_or_add_index(node, step->index, context);
		case PATH_ALL:
		case PATH_MEMBERS:		/* in paths to items only */
		case PATH_REST:
			break;
	}
	if (node->all == NULL)
	{
		node->all = node_create(node, context);
		node->all->collects = true;
	}
	return node->all;
}

static TrieNode *
find_or_add_key(TrieNode *node, const JsonPathStep *step, MemoryContext context)
{
	size_t		len = step->keylen;
	TrieKey    *k;
	char	   *key;

	for (int i = 0; i < node->nkeys; i++)
	{
		k = &node->keys[i];
		if (k->len == len && memcmp(k->key, step->key, len) == 0)
			return k->node;
	}

	key = MemoryContextAlloc(context, len + 1);
	memcpy(key, step->key, len);
	key[len] = '\0';

	node->keys = grow(node->keys, node->nkeys, sizeof(TrieKey), context);
	k = &node->keys[node->nkeys++];
	k->key = key;
	k->len = len;
	k->head = trie_head(key, len, len);
	k->tail = len > 8 ? trie_load(key + len - 8) : 0;
	k->node = node_create(node, context);
	return k->node;
}

static TrieNode *
find_or_add_index(TrieNode *node, int index, MemoryContext context)
{
	for (int i = 0; i < node->nindexes; i++)
	{
		if (node->indexes[i].index == index)
			return node->indexes[i].node;
	}
	node->indexes = grow(node->indexes, node->nindexes, sizeof(TrieIndex), context);
	node->indexes[node->nindexes].index = index;
	node->indexes[node->nindexes].node = node_create(node, context);
	if (index < 0)
		node->from_end = true;
	else
		node->last_index = Max(node->last_index, index);
	return node->indexes[node->nindexes++].node;
}

/* The path collects the members of the node that it does not name. */
static void
add_rest(PathTrie *trie, TrieNode *node, int number, const JsonPath *path, MemoryContext context)
{
	trie->rest = number;
	node->rest = number + 1;
	for (int i = 1; i < path->nsteps; i++)
		find_or_add_key(node, &path->steps[i], context)->known = true;
	add_number(&trie->collected, &trie->ncollected, number, context);
}

static void
add_number(int **numbers, int *count, int number, MemoryContext context)
{
	*numbers = grow(*numbers, *count, sizeof(int), context);
	(*numbers)[(*count)++] = number;
}

/*
 * Makes room for one more element than count.  The sizes are powers of two, so
 * no capacity has to be kept.
 */
static void *
grow(void *array, int count, size_t size, MemoryContext context)
{
	void	   *bigger;

	if (count > 0 && (count & (count - 1)) != 0)
		return array;
	bigger = MemoryContextAlloc(context, Max(1, count * 2) * size);
	if (count > 0)
	{
		memcpy(bigger, array, count * size);
		pfree(array);
	}
	return bigger;
}

/* Builds the hash table of a node and of those below it. */
static void
finish_node(TrieNode *node, MemoryContext context)
{
	if (node->collects && node->nbelow > 0)
		node->collected = MemoryContextAllocZero(context, node->nbelow * sizeof(size_t));

	if (node->nkeys > 0)
	{
		node->nslots = 8;
		while (node->nslots < node->nkeys * 4)
			node->nslots *= 2;
		node->slots = MemoryContextAllocZero(context, node->nslots * sizeof(uint32));
		node->expected = MemoryContextAllocZero(context, TRIE_EXPECTED * sizeof(TrieExpected));
		for (int i = 0; i < node->nkeys; i++)
		{
			TrieKey    *k = &node->keys[i];
			uint32		slot = trie_slot(node, k->head, k->tail, k->len);

			while (node->slots[slot] != 0)
				slot = (slot + 1) & (node->nslots - 1);
			node->slots[slot] = i + 1;
			finish_node(k->node, context);
		}
	}
	for (int i = 0; i < node->nindexes; i++)
		finish_node(node->indexes[i].node, context);
	if (node->all)
		finish_node(node->all, context);
}
