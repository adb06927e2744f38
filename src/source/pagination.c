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
#include "source/pager.h"
#include "source/request_edit.h"
#include "utils/memutils.h"

static void copy_base(Pager *pager, const HttpRequest *base);
static bool at_beginning(const Pager *pager);
static HttpRequest *request_of_url(const Pager *pager);
static void put_number(const Pager *pager, HttpRequest *request, const char *name, int64 number);
static void put(const Pager *pager, HttpRequest *request, const char *name, const char *value, bool is_number);
static int	halved_page_size(const Pager *pager);

Pager *
pager_create(const JobPagination *pagination, const HttpRequest *base,
			 const char *state, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Pager	   *pager = palloc0(sizeof(Pager));

	pager->context = context;
	pager->pagination = pagination;
	pager->limit = pagination->limit;
	pager->positions = seen_set_create(context);
	pager->contents = seen_set_create(context);
	pager->afters = seen_set_create(context);
	copy_base(pager, base);
	pager_restart(pager);
	if (state != NULL)
		pager_restore(pager, state);

	/* the position of the page it begins with counts as seen */
	if (pager->cursor != NULL)
		seen_set_add(pager->positions, pager->cursor);
	if (pager->url != NULL)
		seen_set_add(pager->positions, pager->url);
	if (pager->after != NULL)
		seen_set_add(pager->afters, pager->after);

	MemoryContextSwitchTo(old);
	return pager;
}

void
pager_set_base(Pager *pager, const HttpRequest *base)
{
	MemoryContext before = pager->base_context;

	copy_base(pager, base);
	MemoryContextDelete(before);
}

void
pager_position(const Pager *pager, PagePosition *position)
{
	bool		by_page = pager->pagination->type == PAGINATION_PAGE;

	position->number = by_page ? pager->pagination->start_page + pager->index : pager->page_number;
	position->offset = by_page ? pager->index * pager->limit : pager->offset;
	position->limit = pager_asked(pager);
	position->cursor = pager->cursor;
	position->cursor_is_number = pager->cursor_is_number;
	position->after = pager->after;
	position->after_is_number = pager->after_is_number;
}

HttpRequest *
pager_request(Pager *pager)
{
	const JobPagination *pagination = pager->pagination;
	HttpRequest *request;

	if (pager->url != NULL)
		return request_of_url(pager);

	request = http_request_copy(pager->base);
	if (pagination->drop_other_query && !at_beginning(pager))
		request->url = url_without_query(request->url);

	if (pagination->type == PAGINATION_OFFSET)
		put_number(pager, request, pagination->offset_param, pager->offset);
	else if (pagination->type == PAGINATION_PAGE)
		put_number(pager, request, pagination->page_param, pagination->start_page + pager->index);
	else if (pager->cursor != NULL)
		put(pager, request, pagination->cursor_param, pager->cursor, pager->cursor_is_number);

	if (pager_sends_size(pager))
		put_number(pager, request, pagination->limit_param, pager_asked(pager));

	/* a cursor that goes alone stands for the whole query, this too */
	if (pager->after != NULL && pagination->restart_param != NULL &&
		!(pagination->drop_other_query && pager->cursor != NULL))
		put(pager, request, pagination->restart_param, pager->after, pager->after_is_number);
	return request;
}

bool
pager_halve(Pager *pager)
{
	int			limit = pager->limit / 2;

	if (!pager_sends_size(pager) || limit < 1)
		return false;

	if (pager->pagination->type == PAGINATION_PAGE)
	{
		int64		times;

		limit = halved_page_size(pager);
		times = pager->limit / limit;
		pager->index *= times;
		pager->end *= times;
		pager->known *= times;
		pager->reached *= times;
		pager->dead *= times;
		if (pager->total_pages > 0)
			pager->total_pages = (pager->total_pages * pager->limit + limit - 1) / limit;
	}
	pager->limit = limit;
	pager->step = Min(pager->step, limit);
	return true;
}

void
pager_follow(Pager *pager, const Pager *part)
{
	while (pager->limit > part->limit && pager_halve(pager))
		;
}

