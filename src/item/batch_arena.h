/*
 * batch_arena.h
 *	  Room for cells and their texts in a batch; for those that fill one.
 */
#ifndef DATABITE_BATCH_ARENA_H
#define DATABITE_BATCH_ARENA_H

#include "item/item_reader.h"

/* Bytes behind a text's room that may be written to, so that short texts can be copied in one go. */
#define BATCH_ARENA_SLACK	32

/* Grows the arena for len bytes and their NUL. */
extern void batch_arena_grow(ItemBatch *batch, size_t len);

/* The cells of the item that comes next; makes room for them. */
extern Cell *batch_next_cells(ItemBatch *batch);

/* Counts the item in whose cells are filled, or which is bad. */
extern void batch_add_item(ItemBatch *batch);
extern void batch_add_bad_item(ItemBatch *batch, int sqlstate, const char *reason);

/* An item that is counted in already, with its cells, is bad. */
extern void batch_note_bad_item(ItemBatch *batch, int64 item, int sqlstate, const char *reason);

static inline bool
batch_is_full(const ItemBatch *batch)
{
	return batch->nitems >= batch->max_items || batch->arena_used >= batch->max_bytes;
}

/* Where the next text goes: room for len bytes and a NUL. */
static inline char *
batch_arena_reserve(ItemBatch *batch, size_t len)
{
	if (unlikely(batch->arena_size - batch->arena_used < len + BATCH_ARENA_SLACK))
		batch_arena_grow(batch, len);
	return batch->arena + batch->arena_used;
}

#endif
