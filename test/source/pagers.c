/*
 * pagers.c
 *	  Unit tests of pagers: keyset, places, origins, restarts, the same page twice.
 */
#include "postgres.h"

#include "backend.h"
#include "check.h"
#include "source/pagination.h"
#include "utils/memutils.h"

static HttpRequest base = {.method = "GET", .url = "https://a/items?q=1", .timeout_ms = 7};

static JsonPath *
path(const char *text)
{
	char	   *error;

	return json_path_parse(text, &error);
}

/* A page of so many items, with a value of the last one. */
static PagerStatus
page(Pager *pager, int64 nitems, const char *last_value)
{
	HttpResponse response = {.status = 200};
	PageResult	result = {.response = &response, .nitems = nitems, .last_value = last_value};

	return pager_advance(pager, &result);
}

static PagerStatus
page_with(Pager *pager, int64 nitems, uint64 fingerprint, const char *envelope)
{
	HttpResponse response = {.status = 200};
	PageResult	result = {.response = &response, .nitems = nitems, .fingerprint = fingerprint,
		.envelope = envelope, .envelope_len = envelope ? strlen(envelope) : 0};

	return pager_advance(pager, &result);
}

/* A page that links to another. */
static PagerStatus
page_to(Pager *pager, char *from, const char *link)
{
	HttpHeader	header = {"Link", psprintf("<%s>; rel=next", link)};
	HttpResponse response = {.status = 200, .url = from, .headers = lappend(NIL, &header)};
	PageResult	result = {.response = &response, .nitems = 1};

	return pager_advance(pager, &result);
}

static const char *
error_of(Pager *pager)
{
	const char *hint;

	return pager_error(pager, &hint);
}

static const char *
header_of(Pager *pager, const char *name)
{
	HttpResponse headers = {.headers = pager_request(pager)->headers};

	return http_header(&headers, name);
}

static void
test_keyset(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_KEYSET, .keyset_field = path("meta.id"), .cursor_param = "after",
		.max_pages = 100, .limit = 2};
	Pager	   *pager = pager_create(&p, &base, NULL, context);
	HttpResponse response = {.status = 200};
	PageResult	number = {.response = &response, .nitems = 2, .last_value = "12345678901234567890", .last_is_number = true};
	PagePosition position;

	CHECK(pagination_needs_fingerprint(&p));
	CHECK(!pagination_needs_envelope(&p));
	CHECK(pagination_watched_path(&p) == p.keyset_field);
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1");
	CHECK(page(pager, 1, "a b") == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&after=a%20b");
	CHECK_TEXT(pager_state(pager), "{\"page\":2,\"offset\":1,\"cursor\":\"a b\"}");
	CHECK(page(pager_create(&p, &base, pager_state(pager), context), 1, "a b") == PAGER_FAILED);
	CHECK(pager_advance(pager, &number) == PAGER_NEXT);
	pager_position(pager, &position);
	CHECK(position.number == 3 && position.offset == 3 && position.limit == 2);
	CHECK_TEXT(position.cursor, "12345678901234567890");
	CHECK(position.cursor_is_number && position.after == NULL);
	CHECK(page(pager, 1, "a b") == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "the source gave the same cursor twice, after page 3");
	CHECK(page(pager, 1, NULL) == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "the last item of the page has no \"meta.id\", which is to be the next cursor");
	CHECK(page(pager, 1, "") == PAGER_FAILED);
	CHECK(page(pager, 0, NULL) == PAGER_DONE);

	/* a short page is the end where the size is sent, unless the source says that there is more */
	p.send_limit = true;
	p.limit_param = "n";
	pager = pager_create(&p, &base, NULL, context);
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&n=2");
	CHECK(page(pager, 2, "x") == PAGER_NEXT);
	CHECK(page(pager, 1, NULL) == PAGER_DONE);
	p.has_more_path = path("more");
	pager = pager_create(&p, &base, NULL, context);
	CHECK(page_with(pager, 2, 1, "{\"more\":false}") == PAGER_DONE);
	CHECK(page_with(pager, 0, 0, "{\"more\":true}") == PAGER_FAILED);
	CHECK(page_with(pager, 1, 2, "{\"more\":true}") == PAGER_FAILED);
	CHECK(page_with(pager, 1, 3, "{}") == PAGER_DONE);
}

