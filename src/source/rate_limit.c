/*
 * rate_limit.c
 *	  How fast a source may be asked: a token bucket, and what the server says of its own.
 *
 * Lifecycle: a limiter lives as long as its memory context, as a rule that of a
 * run.  Its bucket is its own, or one in shared memory, which is looked up each
 * time: it is there for as long as somebody uses it.
 */
#include "postgres.h"

#include <time.h>

#include "base/pattern.h"
#include "base/shared_rate.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "source/client.h"
#include "source/rate_bucket.h"
#include "source/rate_limit.h"
#include "source/rate_signals.h"

struct RateLimiter
{
	const JobRateLimit *limit;	/* or NULL */
	RatePace	pace;
	Pattern    *wait_pattern;	/* or NULL */
	bool		has_key;
	Oid			owner;
	uint64		key;
	RateBucket *bucket;			/* where there is no shared one */
	RateBucket	own;
};

static RateBucket *lock_bucket(RateLimiter *limiter, int64 now);
static void unlock_bucket(RateLimiter *limiter, RateBucket *bucket);
static int64 wait_in_body(RateLimiter *limiter, const char *body);

RateLimiter *
rate_limiter_create(const JobRateLimit *limit, Oid owner, MemoryContext context)
{
	RateLimiter *limiter = MemoryContextAllocZero(context, sizeof(RateLimiter));
	char	   *error;

	limiter->limit = limit;
	limiter->bucket = &limiter->own;
	limiter->pace.burst = 1;
	limiter->owner = owner;
	if (limit == NULL)
		return limiter;

	if (limit->per_second > 0)
	{
		limiter->pace.interval_us = (int64) (1000000 / limit->per_second);
		limiter->pace.burst = Max(limit->burst, 1);
	}
	if (limit->key != NULL)
	{
		limiter->has_key = true;
		limiter->key = hash_bytes_extended((const unsigned char *) limit->key, strlen(limit->key), 0);
	}

	/* that it is an expression was found when the job was scheduled */
	if (limit->wait_pattern != NULL)
		limiter->wait_pattern = pattern_create(limit->wait_pattern, context, &error);
	return limiter;
}

bool
rate_limiter_join(RateLimiter *limiter, RateLimiter *other)
{
	if (!limiter->has_key || !other->has_key || limiter->key != other->key || limiter->owner != other->owner)
		return false;
	limiter->bucket = other->bucket;
	return true;
}

bool
rate_limiter_is_shared(const RateLimiter *limiter)
{
	return !limiter->has_key || shared_rate_available();
}

bool
rate_limiter_wants_body(const RateLimiter *limiter)
{
	return limiter->wait_pattern != NULL;
}

int64
rate_limiter_take(RateLimiter *limiter)
{
	int64		now = client_now();
	RateBucket *bucket = lock_bucket(limiter, now);
	int64		wait = rate_bucket_take(bucket, &limiter->pace, now);

	unlock_bucket(limiter, bucket);
	return wait;
}

int64
rate_limiter_observe(RateLimiter *limiter, const HttpResponse *response, const char *body)
{
	int64		body_wait = response->status >= 300 && body != NULL ? wait_in_body(limiter, body) : -1;
	int64		now = client_now();
	RateSignals signals;
	RateBucket *bucket;

	rate_signals_read(limiter->limit, response, body_wait, time(NULL), &signals);
	bucket = lock_bucket(limiter, now);
	if (signals.complains)
		rate_bucket_slow_down(bucket, &limiter->pace, now);
	else if (response->status < 400)
		rate_bucket_speed_up(bucket, &limiter->pace);
	if (signals.pause_ms >= 0)
		rate_bucket_pause(bucket, now + signals.pause_ms * 1000);
	unlock_bucket(limiter, bucket);
	return signals.wait_ms;
}

/* No error may be raised until it is unlocked. */
static RateBucket *
lock_bucket(RateLimiter *limiter, int64 now)
{
	RateBucket *bucket = NULL;

	if (limiter->has_key)
		bucket = shared_rate_lock(MyDatabaseId, limiter->owner, limiter->key, now);
	return bucket != NULL ? bucket : limiter->bucket;
}

static void
unlock_bucket(RateLimiter *limiter, RateBucket *bucket)
{
	if (bucket != limiter->bucket)
		shared_rate_unlock();
}

/* Milliseconds that an error's body asks to wait; -1 where it does not. */
static int64
wait_in_body(RateLimiter *limiter, const char *body)
{
	char	   *seconds = NULL;
	int64		wait = -1;

	if (limiter->wait_pattern != NULL)
		seconds = pattern_first_group(limiter->wait_pattern, body, strlen(body));
	if (seconds != NULL)
	{
		wait = rate_signals_seconds(seconds);
		pfree(seconds);
	}
	return wait;
}
