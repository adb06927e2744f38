/*
 * pagination.c
 *	  From one page to the next.
 *
 * Where a listing stands is its position: an offset, a page number, a cursor
 * or a URL.  pager_request puts the position into the base request,
 * pager_advance reads the next position out of a response.
 *
 * A listing that ends must have been ended by the source.  Whatever else could
 * make a shorter table that looks fine is a failure: more pages announced but
 * no way to them, a cursor that is no cursor, a response too large to read the
 * cursor from, the page limit, a position that was there before.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "lib/stringinfo.h"
#include "source/envelope.h"
#include "source/link_header.h"
#include "source/pagination.h"
#include "source/request_edit.h"
#include "source/seen_set.h"
#include "utils/memutils.h"

/* Longest cursor or URL that is followed; servers take a request line of 8 to 16 kB. */
#define MAX_POSITION_BYTES 65536

/* Deepest JSON of an envelope. */
#define MAX_JSON_DEPTH 512

struct Pager
{
	MemoryContext context;
	const JobPagination *pagination;
	HttpRequest *base;

	int64		page_number;	/* from 1 */
	int64		offset;			/* offset: of the current page */
	char	   *cursor;			/* cursor: of the current page, NULL on the first */
	bool		cursor_is_number;	/* it was a JSON number, and is one again in a body */
	char	   *url;			/* link, next_url: of the current page, NULL on the first */

	int64		total_items;	/* -1: not told */
	SeenSet    *seen;			/* cursors or URLs */
	char	   *error;
	const char *hint;
};

static void restore_state(Pager *pager, const char *state);
static HttpRequest *request_with_cursor(Pager *pager, HttpRequest *request);
static void set_parameter(HttpRequest *request, const char *name, const char *value);
static void add_limit(Pager *pager, HttpRequest *request);
static PagerStatus advance(Pager *pager, const PageResult *result, struct json_object *envelope);
static PagerStatus next_offset(Pager *pager, const PageResult *result, struct json_object *envelope);
static PagerStatus next_page(Pager *pager, const PageResult *result, struct json_object *envelope);
static PagerStatus next_cursor(Pager *pager, const PageResult *result, struct json_object *envelope, bool more);
static PagerStatus next_link(Pager *pager, const PageResult *result, bool more);
static PagerStatus next_url(Pager *pager, const PageResult *result, struct json_object *envelope, bool more);
static PagerStatus follow_url(Pager *pager, const PageResult *result, const char *reference);
static PagerStatus no_position(Pager *pager, bool more, const char *what);
static PagerStatus fail(Pager *pager, const char *hint, const char *fmt,...) pg_attribute_printf(3, 4);

Pager *
pager_create(const JobPagination *pagination, const HttpRequest *base,
			 const char *state, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Pager	   *pager = palloc0(sizeof(Pager));

	pager->context = context;
	pager->pagination = pagination;
	pager->base = http_request_copy(base);
	pager->page_number = 1;
	pager->total_items = -1;
	pager->seen = seen_set_create(context);

	if (pagination->type == PAGINATION_CURSOR && pagination->cursor_place == CURSOR_IN_BODY &&
		!edit_body_is_object(base))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("request body is not a JSON object, so it cannot carry the cursor"),
				 errhint("Set pagination.in to \"query\" or \"header\", or make the body an object.")));
	if (state != NULL)
		restore_state(pager, state);

	/* the position of the first page counts as seen */
	if (pager->cursor != NULL)
		seen_set_add(pager->seen, pager->cursor);
	else
		seen_set_add(pager->seen, pager->url != NULL ? pager->url : pager->base->url);

	MemoryContextSwitchTo(old);
	return pager;
}

HttpRequest *
pager_request(Pager *pager)
{
	const JobPagination *pagination = pager->pagination;
	HttpRequest *request = http_request_copy(pager->base);

	if (pagination->drop_other_query && pager->page_number > 1)
		request->url = url_without_query(request->url);

	switch (pagination->type)
	{
		case PAGINATION_NONE:
			break;
		case PAGINATION_OFFSET:
			set_parameter(request, pagination->offset_param, psprintf(INT64_FORMAT, pager->offset));
			add_limit(pager, request);
			break;
		case PAGINATION_PAGE:
			set_parameter(request, pagination->page_param,
						 psprintf(INT64_FORMAT, pagination->start_page + pager->page_number - 1));
			add_limit(pager, request);
			break;
		case PAGINATION_CURSOR:
		case PAGINATION_KEYSET:
			return request_with_cursor(pager, request);
		case PAGINATION_LINK:
		case PAGINATION_NEXT_URL:
			if (pager->url != NULL)
				request->url = pstrdup(pager->url);
			break;
	}
	return request;
}

