/*
 * pagination.h
 *	  From one page to the next.
 *
 * Pure logic: a base request (rendered once) and a state give the request of a
 * page; a response gives the next state or the end.  The state is a small JSON
 * text, so that it can be a checkpoint.
 */
#ifndef DATABITE_PAGINATION_H
#define DATABITE_PAGINATION_H

#include "job/definition.h"
#include "source/request.h"

typedef struct Pager Pager;

/* Where a page stands: {{ page.number }} and its like. */
typedef struct PagePosition
{
	int64		number;			/* from 1 */
	int64		offset;			/* items before it */
	int64		limit;			/* items that are asked for at a time */
	const char *cursor;			/* of cursor and keyset; NULL on the first page */
	bool		cursor_is_number;
	const char *after;			/* where the listing began anew (restart): the last item's value; or NULL */
	bool		after_is_number;
} PagePosition;

/* What a page said, seen from outside. */
typedef struct PageResult
{
	const HttpResponse *response;
	const char *envelope;		/* response with its list emptied, or NULL where it was above the bound */
	size_t		envelope_len;
	int64		nitems;			/* items of the page */
	uint64		fingerprint;	/* of its items (item_reader_fingerprint) */
	const char *last_value;		/* pagination_watched_path in the last item, as text; NULL: missing, null or no item */
	bool		last_is_number;
	bool		stop;			/* pagination.stopWhen is true of it */
} PageResult;

typedef enum PagerStatus
{
	PAGER_NEXT,					/* pager_request gives the next page */
	PAGER_DONE,
	PAGER_FAILED				/* see pager_error */
} PagerStatus;

/* base is copied; state: NULL, or what pager_state gave (a resumed run). */
extern Pager *pager_create(const JobPagination *pagination, const HttpRequest *base,
						   const char *state, MemoryContext context);

/*
 * The base anew, where it has templates that depend on the page (position, a token
 * that has changed).  Copied.
 */
extern void pager_set_base(Pager *pager, const HttpRequest *base);

/* Where the current page stands; valid until the pager moves. */
extern void pager_position(const Pager *pager, PagePosition *position);

/* The request of the current page, in the current memory context. */
extern HttpRequest *pager_request(Pager *pager);

/* Asks for half as many items from now on; false where that cannot be (one already, or no size is sent). */
extern bool pager_halve(Pager *pager);

/* Begins the listing anew at its first page. */
extern void pager_restart(Pager *pager);

/*
 * Pages that can be asked for before the one in front of them has come: by
 * offset or number, once a page has told the total, or else with ahead
 * (parallel.enabled).  The listing's pager is then only asked for parts of it:
 * pager_fork takes the next page off it, as a pager of its own that ends with
 * that page (and asks for the rest of it, where the server gives less); NULL
 * where there is no more.  pager_join tells the listing's pager what a part that
 * has ended has learned: a total, or, ahead, that the source has no more.
 */
extern bool pager_can_fork(const Pager *pager, bool ahead);
extern Pager *pager_fork(Pager *pager, MemoryContext context);
extern void pager_join(Pager *pager, const Pager *part);

/*
 * Goes to the next page.  The same page, cursor or next URL twice, a next URL
 * that is not http(s) or of another origin, and maxPages are failures.
 */
extern PagerStatus pager_advance(Pager *pager, const PageResult *result);

/* Number of the current page in this run, from 1. */
extern int64 pager_page_number(const Pager *pager);

/* Total items where the source told, else -1; for progress. */
extern int64 pager_total_items(const Pager *pager);

/* The current page as a checkpoint: JSON text in the current memory context. */
extern char *pager_state(const Pager *pager);

extern const char *pager_error(const Pager *pager, const char **hint);

/* What it wants to know of the last item of each page (keyset.field, restart.field), or NULL. */
extern const JsonPath *pagination_watched_path(const JobPagination *pagination);

/* Does it compare the items of pages, as nothing else tells that a page came twice? */
extern bool pagination_needs_fingerprint(const JobPagination *pagination);

/* Does this pagination read the envelope? */
extern bool pagination_needs_envelope(const JobPagination *pagination);

#endif
