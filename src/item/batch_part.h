/*
 * batch_part.h
 *	  A selection of a batch's items as a batch of its own.
 */
#ifndef DATABITE_BATCH_PART_H
#define DATABITE_BATCH_PART_H

#include "item/item_reader.h"

/*
 * The items of those numbers (rising) with their first npaths cells, in
 * the current memory context; nothing of it belongs to the whole batch.
 * first_position: of the whole batch's first item in the run.
 */
extern ItemBatch *batch_part_create(const ItemBatch *whole, int npaths, const int *items, int nitems, int64 first_position);

#endif
