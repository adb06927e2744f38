/*
 * source_clock.h
 *	  How far our clock is ahead of the source's.
 */
#ifndef DATABITE_SOURCE_CLOCK_H
#define DATABITE_SOURCE_CLOCK_H

#include "datatype/timestamp.h"
#include "source/request.h"

/*
 * So many microseconds at most, by the response's Date, which has just come;
 * at least 0, where the source's clock is ahead, and -1 where there is no Date.
 */
extern int64 source_clock_lead(const HttpResponse *response, TimestampTz now);

#endif
