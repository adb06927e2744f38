/*
 * marks.h
 *	  What becomes of each item of a batch: written, dropped, skipped, rejected.
 *
 * Compiled statements mark items by functions (databite.skip_item and its like)
 * that get the item's position in the batch and work only while a batch is
 * bound.  databite.batch() leaves out the items that are marked when it is called.
 */
#ifndef DATABITE_MARKS_H
#define DATABITE_MARKS_H

#include "nodes/pg_list.h"

/* The message of a rejected item is cut to that many bytes. */
#define MARK_MESSAGE_BYTES	2000

typedef enum MarkKind
{
	MARK_KEPT = 0,
	MARK_DROPPED,				/* source.where was not true */
	MARK_SKIPPED,				/* by skip */
	MARK_REJECTED
} MarkKind;

typedef struct ItemMark
{
	MarkKind	kind;
	bool		deleted;		/* of a kept one: its row is deleted rather than written */
	int			sqlstate;		/* this and the rest of a rejected item only */
	char	   *message;
	char	   *column;			/* or NULL */
	char	   *constraint;		/* name of the rule, or NULL */
} ItemMark;

/* A rule's failure as fail_rule tells it: before, the value, after. */
typedef struct RuleFailure
{
	int			sqlstate;
	const char *column;
	const char *constraint;
	const char *before;
	const char *after;
	bool		quoted;			/* the value is a text */
} RuleFailure;

typedef struct Marks
{
	MemoryContext context;
	int			nitems;
	ItemMark   *items;
	bool		validated;		/* a value that cannot be converted rejects its item */
	int			nfailures;
	const RuleFailure *failures;	/* of the rules of the statement, by number */
} Marks;

typedef struct MarkCounts
{
	int64		skipped;		/* those dropped by source.where included */
	int64		rejected;
} MarkCounts;

/* All kept; in the current memory context. */
extern Marks *marks_create(int nitems);

/* An item is marked once: what came first stays. */
extern void marks_drop(Marks *marks, int64 item);
extern void marks_skip(Marks *marks, int64 item);
extern void marks_delete(Marks *marks, int64 item);
extern void marks_reject(Marks *marks, int64 item, int sqlstate, const char *message,
						 const char *column, const char *constraint);

/* Is it one of the SQL functions that mark items, and do nothing else (mark_functions.c)? */
extern bool mark_is_function(Oid function);

/* False where there are no marks at all. */
extern bool marks_has(const Marks *marks, int64 item);

/* Is its row to be deleted?  False where there are no marks at all. */
extern bool marks_has_deleted(const Marks *marks, int64 item);

/* All of the batch's items are marked; true of none. */
extern bool marks_all(const Marks *marks, int nitems);

extern MarkCounts marks_count(const Marks *marks);

/* A copy of the items' marks, and back to it: for a statement that is tried twice. */
extern ItemMark *marks_save(const Marks *marks);
extern void marks_restore(Marks *marks, const ItemMark *saved);

#endif