void
pager_restart(Pager *pager)
{
	pager->page_number = 1;
	pager->extra = 0;
	pager->total_items = -1;
	pager->total_pages = -1;
	pager->after = NULL;
	pager->step = 0;
	pager->reached = 0;
	pager->dead = 0;
	pager->ended = false;
	pager->ngaps = 0;
	seen_set_clear(pager->contents);
	seen_set_clear(pager->afters);
	pager_begin(pager);
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

const char *
pager_error(const Pager *pager, const char **hint)
{
	*hint = pager->hint;
	return pager->error;
}

const JsonPath *
pagination_watched_path(const JobPagination *pagination)
{
	if (pagination->type == PAGINATION_KEYSET)
		return pagination->keyset_field;
	return pagination->restart_after > 0 ? pagination->restart_field : NULL;
}

bool
pagination_needs_fingerprint(const JobPagination *pagination)
{
	return pagination->type == PAGINATION_OFFSET || pagination->type == PAGINATION_PAGE ||
		pagination->type == PAGINATION_KEYSET;
}

bool
pagination_needs_envelope(const JobPagination *pagination)
{
	return pagination->total_path != NULL || pagination->total_pages_path != NULL ||
		pagination->cursor_path != NULL || pagination->has_more_path != NULL ||
		pagination->next_url_path != NULL;
}

/* Does the source hear how many items are wanted?  Where templates say it, one that states the size is believed. */
bool
pager_sends_size(const Pager *pager)
{
	const JobPagination *pagination = pager->pagination;

	return pagination->send_limit &&
		(pagination->limit_param != NULL || pagination->cursor_place == CURSOR_IN_TEMPLATE);
}

/* Items that are asked for: a part asks for no more than it has left. */
int64
pager_asked(const Pager *pager)
{
	if (pager->is_part && pager->pagination->type == PAGINATION_OFFSET)
		return Min(pager->limit, pager->end - pager->offset);
	return pager->limit;
}

/* To the first page of a listing. */
void
pager_begin(Pager *pager)
{
	pager->offset = 0;
	pager->index = 0;
	if (pager->cursor != NULL)
		pfree(pager->cursor);
	pager->cursor = NULL;
	pager->cursor_is_number = false;
	if (pager->url != NULL)
		pfree(pager->url);
	pager->url = NULL;
	seen_set_clear(pager->positions);
	seen_set_add(pager->positions, pager->base->url);
}

/* Is a URL at the origin of the request, or at one that is allowed beside it? */
bool
pager_may_go_to(const Pager *pager, const char *url)
{
	ListCell   *lc;

	if (url_same_origin(url, pager->base->url))
		return true;
	foreach(lc, pager->pagination->allowed_origins)
	{
		if (url_same_origin(url, lfirst(lc)))
			return true;
	}
	return false;
}

PagerStatus
pager_fail(Pager *pager, const char *hint, const char *fmt,...)
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

/* Takes a base, which must have a body that can carry what is to go there. */
static void
copy_base(Pager *pager, const HttpRequest *base)
{
	MemoryContext old;

	if (pager->pagination->cursor_place == CURSOR_IN_BODY && !edit_body_is_object(base))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("request body is not a JSON object, so it cannot carry where the listing stands"),
				 errhint("Set pagination.in to \"query\", \"header\" or \"template\", or make the body an object.")));
	pager->base_context = AllocSetContextCreate(pager->context, "databite request", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(pager->base_context);
	pager->base = http_request_copy(base);
	MemoryContextSwitchTo(old);
}

/* Is the current page the first of its listing? */
static bool
at_beginning(const Pager *pager)
{
	switch (pager->pagination->type)
	{
		case PAGINATION_OFFSET:
			return pager->offset == 0;
		case PAGINATION_PAGE:
			return pager->index == 0;
		default:
			return pager->cursor == NULL && pager->url == NULL;
	}
}

/* At another origin nothing of the request goes with it: headers, body and credentials are for the source alone. */
static HttpRequest *
request_of_url(const Pager *pager)
{
	HttpRequest *request;

	if (url_same_origin(pager->url, pager->base->url))
		request = http_request_copy(pager->base);
	else
	{
		request = palloc0(sizeof(HttpRequest));
		request->method = pstrdup("GET");
		request->timeout_ms = pager->base->timeout_ms;
	}
	request->url = pstrdup(pager->url);
	return request;
}

static void
put_number(const Pager *pager, HttpRequest *request, const char *name, int64 number)
{
	put(pager, request, name, psprintf(INT64_FORMAT, number), true);
}

/* Puts a parameter where pagination.in says; one that is there is replaced. */
static void
put(const Pager *pager, HttpRequest *request, const char *name, const char *value, bool is_number)
{
	switch (pager->pagination->cursor_place)
	{
		case CURSOR_IN_QUERY:
			request->url = url_add_parameter(request->url, name, value, true);
			break;
		case CURSOR_IN_HEADER:
			edit_header(request, name, value);
			break;
		case CURSOR_IN_BODY:
			/* a number's own text is kept: a serializer would change long ones */
			edit_body(request, name,
					  is_number ? json_object_new_double_s(0, value) : json_object_new_string(value));
			break;
		case CURSOR_IN_TEMPLATE:
			break;
	}
}

/* The greatest size of at most half at which a page begins where the current one does. */
static int
halved_page_size(const Pager *pager)
{
	int			size = pager->limit / 2;

	if (pager->index == 0 && !pager->is_part)
		return size;
	while (pager->limit % size != 0)
		size--;
	return size;
}
