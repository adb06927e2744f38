/*
 * fetch.c
 *	  One page: a request sent, answered, and sent again where that is right.
 *
 * A fetch goes through these states:
 *
 * FETCH_QUEUED: a request is ready and waits for a token of the rate limiter,
 * which is asked again at send_at.  Next: FETCH_SENT, FETCH_BROKEN.
 *
 * FETCH_SENT: a transfer is under way.  Next: FETCH_QUEUED (redirect),
 * FETCH_DELAYED, FETCH_ANSWERED, FETCH_COMPLETE, FETCH_BROKEN.
 *
 * FETCH_DELAYED: the last try failed, the next is due at retry_at.  Next:
 * FETCH_QUEUED, from the original URL again.
 *
 * FETCH_ANSWERED: a response that is no success waits for the caller's verdict.
 * Next: FETCH_DELAYED, FETCH_QUEUED, FETCH_BROKEN.
 *
 * FETCH_COMPLETE: a response with a status of success has come; its last bytes
 * may still be in the ring.  It is the end, unless these do not decode: then as
 * FETCH_SENT; or the caller's verdict is that it was none: then as FETCH_ANSWERED.
 *
 * FETCH_BROKEN: given up, error says why.  That is final.
 */
#include "postgres.h"

#include <time.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "source/client.h"
#include "source/failure.h"
#include "source/rate_limit.h"
#include "source/redirect.h"
#include "source/retry.h"
#include "source/transfer.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

typedef enum FetchState
{
	FETCH_QUEUED,
	FETCH_SENT,
	FETCH_DELAYED,
	FETCH_ANSWERED,
	FETCH_COMPLETE,
	FETCH_BROKEN
} FetchState;

struct Fetch
{
	ClientTask	task;			/* must be first */
	SourceClient *client;
	MemoryContext context;		/* owns all of it */
	MemoryContext try_context;	/* of the current request and response */
	FetchState	state;
	const HttpRequest *original;
	HttpRequest *request;		/* as it goes out now: the original or where it was redirected to */
	JobRetry	retry;
	struct RateLimiter *limiter;	/* or NULL */
	bool		judged;			/* responses that are no success are the caller's to judge */
	const char *label;
	Transfer   *transfer;
	HttpResponse response;
	bool		has_response;	/* response is that of the transfer */
	int			tries;
	int			redirects;		/* of this try */
	int64		send_at;		/* client_now */
	int64		sent_at;		/* client_now */
	int64		waited;			/* what this try has used of its time on earlier redirects */
	int64		retry_at;		/* client_now */
	int64		delayed_ms;		/* what all tries have waited */
	int64		server_wait_ms; /* what the last response asks for; -1: nothing */
	bool		handed_out;		/* bytes of this try were given to the reader */
	bool		restarted;		/* the reader has to be told */
	const char *code;			/* of what this try has broken for, or NULL */
	SourceError *error;
};

static void give_up_in_time(Fetch *fetch);
static bool is_ready(const Fetch *fetch);
static void begin_try(Fetch *fetch);
static void start_over(Fetch *fetch);
static void queue_request(Fetch *fetch, int64 waited);
static void send_request(Fetch *fetch);
static void advance(ClientTask *task, int64 waited);
static int64 longest_wait(const ClientTask *task);
static void move_on(Fetch *fetch, int64 waited);
static void take_response(Fetch *fetch);
static void observe(Fetch *fetch);
static void finish_response(Fetch *fetch);
static bool is_success(const Fetch *fetch);
static void judge_by_status(Fetch *fetch, const char *message);
static bool retry_is_left(const Fetch *fetch);
static void give_up_on_response(Fetch *fetch, const char *message);
static bool body_is_whole(Fetch *fetch);
static void finish_undecodable(Fetch *fetch);
static void finish_broken(Fetch *fetch, TransferOutcome outcome);
static bool try_again(Fetch *fetch, int64 least_delay);
static void give_up(Fetch *fetch, SourceError *error);
static void follow_redirect(Fetch *fetch);
static void tell(const Fetch *fetch, FetchEventKind kind, int64 delay);

