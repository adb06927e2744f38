/*
 * pager_advance.c
 *	  How a response leads to the next page.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "source/envelope.h"
#include "source/link_header.h"
#include "source/pager.h"
#include "utils/memutils.h"

/* Longest cursor or URL that is followed; servers take a request line of 8 to 16 kB. */
#define MAX_POSITION_BYTES 65536

static PagerStatus advance(Pager *pager, const PageResult *result, struct json_object *envelope);
static bool came_before(Pager *pager, const PageResult *result);
static PagerStatus advance_part(Pager *pager, const PageResult *result);
static PagerStatus next_part_offset(Pager *pager, int64 nitems);
static PagerStatus next_part_page(Pager *pager, int64 nitems);
static PagerStatus next_offset(Pager *pager, const PageResult *result);
static PagerStatus next_page(Pager *pager, const PageResult *result);
static PagerStatus next_cursor(Pager *pager, const PageResult *result, struct json_object *envelope, bool more);
static PagerStatus next_key(Pager *pager, const PageResult *result, bool more);
static PagerStatus take_cursor(Pager *pager, const char *cursor, bool is_number);
static PagerStatus next_link(Pager *pager, const PageResult *result, bool more);
static PagerStatus next_url(Pager *pager, const PageResult *result, struct json_object *envelope, bool more);
static PagerStatus follow_url(Pager *pager, const PageResult *result, const char *reference);
static bool leaves_https(const Pager *pager, const char *from, const char *url);
static PagerStatus no_position(Pager *pager, bool more, const char *what);
static PagerStatus begin_after(Pager *pager, const PageResult *result);
static void keep_text(const Pager *pager, char **place, const char *text);
static PagerStatus too_many_pages(Pager *pager);

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
		status = pager_fail(pager, "Ask for smaller responses.",
							"the response is too large, apart from its items, to find the next page in it");
	else if (!jsonc_parse(result->envelope, result->envelope_len, PAGER_JSON_DEPTH,
						  page_context, &envelope, &error))
		status = pager_fail(pager, NULL, "the next page cannot be found in the response: %s", error);
	else
		status = advance(pager, result, envelope);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(page_context);
	return status;
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
	if (pagination->total_pages_path != NULL)
		envelope_count(envelope, pagination->total_pages_path, &pager->total_pages);
	if (came_before(pager, result))
		return pager_fail(pager, "Check the names of the parameters of the pagination: the source seems not to know them.",
						  "the source gave the same page twice: page " INT64_FORMAT " has the items of one before it",
						  pager->page_number);
	if (pager->is_part)
		return advance_part(pager, result);
	if (result->stop)
		return PAGER_DONE;
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
			status = next_offset(pager, result);
			break;
		case PAGINATION_PAGE:
			status = next_page(pager, result);
			break;
		case PAGINATION_CURSOR:
			status = next_cursor(pager, result, envelope, more);
			break;
		case PAGINATION_KEYSET:
			status = next_key(pager, result, more);
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

	if (pager->page_number + pager->extra >= pagination->max_pages)
		return too_many_pages(pager);
	pager->page_number++;
	pager->index++;
	pager->offset += result->nitems;
	pager->reached = pagination->type == PAGINATION_PAGE ? pager->index : pager->offset;
	if (pager->step == 0)
		pager->step = result->nitems;
	if (pagination->restart_after > 0 && pager->offset >= pagination->restart_after)
		return begin_after(pager, result);
	return PAGER_NEXT;
}

/* Where only the items tell one page from another: were they there before? */
static bool
came_before(Pager *pager, const PageResult *result)
{
	return pagination_needs_fingerprint(pager->pagination) &&
		result->nitems > 0 && result->fingerprint != 0 &&
		seen_set_add(pager->contents, psprintf(UINT64_FORMAT, result->fingerprint));
}

