/*
 * retry.h
 *	  Whether a request is sent again, and after how long.
 */
#ifndef DATABITE_RETRY_H
#define DATABITE_RETRY_H

#include "job/definition.h"
#include "source/request.h"

/* The longest Retry-After that is waited for; beyond it the run ends and is scheduled anew. */
#define MAX_RETRY_AFTER_MS (300 * INT64CONST(1000))

/* Is that status worth another try, for a request of that method? */
extern bool retry_status(const JobRetry *retry, const char *method, const HttpResponse *response);

/* Is a failure of the network?  sent: the server may have begun to act on the request. */
extern bool retry_network_failure(const char *method, bool sent);

/*
 * Milliseconds before the next try, after so many tries.  random: at least 0,
 * below 1.
 */
extern int64 retry_delay(const JobRetry *retry, int tries, double random);

/*
 * Milliseconds that the response asks to wait (Retry-After, as seconds or as
 * a date); -1 where it does not.  now: seconds since 1970.
 */
extern int64 retry_after(const HttpResponse *response, int64 now);

#endif