Fetch *
fetch_start(SourceClient *client, const HttpRequest *request, const FetchPolicy *policy)
{
	const JobRetry *retry = policy->retry;
	MemoryContext context = AllocSetContextCreate(client->context, "databite fetch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Fetch	   *fetch = palloc0(sizeof(Fetch));
	const char *problem;

	fetch->client = client;
	fetch->context = context;
	fetch->try_context = AllocSetContextCreate(context, "databite try", ALLOCSET_DEFAULT_SIZES);
	fetch->original = http_request_copy(request);
	fetch->request = unconstify(HttpRequest *, fetch->original);
	fetch->retry = *retry;
	fetch->retry.statuses = palloc(Max(retry->nstatuses, 1) * sizeof(int));
	if (retry->nstatuses > 0)
		memcpy(fetch->retry.statuses, retry->statuses, retry->nstatuses * sizeof(int));
	fetch->limiter = policy->limiter;
	fetch->judged = policy->judged;
	fetch->label = policy->label;
	fetch->server_wait_ms = -1;
	fetch->transfer = transfer_create(client, context);
	fetch->transfer->keep_error_body = policy->judged ||
		(policy->limiter != NULL && rate_limiter_wants_body(policy->limiter));
	fetch->task.advance = advance;
	fetch->task.longest_wait = longest_wait;

	if ((problem = url_problem(request->url)) != NULL)
		give_up(fetch, failure_create(&failure_bad_url, request, psprintf("The %s.", problem)));
	else if ((problem = http_headers_problem(request)) != NULL)
		give_up(fetch, failure_create(&failure_bad_header, request, pstrdup(problem)));
	else
		begin_try(fetch);

	/* last, as an error above leaves the fetch to its context */
	client_add_task(client, &fetch->task);
	MemoryContextSwitchTo(old);
	return fetch;
}

FetchStatus
fetch_read(Fetch *fetch, const char **data, size_t *len)
{
	CHECK_FOR_INTERRUPTS();

	for (;;)
	{
		if (fetch->restarted)
		{
			fetch->restarted = false;
			return FETCH_RESTARTED;
		}
		if (fetch->state == FETCH_BROKEN)
			return FETCH_FAILED;
		if (fetch->state == FETCH_ANSWERED)
			return FETCH_JUDGE;
		if (fetch->state == FETCH_SENT || fetch->state == FETCH_COMPLETE)
		{
			TransferRead found = transfer_read(fetch->transfer, data, len);

			if (found == TRANSFER_READ_DATA)
			{
				fetch->handed_out = true;
				return FETCH_DATA;
			}
			if (found == TRANSFER_READ_NOTHING && fetch->state == FETCH_COMPLETE && body_is_whole(fetch))
				return FETCH_END;
			if (found == TRANSFER_READ_BROKEN)
				finish_undecodable(fetch);
			if (fetch->state != FETCH_SENT)
				continue;
		}
		client_wait(fetch->client, -1);
		give_up_in_time(fetch);
	}
}

/* What must not be cancelled must not end for the clock either. */
static void
give_up_in_time(Fetch *fetch)
{
	MemoryContext old;

	if (is_ready(fetch) || !source_client_is_over(fetch->client) || QueryCancelHoldoffCount > 0)
		return;
	old = MemoryContextSwitchTo(fetch->context);
	transfer_stop(fetch->transfer);
	give_up(fetch, failure_create(&failure_out_of_time, fetch->request, NULL));
	MemoryContextSwitchTo(old);
}

int
fetch_select(SourceClient *client, Fetch *const *fetches, int nfetches, int64 longest_ms)
{
	int64		until = client_now() + longest_ms * 1000;

	CHECK_FOR_INTERRUPTS();

	/* those that are not ready must go on too, however long the caller has enough to read */
	client_serve(client);
	for (;;)
	{
		if (source_client_is_over(client))
			return -1;
		for (int i = 0; i < nfetches; i++)
		{
			if (is_ready(fetches[i]))
				return i;
		}
		if (longest_ms >= 0 && client_now() >= until)
			return -1;
		client_wait(client, longest_ms < 0 ? -1 : (Max(until - client_now(), 0) + 999) / 1000);
	}
}

/* fetch_read would not wait. */
static bool
is_ready(const Fetch *fetch)
{
	return fetch->restarted || fetch->state == FETCH_BROKEN || fetch->state == FETCH_COMPLETE ||
		fetch->state == FETCH_ANSWERED ||
		(fetch->state == FETCH_SENT && transfer_has_more(fetch->transfer));
}

/* All of a success has been read: was that all that there was?  Else it is given up, or tried again. */
static bool
body_is_whole(Fetch *fetch)
{
	if (transfer_decoding_outcome(fetch->transfer) == TRANSFER_COMPLETE)
		return true;
	finish_undecodable(fetch);
	return false;
}

/* The body does not decode. */
static void
finish_undecodable(Fetch *fetch)
{
	MemoryContext old = MemoryContextSwitchTo(fetch->context);

	transfer_stop(fetch->transfer);
	finish_broken(fetch, transfer_decoding_outcome(fetch->transfer));
	MemoryContextSwitchTo(old);
}

const HttpResponse *
fetch_response(const Fetch *fetch)
{
	return &fetch->response;
}

const SourceError *
fetch_error(const Fetch *fetch)
{
	return fetch->error;
}

const char *
fetch_error_body(const Fetch *fetch, size_t *len)
{
	*len = fetch->transfer->error_len;
	return *len > 0 ? fetch->transfer->error_body : "";
}

void
fetch_judge(Fetch *fetch, FetchVerdict verdict, const HttpRequest *replacement, const char *message)
{
	MemoryContext old;

	Assert(fetch->state == FETCH_ANSWERED || fetch->state == FETCH_COMPLETE);
	if (verdict == VERDICT_DEFAULT && fetch->state == FETCH_COMPLETE)
		return;

	old = MemoryContextSwitchTo(fetch->context);

	/* who has read to the end of the body has to hear that it begins anew, even where it was empty */
	fetch->handed_out = fetch->handed_out || fetch->state == FETCH_COMPLETE;
	switch (verdict)
	{
		case VERDICT_DEFAULT:
			judge_by_status(fetch, message);
			break;
		case VERDICT_RETRY:
			if (!retry_is_left(fetch) || !try_again(fetch, fetch->server_wait_ms))
				give_up_on_response(fetch, message);
			break;
		case VERDICT_REPLACE:
			fetch->original = http_request_copy(replacement);
			start_over(fetch);
			break;
		case VERDICT_FAIL:
			give_up_on_response(fetch, message);
			break;
	}
	MemoryContextSwitchTo(old);
}

bool
fetch_stop(Fetch *fetch)
{
	if (fetch->restarted || (fetch->state != FETCH_SENT && fetch->state != FETCH_COMPLETE))
		return false;
	if (fetch->state == FETCH_SENT)
		tell(fetch, FETCH_EVENT_ANSWERED, 0);
	transfer_stop(fetch->transfer);
	fetch->state = FETCH_COMPLETE;
	return true;
}

FetchWait
fetch_waiting(const Fetch *fetch, TimestampTz *until)
{
	int64		at;

	*until = 0;
	if (is_ready(fetch))
		return WAIT_NOTHING;
	if (fetch->state == FETCH_SENT)
		return WAIT_RESPONSE;

	at = fetch->state == FETCH_QUEUED ? fetch->send_at : fetch->retry_at;
	*until = GetCurrentTimestamp() + Max(at - client_now(), 0);
	return fetch->state == FETCH_QUEUED ? WAIT_RATE_LIMIT : WAIT_RETRY;
}

void
fetch_close(Fetch *fetch)
{
	client_remove_task(&fetch->task);
	MemoryContextDelete(fetch->context);
}

/* Another try. */
static void
begin_try(Fetch *fetch)
{
	fetch->tries++;
	start_over(fetch);
}

/* Sends the original request, when it may be sent. */
static void
start_over(Fetch *fetch)
{
	transfer_stop(fetch->transfer);
	fetch->redirects = 0;
	fetch->restarted = fetch->restarted || fetch->handed_out;
	fetch->handed_out = false;
	fetch->request = unconstify(HttpRequest *, fetch->original);
	fetch->has_response = false;
	fetch->code = NULL;
	memset(&fetch->response, 0, sizeof(fetch->response));
	MemoryContextReset(fetch->try_context);
	queue_request(fetch, 0);
}

/* Has the current request sent, which has used so much of its time already. */
static void
queue_request(Fetch *fetch, int64 waited)
{
	fetch->state = FETCH_QUEUED;
	fetch->waited = waited;
	send_request(fetch);
}

/* Sends the queued request if the rate limiter lets it. */
static void
send_request(Fetch *fetch)
{
	SourceClient *client = fetch->client;
	int64		wait = fetch->limiter != NULL ? rate_limiter_take(fetch->limiter) : 0;

	/* only a server asks for that much */
	if (wait > MAX_RETRY_AFTER_MS * 1000)
	{
		SourceError *error = failure_create(&failure_rate_limit, fetch->request,
											psprintf("The server asks to come back after " INT64_FORMAT " s.", wait / 1000000));

		error->retry_after_ms = wait / 1000;
		give_up(fetch, error);
		return;
	}
	if (wait > 0)
	{
		fetch->send_at = client_now() + wait;
		return;
	}

	/* with a proxy there is no address to look at later */
	if (client->proxy[0] != '\0' &&
		!address_guard_allows_by_proxy(client->guard, url_host(fetch->request->url)))
	{
		give_up(fetch, failure_create(&failure_address_refused, fetch->request, pstrdup("The proxy is not asked for that host.")));
		return;
	}
	fetch->state = FETCH_SENT;
	fetch->sent_at = client_now();
	transfer_start(fetch->transfer, fetch->request, fetch->waited);
}

/* Called by the client whenever sockets or time have moved. */
static void
advance(ClientTask *task, int64 waited)
{
	Fetch	   *fetch = (Fetch *) task;
	MemoryContext old = MemoryContextSwitchTo(fetch->context);

	move_on(fetch, waited);
	MemoryContextSwitchTo(old);
}

static int64
longest_wait(const ClientTask *task)
{
	const Fetch *fetch = (const Fetch *) task;

	switch (fetch->state)
	{
		case FETCH_QUEUED:
			return Max(fetch->send_at - client_now(), 0);
		case FETCH_SENT:
			return transfer_longest_wait(fetch->transfer);
		case FETCH_DELAYED:
			return Max(fetch->retry_at - client_now(), 0);
		default:
			return NO_TIMER;
	}
}

static void
move_on(Fetch *fetch, int64 waited)
{
	TransferOutcome outcome;

	if (fetch->state == FETCH_DELAYED && client_now() >= fetch->retry_at)
		begin_try(fetch);
	else if (fetch->state == FETCH_QUEUED && client_now() >= fetch->send_at)
		send_request(fetch);
	if (fetch->state != FETCH_SENT)
		return;

	outcome = transfer_advance(fetch->transfer, waited);
	if (fetch->transfer->header_complete && !fetch->has_response)
		take_response(fetch);
	if (outcome == TRANSFER_PENDING)
		return;

	/* at the end of the life of this transfer, but for the bytes in the ring */
	transfer_stop(fetch->transfer);
	if (outcome == TRANSFER_COMPLETE && fetch->has_response)
		finish_response(fetch);
	else
		finish_broken(fetch, outcome);
}

/* The header of the response has come. */
static void
take_response(Fetch *fetch)
{
	MemoryContext old = MemoryContextSwitchTo(fetch->try_context);

	fetch->response.status = fetch->transfer->status;
	fetch->response.headers = transfer_headers(fetch->transfer);
	fetch->response.url = pstrdup(fetch->request->url);
	fetch->has_response = true;
	MemoryContextSwitchTo(old);

	/* of an error when its body has come */
	if (fetch->response.status <= 299)
		observe(fetch);
}

/* What the response says of the rate, and of when to come again. */
static void
observe(Fetch *fetch)
{
	size_t		len;
	const char *body = fetch_error_body(fetch, &len);
	int64		asked = retry_after(&fetch->response, "Retry-After", time(NULL));

	if (fetch->limiter != NULL)
		asked = Max(asked, rate_limiter_observe(fetch->limiter, &fetch->response, len > 0 ? body : NULL));
	fetch->server_wait_ms = asked;
}

/* A whole response is there: the end, a redirect, or a status that is no success. */
static void
finish_response(Fetch *fetch)
{
	const HttpResponse *response = &fetch->response;

	tell(fetch, FETCH_EVENT_ANSWERED, 0);
	if (response->status > 299)
	{
		transfer_decode_error_body(fetch->transfer);
		observe(fetch);
	}
	if (is_success(fetch))
		fetch->state = FETCH_COMPLETE;
	else if (redirect_is(response))
		follow_redirect(fetch);
	else if (fetch->judged)
		fetch->state = FETCH_ANSWERED;
	else
		judge_by_status(fetch, NULL);
}

/*
 * 2xx; and 304 to a request with a condition, which has no body: what there was
 * to send has been sent before (RFC 9110 section 15.4.5).
 */
static bool
is_success(const Fetch *fetch)
{
	ListCell   *lc;

	if (fetch->response.status >= 200 && fetch->response.status <= 299)
		return true;
	if (fetch->response.status != 304)
		return false;
	foreach(lc, fetch->request->headers)
	{
		const HttpHeader *header = lfirst(lc);

		if (pg_strcasecmp(header->name, "If-None-Match") == 0 || pg_strcasecmp(header->name, "If-Modified-Since") == 0)
			return true;
	}
	return false;
}

/* What is usual after a response that is no success; message: of the error, or NULL. */
static void
judge_by_status(Fetch *fetch, const char *message)
{
	if (!retry_is_left(fetch) ||
		!retry_status(&fetch->retry, fetch->original->method, &fetch->response) ||
		!try_again(fetch, fetch->server_wait_ms))
		give_up_on_response(fetch, message);
}

/* There is another try, and the server does not ask for more time than a run waits. */
static bool
retry_is_left(const Fetch *fetch)
{
	return fetch->tries < fetch->retry.attempts && fetch->server_wait_ms <= MAX_RETRY_AFTER_MS;
}

/* Ends the fetch because of what the response is. */
static void
give_up_on_response(Fetch *fetch, const char *message)
{
	give_up(fetch, failure_of_response(fetch->request, fetch->response.status, fetch->server_wait_ms, message));
}

/* There is no whole response. */
static void
finish_broken(Fetch *fetch, TransferOutcome outcome)
{
	const FailureKind *kind = failure_kind(fetch->transfer, outcome);
	SourceError *error;

	/* after a redirect the original request has been sent, and answered */
	bool		sent = fetch->redirects > 0 || transfer_was_sent(fetch->transfer);

	fetch->code = kind->code;
	tell(fetch, FETCH_EVENT_BROKEN, 0);
	if (kind->transient && fetch->tries < fetch->retry.attempts &&
		retry_network_failure(&fetch->retry, fetch->original->method, sent) && try_again(fetch, -1))
		return;
	error = failure_create(kind, fetch->request, failure_detail(fetch->transfer, outcome));
	error->status = fetch->response.status;
	give_up(fetch, error);
}

/*
 * Schedules the next try, after the policy's delay but no sooner than
 * least_delay (ms, or -1); false where the policy's budget does not allow it.
 */
static bool
try_again(Fetch *fetch, int64 least_delay)
{
	int64		delay = retry_delay(&fetch->retry, fetch->tries, pg_prng_double(&pg_global_prng_state));

	delay = retry_delay_within(&fetch->retry, delay, least_delay, fetch->delayed_ms);
	if (delay < 0)
		return false;
	tell(fetch, FETCH_EVENT_RETRY, delay);
	fetch->client->counters.retries++;
	fetch->delayed_ms += delay;
	fetch->retry_at = client_now() + delay * 1000;
	fetch->state = FETCH_DELAYED;
	return true;
}

/* Ends the fetch with an error. */
static void
give_up(Fetch *fetch, SourceError *error)
{
	if (fetch->tries > 1)
		error->detail = psprintf("%s%sIt was tried %d times.",
								 error->detail != NULL ? error->detail : "",
								 error->detail == NULL ? "" : error->detail[strlen(error->detail) - 1] == '.' ? " "
																											  : ". ",
								 fetch->tries);
	fetch->error = error;
	fetch->state = FETCH_BROKEN;
}

/* Goes where the response points to, if that is allowed. */
static void
follow_redirect(Fetch *fetch)
{
	MemoryContext old = MemoryContextSwitchTo(fetch->try_context);
	char	   *problem = NULL;
	HttpRequest *next = redirect_request(fetch->request, &fetch->response, fetch->redirects, &problem);
	SourceError *error;

	MemoryContextSwitchTo(old);
	if (next != NULL)
	{
		fetch->redirects++;
		fetch->request = next;
		fetch->has_response = false;
		memset(&fetch->response, 0, sizeof(fetch->response));
		queue_request(fetch, fetch->transfer->waited);
		return;
	}
	error = failure_create(&failure_redirect, fetch->request, problem);
	error->status = fetch->response.status;
	give_up(fetch, error);
}

/* Whoever observes the client hears of it. */
static void
tell(const Fetch *fetch, FetchEventKind kind, int64 delay)
{
	const SourceClient *client = fetch->client;
	FetchEvent	event = {
		.kind = kind,
		.label = fetch->label,
		.request = fetch->request,
		.code = fetch->code,
		.status = fetch->response.status,
		.duration_us = client_now() - fetch->sent_at,
		.bytes = fetch->transfer->body_bytes,
		.tries = fetch->tries,
		.delay_ms = delay,
	};

	if (client->observer != NULL)
		client->observer(&event, client->observer_arg);
}
