/*
 * route.h
 *	  Which of several writers an item goes to.
 */
#ifndef DATABITE_ROUTE_H
#define DATABITE_ROUTE_H

#include "destination/write_plan.h"

typedef struct WriteRoute WriteRoute;

/*
 * All items of one key go to one writer, so that the last of them wins as it
 * does with one writer; without a key, each writer gets a stretch of the batch.
 * NULL, with the reason in *why_not, where the keys cannot be told before the
 * rows are made.  Lives in the current memory context, and no longer than the plan.
 */
extern WriteRoute *write_route_create(const WritePlan *plan, char **why_not);

/* The part, below nparts, of each item of the batch. */
extern void write_route_items(WriteRoute *route, const ItemBatch *batch, int nparts, int *parts);

#endif
