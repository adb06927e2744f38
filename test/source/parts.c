/*
 * parts.c
 *	  Unit tests of listings that are read in parts: by example, and by random
 *	  walks against a simulated server.
 */
#include "postgres.h"

#include "check.h"
#include "source/pagination.h"
#include "utils/memutils.h"

#define MAX_ITEMS		2000
#define MAX_PARTS		8
#define WALKS			300

static HttpRequest base = {.method = "GET", .url = "https://a/items", .timeout_ms = 7};

/* A list that may grow, and how it is given out. */
typedef struct Server
{
	int64		items;
	int64		cap;			/* items of a page at most */
	bool		tells_total;
} Server;

/* An answer that is under way: made when the request was sent. */
typedef struct Answer
{
	int64		first;
	int64		nitems;
	int64		total;			/* items or pages */
} Answer;

typedef struct Walk
{
	JobPagination pagination;
	Server		server;
	int64		first_items;	/* of the server, at the beginning */
	int64		greatest_total;
	int			seen[MAX_ITEMS];
	Pager	   *listing;
	int			nparts;
	Pager	   *parts[MAX_PARTS];
	Answer		answers[MAX_PARTS];
	MemoryContext context;
	uint64		random;
	const char *problem;
} Walk;

static JsonPath *
path(const char *text)
{
	char	   *error;

	return json_path_parse(text, &error);
}

static const char *
error_of(Pager *pager)
{
	const char *hint;

	return pager_error(pager, &hint);
}

/* From 0 to below n. */
static int64
dice(Walk *walk, int64 n)
{
	walk->random = walk->random * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
	return (int64) ((walk->random >> 33) % n);
}

/* What the server gives to the request of a pager, now. */
static Answer
ask(Walk *walk, Pager *pager)
{
	PagePosition position;
	Answer		answer;
	int64		size;
	char	   *expected;

	pager_position(pager, &position);
	size = Min(position.limit, walk->server.cap);
	if (walk->pagination.type == PAGINATION_OFFSET)
	{
		answer.first = position.offset;
		answer.total = walk->server.items;
		expected = psprintf("https://a/items?offset=" INT64_FORMAT "&limit=" INT64_FORMAT, position.offset, position.limit);
	}
	else
	{
		answer.first = (position.number - 1) * size;
		answer.total = (walk->server.items + size - 1) / size;
		expected = psprintf("https://a/items?page=" INT64_FORMAT "&limit=" INT64_FORMAT, position.number, position.limit);
	}
	answer.nitems = Max(0, Min(size, walk->server.items - answer.first));
	if (strcmp(expected, pager_request(pager)->url) != 0)
		walk->problem = "the request is not that of the position";
	return answer;
}

/* An answer has come: its items are taken. */
static PagerStatus
take(Walk *walk, Pager *pager, const Answer *answer)
{
	char	   *envelope = walk->server.tells_total ? psprintf("{\"total\":" INT64_FORMAT "}", answer->total) : "{}";
	HttpResponse response = {.status = 200};
	PageResult	result = {.response = &response, .nitems = answer->nitems,
		.fingerprint = (answer->first + 1) * 100003 + answer->nitems,
		.envelope = envelope, .envelope_len = strlen(envelope)};
	PagerStatus status;

	for (int64 i = answer->first; i < answer->first + answer->nitems; i++)
		walk->seen[i]++;
	if (walk->pagination.type == PAGINATION_OFFSET && walk->server.tells_total)
		walk->greatest_total = Max(walk->greatest_total, answer->total);
	status = pager_advance(pager, &result);
	if (status == PAGER_FAILED)
		walk->problem = error_of(pager);
	return status;
}

static void
maybe_grow(Walk *walk, bool grows)
{
	if (grows && dice(walk, 4) == 0)
		walk->server.items = Min(walk->server.items + dice(walk, 30), MAX_ITEMS);
}

/* All pagers die and are made anew of their states; requests that were under way are sent again. */
static void
crash(Walk *walk)
{
	walk->listing = pager_create(&walk->pagination, &base, pager_state(walk->listing), walk->context);
	for (int i = 0; i < walk->nparts; i++)
	{
		walk->parts[i] = pager_create(&walk->pagination, &base, pager_state(walk->parts[i]), walk->context);
		walk->answers[i] = ask(walk, walk->parts[i]);
	}
}

