/*
 * watch.h
 *	  What the listener answers to who watches: the page, /metrics and /health.
 */
#ifndef DATABITE_WATCH_H
#define DATABITE_WATCH_H

#include "worker/door.h"

/* Is the request for one of them?  No endpoint of a job has these paths. */
extern bool watch_is_asked(const DoorRequest *request);

/*
 * Answers requests of that kind, outside of a transaction.  Whatever is asked for by several is
 * made once; an error of the database is a 503.
 */
extern void watch_answer(Door *door, DoorRequest **requests, int nrequests);

#endif
