/*
 * page.h
 *	  The page of the listener: how the jobs of this database are doing.
 */
#ifndef DATABITE_PAGE_H
#define DATABITE_PAGE_H

#include "postgres.h"

#include "lib/stringinfo.h"

/*
 * Appends the page, in the encoding of the database.  Needs a transaction with an
 * active snapshot.  has_scheduler: somebody starts what is due.
 */
extern void page_append(StringInfo html, bool has_scheduler);

/* The Content-Security-Policy that goes with it: its own style and script, and requests for itself; palloc'd. */
extern char *page_policy(void);

/* page_assets.c: what stands in the page as it is. */
extern const char page_style[];
extern const char page_script[];

#endif