static void
test_places(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_OFFSET, .limit = 2, .send_limit = true, .offset_param = "page.offset",
		.limit_param = "page.limit", .max_pages = 100, .cursor_place = CURSOR_IN_BODY};
	HttpRequest post = {.method = "POST", .url = "https://a/q", .body = "{\"q\":1}", .body_len = 7};
	Pager	   *pager = pager_create(&p, &post, NULL, context);
	PagePosition position;

	CHECK_TEXT(pager_request(pager)->body, "{\"q\":1,\"page\":{\"offset\":0,\"limit\":2}}");
	CHECK(page(pager, 2, NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->body, "{\"q\":1,\"page\":{\"offset\":2,\"limit\":2}}");
	CHECK_TEXT(pager_request(pager)->url, "https://a/q");

	p.type = PAGINATION_PAGE;
	p.cursor_place = CURSOR_IN_HEADER;
	p.page_param = "X-Page";
	p.limit_param = "X-Size";
	p.start_page = 0;
	pager = pager_create(&p, &post, NULL, context);
	CHECK_TEXT(header_of(pager, "x-page"), "0");
	CHECK_TEXT(header_of(pager, "x-size"), "2");
	CHECK(page(pager, 2, NULL) == PAGER_NEXT);
	CHECK_TEXT(header_of(pager, "x-page"), "1");

	/* templates: nothing is put anywhere, the base is rendered anew */
	p.cursor_place = CURSOR_IN_TEMPLATE;
	p.limit_param = NULL;
	p.page_param = NULL;
	pager = pager_create(&p, &post, NULL, context);
	pager_position(pager, &position);
	CHECK(position.number == 0 && position.offset == 0 && position.limit == 2);
	CHECK_TEXT(pager_request(pager)->body, "{\"q\":1}");
	CHECK(page(pager, 2, NULL) == PAGER_NEXT);
	pager_position(pager, &position);
	CHECK(position.number == 1 && position.offset == 2 && position.limit == 2);
	post.body = "{\"q\":2}";
	pager_set_base(pager, &post);
	CHECK_TEXT(pager_request(pager)->body, "{\"q\":2}");
	CHECK(pager_halve(pager));
	pager_position(pager, &position);
	CHECK(position.number == 2 && position.offset == 2 && position.limit == 1);
	CHECK(page(pager, 0, NULL) == PAGER_DONE);
}

static void
test_same_page(MemoryContext context)
{
	HttpResponse response = {.status = 200};
	PageResult	result = {.response = &response, .nitems = 2, .stop = true};
	JobPagination p = {.type = PAGINATION_PAGE, .limit = 2, .page_param = "page", .start_page = 1, .max_pages = 100};
	Pager	   *pager = pager_create(&p, &base, NULL, context);

	CHECK(page_with(pager, 2, 7, NULL) == PAGER_NEXT);
	CHECK(page_with(pager, 2, 0, NULL) == PAGER_NEXT);
	CHECK(page_with(pager, 2, 8, NULL) == PAGER_NEXT);
	CHECK(page_with(pager, 2, 7, NULL) == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "the source gave the same page twice: page 4 has the items of one before it");
	CHECK(page_with(pager, 0, 7, NULL) == PAGER_DONE);

	/* a listing that begins anew may have the same pages */
	pager_restart(pager);
	CHECK(pager_page_number(pager) == 1);
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&page=1");
	CHECK(page_with(pager, 2, 7, NULL) == PAGER_NEXT);

	/* the total is no reason not to look */
	p.type = PAGINATION_OFFSET;
	p.offset_param = "offset";
	p.limit_param = "limit";
	p.total_path = path("total");
	pager = pager_create(&p, &base, NULL, context);
	CHECK(page_with(pager, 2, 7, "{\"total\":3}") == PAGER_NEXT);
	CHECK(page_with(pager, 2, 7, "{\"total\":3}") == PAGER_FAILED);

	/* cursors tell by themselves */
	p.type = PAGINATION_CURSOR;
	CHECK(!pagination_needs_fingerprint(&p));

	/* stopWhen */
	p.type = PAGINATION_PAGE;
	p.total_path = NULL;
	pager = pager_create(&p, &base, NULL, context);
	CHECK(pager_advance(pager, &result) == PAGER_DONE);
}

