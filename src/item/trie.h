/*
 * trie.h
 *	  The wanted paths of an item as a tree, to be followed while the item is read.
 *
 * Built once for a reader and read-only afterwards, but for the marks that the
 * projector keeps in the nodes while it is inside an item.
 */
#ifndef DATABITE_TRIE_H
#define DATABITE_TRIE_H

#include "postgres.h"

#include "job/path.h"

typedef struct TrieNode TrieNode;

/* A member of an object that some path goes through. */
typedef struct TrieKey
{
	uint64		head;			/* the first 8 bytes of the key, zeroes after a shorter one */
	uint64		tail;			/* its last 8 bytes, where it has more than 8 */
	uint32		len;
	const char *key;
	TrieNode   *node;
} TrieKey;

/* An element of an array that some path goes through. */
typedef struct TrieIndex
{
	int			index;			/* negative counts from the end */
	TrieNode   *node;
} TrieIndex;

struct TrieNode
{
	int			npaths;			/* paths that end here */
	int		   *paths;
	int			nbelow;			/* paths that end here or further down */
	int		   *below;
	bool		collects;		/* an [*] lies above: values are collected, not set */
	bool		anchor;			/* the item proper begins here */
	bool		above_anchor;	/* or at or below this node */

	int			nkeys;
	TrieKey    *keys;
	uint32		nslots;			/* hash table over keys, a power of two; 0 without keys */
	uint32	   *slots;			/* position in keys plus one, or 0 */

	int			nindexes;
	TrieIndex  *indexes;
	int			last_index;		/* greatest index that is not negative, or -1 */
	bool		from_end;		/* some index is negative */
	TrieNode   *all;			/* [*], or NULL */

	/* marks of the projector */
	uint64		seen_in;		/* the object in which this member was last met */
	size_t	   *collected;		/* for each path below: how much was collected before it */
};

typedef struct PathTrie
{
	TrieNode   *root;
	int			npaths;
	int			ncollected;		/* paths with an [*] */
	int		   *collected;		/* which */
} PathTrie;

/*
 * Builds the tree in context.  prefix leads from the value that is read to the
 * item proper, to which the paths are relative; it has keys and indexes only.
 */
extern PathTrie *trie_create(const JsonPathStep *prefix, int nprefix,
							 const JsonPath *const *paths, int npaths, MemoryContext context);

/* The member of that name, or NULL.  readable: bytes that may be read from key on, at least len. */
static inline TrieNode *trie_find_key(const TrieNode *node, const char *key, size_t len, size_t readable);

static inline uint64
trie_load(const char *p)
{
	uint64		x;

	memcpy(&x, p, 8);
	return x;
}

static inline uint64
trie_head(const char *key, size_t len, size_t readable)
{
	uint64		head = 0;

	if (len >= 8)
		return trie_load(key);
#ifndef WORDS_BIGENDIAN
	if (likely(readable >= 8))
		return len == 0 ? 0 : trie_load(key) & (PG_UINT64_MAX >> (64 - 8 * len));
#endif
	memcpy(&head, key, len);
	return head;
}

static inline uint32
trie_slot(const TrieNode *node, uint64 head, uint64 tail, size_t len)
{
	return (uint32) (((head ^ (tail * 31) ^ len) * UINT64CONST(0x9E3779B97F4A7C15)) >> 40) & (node->nslots - 1);
}

static inline TrieNode *
trie_find_key(const TrieNode *node, const char *key, size_t len, size_t readable)
{
	uint64		head = trie_head(key, len, readable);
	uint64		tail = len > 8 ? trie_load(key + len - 8) : 0;
	uint32		slot = trie_slot(node, head, tail, len);

	for (;;)
	{
		uint32		entry = node->slots[slot];
		const TrieKey *k;

		if (entry == 0)
			return NULL;
		k = &node->keys[entry - 1];
		if (k->head == head && k->tail == tail && k->len == len &&
			(len <= 16 || memcmp(k->key + 8, key + 8, len - 16) == 0))
			return k->node;
		slot = (slot + 1) & (node->nslots - 1);
	}
}

#endif
