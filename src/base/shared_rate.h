/*
 * shared_rate.h
 *	  Buckets of rate limits that jobs share, in shared memory.
 *
 * A bucket belongs to a database, an owner and a key.  It is found or made when
 * it is locked, and is taken by another when it has been idle for longest and
 * none is free; so nothing has to give one back.  What stands in a bucket is
 * source/rate_bucket.c's to know.
 */
#ifndef DATABITE_SHARED_RATE_H
#define DATABITE_SHARED_RATE_H

#include "postgres.h"

/* Keys that are in use at the same time, of all databases.  One costs 80 bytes. */
#define SHARED_MAX_RATES 256

/* Times are microseconds of CLOCK_MONOTONIC, which all processes of a machine share; 0: never. */
typedef struct RateBucket
{
	int64		next_at;		/* when the next request is due that comes at the stated rate */
	int64		paused_until;	/* no request before that */
	int64		slow_us;		/* spacing since the server complained; 0: as stated */
	int64		slow_from_us;	/* the spacing that it complained of */
	int64		slowed_at;
	int64		last_at;		/* the last request */
	int64		spacing_us;		/* between requests of late; 0: not known */
} RateBucket;

typedef struct SharedRate
{
	Oid			database;		/* InvalidOid: never used */
	Oid			owner;
	uint64		key;			/* a hash: two keys with the same one share a bucket, which is only slower */
	int64		used_at;
	RateBucket	bucket;
} SharedRate;

/* The part of the shared memory that these are in. */
typedef struct SharedRates
{
	SharedRate	rates[SHARED_MAX_RATES];
} SharedRates;

/* For shared.c: in the hooks that ask for memory and attach to it. */
extern void shared_rate_request(void);
extern void shared_rate_attach(SharedRates *rates);

/* Is databite preloaded? */
extern bool shared_rate_available(void);

/*
 * Locks the buckets and returns that of the key; now: microseconds of
 * CLOCK_MONOTONIC.  NULL, with nothing locked, where databite is not preloaded or
 * all buckets are in use.  Hold it for a few instructions that raise no error.
 */
extern RateBucket *shared_rate_lock(Oid database, Oid owner, uint64 key, int64 now);
extern void shared_rate_unlock(void);

#endif
