/*
 * shared_rate.c
 *	  Buckets of rate limits that jobs share, in shared memory.
 *
 * The memory is a part of shared.c's.  One lightweight lock guards all buckets:
 * it is taken once or twice for a request over the network, and held for a walk
 * over 256 of them.
 */
#include "postgres.h"

#include "base/shared_rate.h"
#include "storage/lwlock.h"

/* A bucket that nobody has asked for so long is idle, whatever stands in it. */
#define IDLE_US (600 * INT64CONST(1000000))

static bool is_idle(const SharedRate *rate, int64 now);

static SharedRates *state = NULL;
static LWLock *lock = NULL;

void
shared_rate_request(void)
{
	RequestNamedLWLockTranche("databite_rate", 1);
}

void
shared_rate_attach(SharedRates *rates)
{
	state = rates;
	lock = &GetNamedLWLockTranche("databite_rate")->lock;
}

bool
shared_rate_available(void)
{
	return state != NULL;
}

RateBucket *
shared_rate_lock(Oid database, Oid owner, uint64 key, int64 now)
{
	SharedRate *oldest = NULL;

	if (state == NULL)
		return NULL;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < SHARED_MAX_RATES; i++)
	{
		SharedRate *rate = &state->rates[i];

		if (rate->database == database && rate->owner == owner && rate->key == key)
		{
			rate->used_at = now;
			return &rate->bucket;
		}
		if (is_idle(rate, now) && (oldest == NULL || rate->used_at < oldest->used_at))
			oldest = rate;
	}
	if (oldest == NULL)
	{
		LWLockRelease(lock);
		return NULL;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->database = database;
	oldest->owner = owner;
	oldest->key = key;
	oldest->used_at = now;
	return &oldest->bucket;
}

void
shared_rate_unlock(void)
{
	LWLockRelease(lock);
}

/* Would a new bucket in its place hold nothing back that this one does? */
static bool
is_idle(const SharedRate *rate, int64 now)
{
	const RateBucket *bucket = &rate->bucket;

	return !OidIsValid(rate->database) ||
		(bucket->next_at <= now && bucket->paused_until <= now && bucket->slow_us == 0) ||
		(now - rate->used_at > IDLE_US && bucket->paused_until <= now);
}
