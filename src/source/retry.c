/*
 * retry.c
 *	  Whether a request is sent again, and after how long.
 */
#include "postgres.h"

#include <curl/curl.h>
#include <math.h>

#include "source/retry.h"

static bool may_repeat(const JobRetry *retry, const char *method);

bool
retry_status(const JobRetry *retry, const char *method, const HttpResponse *response)
{
	bool		listed = false;

	for (int i = 0; i < retry->nstatuses; i++)
		listed = listed || retry->statuses[i] == response->status;
	if (!listed)
		return false;

	/*
	 * RFC 9110 section 9.2.2: a request that is not idempotent is repeated
	 * only where the original was never applied.  That is what 429 says (too
	 * many requests, RFC 6585), and 503 when it names the time to come back;
	 * after any other failure the server may have acted.
	 */
	return may_repeat(retry, method) || response->status == 429 ||
		(response->status == 503 && http_header(response, "Retry-After") != NULL);
}

bool
retry_network_failure(const JobRetry *retry, const char *method, bool sent)
{
	/* the same rule: nothing was applied where nothing was sent */
	return may_repeat(retry, method) || !sent;
}

int64
retry_delay(const JobRetry *retry, int tries, double random)
{
	double		delay = retry->delay_ms;

	switch (retry->backoff)
	{
		case BACKOFF_FIXED:
			break;
		case BACKOFF_LINEAR:
			delay *= tries;
			break;
		case BACKOFF_EXPONENTIAL:
			delay = ldexp(delay, Min(tries - 1, 60));
			break;
	}
	delay = Min(delay, (double) retry->max_delay_ms);

	/* full jitter: clients that failed together do not come back together */
	if (retry->backoff == BACKOFF_EXPONENTIAL)
		delay *= random;
	return (int64) delay;
}

int64
retry_delay_within(const JobRetry *retry, int64 delay, int64 least, int64 spent)
{
	delay = Max(delay, least);
	if (retry->budget_ms == 0)
		return delay;
	if (spent >= retry->budget_ms || least > retry->budget_ms - spent)
		return -1;
	return Min(delay, retry->budget_ms - spent);
}

int64
retry_after(const HttpResponse *response, const char *header, int64 now)
{
	const char *value = http_header(response, header);
	const char *date;
	char	   *end;
	double		seconds;
	int64		at;
	int64		server_now = -1;

	if (value == NULL)
		return -1;
	if (isdigit((unsigned char) value[0]))
	{
		/* whole seconds by the standard; some servers send a fraction */
		seconds = strtod(value, &end);
		if (*end != '\0')
			return -1;
		return (int64) ceil(Min(seconds, 1e9) * 1000);
	}

	at = curl_getdate(value, NULL);
	if (at < 0)
		return -1;

	/* by the server's clock where it tells, ours may differ */
	date = http_header(response, "Date");
	if (date != NULL)
		server_now = curl_getdate(date, NULL);
	return Max(at - (server_now >= 0 ? server_now : now), 0) * 1000;
}

/*
 * May a request of this method be repeated with no more effect than once (RFC
 * 9110 section 9.2.2)?  Of a POST that only reads the definition has to say so.
 */
static bool
may_repeat(const JobRetry *retry, const char *method)
{
	return retry->idempotent || (strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0);
}