/* A part ends with what it was forked for, or earlier where the source has no more. */
static PagerStatus
advance_part(Pager *pager, const PageResult *result)
{
	PagerStatus status;

	if (result->nitems == 0)
	{
		pager->met_empty = pager->met_end = true;
		return PAGER_DONE;
	}

	/* Asked for only because nothing told that there is no more: see pager_fork. */
	if (pager->page_number + pager->extra > pager->pagination->max_pages)
		return too_many_pages(pager);
	pager->has_items = true;
	if (pager->pagination->type == PAGINATION_OFFSET)
		status = next_part_offset(pager, result->nitems);
	else
		status = next_part_page(pager, result->nitems);
	if (status == PAGER_NEXT)
		pager->extra++;
	return status;
}

static PagerStatus
next_part_offset(Pager *pager, int64 nitems)
{
	int64		asked = pager_asked(pager);

	/* the items beyond are those of the next part */
	if (nitems > pager->end - pager->offset)
		return pager_fail(pager, "Pages of differing sizes cannot be asked for at the same time: leave out totalPath and parallel.enabled.",
						  "the source gave more items than it was asked for: " INT64_FORMAT " instead of " INT64_FORMAT,
						  nitems, asked);
	pager->offset += nitems;
	if (pager->offset == pager->end)
		return PAGER_DONE;
	if (pager->total_items >= 0)
		return pager->offset >= pager->total_items ? PAGER_DONE : PAGER_NEXT;
	pager->met_end = nitems < asked;
	return pager->met_end ? PAGER_DONE : PAGER_NEXT;
}

static PagerStatus
next_part_page(Pager *pager, int64 nitems)
{
	pager->index++;
	if (pager->total_pages < 0 && pager_sends_size(pager) && nitems < pager->limit)
	{
		pager->met_end = true;
		return PAGER_DONE;
	}
	if (pager->total_pages >= 0 && pager->index >= pager->total_pages)
		return PAGER_DONE;
	return pager->index < pager->end ? PAGER_NEXT : PAGER_DONE;
}

/*
 * By offset.  Where the source tells the total, that is the end, and a page
 * shorter than asked for is not: some cap the size they are asked for.
 */
static PagerStatus
next_offset(Pager *pager, const PageResult *result)
{
	if (result->nitems == 0)
		return PAGER_DONE;

	/* not asked for pages by the user, and not heard by the source: this is the whole list */
	if (pager->pagination->implied && pager->page_number == 1 && result->nitems > pager->limit)
		return PAGER_DONE;
	if (pager->total_items >= 0)
		return pager->offset + result->nitems >= pager->total_items ? PAGER_DONE : PAGER_NEXT;
	return result->nitems < pager->limit ? PAGER_DONE : PAGER_NEXT;
}

/* By page number.  A short page is the end only where we have said what is long. */
static PagerStatus
next_page(Pager *pager, const PageResult *result)
{
	if (result->nitems == 0)
		return PAGER_DONE;
	if (pager->total_pages >= 0)
		return pager->index + 1 >= pager->total_pages ? PAGER_DONE : PAGER_NEXT;
	if (pager_sends_size(pager) && result->nitems < pager->limit)
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
					return pager_fail(pager, NULL, "the next cursor holds a NUL character");
				break;
			case FOUND_OTHER:
				return pager_fail(pager, "Let pagination.cursorPath lead to a string or number.",
								  "the next cursor is neither a string nor a number");
		}
	}
	else if (pagination->cursor_header != NULL)
		cursor = http_header(result->response, pagination->cursor_header);

	if (cursor == NULL || cursor[0] == '\0')
		return no_position(pager, more, "cursor");
	return take_cursor(pager, cursor, is_number);
}

/* By a value of the last item.  A short page is the end only where we have said what is long, and it does not say otherwise. */
static PagerStatus
next_key(Pager *pager, const PageResult *result, bool more)
{
	if (result->nitems == 0)
		return no_position(pager, more, "cursor");
	if (!more && pager_sends_size(pager) && result->nitems < pager->limit)
		return PAGER_DONE;
	if (result->last_value == NULL || result->last_value[0] == '\0')
		return pager_fail(pager, "Let pagination.field name a field that all items have, and by which they are sorted.",
						  "the last item of the page has no \"%s\", which is to be the next cursor",
						  json_path_print(pager->pagination->keyset_field));
	return take_cursor(pager, result->last_value, result->last_is_number);
}

