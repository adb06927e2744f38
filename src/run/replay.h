/*
 * replay.h
 *	  Items that were rejected, tried again.
 */
#ifndef DATABITE_REPLAY_H
#define DATABITE_REPLAY_H

#include "run/context.h"

/* All of a run whose source is the list of rejected items; an error that it raises leaves that list as it was. */
extern void replay_steps(RunContext *run);

#endif
