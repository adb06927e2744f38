/*
 * fetch.c
 *	  One page: a request sent, answered, and sent again where that is right.
 *
 * A fetch goes through these states:
 *
 * FETCH_SENT: a transfer is under way.  Next: FETCH_SENT (redirect),
 * FETCH_DELAYED, FETCH_COMPLETE, FETCH_BROKEN.
 *
 * FETCH_DELAYED: the last try failed, the next is due at retry_at.  Next:
 * FETCH_SENT, from the original URL again.
 *
 * FETCH_COMPLETE: a response with a status of success has come; its last bytes
 * may still be in the ring.  FETCH_BROKEN: given up, error says why.  Both are
 * final.
 */
#include "postgres.h"

#include <time.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "source/client.h"
#include "source/failure.h"
#include "source/retry.h"
#include "source/transfer.h"
#include "utils/memutils.h"

#define MAX_REDIRECTS 5

typedef enum FetchState
{
	FETCH_SENT,
	FETCH_DELAYED,
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
	Transfer   *transfer;
	HttpResponse response;
	bool		has_response;	/* response is that of the transfer */
	int			tries;
	int			redirects;		/* of this try */
	int64		retry_at;		/* client_now */
	bool		handed_out;		/* bytes of this try were given to the reader */
	bool		restarted;		/* the reader has to be told */
	SourceError *error;
};

static bool is_ready(const Fetch *fetch);
static void begin_try(Fetch *fetch);
static void send_request(Fetch *fetch, int64 waited);
static const char *header_problem(const HttpRequest *request);
static void advance(ClientTask *task, int64 waited);
static int64 longest_wait(const ClientTask *task);
static void move_on(Fetch *fetch, int64 waited);
static void take_response(Fetch *fetch);
static void finish_response(Fetch *fetch);
static void finish_broken(Fetch *fetch, TransferOutcome outcome);
static void try_again(Fetch *fetch, int64 least_delay);
static void give_up(Fetch *fetch, SourceError *error);
static bool is_redirect(const HttpResponse *response);
static void follow_redirect(Fetch *fetch);
static HttpRequest *redirected_request(Fetch *fetch, const char *location, char **problem);
static List *without_content_headers(List *headers);

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
	memcpy(fetch->retry.statuses, retry->statuses, retry->nstatuses * sizeof(int));
	fetch->transfer = transfer_create(client, context);
	fetch->task.advance = advance;
	fetch->task.longest_wait = longest_wait;

	if ((problem = url_problem(request->url)) != NULL)
		give_up(fetch, failure_create(&failure_bad_url, request, psprintf("The %s.", problem)));
	else if ((problem = header_problem(request)) != NULL)
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
		if (fetch->state != FETCH_DELAYED)
		{
			*len = transfer_read(fetch->transfer, data);
			if (*len > 0)
			{
				fetch->handed_out = true;
				return FETCH_DATA;
			}
			if (fetch->state == FETCH_COMPLETE)
				return FETCH_END;
		}
		client_wait(fetch->client);
	}
}

int
fetch_select(SourceClient *client, Fetch *const *fetches, int nfetches)
{
	CHECK_FOR_INTERRUPTS();

	for (;;)
	{
		for (int i = 0; i < nfetches; i++)
		{
			if (is_ready(fetches[i]))
				return i;
		}
		client_wait(client);
	}
}

