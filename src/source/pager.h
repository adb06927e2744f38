/*
 * pager.h
 *	  What the files of a pager share; private to them (see pagination.h).
 *
 * pagination.c has what a page is asked for with, pager_advance.c how a response
 * leads to the next, pager_fork.c the parts of a listing that are read at the
 * same time, and pager_state.c how all of it is written down.
 */
#ifndef DATABITE_PAGER_H
#define DATABITE_PAGER_H

#include "source/pagination.h"
#include "source/seen_set.h"

/* Deepest JSON of an envelope or a state. */
#define PAGER_JSON_DEPTH 512

/* Offsets that a part has left, as there was nothing (yet). */
typedef struct PagerGap
{
	int64		start;
	int64		end;
	int64		known;			/* worth asking for once more is known to be there than this */
} PagerGap;

struct Pager
{
	MemoryContext context;
	const JobPagination *pagination;
	MemoryContext base_context; /* of base */
	HttpRequest *base;
	int			limit;			/* items asked for at a time: pagination's, until pager_halve */

	/* Where the current page stands. */
	int64		page_number;	/* in the run, from 1; a part keeps that of its first page */
	int64		extra;			/* pages that parts took beyond their first: they count for maxPages */
	int64		offset;			/* items before it, since the listing began (anew) */
	int64		index;			/* page: number in the listing, from 0 */
	char	   *cursor;			/* cursor, keyset; NULL on the first */
	bool		cursor_is_number;	/* it was a JSON number, and is one again in a body */
	char	   *url;			/* link, next_url; NULL on the first */
	char	   *after;			/* where the listing began anew, or NULL */
	bool		after_is_number;

	/* What the source has told: -1, not yet. */
	int64		total_items;
	int64		total_pages;	/* of limit items */

	/* Of a part: it has what lies before end (an offset; page: an index). */
	bool		is_part;
	int64		end;
	int64		known;			/* what was known to be there (pager_known) when it was forked */
	int64		forked_extra;	/* extra of the listing, then */
	bool		has_items;
	bool		met_empty;		/* a page of it was empty */
	bool		met_end;		/* a page of it was empty or short, and there is no total */

	/* Of a listing that is read in parts; counted in items, of type page in pages. */
	int64		step;			/* offset: items of a part, those of the first page; 0: limit */
	int64		reached;		/* greatest end of a page that had items */
	int64		dead;			/* a total of no more than this has been found to promise too much */
	bool		ended;			/* a part met the end */
	int			ngaps;
	PagerGap   *gaps;

	SeenSet    *positions;		/* cursors, URLs */
	SeenSet    *contents;		/* fingerprints; a part has the listing's */
	SeenSet    *afters;
	char	   *error;
	const char *hint;
};

/* pagination.c */
extern bool pager_sends_size(const Pager *pager);
extern int64 pager_asked(const Pager *pager);
extern void pager_begin(Pager *pager);
extern bool pager_may_go_to(const Pager *pager, const char *url);
extern PagerStatus pager_fail(Pager *pager, const char *hint, const char *fmt,...) pg_attribute_printf(3, 4);

/* pager_state.c: takes up what pager_state wrote down. */
extern void pager_restore(Pager *pager, const char *state);

#endif
