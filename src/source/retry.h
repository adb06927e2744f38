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
extern bool retry_network_failure(const JobRetry *retry, const char *method, bool sent);

/*
 * Milliseconds before the next try, after so many tries.  random: at least 0,
 * below 1.
 */
extern int64 retry_delay(const JobRetry *retry, int tries, double random);

/*
 * Milliseconds to wait before the next try: delay, but no less than the server
 * asks for (least, or -1) and no more than the policy's budget leaves; -1 where
 * that leaves too little.  spent: milliseconds that earlier tries have waited.
 */
extern int64 retry_delay_within(const JobRetry *retry, int64 delay, int64 least, int64 spent);

/*
 * Milliseconds that the response asks to wait (Retry-After or another header,
 * as seconds or as a date); -1 where it does not.  now: seconds since 1970.
 */
extern int64 retry_after(const HttpResponse *response, const char *header, int64 now);

#endif
