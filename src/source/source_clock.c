/*
 * source_clock.c
 *	  How far our clock is ahead of the source's.
 *
 * Date is when the source has made the response, in whole seconds, rounded
 * down (RFC 9110 section 6.6.1).  Since then time has passed, so that what our clock
 * shows now less Date is never below what it is ahead, and above it by a second
 * and the way of the response.
 */
#include "postgres.h"

#include <curl/curl.h>

#include "source/source_clock.h"
#include "utils/timestamp.h"

int64
source_clock_lead(const HttpResponse *response, TimestampTz now)
{
	const char *date = http_header(response, "Date");
	time_t		seconds = date != NULL ? curl_getdate(date, NULL) : -1;

	if (seconds < 0)
		return -1;
	return Max(now - time_t_to_timestamptz(seconds), 0);
}
