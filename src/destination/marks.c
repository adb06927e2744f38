/*
 * marks.c
 *	  What becomes of each item of a batch.
 */
#include "postgres.h"

#include "base/clip.h"
#include "destination/marks.h"
#include "utils/memutils.h"

static ItemMark *unmarked(Marks *marks, int64 item);

Marks *
marks_create(int nitems)
{
	Marks	   *marks = palloc0(sizeof(Marks));

	marks->context = CurrentMemoryContext;
	marks->nitems = nitems;
	marks->items = palloc0(sizeof(ItemMark) * Max(nitems, 1));
	return marks;
}

void
marks_drop(Marks *marks, int64 item)
{
	ItemMark   *mark = unmarked(marks, item);

	if (mark != NULL)
		mark->kind = MARK_DROPPED;
}

void
marks_skip(Marks *marks, int64 item)
{
	ItemMark   *mark = unmarked(marks, item);

	if (mark != NULL)
		mark->kind = MARK_SKIPPED;
}

void
marks_delete(Marks *marks, int64 item)
{
	ItemMark   *mark = unmarked(marks, item);

	if (mark != NULL)
		mark->deleted = true;
}

void
marks_reject(Marks *marks, int64 item, int sqlstate, const char *message,
			 const char *column, const char *constraint)
{
	ItemMark   *mark = unmarked(marks, item);
	MemoryContext old;

	if (mark == NULL)
		return;
	old = MemoryContextSwitchTo(marks->context);
	mark->kind = MARK_REJECTED;
	mark->sqlstate = sqlstate;
	mark->message = text_clip(message, MARK_MESSAGE_BYTES);
	mark->column = column ? pstrdup(column) : NULL;
	mark->constraint = constraint ? pstrdup(constraint) : NULL;
	MemoryContextSwitchTo(old);
}

bool
marks_has(const Marks *marks, int64 item)
{
	return marks != NULL && marks->items[item].kind != MARK_KEPT;
}

bool
marks_has_deleted(const Marks *marks, int64 item)
{
	return marks != NULL && marks->items[item].deleted;
}

bool
marks_all(const Marks *marks, int nitems)
{
	for (int i = 0; i < nitems; i++)
	{
		if (!marks_has(marks, i))
			return false;
	}
	return true;
}

MarkCounts
marks_count(const Marks *marks)
{
	MarkCounts	counts = {0};

	for (int i = 0; marks != NULL && i < marks->nitems; i++)
	{
		MarkKind	kind = marks->items[i].kind;

		if (kind == MARK_REJECTED)
			counts.rejected++;
		else if (kind != MARK_KEPT)
			counts.skipped++;
	}
	return counts;
}

ItemMark *
marks_save(const Marks *marks)
{
	ItemMark   *saved;

	if (marks == NULL)
		return NULL;
	saved = palloc(sizeof(ItemMark) * Max(marks->nitems, 1));
	memcpy(saved, marks->items, sizeof(ItemMark) * marks->nitems);
	return saved;
}

void
marks_restore(Marks *marks, const ItemMark *saved)
{
	if (marks != NULL)
		memcpy(marks->items, saved, sizeof(ItemMark) * marks->nitems);
}

/* The item's mark if it has none; NULL where it has, or is none of the batch. */
static ItemMark *
unmarked(Marks *marks, int64 item)
{
	if (item < 0 || item >= marks->nitems || marks->items[item].kind != MARK_KEPT)
		return NULL;
	return &marks->items[item];
}
