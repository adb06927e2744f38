/*
 * watch.h
 *	  Tells those who watch where a run is: see base/shared_progress.h.
 */
#ifndef DATABITE_RUN_WATCH_H
#define DATABITE_RUN_WATCH_H

#include "base/shared_progress.h"
#include "run/context.h"

/*
 * The caller gives step, page, items, total_items, in_flight, waiting_for and
 * waiting_until; the rest is filled in here.  Needs no transaction, raises no
 * error.
 */
extern void watch_report(const RunContext *run, RunProgress *progress);

#endif
