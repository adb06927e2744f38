/*
 * item_batch.c
 *	  The batch that items are read into: growing arrays of cells and text.
 *
 * A batch is created once for a step and reset after each flush.  It keeps its
 * memory across resets, except that what a huge item has made it grow to is
 * given back.
 */
#include "postgres.h"

#include "item/batch_arena.h"
#include "utils/memutils.h"

/* The arena begins small: most steps have few or short items. */
#define ARENA_INITIAL	(64 * 1024)
#define CELLS_INITIAL	64		/* items */

static size_t arena_usual_size(const ItemBatch *batch);

ItemBatch *
item_batch_create(int npaths, int max_items, size_t max_bytes, MemoryContext context)
{
	ItemBatch  *batch = MemoryContextAllocZero(context, sizeof(ItemBatch));

	batch->context = context;
	batch->npaths = npaths;
	batch->max_items = Max(max_items, 1);
	batch->max_bytes = Max(max_bytes, 1);
	batch->arena_size = ARENA_INITIAL;
	batch->arena = MemoryContextAllocHuge(context, batch->arena_size);
	return batch;
}

void
item_batch_reset(ItemBatch *batch)
{
	ListCell   *lc;

	batch->nitems = 0;
	batch->arena_used = 0;
	if (batch->arena_size > arena_usual_size(batch))
	{
		pfree(batch->arena);
		batch->arena_size = ARENA_INITIAL;
		batch->arena = MemoryContextAllocHuge(batch->context, batch->arena_size);
	}
	foreach(lc, batch->bad)
	{
		BadItem    *bad = lfirst(lc);

		pfree(bad->reason);
		pfree(bad);
	}
	list_free(batch->bad);
	batch->bad = NIL;
	list_free_deep(batch->contexts);
	batch->contexts = NIL;
	bms_free(batch->dropped);
	batch->dropped = NULL;
}

void
item_batch_set_context(ItemBatch *batch, const ItemContext *context)
{
	ContextStretch *last = batch->contexts != NIL ? llast(batch->contexts) : NULL;
	MemoryContext old;

	if (last != NULL && last->context == context)
		return;
	if (last == NULL || last->first_item < batch->nitems)
	{
		old = MemoryContextSwitchTo(batch->context);
		last = palloc(sizeof(ContextStretch));
		last->first_item = batch->nitems;
		batch->contexts = lappend(batch->contexts, last);
		MemoryContextSwitchTo(old);
	}
	last->context = context;
}

/* What batches grow to that have no item larger than the batch itself. */
static size_t
arena_usual_size(const ItemBatch *batch)
{
	return Max(ARENA_INITIAL, batch->max_bytes * 2);
}

void
batch_arena_grow(ItemBatch *batch, size_t len)
{
	size_t		needed = batch->arena_used + len + BATCH_ARENA_SLACK;

	batch->arena_size = Max(batch->arena_size * 2, needed);
	batch->arena = repalloc_huge(batch->arena, batch->arena_size);
}

Cell *
batch_next_cells(ItemBatch *batch)
{
	size_t		first = (size_t) batch->nitems * batch->npaths;

	if (batch->nitems >= batch->cells_size)
	{
		batch->cells_size = Max(CELLS_INITIAL, batch->cells_size * 2);
		if (batch->cells == NULL)
			batch->cells = MemoryContextAllocHuge(batch->context,
												  Max((size_t) batch->cells_size * batch->npaths, 1) * sizeof(Cell));
		else
			batch->cells = repalloc_huge(batch->cells,
										 Max((size_t) batch->cells_size * batch->npaths, 1) * sizeof(Cell));
	}
	return batch->cells + first;
}

void
batch_add_item(ItemBatch *batch)
{
	batch->nitems++;
}

void
batch_add_bad_item(ItemBatch *batch, int sqlstate, const char *reason)
{
	Cell	   *cells = batch_next_cells(batch);

	if (batch->npaths > 0)
		memset(cells, 0, batch->npaths * sizeof(Cell));
	batch_note_bad_item(batch, batch->nitems++, sqlstate, reason);
}

void
batch_note_bad_item(ItemBatch *batch, int64 item, int sqlstate, const char *reason)
{
	MemoryContext old = MemoryContextSwitchTo(batch->context);
	BadItem    *bad = palloc(sizeof(BadItem));

	bad->item = item;
	bad->sqlstate = sqlstate;
	bad->reason = pstrdup(reason);
	batch->bad = lappend(batch->bad, bad);
	MemoryContextSwitchTo(old);
}
