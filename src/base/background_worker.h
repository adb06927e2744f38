/*
 * background_worker.h
 *	  What all background workers of databite have in common.
 */
#ifndef DATABITE_BACKGROUND_WORKER_H
#define DATABITE_BACKGROUND_WORKER_H

#include "postmaster/bgworker.h"

/*
 * Fills in a worker "databite <kind>", which begins in databite_<function>_main, is not
 * started again when it ends, and of whose start and end the current process is told.
 * What is different has to be set after that.
 */
extern void background_worker_init(BackgroundWorker *worker, const char *kind, const char *function);

#endif
