/*
 * step_loop.h
 *	  The steps of a run, as many at once as may be.
 */
#ifndef DATABITE_STEP_LOOP_H
#define DATABITE_STEP_LOOP_H

#include "run/context.h"

/*
 * Runs all steps to their ends.  Raises an error at the first that fails, with everything that was
 * committed kept, or leaves it in run->failure; 57014 where the run was cancelled.
 */
extern void steps_run(RunContext *run);

#endif
