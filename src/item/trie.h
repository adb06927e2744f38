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

/* So many members of an object are expected in the order of the object before. */
#define TRIE_EXPECTED 32

/*
 * A member of the object before: items of a list mostly have the same keys in the same
 * order, so a key is compared with its predecessor before it is looked for.
 */
typedef struct TrieExpected
{
	uint64		text[2];		/* the key and its closing quote */
	uint64		mask[2];		/* the bytes of text that count */
	uint32		len;			/* of the key; 0: nothing is expected */
	TrieNode   *node;			/* NULL: nothing is wanted of it */
} TrieExpected;

struct TrieNode
{
	int			npaths;			/* paths that end here */
	int		   *paths;
	int			nbelow;			/* paths that end here or further down */
	int		   *below;
	bool		collects;		/* an [*] lies above: values are collected, not set */
	int			rest;			/* number plus one of the path that collects members, or 0 */
	bool		known;			/* by that path's names: no member for it */
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
	TrieExpected *expected;		/* TRIE_EXPECTED of them; NULL without keys */
	uint64		seen_in;		/* the object in which this member was last met */
	size_t	   *collected;		/* for each path below: how much was collected before it */
};

typedef struct PathTrie
{
	TrieNode   *root;
	int			npaths;
	int			ncollected;		/* paths with an [*], and that of the rest */
	int		   *collected;		/* which */
	int			rest;			/* that of the rest, or -1 */
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

/* The member that is expected, if the key at hand is it; readable: bytes that may be read from key on. */
static inline bool
trie_is_expected(const TrieExpected *expected, const char *key, size_t readable)
{
	return expected->len > 0 && readable >= 16 &&
		(((trie_load(key) ^ expected->text[0]) & expected->mask[0]) |
		 ((trie_load(key + 8) ^ expected->text[1]) & expected->mask[1])) == 0;
}

/* Expects this key from now on; it is followed by a quote, and has no escapes. */
static inline void
trie_expect(TrieExpected *expected, const char *key, size_t len, TrieNode *node)
{
	expected->len = 0;
	if (len == 0 || len >= sizeof(expected->text))
		return;
	memset(expected->text, 0, sizeof(expected->text));
	memset(expected->mask, 0, sizeof(expected->mask));
	memcpy(expected->text, key, len + 1);
	memset(expected->mask, 0xFF, len + 1);
	expected->len = len;
	expected->node = node;
}

#endif
