/*
 * rate_signals.h
 *	  What a response says of how fast one may ask.
 */
#ifndef DATABITE_RATE_SIGNALS_H
#define DATABITE_RATE_SIGNALS_H

#include "job/definition.h"
#include "source/request.h"

typedef struct RateSignals
{
	int64		wait_ms;		/* before this request is sent again; -1: nothing was said */
	int64		pause_ms;		/* before any request is sent; -1: nothing was said */
	bool		complains;		/* too many requests */
} RateSignals;

/*
 * limit may be NULL.  body_wait_ms: what waitPattern has found in the body, or
 * -1.  now: seconds since 1970.
 */
extern void rate_signals_read(const JobRateLimit *limit, const HttpResponse *response,
							  int64 body_wait_ms, int64 now, RateSignals *signals);

/* Milliseconds of a text that is a number of seconds; -1 where it is none. */
extern int64 rate_signals_seconds(const char *text);

#endif