static PagerStatus
take_cursor(Pager *pager, const char *cursor, bool is_number)
{
	if (strlen(cursor) > MAX_POSITION_BYTES)
		return pager_fail(pager, NULL, "the next cursor is longer than %d bytes", MAX_POSITION_BYTES);
	if (seen_set_add(pager->positions, cursor))
		return pager_fail(pager, "The source goes in a circle; check pagination.cursorParam.",
						  "the source gave the same cursor twice, after page " INT64_FORMAT, pager->page_number);

	keep_text(pager, &pager->cursor, cursor);
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
				return pager_fail(pager, NULL, "the next URL holds a NUL character");
			return follow_url(pager, result, reference);
		case FOUND_OTHER:
			/* "next": false is how some say that there is none */
			if (json_object_is_type(value, json_type_boolean) && envelope_is_false(value))
				break;
			return pager_fail(pager, "Let pagination.nextUrlPath lead to a string.",
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
		return pager_fail(pager, NULL, "the next URL is longer than %d bytes", MAX_POSITION_BYTES);
	url = url_resolve(from, reference);
	problem = url == NULL ? "URL is malformed" : url_problem(url);
	if (problem != NULL)
		return pager_fail(pager, NULL, "the URL of the next page cannot be used: %s", problem);

	if (!pager_may_go_to(pager, url))
		return pager_fail(pager,
						  "Scheme, host and port of the next page must be those of the source's url, or in pagination.allowedOrigins.",
						  "the URL of the next page leads to another origin: %s", url_masked(url));
	if (leaves_https(pager, from, url))
		return pager_fail(pager, NULL, "the URL of the next page leads from https to http: %s", url_masked(url));
	if (seen_set_add(pager->positions, url))
		return pager_fail(pager, "The source goes in a circle.",
						  "the source gave the same URL twice, after page " INT64_FORMAT, pager->page_number);

	keep_text(pager, &pager->url, url);
	return PAGER_NEXT;
}

/* Would what came by https so far come without from now on?  An origin that is allowed does not allow that. */
static bool
leaves_https(const Pager *pager, const char *from, const char *url)
{
	return pg_strncasecmp(url, "https:", 6) != 0 &&
		(pg_strncasecmp(from, "https:", 6) == 0 || pg_strncasecmp(pager->base->url, "https:", 6) == 0);
}

/* No next position: the end, unless the source says that there is more. */
static PagerStatus
no_position(Pager *pager, bool more, const char *what)
{
	if (more)
		return pager_fail(pager, "Check where pagination looks for it, and pagination.hasMorePath.",
						  "the source says that there are more pages but gives no next %s", what);
	return PAGER_DONE;
}

/* The listing begins anew behind the last item, as the source gives no more than so many of one. */
static PagerStatus
begin_after(Pager *pager, const PageResult *result)
{
	if (result->last_value == NULL || result->last_value[0] == '\0')
		return pager_fail(pager, "Let pagination.restart.field name a field that all items have, and by which they are sorted.",
						  "the last item of the page has no \"%s\", behind which the listing is to begin anew",
						  json_path_print(pager->pagination->restart_field));
	if (strlen(result->last_value) > MAX_POSITION_BYTES)
		return pager_fail(pager, NULL, "the value behind which the listing is to begin anew is longer than %d bytes",
						  MAX_POSITION_BYTES);
	if (seen_set_add(pager->afters, result->last_value))
		return pager_fail(pager,
						  "The source goes in a circle; check how the request takes the value of pagination.restart, "
						  "and that items are sorted by it.",
						  "the listing would begin anew at the same place twice, after page " INT64_FORMAT,
						  pager->page_number - 1);
	pager_begin(pager);
	keep_text(pager, &pager->after, result->last_value);
	pager->after_is_number = result->last_is_number;
	return PAGER_NEXT;
}

/* There may be a hundred thousand pages, with positions of kilobytes. */
static void
keep_text(const Pager *pager, char **place, const char *text)
{
	if (*place != NULL)
		pfree(*place);
	*place = MemoryContextStrdup(pager->context, text);
}

static PagerStatus
too_many_pages(Pager *pager)
{
	return pager_fail(pager, "Raise pagination.maxPages, or ask the source for less at a time.",
					  "page limit reached: there are more than %d pages", pager->pagination->max_pages);
}
