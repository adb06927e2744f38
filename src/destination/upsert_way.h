/*
 * upsert_way.h
 *	  By which of its statements a batch of an upsert is written.
 */
#ifndef DATABITE_UPSERT_WAY_H
#define DATABITE_UPSERT_WAY_H

#include "destination/write_plan_data.h"

/* Builds the statements beside the plan's own, of the same parts, or forgets them. */
extern void upsert_way_build(WritePlan *plan, const StatementParts *parts);

/* Frees what is prepared of them. */
extern void upsert_way_release(WritePlan *plan);

/* Runs the statement that suits the batch that is bound; they all have the same effects and counts.  Needs SPI. */
extern void upsert_way_run(WritePlan *plan, const ItemBatch *batch, Jsonb *scopes, const Marks *marks);

/* So many of a batch's items were written by it: what the next one's is chosen by. */
extern void upsert_way_note(WritePlan *plan, int64 nitems, int64 written);

#endif
