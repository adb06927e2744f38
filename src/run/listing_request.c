/*
 * listing_request.c
 *	  The request of a listing's next page, and what a response said that later requests repeat.
 *
 * The pager knows the request; here it gets what the step knows: credentials, and
 * for the first page the validators of the last run, or its sync token.  Both are
 * taken from a response when its page is complete, and go into the state when the step ends.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "run/step_data.h"
#include "source/envelope.h"
#include "source/request_edit.h"
#include "template/template.h"
#include "utils/memutils.h"

static void render(RunContext *run, void *arg);
static bool may_carry_credentials(const Listing *listing, const HttpRequest *request);
static void add_sync_token(const Listing *listing, HttpRequest *request);
static void add_validators(Listing *listing, HttpRequest *request);
static bool is_first_page(const Listing *listing);
static char *request_identity(const HttpRequest *request);
static void keep_validators(Listing *listing);
static void keep_sync_token(Listing *listing, const char *envelope, size_t len);
static void complete_context(Listing *listing, const char *envelope, size_t len);

/* Credentials that are about to expire are renewed, and a base that depends on them or on the page is rendered. */
void
listing_prepare_request(Listing *listing)
{
	StepRun    *sr = listing->sr;
	int			used = request_plan_uses(sr->request_plan);

	sr->asks_for_token = true;
	if (auth_session_refresh(sr->auth, sr->run, sr->scopes) && (used & TEMPLATE_SCOPE_AUTH) != 0)
		sr->renderings++;
	sr->asks_for_token = false;
	if (listing->rendered != sr->renderings ||
		((used & TEMPLATE_SCOPE_PAGE) != 0 && pager_page_number(listing->pager) > 1))
	{
		listing_render(listing);
		pager_set_base(listing->pager, listing->base);
	}
}

void
listing_render(Listing *listing)
{
	run_in_transaction(listing->sr->run, render, listing);
}

static void
render(RunContext *run, void *arg)
{
	step_render(arg);
}

HttpRequest *
listing_request(Listing *listing)
{
	StepRun    *sr = listing->sr;
	HttpRequest *request = pager_request(listing->pager);

	listing->conditional = false;
	if (!may_carry_credentials(listing, request))
		return request;
	if (listing_sends_sync_token(listing))
		add_sync_token(listing, request);
	if (sr->step->source.conditional)
		add_validators(listing, request);
	auth_session_apply(sr->auth, request, sr->masked);
	listing->token = auth_session_token(sr->auth);
	return request;
}

/* A next URL may lead to another origin, if the definition allows that; nothing that is secret goes there. */
static bool
may_carry_credentials(const Listing *listing, const HttpRequest *request)
{
	return url_same_origin(request->url, listing->base->url);
}

bool
listing_sends_sync_token(const Listing *listing)
{
	const JobIncremental *incremental = listing->sr->step->source.incremental;

	return incremental != NULL && incremental->sync_token_param != NULL && listing->sent_token != NULL;
}

static void
add_sync_token(const Listing *listing, HttpRequest *request)
{
	const StepRun *sr = listing->sr;
	const JobIncremental *incremental = sr->step->source.incremental;
	ListCell   *lc;

	foreach(lc, incremental->sync_token_drops)
		request->url = url_remove_parameter(request->url, lfirst(lc));
	request->url = url_add_parameter(request->url, incremental->sync_token_param, listing->sent_token, true);
}

/*
 * Asks for the first page only if it has changed (RFC 9110 section 13.1), if it
 * is the very request whose answer gave the validators.
 */
static void
add_validators(Listing *listing, HttpRequest *request)
{
	const StepRun *sr = listing->sr;

	/* of a page that is half written the rest is wanted, whatever the validators say */
	if (!is_first_page(listing) || listing->skip > 0)
		return;
	if (sr->state.validators_for == NULL || strcmp(sr->state.validators_for, request_identity(request)) != 0)
		return;
	if (sr->state.etag != NULL)
		edit_header(request, "If-None-Match", sr->state.etag);
	if (sr->state.last_modified != NULL)
		edit_header(request, "If-Modified-Since", sr->state.last_modified);
	listing->conditional = true;
}

static bool
is_first_page(const Listing *listing)
{
	return listing->whole == NULL && listing->parent == NULL && listing->window.from == NULL &&
		pager_page_number(listing->pager) == 1;
}

/* Method, URL and body as hexadecimal digits of a hash. */
static char *
request_identity(const HttpRequest *request)
{
	StringInfoData text;
	uint64		hash;

	initStringInfo(&text);
	appendStringInfo(&text, "%s %s\n", request->method, request->url);
	if (request->body != NULL)
		appendBinaryStringInfo(&text, request->body, request->body_len);
	hash = hash_bytes_extended((unsigned char *) text.data, text.len, 0);
	pfree(text.data);
	return psprintf(UINT64_FORMAT, hash);
}

/* What the page said of itself that outlives it. */
void
listing_keep_page_state(Listing *listing)
{
	StepRun    *sr = listing->sr;
	const JobIncremental *incremental = sr->step->source.incremental;
	const char *envelope;
	size_t		len;

	envelope = item_reader_envelope(listing->reader, &len);
	if (sr->step->source.conditional && is_first_page(listing))
		keep_validators(listing);
	if (incremental != NULL && incremental->sync_token_path != NULL)
		keep_sync_token(listing, envelope, len);
	if ((sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) != 0)
		complete_context(listing, envelope, len);
}

static void
keep_validators(Listing *listing)
{
	StepRun    *sr = listing->sr;
	MemoryContext old = MemoryContextSwitchTo(sr->memory);
	const HttpResponse *response = fetch_response(listing->fetch);
	const char *etag = http_header(response, "ETag");
	const char *modified = http_header(response, "Last-Modified");

	sr->etag = etag != NULL ? pstrdup(etag) : NULL;
	sr->last_modified = modified != NULL ? pstrdup(modified) : NULL;
	sr->validators_for = request_identity(pager_request(listing->pager));
	MemoryContextSwitchTo(old);
}

/* The state that the source gives with its last page: the next run asks for what comes after it. */
static void
keep_sync_token(Listing *listing, const char *envelope, size_t len)
{
	StepRun    *sr = listing->sr;
	struct json_object *root;
	struct json_object *value;
	char	   *error;
	char	   *token;

	if (envelope == NULL ||
		!jsonc_parse(envelope, len, STEP_MAX_DEPTH, listing->page_memory, &root, &error) ||
		envelope_find(root, sr->step->source.incremental->sync_token_path, &value) != FOUND_TEXT)
		return;
	token = envelope_text(value);
	if (token == NULL)
		return;
	if (listing->new_token != NULL)
		pfree(listing->new_token);
	listing->new_token = MemoryContextStrdup(listing->memory, token);
}

/* A transform that looks at the response gets it now that the page is complete; none of its items is written yet. */
static void
complete_context(Listing *listing, const char *envelope, size_t len)
{
	StepRun    *sr = listing->sr;
	MemoryContext old;

	if (listing->context == NULL)
		return;
	old = MemoryContextSwitchTo(sr->context_memory);
	listing->context->json = step_context_json(listing,
											   response_scope_json(fetch_response(listing->fetch), envelope, len));
	listing->context_complete = true;
	MemoryContextSwitchTo(old);
}
