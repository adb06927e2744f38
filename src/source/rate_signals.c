/*
 * rate_signals.c
 *	  What a response says of how fast one may ask.
 *
 * Retry-After is RFC 9110's; the others have no standard, so the definition
 * names them and says what they mean.
 */
#include "postgres.h"

#include <curl/curl.h>
#include <math.h>

#include "source/rate_signals.h"
#include "source/retry.h"

/* No request is left, and until when is not said. */
#define UNKNOWN_RESET_MS	1000

/* Numbers above these are times rather than delays, and milliseconds rather than seconds. */
#define MIN_TIME			1e9
#define MIN_TIME_MS			1e11

/* The longest that is taken for serious. */
#define MAX_WAIT_MS			(INT64CONST(366) * 24 * 60 * 60 * 1000)

/* From so much of the quota used on, it is slowed down; the longest hold, where all of it is used. */
#define RATIO_LIMIT			0.9
#define MIN_RATIO_HOLD_MS	200
#define MAX_RATIO_HOLD_MS	2000

static bool none_left(const JobRateLimit *limit, const HttpResponse *response);
static int64 reset_wait(const JobRateLimit *limit, const HttpResponse *response, int64 now);
static int64 ratio_hold(const JobRateLimit *limit, const HttpResponse *response);
static int64 until(double seconds, const HttpResponse *response, int64 now);
static bool read_number(const char *text, double *number);

void
rate_signals_read(const JobRateLimit *limit, const HttpResponse *response,
				  int64 body_wait_ms, int64 now, RateSignals *signals)
{
	int			status = response->status;
	bool		is_limit = status == 429 || status == 403 || status == 503;

	signals->wait_ms = signals->pause_ms = -1;
	signals->complains = status == 429;

	if (status >= 300)
		signals->wait_ms = Max(retry_after(response, "Retry-After", now), body_wait_ms);
	if (status >= 300 && limit != NULL && limit->retry_after_header != NULL)
		signals->wait_ms = Max(signals->wait_ms, retry_after(response, limit->retry_after_header, now));

	if (limit != NULL && none_left(limit, response))
	{
		signals->pause_ms = reset_wait(limit, response, now);
		if (signals->pause_ms < 0)
			signals->pause_ms = limit->wait_ms > 0 ? limit->wait_ms : UNKNOWN_RESET_MS;
		if (is_limit)
			signals->wait_ms = Max(signals->wait_ms, signals->pause_ms);
	}
	if (limit != NULL && status == 429 && signals->wait_ms < 0)
		signals->wait_ms = reset_wait(limit, response, now);
	if (limit != NULL && status == 429 && signals->wait_ms < 0 && limit->wait_ms > 0)
		signals->wait_ms = limit->wait_ms;

	/* it is not this request that is too much, but whichever comes next */
	if (is_limit)
		signals->pause_ms = Max(signals->pause_ms, signals->wait_ms);
	if (limit != NULL)
		signals->pause_ms = Max(signals->pause_ms, ratio_hold(limit, response));
}

int64
rate_signals_seconds(const char *text)
{
	double		seconds;

	if (!read_number(text, &seconds) || seconds < 0)
		return -1;
	return (int64) Min(ceil(seconds * 1000), (double) MAX_WAIT_MS);
}

/* The server says that no request is left. */
static bool
none_left(const JobRateLimit *limit, const HttpResponse *response)
{
	const char *value = limit->remaining_header ? http_header(response, limit->remaining_header) : NULL;
	double		left;

	return value != NULL && read_number(value, &left) && left <= 0;
}

/* Until the header of the reset; -1 where there is none that can be read. */
static int64
reset_wait(const JobRateLimit *limit, const HttpResponse *response, int64 now)
{
	const char *value = limit->reset_header ? http_header(response, limit->reset_header) : NULL;
	double		number;

	if (value == NULL)
		return -1;
	if (!read_number(value, &number))
	{
		time_t		at = curl_getdate(value, NULL);

		return at < 0 || limit->reset_is == RATE_RESET_IS_DELAY ? -1 : until(at, response, now);
	}
	if (number < 0)
		return -1;
	if (limit->reset_is == RATE_RESET_IS_DELAY || (limit->reset_is == RATE_RESET_IS_GUESSED && number < MIN_TIME))
		return rate_signals_seconds(value);
	return until(number > MIN_TIME_MS ? number / 1000 : number, response, now);
}

/*
 * "32/40": so much of the quota is used.  The quota fills up again at a rate
 * that is not said, so the closer to its end the longer the next request is
 * held, which settles where both are in balance.
 */
static int64
ratio_hold(const JobRateLimit *limit, const HttpResponse *response)
{
	const char *value = limit->ratio_header ? http_header(response, limit->ratio_header) : NULL;
	double		used;
	double		all;
	char	   *end;
	double		over;

	if (value == NULL)
		return -1;
	used = strtod(value, &end);
	if (end == value || *end != '/' || !read_number(end + 1, &all) || all <= 0 || !(used / all >= RATIO_LIMIT))
		return -1;
	over = Min((used / all - RATIO_LIMIT) / (1 - RATIO_LIMIT), 1);
	return MIN_RATIO_HOLD_MS + (int64) (over * (MAX_RATIO_HOLD_MS - MIN_RATIO_HOLD_MS));
}

/* Milliseconds until a time, by the server's clock where it tells: ours may differ. */
static int64
until(double seconds, const HttpResponse *response, int64 now)
{
	const char *date = http_header(response, "Date");
	time_t		server_now = date != NULL ? curl_getdate(date, NULL) : -1;
	double		ms = ceil((seconds - (server_now >= 0 ? server_now : now)) * 1000);

	return (int64) Min(Max(ms, 0), (double) MAX_WAIT_MS);
}

/* A number and nothing after it; no hexadecimal one, infinity or the like. */
static bool
read_number(const char *text, double *number)
{
	size_t		len = strspn(text, "+-0123456789.");

	if (len == 0 || text[len] != '\0')
		return false;
	*number = strtod(text, NULL);
	return isfinite(*number);
}
