/*
 * item_shape.h
 *	  Items that are made of what the list has: members of an object, rows of values.
 *
 * A member becomes its value with the member's name as "_key", or where that is
 * no object {"_key": name, "_value": value}.  A row of values becomes an object
 * by names that the first row of the list has, or the response before the list
 * (JobZip).
 */
#ifndef DATABITE_ITEM_SHAPE_H
#define DATABITE_ITEM_SHAPE_H

#include "item/json_text.h"
#include "job/definition.h"

typedef struct ItemShape ItemShape;

typedef enum ShapeStatus
{
	SHAPE_ITEM,					/* see shape_text */
	SHAPE_NAMES,				/* no item: the row had the names */
	SHAPE_BAD,					/* a bad item: see shape_problem */
	SHAPE_WRONG					/* the document is not what the definition says: see shape_problem */
} ShapeStatus;

/* steps lead from what the list has to the item proper; zip may be NIL; keep_bytes: see ItemReaderOptions. */
extern ItemShape *shape_create(const JsonPathStep *steps, int nsteps, const List *zip,
							   int max_depth, size_t keep_bytes, MemoryContext context);

/* Bytes of memory that hold the item that was made last, and their return. */
extern size_t shape_held(const ItemShape *shape);
extern void shape_forget(ItemShape *shape);

/* A new document. */
extern void shape_begin(ItemShape *shape);

/* A list begins; envelope: the response before it, ended as JSON must be, or NULL where it is too large. */
extern void shape_begin_list(ItemShape *shape, const char *envelope, size_t len);

/* The row that comes next has the names. */
extern bool shape_awaits_names(const ItemShape *shape);

/* The end of the value at p, as json_value_end. */
extern const char *shape_value_end(ItemShape *shape, const char *p, const char *end, JsonUnstorable *unstorable);

/*
 * Makes the item of the value at p, which is known to be right.  key: the
 * member's name as it was written, with its quotes; NULL in an array.
 */
extern ShapeStatus shape_item(ItemShape *shape, const char *key, size_t key_len, const char *p, const char *end);

/* The item, with bytes after it that can be read; good until the next one. */
extern const char *shape_text(const ItemShape *shape, const char **readable_end);

/* What is wrong, errmsg style; *sqlstate for a bad item. */
extern const char *shape_problem(const ItemShape *shape, int *sqlstate);

#endif