/* fetch_read would not wait. */
static bool
is_ready(const Fetch *fetch)
{
	return fetch->restarted || fetch->state == FETCH_BROKEN || fetch->state == FETCH_COMPLETE ||
		(fetch->state == FETCH_SENT && ring_has_more(&fetch->transfer->ring));
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

void
fetch_close(Fetch *fetch)
{
	client_remove_task(&fetch->task);
	MemoryContextDelete(fetch->context);
}

/* Sends the original request. */
static void
begin_try(Fetch *fetch)
{
	transfer_stop(fetch->transfer);
	fetch->tries++;
	fetch->redirects = 0;
	fetch->restarted = fetch->restarted || fetch->handed_out;
	fetch->handed_out = false;
	fetch->request = unconstify(HttpRequest *, fetch->original);
	fetch->has_response = false;
	memset(&fetch->response, 0, sizeof(fetch->response));
	MemoryContextReset(fetch->try_context);
	fetch->state = FETCH_SENT;
	send_request(fetch, 0);
}

/* Sends the current request, which has used so much of its time already. */
static void
send_request(Fetch *fetch, int64 waited)
{
	SourceClient *client = fetch->client;

	/* with a proxy there is no address to look at later */
	if (client->proxy[0] != '\0' &&
		!address_guard_allows_by_proxy(client->guard, url_host(fetch->request->url)))
	{
		give_up(fetch, failure_create(&failure_address_refused, fetch->request, pstrdup("The proxy is not asked for that host.")));
		return;
	}
	transfer_start(fetch->transfer, fetch->request, waited);
}

/*
 * Why the header may not be sent, naming no value: NULL, or a sentence.  CR
 * and LF in a value would let whoever wrote it add headers or requests of
 * their own; what frames the message is libcurl's to say.
 */
static const char *
header_problem(const HttpRequest *request)
{
	static const char token_marks[] = "!#$%&'*+-.^_`|~";
	static const char *const framing[] = {"Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Trailer"};
	ListCell   *lc;

	foreach(lc, request->headers)
	{
		const HttpHeader *header = lfirst(lc);

		if (header->name[0] == '\0')
			return "A header has an empty name.";
		for (const char *p = header->name; *p != '\0'; p++)
		{
			if (IS_HIGHBIT_SET(*p) || (!isalnum((unsigned char) *p) && strchr(token_marks, *p) == NULL))
				return "The name of a header has a character that is not allowed in it.";
		}
		for (int i = 0; i < lengthof(framing); i++)
		{
			if (pg_strcasecmp(header->name, framing[i]) == 0)
				return psprintf("The header \"%s\" cannot be set.", framing[i]);
		}
		for (const char *p = header->value; *p != '\0'; p++)
		{
			if (((unsigned char) *p < ' ' && *p != '\t') || *p == 0x7f)
				return psprintf("The value of header \"%s\" has a line break or another control character.",
								header->name);
		}
	}
	return NULL;
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
}

/* A whole response is there: the end, a redirect, or a status that is no success. */
static void
finish_response(Fetch *fetch)
{
	const HttpResponse *response = &fetch->response;
	int64		least_delay;
	SourceError *error;

	if (response->status >= 200 && response->status <= 299)
	{
		fetch->state = FETCH_COMPLETE;
		return;
	}
	if (is_redirect(response))
	{
		follow_redirect(fetch);
		return;
	}

	least_delay = retry_after(response, time(NULL));
	if (least_delay <= MAX_RETRY_AFTER_MS && fetch->tries < fetch->retry.attempts &&
		retry_status(&fetch->retry, fetch->original->method, response))
	{
		try_again(fetch, least_delay);
		return;
	}

	error = failure_of_status(fetch->request, response->status);
	if (least_delay > MAX_RETRY_AFTER_MS)
	{
		error->retry_after_ms = least_delay;
		error->detail = psprintf("The server asks to come back after " INT64_FORMAT " s.", least_delay / 1000);
	}
	give_up(fetch, error);
}

/* There is no whole response. */
static void
finish_broken(Fetch *fetch, TransferOutcome outcome)
{
	const FailureKind *kind = failure_kind(fetch->transfer, outcome);
	SourceError *error;

	/* after a redirect the original request has been sent, and answered */
	bool		sent = fetch->redirects > 0 || transfer_was_sent(fetch->transfer);

	if (kind->transient && fetch->tries < fetch->retry.attempts &&
		retry_network_failure(fetch->original->method, sent))
	{
		try_again(fetch, 0);
		return;
	}
	error = failure_create(kind, fetch->request, failure_detail(fetch->transfer, outcome));
	error->status = fetch->response.status;
	give_up(fetch, error);
}

/* Schedules the next try, after the policy's delay but no sooner than least_delay (ms). */
static void
try_again(Fetch *fetch, int64 least_delay)
{
	int64		delay = retry_delay(&fetch->retry, fetch->tries, pg_prng_double(&pg_global_prng_state));

	fetch->client->counters.retries++;
	fetch->retry_at = client_now() + Max(delay, least_delay) * 1000;
	fetch->state = FETCH_DELAYED;
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

static bool
is_redirect(const HttpResponse *response)
{
	int			status = response->status;

	return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
		http_header(response, "Location") != NULL;
}

/* Goes where the response points to, if that is allowed. */
static void
follow_redirect(Fetch *fetch)
{
	MemoryContext old = MemoryContextSwitchTo(fetch->try_context);
	char	   *problem = NULL;
	HttpRequest *next = redirected_request(fetch, http_header(&fetch->response, "Location"), &problem);
	SourceError *error;

	MemoryContextSwitchTo(old);
	if (next != NULL)
	{
		fetch->redirects++;
		fetch->request = next;
		fetch->has_response = false;
		memset(&fetch->response, 0, sizeof(fetch->response));
		send_request(fetch, fetch->transfer->waited);
		return;
	}
	error = failure_create(&failure_redirect, fetch->request, problem);
	error->status = fetch->response.status;
	give_up(fetch, error);
}

/*
 * The request that a redirect asks for; NULL with *problem where it may not be
 * made.  At another origin nothing that the user has named goes along: any
 * header may be a secret, and so may the body.  Nor does it come back at a
 * later redirect to the first origin.
 */
static HttpRequest *
redirected_request(Fetch *fetch, const char *location, char **problem)
{
	const HttpRequest *from = fetch->request;
	int			status = fetch->response.status;
	char	   *url = url_resolve(from->url, location);
	bool		same_origin;
	HttpRequest *next;

	if (fetch->redirects >= MAX_REDIRECTS)
		*problem = psprintf("There were more than %d redirects.", MAX_REDIRECTS);
	else if (url == NULL || url_problem(url) != NULL)
		*problem = psprintf("The %s.", url == NULL ? "URL it points to is malformed" : url_problem(url));
	else if (pg_strncasecmp(from->url, "https:", 6) == 0 && pg_strncasecmp(url, "https:", 6) != 0)
		*problem = pstrdup("It leads from https to http.");
	if (*problem != NULL)
		return NULL;

	same_origin = url_same_origin(from->url, url);
	next = palloc0(sizeof(HttpRequest));
	next->url = pnstrdup(url, strcspn(url, "#"));
	next->method = from->method;
	next->timeout_ms = from->timeout_ms;
	next->body = from->body;
	next->body_len = from->body_len;
	next->headers = same_origin ? from->headers : NIL;
	next->signer = same_origin ? from->signer : NULL;
	next->tls = same_origin ? from->tls : NULL;

	/* RFC 9110 section 15.4: these turn the request into a GET, as all browsers do */
	if ((status == 303 && strcmp(from->method, "HEAD") != 0) ||
		((status == 301 || status == 302) && strcmp(from->method, "POST") == 0))
	{
		next->method = pstrdup("GET");
		next->body = NULL;
		next->body_len = 0;
		next->headers = without_content_headers(next->headers);
	}
	else if (!same_origin && strcmp(from->method, "GET") != 0 && strcmp(from->method, "HEAD") != 0)
	{
		*problem = psprintf("It leads a %s to another origin, %s.", from->method, url_masked(url));
		return NULL;
	}
	else if (!same_origin)
	{
		next->body = NULL;
		next->body_len = 0;
	}
	return next;
}

/* The headers that say nothing about a body. */
static List *
without_content_headers(List *headers)
{
	List	   *kept = NIL;
	ListCell   *lc;

	foreach(lc, headers)
	{
		HttpHeader *header = lfirst(lc);

		if (pg_strncasecmp(header->name, "Content-", 8) != 0)
			kept = lappend(kept, header);
	}
	return kept;
}
