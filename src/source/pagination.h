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
	int64		number;			/* from 1; of type page the number that is asked for, from startPage */
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

/*
 * base is copied; state: NULL, or what pager_state gave (a resumed run), of a
 * listing or of a part.  A base has the credentials in it already: at another
 * origin (allowedOrigins) nothing of it goes with the request.
 * Raises ERRCODE_INVALID_PARAMETER_VALUE where positions go into a body that is
 * no JSON object, ERRCODE_DATA_CORRUPTED for a state that it cannot be.
 */
extern Pager *pager_create(const JobPagination *pagination, const HttpRequest *base,
						   const char *state, MemoryContext context);

/*
 * The base anew, where it has templates that depend on the page (position, a token
 * that has changed).  Copied; raises as pager_create does.
 */
extern void pager_set_base(Pager *pager, const HttpRequest *base);

/* Where the current page stands; valid until the pager moves. */
extern void pager_position(const Pager *pager, PagePosition *position);

/* The request of the current page, in the current memory context. */
extern HttpRequest *pager_request(Pager *pager);

/*
 * Asks for half as many items from now on, and lets parts that are forked from it
 * do so; false where that cannot be (one already, or no size is sent).  The
 * position stays: page 3 of 100 items is page 5 of 50.  Where half of the size
 * does not divide it, the greatest divisor below is taken.
 */
extern bool pager_halve(Pager *pager);

/* Begins the listing anew at its first page; all that was learned of it is forgotten, but not a halved size. */
extern void pager_restart(Pager *pager);

/*
 * Pages that can be asked for before the one in front of them has come: by
 * offset or number, once a page has told the total, or else with ahead
 * (parallel.enabled).  The first page is always the listing's own, and so are all
 * where stopWhen or restart look at each.  Once parts were forked, the listing's
 * pager is only asked for more of them.
 *
 * pager_fork takes the next page off the listing, as a pager of its own in
 * context, which must not outlive the listing's; it ends with that page (and
 * asks for the rest of it, where the server gives less: it keeps its page number
 * then).  NULL where there is no more, as far as is known: ask again after each
 * pager_join; the listing is at its end where there is none and all parts have
 * joined.  NULL too where maxPages is reached: pager_error is not NULL then.
 *
 * pager_join tells the listing's pager what a part that has ended (PAGER_DONE)
 * has learned: a total, the end of the list, or offsets it had left at an end
 * which turned out to be none.  A part restored from its state is joined likewise.
 *
 * pager_left_out says that a page is no page and that its listing ends with it,
 * before it is joined; of one that is no part there is nothing to say.
 *
 * pager_is_behind_end tells of a part that was asked for ahead, and whose request
 * the source has refused, that the list ends before it by what the others have learned.
 */
extern bool pager_is_behind_end(const Pager *pager, const Pager *part);
extern bool pager_can_fork(const Pager *pager, bool ahead);
extern Pager *pager_fork(Pager *pager, MemoryContext context);
extern void pager_join(Pager *pager, const Pager *part);
extern void pager_left_out(Pager *pager);

/*
 * Goes to the next page.  The same page, cursor or next URL twice, a next URL
 * that is not http(s), of another origin that is not allowed, or http after
 * https, and maxPages are failures.  To be called once for each page.
 */
extern PagerStatus pager_advance(Pager *pager, const PageResult *result);

/* Number of the current page in this run, from 1; it goes on where the listing begins anew behind an item. */
extern int64 pager_page_number(const Pager *pager);

/* Total items where the source told, else -1; for progress. */
extern int64 pager_total_items(const Pager *pager);

/*
 * The current page as a checkpoint: JSON text in the current memory context.  Of a
 * listing that is read in parts: what no part has yet, so that a checkpoint is
 * this and the states of the parts that have not joined.
 */
extern char *pager_state(const Pager *pager);

/* What failed, errmsg style, and a hint or NULL; NULL where nothing has. */
extern const char *pager_error(const Pager *pager, const char **hint);

/* What it wants to know of the last item of each page (keyset.field, restart.field), or NULL. */
extern const JsonPath *pagination_watched_path(const JobPagination *pagination);

/* Does it compare the items of pages, as nothing else tells that a page came twice? */
extern bool pagination_needs_fingerprint(const JobPagination *pagination);

/* Does this pagination read the envelope? */
extern bool pagination_needs_envelope(const JobPagination *pagination);

#endif
