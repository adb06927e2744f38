/*
 * seen_set.c
 *	  Which cursors and URLs have been seen, at 16 bytes each.
 *
 * Keeps 128 bits of hash of a text instead of the text, in an open-addressing
 * table that is at most half full.  The hash need not withstand an attacker: a
 * server that makes two of its cursors collide has its own listing refused.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "source/seen_set.h"

#define SEEN_SET_INITIAL_SIZE 64	/* a power of two */

typedef struct SeenHash
{
	uint64		high;			/* any value */
	uint64		low;			/* 0: the slot is free; a hash has its last bit set */
} SeenHash;

struct SeenSet
{
	MemoryContext context;
	uint64		size;			/* a power of two */
	uint64		used;
	SeenHash   *slots;
};

static SeenHash *find_slot(SeenHash *slots, uint64 size, SeenHash hash);
static void grow(SeenSet *set);

SeenSet *
seen_set_create(MemoryContext context)
{
	SeenSet    *set = MemoryContextAllocZero(context, sizeof(SeenSet));

	set->context = context;
	set->size = SEEN_SET_INITIAL_SIZE;
	set->slots = MemoryContextAllocZero(context, set->size * sizeof(SeenHash));
	return set;
}

bool
seen_set_add(SeenSet *set, const char *text)
{
	int			len = strlen(text);
	SeenHash	hash;
	SeenHash   *slot;

	hash.high = hash_bytes_extended((const unsigned char *) text, len, 0);
	hash.low = hash_bytes_extended((const unsigned char *) text, len, 1) | 1;

	slot = find_slot(set->slots, set->size, hash);
	if (slot->low != 0)
		return true;
	*slot = hash;
	if (++set->used * 2 > set->size)
		grow(set);
	return false;
}

void
seen_set_clear(SeenSet *set)
{
	memset(set->slots, 0, set->size * sizeof(SeenHash));
	set->used = 0;
}

/* The slot that holds the hash, or the free one where it belongs. */
static SeenHash *
find_slot(SeenHash *slots, uint64 size, SeenHash hash)
{
	uint64		i = hash.high & (size - 1);

	while (slots[i].low != 0 && (slots[i].high != hash.high || slots[i].low != hash.low))
		i = (i + 1) & (size - 1);
	return &slots[i];
}

static void
grow(SeenSet *set)
{
	uint64		size = set->size * 2;
	SeenHash   *slots = MemoryContextAllocZero(set->context, size * sizeof(SeenHash));

	for (uint64 i = 0; i < set->size; i++)
	{
		if (set->slots[i].low != 0)
			*find_slot(slots, size, set->slots[i]) = set->slots[i];
	}
	pfree(set->slots);
	set->slots = slots;
	set->size = size;
}
