/*
 * item_filter.h
 *	  Conditions over items: source.where, which are taken, and deletes.when, of which the rows are deleted.
 */
#ifndef DATABITE_ITEM_FILTER_H
#define DATABITE_ITEM_FILTER_H

#include "base/problem.h"
#include "destination/marks.h"
#include "item/item_reader.h"
#include "job/definition.h"
#include "utils/jsonb.h"

typedef struct ItemFilter ItemFilter;

typedef enum ItemFilterKind
{
	FILTER_WHERE,				/* drops the items for which it is not true */
	FILTER_DELETED				/* marks those for which it is true: marks_delete */
} ItemFilterKind;

/*
 * Compiles the condition, if there is one: NULL where there is none, or
 * where problems were added.  Lives in the current memory context.
 */
extern ItemFilter *item_filter_create(const JobStep *step, ItemFilterKind kind, const JobValue *condition, ProblemList *problems);

/* TEMPLATE_SCOPE_ of the scopes that the condition names, TEMPLATE_USES_PARENT. */
extern int	item_filter_scopes(const ItemFilter *filter);

/* Appends the paths that it needs and that are not yet among paths. */
extern List *item_filter_add_paths(const ItemFilter *filter, List *paths);

/* Says the paths of the batches to come; needs a transaction. */
extern void item_filter_bind_paths(ItemFilter *filter, const List *paths);

extern const char *item_filter_sql(const ItemFilter *filter);

/*
 * Marks the items that the condition is for.  Only what the condition needs
 * is converted, and nothing of items that are marked already.  Needs SPI.
 */
extern void item_filter_mark(ItemFilter *filter, const ItemBatch *batch, int64 first_item,
							 Jsonb *scopes, Marks *marks);

/* Frees the prepared statement. */
extern void item_filter_release(ItemFilter *filter);

#endif