static void
test_origins(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_LINK, .max_pages = 100};
	HttpHeader	secret = {"Authorization", "Bearer x"};
	HttpRequest post = {.method = "POST", .url = "https://a/q?key=secret", .headers = lappend(NIL, &secret),
		.body = "secret", .body_len = 6, .timeout_ms = 7};
	Pager	   *pager;
	HttpRequest *request;
	char	   *state;

	p.allowed_origins = lappend(lappend(NIL, "https://files:8443"), "http://plain");
	pager = pager_create(&p, &post, NULL, context);
	CHECK(page_to(pager, NULL, "https://files/1") == PAGER_FAILED);
	CHECK(page_to(pager, NULL, "http://files:8443/1") == PAGER_FAILED);
	CHECK(page_to(pager, NULL, "https://files:8443@evil/") == PAGER_FAILED);
	CHECK(page_to(pager, NULL, "http://plain/1") == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "the URL of the next page leads from https to http: http://plain/1");

	CHECK(page_to(pager, NULL, "HTTPS://Files:8443/1?x=y") == PAGER_NEXT);
	request = pager_request(pager);
	CHECK_TEXT(request->method, "GET");
	CHECK(request->headers == NIL && request->body == NULL && request->timeout_ms == 7);
	CHECK(strstr(request->url, "secret") == NULL);
	state = pager_state(pager);
	CHECK(pager_request(pager_create(&p, &post, state, context))->headers == NIL);

	/* and back: relative to where the page came from, and not to be tricked into the source's request */
	CHECK(page_to(pager, "https://files:8443/1", "/2") == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "https://files:8443/2");
	CHECK(pager_request(pager)->headers == NIL);
	CHECK(page_to(pager, "https://files:8443/2", "https://a/3") == PAGER_NEXT);
	request = pager_request(pager);
	CHECK_TEXT(request->method, "POST");
	CHECK_TEXT(request->body, "secret");
	CHECK(list_length(request->headers) == 1);

	/* from http to an http that is allowed */
	post.url = "http://b/";
	pager = pager_create(&p, &post, NULL, context);
	CHECK(page_to(pager, NULL, "http://plain/1") == PAGER_NEXT);
	CHECK(pager_request(pager)->headers == NIL);
	CHECK(page_to(pager, "https://plain/1", "http://b/2") == PAGER_FAILED);

	/* what is not allowed any more is not followed out of a checkpoint either */
	p.allowed_origins = NIL;
	if (sigsetjmp(error_jump, 0) == 0)
	{
		pager_create(&p, &post, state, context);
		CHECK(!"a state led to another origin");
	}
	else
		CHECK(true);
}

