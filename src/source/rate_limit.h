/*
 * rate_limit.h
 *	  How fast a source may be asked: a token bucket, and what the server says of its own.
 *
 * A limiter that has a key shares its bucket with all jobs of the same owner
 * that name the key, in whatever process, through shared memory; where databite
 * is not preloaded there is none, and the bucket is the run's own
 * (rate_limiter_is_shared tells).  Nothing here waits.
 *
 * Every request takes a token, retries and redirects too, and every response is
 * observed.  After a 429 requests go half as fast, and then little by little
 * faster again.
 */
#ifndef DATABITE_RATE_LIMIT_H
#define DATABITE_RATE_LIMIT_H

#include "job/definition.h"
#include "source/request.h"

typedef struct RateLimiter RateLimiter;

/* owner: whose key it is.  limit NULL: only slows down after 429. */
extern RateLimiter *rate_limiter_create(const JobRateLimit *limit, Oid owner, MemoryContext context);

/* False where the key asks for sharing and there is no shared memory. */
extern bool rate_limiter_is_shared(const RateLimiter *limiter);

/* Has it share the bucket of the other, which must outlive it, where both have the same key; false where they have not. */
extern bool rate_limiter_join(RateLimiter *limiter, RateLimiter *other);

/* Does rate_limiter_observe look at bodies of errors? */
extern bool rate_limiter_wants_body(const RateLimiter *limiter);

/* Takes a token and returns 0; or takes none and returns microseconds until it is worth to ask again. */
extern int64 rate_limiter_take(RateLimiter *limiter);

/*
 * Learns from a response: remaining and reset headers, ratio, 429.  body: of an
 * error, or NULL.  Returns milliseconds that the server wants this request to
 * wait before it is sent again, -1 where it says nothing.
 */
extern int64 rate_limiter_observe(RateLimiter *limiter, const HttpResponse *response, const char *body);

#endif
