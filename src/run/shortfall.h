/*
 * shortfall.h
 *	  What a run that goes on after errors has left out, and how it ends for that.
 */
#ifndef DATABITE_SHORTFALL_H
#define DATABITE_SHORTFALL_H

#include "catalog/rejected_catalog.h"
#include "run/step_data.h"

/*
 * Runs work(listing), which reads of the source.  Where it raises what the source
 * is to blame for, and the job takes what can be had (strategy "partial_success"), the listing
 * (the whole one) ends there and is gone, and the rest goes on; other errors pass.
 */
extern void shortfall_try(Listing *listing, void (*work) (Listing *listing));

/* The listing has not read all of its window: the cursor stays before the first such. */
extern void shortfall_note_window(StepRun *sr, const Listing *listing);

/* The first item that a run has rejected. */
extern void shortfall_note_item(StepRun *sr, const RejectedRecord *record);

/*
 * With the last batch of a step: what the run has failed with as nothing could be
 * written, or NULL.  In the run's memory.
 */
extern ErrorData *shortfall_failure(StepRun *sr);

/* The same of a run that has written nothing but rejected items; reason: of the first, or NULL. */
extern ErrorData *shortfall_all_rejected(RunContext *run, const char *reason);

/* How a run ends that has not failed, and its error: NULL where it is complete. */
extern RunStatus shortfall_status(const RunContext *run, const RunCounters *counters);
extern char *shortfall_json(const RunContext *run, const RunCounters *counters);

/* The error of a run that failed, as JSON; step may be NULL. */
extern char *shortfall_failure_json(const RunContext *run, const RunCounters *counters, const ErrorData *error,
									const char *step);

#endif
