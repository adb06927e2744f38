/*
 * cursor.h
 *	  Incremental sync: what was there already, what is asked for, what has been seen.
 *
 * A value of a cursor is kept as text in a form of its type's own (time: ISO
 * 8601 UTC with microseconds; number: as it was written; text: itself) and
 * compared by type.  Bounds go into requests in the definition's format, rounded
 * down to what that can say.
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
 * (cursor_seen), or NULL.  now: when the run began.  Raises 22023 where the
 * definition's values are of another type, or the saved one is.
 */
extern Cursor *cursor_create(const JobIncremental *incremental, const char *saved, TimestampTz now, MemoryContext context);

/* Adds what is wrong with the values of a definition; pointer: "/source/incremental". */
extern void cursor_check(const JobIncremental *incremental, const char *pointer, ProblemList *problems);

/* All that this run asks for: saved minus lookback, to end or now minus lag. */
extern void cursor_bounds(const Cursor *cursor, CursorWindow *window);

/* The window (incremental.step) that begins at from; false where that is at or behind the upper bound. */
extern bool cursor_window(const Cursor *cursor, const char *from, CursorWindow *window);

/* A value in the format of requests, for {{cursor}}, {{window.from}}, {{window.to}}; JSON text (a number is one). */
extern char *cursor_format(const Cursor *cursor, const char *value);

/* {{last_sync_time}}: the lower bound; a time as ISO 8601 UTC in whole seconds. */
extern const char *cursor_last_sync_time(const Cursor *cursor);

/* A time in the cursor's own form, in the current memory context. */
extern char *cursor_time_value(TimestampTz time);

/*
 * Looks at cursorField of the batch's items from first on: cell "path" of each.
 * Keeps the greatest.  Returns false with *item set where one is no value of the
 * type, or is missing and the policy says fail.  Those that the policy leaves
 * out, and with filter those outside of the window, are added to *drop
 * (positions in the batch).
 */
extern bool cursor_look(Cursor *cursor, const ItemBatch *batch, int path, int64 first, const CursorWindow *window,
						Bitmapset **drop, int64 *item);

/*
 * What the next run begins with where all was read up to a bound; saved: what this one began with.  NULL: the
 * time when this run began.  In the current context or the cursor's.
 */
extern const char *cursor_next(const Cursor *cursor, const char *bound, const char *saved);

/* What the last run left: its cursor, or where that says nothing its time (0: none); NULL: nothing.  In the current context. */
extern char *cursor_saved(const JobIncremental *incremental, const char *cursor, TimestampTz last_sync_time);

/* The greatest value so far, saved included; NULL: none. */
extern const char *cursor_seen(const Cursor *cursor);

/* Takes up a value that was seen before (a checkpoint); NULL: none. */
extern void cursor_see(Cursor *cursor, const char *value);

#endif
