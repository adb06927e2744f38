/*
 * cursor.h
 *	  Incremental sync: what was there already, what is asked for, what has been seen.
 *
 * A value of a cursor is kept as text in a form of its type's own (time: ISO
 * 8601 UTC with microseconds; number: as numeric prints it; text: itself) and
 * compared by type.  Bounds go into requests in the definition's format.
 *
 * Without a cursorField the value is the time at which the last successful run
 * began.
 */
#ifndef DATABITE_CURSOR_H
#define DATABITE_CURSOR_H

#include "item/item_reader.h"
#include "job/definition.h"

typedef struct Cursor Cursor;

/* From "from" (asked for) to "to" (not asked for; NULL: open), in the cursor's own form. */
typedef struct CursorWindow
{
	char	   *from;
	char	   *to;
} CursorWindow;

/*
 * incremental: NULL is the clock without bounds.  saved: what the last run left
 * (cursor_seen), or NULL.  now: when the run began.  Raises 22023 or 22007 where
 * the definition's values are of another type.  Needs no transaction afterwards.
 */
extern Cursor *cursor_create(const JobIncremental *incremental, const char *saved, TimestampTz now, MemoryContext context);

/* Checks the values of a definition as cursor_create would; adds problems below pointer ("/source/incremental"). */
extern void cursor_check(const JobIncremental *incremental, const char *pointer, ProblemList *problems);

/* All that this run asks for: saved minus lookback, to end or now minus lag. */
extern void cursor_bounds(const Cursor *cursor, CursorWindow *window);

/*
 * The window (incremental.step) that begins at from; false where that is at or
 * behind the upper bound.  Without step: the bounds, then false.
 */
extern bool cursor_window(const Cursor *cursor, const char *from, CursorWindow *window);

/* A value in the format of requests, for {{cursor}}, {{window.from}}, {{window.to}}; JSON text (a number is one). */
extern char *cursor_format(const Cursor *cursor, const char *value);

/* The greater of two values; either may be NULL. */
extern const char *cursor_greater(const Cursor *cursor, const char *a, const char *b);

/*
 * Looks at cursorField of the batch's items from first on: cell "path" of each.
 * Keeps the greatest; returns false with *item set where one is missing or no
 * value of the type and the policy says fail.  With filter, items outside of
 * the window are added to drop (of positions in the batch, ascending).
 */
extern bool cursor_look(Cursor *cursor, const ItemBatch *batch, int path, int64 first, const CursorWindow *window,
						Bitmapset **drop, int64 *item);

/* The greatest value so far, saved included; NULL: none. */
extern const char *cursor_seen(const Cursor *cursor);

/* Takes up a value that was seen before (a checkpoint). */
extern void cursor_see(Cursor *cursor, const char *value);

#endif
