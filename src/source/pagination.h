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

/* What a page said, seen from outside. */
typedef struct PageResult
{
	const HttpResponse *response;
	const char *envelope;		/* response with its list emptied, or NULL where it was above the bound */
	size_t		envelope_len;
	int64		nitems;			/* items of the page */
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

/* The request of the current page, in the current memory context. */
extern HttpRequest *pager_request(Pager *pager);

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

/* Does this pagination read the envelope? */
extern bool pagination_needs_envelope(const JobPagination *pagination);

#endif
