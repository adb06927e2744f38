/*
 * part_catalog.h
 *	  Table databite.writer_part: what parallel writers have committed that no checkpoint has yet.
 */
#ifndef DATABITE_PART_CATALOG_H
#define DATABITE_PART_CATALOG_H

#include "catalog/run_catalog.h"

/* The parts of a step's pass. */
typedef struct PartRecord
{
	int64		run_id;			/* the run that wrote it */
	int64		round;
	int			part;
	const char *items;			/* JSON text: which items of the source they were */
	RunCounters counts;			/* those of items only */
	bool		counted;		/* they are in the counters of a run already */
} PartRecord;

/*
 * In the transaction of the part's rows.  epoch: nothing is written for a job
 * that was removed, reset or replaced since the run began.
 */
extern void part_catalog_add(const char *job_id, int64 epoch, const char *step_id, const PartRecord *part);

/* All parts of the step: list of PartRecord *. */
extern List *part_catalog_get(const char *job_id, const char *step_id);

/* From now on the counts of the step's parts are those of a run. */
extern void part_catalog_set_counted(const char *job_id, const char *step_id);

/* The checkpoint has the round. */
extern void part_catalog_forget_round(const char *job_id, const char *step_id, int64 run_id, int64 round);

/* What earlier runs have written of the pass is of no use any more. */
extern void part_catalog_forget_earlier(const char *job_id, const char *step_id, int64 run_id);

/* The pass has ended, or begins anew; step_id NULL: that of each step. */
extern void part_catalog_clear(const char *job_id, const char *step_id);

#endif