PagerStatus
pager_advance(Pager *pager, const PageResult *result)
{
	MemoryContext page_context = AllocSetContextCreate(CurrentMemoryContext,
													   "databite page", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(page_context);
	struct json_object *envelope = NULL;
	char	   *error = NULL;
	PagerStatus status;

	if (!pagination_needs_envelope(pager->pagination))
		status = advance(pager, result, NULL);
	else if (result->envelope == NULL)
		status = fail(pager, "Ask for smaller responses.",
					  "the response is too large, apart from its items, to find the next page in it");
	else if (!jsonc_parse(result->envelope, result->envelope_len, MAX_JSON_DEPTH,
						  page_context, &envelope, &error))
		status = fail(pager, NULL, "the next page cannot be found in the response: %s", error);
	else
		status = advance(pager, result, envelope);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(page_context);
	return status;
}

int64
pager_page_number(const Pager *pager)
{
	return pager->page_number;
}

int64
pager_total_items(const Pager *pager)
{
	return pager->total_items;
}

char *
pager_state(const Pager *pager)
{
	struct json_object *state = json_object_new_object();
	const char *text = NULL;
	char	   *copy = NULL;
	bool		ok;

	/* no error in here, so that the object is released */
	ok = state != NULL &&
		json_object_object_add(state, "page", json_object_new_int64(pager->page_number)) == 0;
	if (pager->pagination->type == PAGINATION_OFFSET)
		ok = ok && json_object_object_add(state, "offset", json_object_new_int64(pager->offset)) == 0;
	if (pager->cursor != NULL)
		ok = ok && json_object_object_add(state, "cursor", json_object_new_string(pager->cursor)) == 0;
	if (pager->cursor_is_number)
		ok = ok && json_object_object_add(state, "number", json_object_new_boolean(true)) == 0;
	if (pager->url != NULL)
		ok = ok && json_object_object_add(state, "url", json_object_new_string(pager->url)) == 0;
	if (ok)
		text = json_object_to_json_string_ext(state, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text != NULL)
	{
		copy = palloc_extended(strlen(text) + 1, MCXT_ALLOC_NO_OOM);
		if (copy != NULL)
			strcpy(copy, text);
	}
	json_object_put(state);
	if (copy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed to write down the position in a listing.")));
	return copy;
}

const char *
pager_error(const Pager *pager, const char **hint)
{
	*hint = pager->hint;
	return pager->error;
}

bool
pagination_needs_envelope(const JobPagination *pagination)
{
	return pagination->total_path != NULL || pagination->total_pages_path != NULL ||
		pagination->cursor_path != NULL || pagination->has_more_path != NULL ||
		pagination->next_url_path != NULL;
}

/* Takes up the position that pager_state wrote down. */
static void
restore_state(Pager *pager, const char *state)
{
	struct json_object *object;
	struct json_object *value;
	char	   *error;

	if (!jsonc_parse(state, strlen(state), MAX_JSON_DEPTH, pager->context, &object, &error) ||
		!jsonc_get(object, "page", &value) || json_object_get_int64(value) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("checkpoint of the pagination is damaged"),
				 errhint("Call databite.reset_job to begin the job anew.")));

	pager->page_number = json_object_get_int64(value);
	if (jsonc_get(object, "offset", &value))
		pager->offset = json_object_get_int64(value);
	if (jsonc_get(object, "cursor", &value) && value != NULL)
		pager->cursor = pstrdup(json_object_get_string(value));
	if (jsonc_get(object, "number", &value))
		pager->cursor_is_number = json_object_get_boolean(value);
	if (jsonc_get(object, "url", &value) && value != NULL)
		pager->url = pstrdup(json_object_get_string(value));
}

/* Puts the cursor, if there is one yet, and the size into the request. */
static HttpRequest *
request_with_cursor(Pager *pager, HttpRequest *request)
{
	const JobPagination *pagination = pager->pagination;

	if (pager->cursor != NULL)
	{
		switch (pagination->cursor_place)
		{
			case CURSOR_IN_QUERY:
				set_parameter(request, pagination->cursor_param, pager->cursor);
				break;
			case CURSOR_IN_HEADER:
				edit_header(request, pagination->cursor_param, pager->cursor);
				break;
			case CURSOR_IN_TEMPLATE:
				break;
			case CURSOR_IN_BODY:
				/* a number's own text is kept: a serializer would change long ones */
				edit_body(request, pagination->cursor_param,
							pager->cursor_is_number ? json_object_new_double_s(0, pager->cursor) : json_object_new_string(pager->cursor));
				break;
		}
	}
	add_limit(pager, request);
	return request;
}

/* Adds the page size where it is to be sent: in the body where the cursor goes there, else in the query. */
static void
add_limit(Pager *pager, HttpRequest *request)
{
	const JobPagination *pagination = pager->pagination;

	if (!pagination->send_limit || pagination->limit_param == NULL)
		return;
	if (pagination->type == PAGINATION_CURSOR && pagination->cursor_place == CURSOR_IN_BODY)
		edit_body(request, pagination->limit_param, json_object_new_int(pagination->limit));
	else
		set_parameter(request, pagination->limit_param, psprintf("%d", pagination->limit));
}

/* Sets a parameter of the query; one that is there is replaced. */
static void
set_parameter(HttpRequest *request, const char *name, const char *value)
{
	request->url = url_add_parameter(request->url, name, value, true);
}

/* pager_advance, with what the response said of itself. */
static PagerStatus
advance(Pager *pager, const PageResult *result, struct json_object *envelope)
{
	const JobPagination *pagination = pager->pagination;
	struct json_object *value;
	bool		more = false;	/* the source says so, in so many words */
	PagerStatus status = PAGER_DONE;

	if (pagination->total_path != NULL)
		envelope_count(envelope, pagination->total_path, &pager->total_items);
	if (pagination->has_more_path != NULL &&
		envelope_find(envelope, pagination->has_more_path, &value) != FOUND_NOTHING)
	{
		if (envelope_is_false(value))
			return PAGER_DONE;
		more = true;
	}

	switch (pagination->type)
	{
		case PAGINATION_NONE:
			return PAGER_DONE;
		case PAGINATION_OFFSET:
			status = next_offset(pager, result, envelope);
			break;
		case PAGINATION_PAGE:
			status = next_page(pager, result, envelope);
			break;
		case PAGINATION_CURSOR:
		case PAGINATION_KEYSET:
			status = next_cursor(pager, result, envelope, more);
			break;
		case PAGINATION_LINK:
			status = next_link(pager, result, more);
			break;
		case PAGINATION_NEXT_URL:
			status = next_url(pager, result, envelope, more);
			break;
	}
	if (status != PAGER_NEXT)
		return status;

	if (pager->page_number >= pagination->max_pages)
		return fail(pager, "Raise pagination.maxPages, or ask the source for less at a time.",
					"page limit reached: there are more than %d pages", pagination->max_pages);
	pager->page_number++;
	return PAGER_NEXT;
}

/*
 * By offset.  Where the source tells the total, that is the end, and a page
 * shorter than asked for is not: some cap the size they are asked for.
 */
static PagerStatus
next_offset(Pager *pager, const PageResult *result, struct json_object *envelope)
{
	const JobPagination *pagination = pager->pagination;

	if (result->nitems == 0)
		return PAGER_DONE;
	if (pagination->total_path != NULL && pager->total_items >= 0)
	{
		if (pager->offset + result->nitems >= pager->total_items)
			return PAGER_DONE;
	}
	else if (result->nitems < pagination->limit)
		return PAGER_DONE;
	pager->offset += result->nitems;
	return PAGER_NEXT;
}

/* By page number.  A short page is the end only where we have said what is long. */
static PagerStatus
next_page(Pager *pager, const PageResult *result, struct json_object *envelope)
{
	const JobPagination *pagination = pager->pagination;
	int64		total_pages;

	if (result->nitems == 0)
		return PAGER_DONE;
	if (pagination->total_pages_path != NULL &&
		envelope_count(envelope, pagination->total_pages_path, &total_pages))
		return pager->page_number >= total_pages ? PAGER_DONE : PAGER_NEXT;
	if (pagination->send_limit && pagination->limit_param != NULL &&
		result->nitems < pagination->limit)
		return PAGER_DONE;
	return PAGER_NEXT;
}

/* By cursor, out of the body or a header.  An empty page is not the end: filters leave some. */
static PagerStatus
next_cursor(Pager *pager, const PageResult *result, struct json_object *envelope, bool more)
{
	const JobPagination *pagination = pager->pagination;
	const char *cursor = NULL;
	bool		is_number = false;

	if (pagination->cursor_path != NULL)
	{
		struct json_object *value;

		switch (envelope_find(envelope, pagination->cursor_path, &value))
		{
			case FOUND_NOTHING:
				break;
			case FOUND_TEXT:
				cursor = envelope_text(value);
				is_number = !json_object_is_type(value, json_type_string);
				if (cursor == NULL)
					return fail(pager, NULL, "the next cursor holds a NUL character");
				break;
			case FOUND_OTHER:
				return fail(pager, "Let pagination.cursorPath lead to a string or number.",
							"the next cursor is neither a string nor a number");
		}
	}
	else if (pagination->cursor_header != NULL)
		cursor = http_header(result->response, pagination->cursor_header);

	if (cursor == NULL || cursor[0] == '\0')
		return no_position(pager, more, "cursor");
	if (strlen(cursor) > MAX_POSITION_BYTES)
		return fail(pager, NULL, "the next cursor is longer than %d bytes", MAX_POSITION_BYTES);
	if (seen_set_add(pager->seen, cursor))
		return fail(pager, "The source goes in a circle; check pagination.cursorParam.",
					"the source gave the same cursor twice, after page " INT64_FORMAT, pager->page_number);

	pager->cursor = MemoryContextStrdup(pager->context, cursor);
	pager->cursor_is_number = is_number;
	return PAGER_NEXT;
}

/* By the link with rel=next, which may be in any of several Link headers. */
static PagerStatus
next_link(Pager *pager, const PageResult *result, bool more)
{
	ListCell   *lc;

	foreach(lc, result->response->headers)
	{
		HttpHeader *header = lfirst(lc);
		char	   *target;

		if (pg_strcasecmp(header->name, "Link") != 0)
			continue;
		target = link_header_find(header->value, "next");
		if (target != NULL)
			return follow_url(pager, result, target);
	}
	return no_position(pager, more, "link");
}

/* By a URL in the body. */
static PagerStatus
next_url(Pager *pager, const PageResult *result, struct json_object *envelope, bool more)
{
	struct json_object *value;
	char	   *reference;

	switch (envelope_find(envelope, pager->pagination->next_url_path, &value))
	{
		case FOUND_NOTHING:
			break;
		case FOUND_TEXT:
			reference = envelope_text(value);
			if (reference == NULL)
				return fail(pager, NULL, "the next URL holds a NUL character");
			return follow_url(pager, result, reference);
		case FOUND_OTHER:
			/* "next": false is how some say that there is none */
			if (json_object_is_type(value, json_type_boolean) && envelope_is_false(value))
				break;
			return fail(pager, "Let pagination.nextUrlPath lead to a string.",
						"the next URL is not a string");
	}
	return no_position(pager, more, "URL");
}

/* Goes to a URL that the response gave, relative to where it came from. */
static PagerStatus
follow_url(Pager *pager, const PageResult *result, const char *reference)
{
	const char *from = result->response->url;
	const char *problem;
	char	   *url;

	if (from == NULL)
		from = pager->url != NULL ? pager->url : pager->base->url;
	if (strlen(reference) > MAX_POSITION_BYTES)
		return fail(pager, NULL, "the next URL is longer than %d bytes", MAX_POSITION_BYTES);
	url = url_resolve(from, reference);
	problem = url == NULL ? "URL is malformed" : url_problem(url);
	if (problem != NULL)
		return fail(pager, NULL, "the URL of the next page cannot be used: %s", problem);

	/* the request's headers and body would go there: they may hold secrets */
	if (!url_same_origin(url, pager->base->url))
		return fail(pager, "Scheme, host and port of the next page must be those of the source's url.",
					"the URL of the next page leads to another origin: %s", url_masked(url));
	if (seen_set_add(pager->seen, url))
		return fail(pager, "The source goes in a circle.",
					"the source gave the same URL twice, after page " INT64_FORMAT, pager->page_number);

	pager->url = MemoryContextStrdup(pager->context, url);
	return PAGER_NEXT;
}

/* No next position: the end, unless the source says that there is more. */
static PagerStatus
no_position(Pager *pager, bool more, const char *what)
{
	if (more)
		return fail(pager, "Check where pagination looks for it, and pagination.hasMorePath.",
					"the source says that there are more pages but gives no next %s", what);
	return PAGER_DONE;
}

static PagerStatus
fail(Pager *pager, const char *hint, const char *fmt,...)
{
	MemoryContext old = MemoryContextSwitchTo(pager->context);
	StringInfoData buf;

	initStringInfo(&buf);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&buf, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&buf, needed);
	}
	pager->error = buf.data;
	pager->hint = hint;
	MemoryContextSwitchTo(old);
	return PAGER_FAILED;
}