static void
test_restart(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_OFFSET, .limit = 2, .send_limit = true, .offset_param = "offset",
		.limit_param = "limit", .max_pages = 6, .restart_after = 4, .restart_field = path("id"), .restart_param = "since"};
	Pager	   *pager = pager_create(&p, &base, NULL, context);
	PagePosition position;

	CHECK(pagination_watched_path(&p) == p.restart_field);
	CHECK(page(pager, 2, "2") == PAGER_NEXT);
	CHECK(!pager_can_fork(pager, true));
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&offset=2&limit=2");
	CHECK(page(pager, 2, "4") == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&offset=0&limit=2&since=4");
	CHECK_TEXT(pager_state(pager), "{\"page\":3,\"offset\":0,\"after\":\"4\",\"reached\":4}");
	pager = pager_create(&p, &base, pager_state(pager), context);
	pager_position(pager, &position);
	CHECK(position.number == 3 && position.offset == 0);
	CHECK_TEXT(position.after, "4");
	CHECK(page(pager, 2, "6") == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&offset=2&limit=2&since=4");
	CHECK(page(pager_create(&p, &base, pager_state(pager), context), 2, "4") == PAGER_FAILED);
	CHECK(page(pager_create(&p, &base, pager_state(pager), context), 2, NULL) == PAGER_FAILED);
	CHECK(page(pager_create(&p, &base, pager_state(pager), context), 1, NULL) == PAGER_DONE);
	CHECK(page(pager, 2, "8") == PAGER_NEXT);
	CHECK(page(pager, 2, "10") == PAGER_NEXT);
	CHECK(page(pager, 2, "12") == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "page limit reached: there are more than 6 pages");
	pager_restart(pager);
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&offset=0&limit=2");

	/* by cursor the listing begins without one; and a circle is found */
	p.type = PAGINATION_CURSOR;
	p.cursor_path = path("next");
	p.cursor_param = "cursor";
	p.send_limit = false;
	p.restart_after = 1;
	pager = pager_create(&p, &base, NULL, context);
	for (int i = 0; i < 2; i++)
	{
		PageResult	result = {.response = &(HttpResponse) {.status = 200}, .nitems = 1, .last_value = "7",
			.last_is_number = true, .envelope = "{\"next\":\"c\"}", .envelope_len = 12};

		CHECK(pager_advance(pager, &result) == (i == 0 ? PAGER_NEXT : PAGER_FAILED));
		CHECK_TEXT(i == 0 ? pager_request(pager)->url : error_of(pager),
				   i == 0 ? "https://a/items?q=1&since=7" : "the listing would begin anew at the same place twice, after page 2");
	}
}

static void
test_halving(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_PAGE, .limit = 12, .send_limit = true, .page_param = "page",
		.limit_param = "size", .start_page = 1, .max_pages = 100};
	Pager	   *pager = pager_create(&p, &base, "{\"page\":3}", context);

	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&page=3&size=12");
	CHECK(pager_halve(pager));
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&page=5&size=6");
	CHECK(pager_page_number(pager) == 3);
	CHECK(pager_halve(pager));
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&page=9&size=3");
	CHECK_TEXT(pager_state(pager), "{\"page\":3,\"index\":8,\"limit\":3}");
	CHECK_TEXT(pager_request(pager_create(&p, &base, pager_state(pager), context))->url,
			   "https://a/items?q=1&page=9&size=3");
	CHECK(pager_halve(pager));	/* half of 3 begins no page there, a third does */
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&page=25&size=1");
	CHECK(!pager_halve(pager));
	CHECK(page(pager, 1, NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&page=26&size=1");
	pager_restart(pager);
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&page=1&size=1");

	p.limit = 5;
	pager = pager_create(&p, &base, NULL, context);
	CHECK(pager_halve(pager));	/* at the first page any size will do */
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&page=1&size=2");
	p.send_limit = false;
	CHECK(!pager_halve(pager));

	p.type = PAGINATION_OFFSET;
	p.send_limit = true;
	p.offset_param = "offset";
	pager = pager_create(&p, &base, "{\"page\":2,\"offset\":5}", context);
	CHECK(pager_halve(pager));
	CHECK_TEXT(pager_request(pager)->url, "https://a/items?q=1&offset=5&size=2");
	CHECK(page(pager, 2, NULL) == PAGER_NEXT);
	CHECK(page(pager, 1, NULL) == PAGER_DONE);
}

static void
test_implied(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_OFFSET, .limit = 10, .send_limit = true, .offset_param = "offset",
		.limit_param = "limit", .max_pages = 100, .implied = true};

	CHECK(page(pager_create(&p, &base, NULL, context), 11, NULL) == PAGER_DONE);
	CHECK(page(pager_create(&p, &base, NULL, context), 10, NULL) == PAGER_NEXT);
	p.implied = false;
	CHECK(page(pager_create(&p, &base, NULL, context), 11, NULL) == PAGER_NEXT);
}

void
test_pagers(MemoryContext context)
{
	sigjmp_buf	outer;

	memcpy(&outer, &error_jump, sizeof(outer));
	test_keyset(context);
	test_places(context);
	test_same_page(context);
	test_restart(context);
	test_halving(context);
	test_implied(context);
	test_origins(context);		/* last: it moves error_jump */
	memcpy(&error_jump, &outer, sizeof(outer));
}
