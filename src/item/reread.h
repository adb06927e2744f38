/*
 * reread.h
 *	  Items that are at hand as JSON, read into a batch.
 */
#ifndef DATABITE_REREAD_H
#define DATABITE_REREAD_H

#include "item/item_reader.h"

/*
 * A batch of as many items, read from those cells of the other one that the path
 * of that number gave; an item that has none there (a bad one, which stands in the
 * list of those) has no cells.  What is said of items and pages is the other batch's.
 */
extern ItemBatch *item_batch_reread(const ItemBatch *whole, int path, int npaths, const JsonPath *const *paths,
									MemoryContext context);

/* A batch of the items in texts; NULL is a bad item.  contexts: of each of them, with the batch's lifetime. */
extern ItemBatch *item_batch_read(int nitems, char *const *texts, const ItemContext *contexts,
								  int npaths, const JsonPath *const *paths, MemoryContext context);

#endif