/* One of the parts gets its answer. */
static void
step(Walk *walk)
{
	int			i = dice(walk, walk->nparts);
	PagerStatus status = take(walk, walk->parts[i], &walk->answers[i]);

	if (status == PAGER_NEXT)
		walk->answers[i] = ask(walk, walk->parts[i]);
	if (status != PAGER_DONE)
		return;
	pager_join(walk->listing, walk->parts[i]);
	walk->nparts--;
	walk->parts[i] = walk->parts[walk->nparts];
	walk->answers[i] = walk->answers[walk->nparts];
}

static void
read_parts(Walk *walk, int concurrency, bool grows, bool crashes, bool halves)
{
	for (;;)
	{
		Pager	   *part;

		while (walk->nparts < concurrency && (part = pager_fork(walk->listing, walk->context)) != NULL)
		{
			maybe_grow(walk, grows);
			walk->parts[walk->nparts] = part;
			walk->answers[walk->nparts++] = ask(walk, part);
		}
		if (error_of(walk->listing) != NULL)
			walk->problem = error_of(walk->listing);
		if (walk->nparts == 0 || walk->problem != NULL)
			return;
		maybe_grow(walk, grows);
		if (crashes && dice(walk, 5) == 0)
			crash(walk);
		if (halves && dice(walk, 10) == 0)
		{
			int			i = dice(walk, walk->nparts + 1);

			(void) pager_halve(i < walk->nparts ? walk->parts[i] : walk->listing);
			if (i < walk->nparts)
			{
				walk->answers[i] = ask(walk, walk->parts[i]);
				if (dice(walk, 2) == 0)
					pager_follow(walk->listing, walk->parts[i]);
			}
		}
		step(walk);
	}
}

/* Every item once: those of the beginning, and by offset all that the source has told of. */
static void
check_seen(Walk *walk)
{
	int64		must = walk->first_items;

	if (walk->pagination.type == PAGINATION_OFFSET)
	{
		must = Max(must, walk->greatest_total);
		for (int64 i = 0; i < MAX_ITEMS; i++)
		{
			if (walk->seen[i] > 0)
				must = Max(must, i + 1);
		}
	}
	for (int64 i = 0; i < MAX_ITEMS && walk->problem == NULL; i++)
	{
		if (walk->seen[i] > 1)
			walk->problem = psprintf("item " INT64_FORMAT " came twice", i);
		if (walk->seen[i] < 1 && i < must)
			walk->problem = psprintf("item " INT64_FORMAT " is missing", i);
	}
}

static void
random_walk(uint64 seed, MemoryContext context)
{
	Walk		walk = {.context = context, .random = seed};
	bool		by_page = dice(&walk, 3) == 0;
	int			limit = 1 + dice(&walk, 60);
	bool		grows = dice(&walk, 2) == 0;
	bool		crashes = dice(&walk, 2) == 0;
	bool		halves = dice(&walk, 3) == 0;
	int			concurrency = 1 + dice(&walk, MAX_PARTS);
	PagerStatus status = PAGER_NEXT;

	walk.server.items = walk.first_items = dice(&walk, 400);
	walk.server.tells_total = dice(&walk, 2) == 0;
	walk.server.cap = MAX_ITEMS;
	/* without a total a short page is the end, and where pages are halved their size must be what it is said to be */
	if (walk.server.tells_total && !(by_page && halves) && dice(&walk, 2) == 0)
		walk.server.cap = 1 + dice(&walk, limit);
	walk.pagination.type = by_page ? PAGINATION_PAGE : PAGINATION_OFFSET;
	walk.pagination.limit = limit;
	walk.pagination.send_limit = true;
	walk.pagination.offset_param = "offset";
	walk.pagination.page_param = "page";
	walk.pagination.limit_param = "limit";
	walk.pagination.start_page = 1;
	walk.pagination.max_pages = 100000;
	if (walk.server.tells_total)
		*(by_page ? &walk.pagination.total_pages_path : &walk.pagination.total_path) = path("total");
	walk.listing = pager_create(&walk.pagination, &base, NULL, context);

	while (status == PAGER_NEXT && !pager_can_fork(walk.listing, true))
	{
		Answer		answer = ask(&walk, walk.listing);

		maybe_grow(&walk, grows);
		status = take(&walk, walk.listing, &answer);
	}
	if (status == PAGER_NEXT)
		read_parts(&walk, concurrency, grows, crashes, halves);
	check_seen(&walk);

	check_at(walk.problem == NULL, walk.problem ? psprintf("walk " UINT64_FORMAT ": %s", seed, walk.problem) : "walk",
			 __FILE__, __LINE__);
}

