/*
 * rate_bucket.h
 *	  The arithmetic of a token bucket.
 *
 * Nothing here knows where a bucket is kept or what time it is; times are
 * microseconds.
 */
#ifndef DATABITE_RATE_BUCKET_H
#define DATABITE_RATE_BUCKET_H

#include "base/shared_rate.h"

/* How fast it may go. */
typedef struct RatePace
{
	int64		interval_us;	/* between requests; 0: as fast as one likes */
	int			burst;			/* requests that a full bucket lets through at once, at least 1 */
} RatePace;

/* Takes a token and returns 0; or takes none and returns how long until it is worth to ask again. */
extern int64 rate_bucket_take(RateBucket *bucket, const RatePace *pace, int64 now);

/* No request before that. */
extern void rate_bucket_pause(RateBucket *bucket, int64 until);

/* The server has complained: half as fast as before, and no bursts. */
extern void rate_bucket_slow_down(RateBucket *bucket, const RatePace *pace, int64 now);

/* The server was content: a bit faster again. */
extern void rate_bucket_speed_up(RateBucket *bucket, const RatePace *pace);

#endif
