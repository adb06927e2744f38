/*
 * rate_bucket.c
 *	  The arithmetic of a token bucket.
 *
 * The bucket is kept as virtual scheduling keeps it (the Generic Cell Rate
 * Algorithm, ITU-T I.371): not tokens but the time at which the next request
 * would be due, were they evenly spaced.  A request may be early by
 * (burst - 1) intervals.  So of any window of w seconds no more than
 * rate * w + burst requests are let through.
 *
 * After a complaint the rate follows what TCP does (additive increase,
 * multiplicative decrease; Chiu and Jain 1989): halved at once, then a
 * twentieth of what was too fast at first is added with every good answer.
 */
#include "postgres.h"

#include "source/rate_bucket.h"

/* A complaint where nothing is known of how fast it went, and the bounds of what complaints lead to. */
#define UNKNOWN_SPACING_US	INT64CONST(100000)
#define MIN_SLOW_US			INT64CONST(20000)
#define MAX_SLOW_US			INT64CONST(120000000)

/* Requests in flight complain together, and that is one complaint. */
#define ONE_COMPLAINT_US	INT64CONST(1000000)

/* A longer silence says nothing of the pace. */
#define MAX_SPACING_US		INT64CONST(10000000)

static void note_request(RateBucket *bucket, int64 now);

int64
rate_bucket_take(RateBucket *bucket, const RatePace *pace, int64 now)
{
	int64		interval = Max(pace->interval_us, bucket->slow_us);
	int64		early = bucket->slow_us > 0 ? 0 : pace->interval_us * (pace->burst - 1);

	if (bucket->paused_until > now)
		return bucket->paused_until - now;
	if (interval > 0)
	{
		if (bucket->next_at - early > now)
			return bucket->next_at - early - now;
		bucket->next_at = Max(bucket->next_at, now) + interval;
	}
	note_request(bucket, now);
	return 0;
}

void
rate_bucket_pause(RateBucket *bucket, int64 until)
{
	bucket->paused_until = Max(bucket->paused_until, until);
}

void
rate_bucket_slow_down(RateBucket *bucket, const RatePace *pace, int64 now)
{
	int64		spacing = bucket->slow_us;

	if (bucket->slow_us > 0 && now - bucket->slowed_at < Max(bucket->slow_us, ONE_COMPLAINT_US))
		return;
	if (spacing == 0)
		spacing = pace->interval_us;
	if (spacing == 0)
		spacing = bucket->spacing_us > 0 ? bucket->spacing_us : UNKNOWN_SPACING_US;

	/* what was too fast at first: else complaints that go on would stop all recovery */
	if (bucket->slow_us == 0)
		bucket->slow_from_us = spacing;
	bucket->slow_us = Min(Max(spacing * 2, MIN_SLOW_US), MAX_SLOW_US);
	bucket->slowed_at = now;
	bucket->next_at = Max(bucket->next_at, now + bucket->slow_us);
}

void
rate_bucket_speed_up(RateBucket *bucket, const RatePace *pace)
{
	double		rate;

	/* at the stated rate again; where none is stated, at twice the one that was too fast, or there is no end */
	int64		enough = pace->interval_us > 0 ? pace->interval_us : bucket->slow_from_us / 2;

	if (bucket->slow_us == 0)
		return;
	rate = 1.0 / bucket->slow_us + 0.05 / bucket->slow_from_us;
	bucket->slow_us = (int64) (1.0 / rate);
	if (bucket->slow_us <= enough)
		bucket->slow_us = 0;
}

/* Keeps the usual time between requests. */
static void
note_request(RateBucket *bucket, int64 now)
{
	int64		spacing = now - bucket->last_at;

	if (bucket->last_at > 0 && spacing <= MAX_SPACING_US)
		bucket->spacing_us = bucket->spacing_us == 0 ? spacing : (bucket->spacing_us * 7 + spacing) / 8;
	bucket->last_at = now;
}