static PagerStatus
page(Pager *pager, int64 nitems, const char *envelope)
{
	HttpResponse response = {.status = 200};
	PageResult	result = {.response = &response, .nitems = nitems,
		.envelope = envelope, .envelope_len = envelope ? strlen(envelope) : 0};

	return pager_advance(pager, &result);
}

static void
test_examples(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_OFFSET, .limit = 100, .send_limit = true, .offset_param = "offset",
		.limit_param = "limit", .max_pages = 4};
	Pager	   *listing = pager_create(&p, &base, NULL, context);
	Pager	   *part;
	Pager	   *other;

	p.total_path = path("total");
	CHECK(!pager_can_fork(listing, true));
	CHECK(page(listing, 40, "{\"total\":150}") == PAGER_NEXT);
	CHECK(pager_can_fork(listing, false));

	/* the server caps: parts are as long as its pages */
	part = pager_fork(listing, context);
	other = pager_fork(listing, context);
	CHECK(!pager_can_fork(part, true));
	CHECK(pager_page_number(part) == 2 && pager_page_number(other) == 3);
	CHECK_TEXT(pager_request(part)->url, "https://a/items?offset=40&limit=40");
	CHECK_TEXT(pager_request(other)->url, "https://a/items?offset=80&limit=40");
	CHECK_TEXT(pager_state(other), "{\"page\":3,\"offset\":80,\"total\":150,\"end\":120,\"known\":150}");
	CHECK_TEXT(pager_state(listing), "{\"page\":4,\"offset\":120,\"total\":150,\"step\":40,\"reached\":40}");

	/* less than the part has: the rest is asked for, as the same page */
	CHECK(page(part, 30, "{\"total\":150}") == PAGER_NEXT);
	CHECK_TEXT(pager_request(part)->url, "https://a/items?offset=70&limit=10");
	CHECK(pager_page_number(part) == 2);
	CHECK(page(part, 10, "{\"total\":150}") == PAGER_DONE);
	CHECK(page(other, 41, "{\"total\":150}") == PAGER_FAILED);
	CHECK_TEXT(error_of(other), "the source gave more items than it was asked for: 41 instead of 40");

	/* five pages by now, and maxPages is 4 */
	pager_join(listing, part);
	CHECK(pager_fork(listing, context) == NULL);
	CHECK_TEXT(error_of(listing), "page limit reached: there are more than 4 pages");
	CHECK(pager_total_items(listing) == 150);

	/* ahead: nobody knows the end, and the page beyond maxPages is asked for and must be empty */
	p.total_path = NULL;
	p.max_pages = 3;
	listing = pager_create(&p, &base, NULL, context);
	CHECK(page(listing, 100, NULL) == PAGER_NEXT);
	CHECK(!pager_can_fork(listing, false) && pager_can_fork(listing, true));
	part = pager_fork(listing, context);
	(void) pager_fork(listing, context);
	other = pager_fork(listing, context);
	CHECK(pager_fork(listing, context) == NULL);
	CHECK(error_of(listing) == NULL);
	CHECK(page(pager_create(&p, &base, pager_state(other), context), 1, NULL) == PAGER_FAILED);
	CHECK(page(other, 0, NULL) == PAGER_DONE);
	pager_join(listing, other);
	CHECK(page(part, 7, NULL) == PAGER_DONE);
	pager_join(listing, part);
	CHECK(pager_fork(listing, context) == NULL && error_of(listing) == NULL);

	/* a total that promises too much is not run after */
	p.total_path = path("total");
	p.max_pages = 100;
	listing = pager_create(&p, &base, NULL, context);
	CHECK(page(listing, 100, "{\"total\":5000}") == PAGER_NEXT);
	part = pager_fork(listing, context);
	CHECK(page(part, 0, "{\"total\":5000}") == PAGER_DONE);
	pager_join(listing, part);
	CHECK(pager_fork(listing, context) == NULL);

	/* nor are pages asked for ahead where each of them may end the listing, or where only one leads to the next */
	p.stop_when.text = "{{ response.last }}";
	CHECK(!pager_can_fork(listing, true));
	p.stop_when.text = NULL;
	CHECK(pager_can_fork(listing, true));
	p.type = PAGINATION_CURSOR;
	CHECK(!pager_can_fork(listing, true));
}

void
test_parts(MemoryContext context)
{
	test_examples(context);
	for (uint64 seed = 1; seed <= WALKS; seed++)
		random_walk(seed, context);
}
