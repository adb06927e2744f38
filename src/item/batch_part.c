/*
 * batch_part.c
 *	  A selection of a batch's items as a batch of its own.
 *
 * Its texts are in an arena of their own, so it can be sent to another process,
 * and outlives the batch.
 */
#include "postgres.h"

#include "item/batch_arena.h"
#include "item/batch_part.h"

static void copy_cells(ItemBatch *part, const ItemBatch *whole, const int *items);
static void copy_bad(ItemBatch *part, const ItemBatch *whole, const int *items);
static void copy_contexts(ItemBatch *part, const ItemBatch *whole, const int *items);
static void copy_dropped(ItemBatch *part, const ItemBatch *whole, const int *items);

ItemBatch *
batch_part_create(const ItemBatch *whole, int npaths, const int *items, int nitems, int64 first_position)
{
	ItemBatch  *part = palloc0(sizeof(ItemBatch));
	int64	   *positions = palloc(sizeof(int64) * Max(nitems, 1));

	part->context = CurrentMemoryContext;
	part->npaths = npaths;
	part->nitems = part->max_items = part->cells_size = nitems;
	part->max_bytes = whole->max_bytes;
	part->max_rows_bytes = whole->max_rows_bytes;
	for (int i = 0; i < nitems; i++)
		positions[i] = item_batch_position(whole, first_position, items[i]);
	part->positions = positions;
	copy_cells(part, whole, items);
	copy_bad(part, whole, items);
	copy_contexts(part, whole, items);
	copy_dropped(part, whole, items);
	return part;
}

static void
copy_cells(ItemBatch *part, const ItemBatch *whole, const int *items)
{
	size_t		size = 0;
	Cell	   *to;

	for (int i = 0; i < part->nitems; i++)
	{
		const Cell *from = &whole->cells[(int64) items[i] * whole->npaths];

		for (int path = 0; path < part->npaths; path++)
			size += from[path].length + 1;
	}
	part->arena_size = size + BATCH_ARENA_SLACK;
	part->arena = MemoryContextAllocHuge(CurrentMemoryContext, part->arena_size);
	part->cells = MemoryContextAllocHuge(CurrentMemoryContext, Max((size_t) part->nitems * part->npaths, 1) * sizeof(Cell));
	to = part->cells;
	for (int i = 0; i < part->nitems; i++)
	{
		const Cell *from = &whole->cells[(int64) items[i] * whole->npaths];

		for (int path = 0; path < part->npaths; path++, from++, to++)
		{
			*to = *from;
			to->offset = part->arena_used;
			if (from->length > 0)
				memcpy(part->arena + part->arena_used, whole->arena + from->offset, from->length);
			part->arena[part->arena_used + from->length] = '\0';
			part->arena_used += from->length + 1;
		}
	}
	memset(part->arena + part->arena_used, 0, BATCH_ARENA_SLACK);
}

/* Both lists rise. */
static void
copy_bad(ItemBatch *part, const ItemBatch *whole, const int *items)
{
	ListCell   *lc;
	int			i = 0;

	foreach(lc, whole->bad)
	{
		const BadItem *bad = lfirst(lc);
		BadItem    *copy;

		while (i < part->nitems && items[i] < bad->item)
			i++;
		if (i == part->nitems || items[i] != bad->item)
			continue;
		copy = palloc(sizeof(BadItem));
		copy->item = i;
		copy->sqlstate = bad->sqlstate;
		copy->reason = pstrdup(bad->reason);
		part->bad = lappend(part->bad, copy);
	}
}

/* A stretch for each of the whole that has items here. */
static void
copy_contexts(ItemBatch *part, const ItemBatch *whole, const int *items)
{
	ListCell   *lc = list_head(whole->contexts);
	const ContextStretch *current = NULL;

	for (int i = 0; i < part->nitems; i++)
	{
		const ContextStretch *found = current;

		while (lc != NULL && ((const ContextStretch *) lfirst(lc))->first_item <= whole->before + items[i])
		{
			found = lfirst(lc);
			lc = lnext(whole->contexts, lc);
		}
		if (found != current)
		{
			ContextStretch *stretch = palloc0(sizeof(ContextStretch));

			stretch->first_item = i;
			if (found->context != NULL)
			{
				ItemContext *context = palloc(sizeof(ItemContext));

				context->json = pstrdup(found->context->json);
				stretch->context = context;
			}
			part->contexts = lappend(part->contexts, stretch);
			current = found;
		}
	}
}

static void
copy_dropped(ItemBatch *part, const ItemBatch *whole, const int *items)
{
	if (whole->dropped == NULL)
		return;
	for (int i = 0; i < part->nitems; i++)
	{
		if (bms_is_member(items[i], whole->dropped))
			part->dropped = bms_add_member(part->dropped, i);
	}
}
