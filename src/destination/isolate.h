/*
 * isolate.h
 *	  A batch of which some items are bad: these are rejected, the others are written.
 */
#ifndef DATABITE_ISOLATE_H
#define DATABITE_ISOLATE_H

#include "destination/write_plan_data.h"

/* A batch, or a part of one, on its way into the table. */
typedef struct PlanRun
{
	WritePlan  *plan;
	const ItemBatch *batch;
	int64		first_item;		/* position in the run of the batch's first item */
	Jsonb	   *scopes;
	Marks	   *marks;			/* of the batch's items */
	WriteCounts *counts;
	ItemFilter *filter;			/* where that is what is run */
} PlanRun;

/*
 * Can an item be to blame for the error, so that the others may be written?  Not
 * for one of the machine, of concurrent transactions, of permissions or of the definition.
 */
extern bool isolate_is_possible(const ErrorData *error);

/*
 * work has failed with the error for the whole run (of PlanRun).  Does it for ever
 * smaller parts, in the order of the items, each in a subtransaction of its own
 * that stays, and rejects the single items that it fails for.  Raises the error
 * where work fails without any item, and what isolate_is_possible denies.
 *
 * For k bad items less than 2 * k * log2(items) + 1 further statements.
 */
extern void isolate_bad_items(void (*work) (void *arg), const PlanRun *run, ErrorData *error);

#endif
