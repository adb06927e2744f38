/*
 * pager_fork.c
 *	  Parts of a listing, which are read at the same time.
 *
 * The listing's pager stands at the first page that no part has yet (the
 * frontier), a part at a page of its own, up to its end.  Parts may end in any
 * order, and the source's list may grow meanwhile.  So what a part of offsets
 * has left, because there was nothing when it asked, is kept as a gap, and asked
 * for once more as soon as another part has learned that there are items there.
 * What is known to be there is the greatest total that was told, or the
 * greatest end of a page that had items.
 *
 * A total that promises too much (a part was empty below it) is not believed
 * until a greater one is told: else every page up to it would be asked for.
 */
#include "postgres.h"

#include "source/pager.h"
#include "utils/memutils.h"

static int64 told_total(const Pager *pager);
static int64 pager_known(const Pager *pager);
static int	open_gap(const Pager *pager);
static bool has_more(const Pager *pager);
static Pager *new_part(const Pager *pager, MemoryContext context);
static void take_gap(Pager *pager, int i, Pager *part);
static void take_frontier(Pager *pager, Pager *part);
static void learn_total(Pager *pager, const Pager *part);
static void add_gap(Pager *pager, const Pager *part);

/*
 * Not before the first page has come: it tells the total and how many items a
 * page has.  Where each page decides whether there is another (stopWhen,
 * restart), it must be waited for.
 */
bool
pager_can_fork(const Pager *pager, bool ahead)
{
	const JobPagination *pagination = pager->pagination;

	if (pager->is_part || pager->page_number == 1 ||
		(pagination->type != PAGINATION_OFFSET && pagination->type != PAGINATION_PAGE) ||
		pagination->stop_when.text != NULL || pagination->restart_after > 0)
		return false;
	return ahead || told_total(pager) >= 0;
}

Pager *
pager_fork(Pager *pager, MemoryContext context)
{
	int64		pages = pager->page_number + pager->extra;
	int			gap = open_gap(pager);
	Pager	   *part;

	if (gap < 0 && !has_more(pager))
		return NULL;

	/*
	 * Without a total nobody knows whether there is a page more than maxPages
	 * but by asking for it; it fails then where it has items.
	 */
	if (pages > pager->pagination->max_pages &&
		(told_total(pager) >= 0 || pages > (int64) pager->pagination->max_pages + 1))
	{
		if (told_total(pager) >= 0)
			(void) pager_fail(pager, "Raise pagination.maxPages, or ask the source for less at a time.",
							  "page limit reached: there are more than %d pages", pager->pagination->max_pages);
		return NULL;
	}

	part = new_part(pager, context);
	if (gap >= 0)
		take_gap(pager, gap, part);
	else
		take_frontier(pager, part);
	pager->page_number++;
	return part;
}

void
pager_left_out(Pager *pager)
{
	pager->met_end = pager->is_part;
}

void
pager_join(Pager *pager, const Pager *part)
{
	learn_total(pager, part);
	pager->extra += part->extra - part->forked_extra;
	pager->ended = pager->ended || part->met_end;

	if (pager->pagination->type == PAGINATION_OFFSET)
	{
		if (part->has_items)
			pager->reached = Max(pager->reached, part->offset);
		if (part->met_empty)
			pager->dead = Max(pager->dead, part->known);
		if (part->offset < part->end)
			add_gap(pager, part);
	}
	else
	{
		/* the part's pages may be smaller than the listing's, or greater */
		if (part->has_items)
			pager->reached = Max(pager->reached, part->index * part->limit / pager->limit);
		if (part->met_empty)
			pager->dead = Max(pager->dead, part->known * part->limit / pager->limit);
	}
}

bool
pager_is_behind_end(const Pager *pager, const Pager *part)
{
	int64		begin = pager->pagination->type == PAGINATION_OFFSET ? part->offset : part->index * part->limit / pager->limit;

	return told_total(pager) < 0 && pager->ended && begin >= pager->reached;
}

/* The total in what the listing is counted in, -1 where it is not known. */
static int64
told_total(const Pager *pager)
{
	return pager->pagination->type == PAGINATION_OFFSET ? pager->total_items : pager->total_pages;
}

static int64
pager_known(const Pager *pager)
{
	return Max(told_total(pager), pager->reached);
}

/* A gap in which there is something by now, or -1. */
static int
open_gap(const Pager *pager)
{
	for (int i = 0; i < pager->ngaps; i++)
	{
		if (pager_known(pager) > pager->gaps[i].known)
			return i;
	}
	return -1;
}

/* Is there, or may there be, something at the frontier? */
static bool
has_more(const Pager *pager)
{
	int64		frontier = pager->pagination->type == PAGINATION_OFFSET ? pager->offset : pager->index;
	int64		total = told_total(pager);

	if (total >= 0)
		return total > frontier && total > pager->dead;

	/* where one part met the end and the last of all did not, the list has grown */
	return !pager->ended || pager->reached >= frontier;
}

static Pager *
new_part(const Pager *pager, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Pager	   *part = palloc0(sizeof(Pager));

	part->context = context;
	part->pagination = pager->pagination;
	part->base_context = AllocSetContextCreate(context, "databite request", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(part->base_context);
	part->base = http_request_copy(pager->base);
	MemoryContextSwitchTo(old);

	part->limit = pager->limit;
	part->page_number = pager->page_number;
	part->extra = part->forked_extra = pager->extra;
	part->total_items = pager->total_items;
	part->total_pages = pager->total_pages;
	part->is_part = true;
	part->known = pager_known(pager);
	part->contents = pager->contents;
	return part;
}

/* As much of a gap as a part takes. */
static void
take_gap(Pager *pager, int i, Pager *part)
{
	PagerGap   *gap = &pager->gaps[i];
	int64		step = pager->step > 0 ? pager->step : pager->limit;

	part->offset = gap->start;
	part->end = Min(gap->end, gap->start + step);
	gap->start = part->end;
	if (gap->start == gap->end)
		*gap = pager->gaps[--pager->ngaps];
}

static void
take_frontier(Pager *pager, Pager *part)
{
	if (pager->pagination->type == PAGINATION_OFFSET)
	{
		part->offset = pager->offset;
		pager->offset += pager->step > 0 ? pager->step : pager->limit;
		part->end = pager->offset;
	}
	else
	{
		part->index = pager->index;
		part->end = ++pager->index;
	}
}

/* The greatest total counts: which part was answered last is not known. */
static void
learn_total(Pager *pager, const Pager *part)
{
	pager->total_items = Max(pager->total_items, part->total_items);
	if (part->total_pages >= 0)
		pager->total_pages = Max(pager->total_pages,
								 (part->total_pages * part->limit + pager->limit - 1) / pager->limit);
}

/* What the part has left. */
static void
add_gap(Pager *pager, const Pager *part)
{
	PagerGap   *gap;

	if (pager->gaps == NULL)
		pager->gaps = MemoryContextAlloc(pager->context, sizeof(PagerGap));
	else
		pager->gaps = repalloc(pager->gaps, (pager->ngaps + 1) * sizeof(PagerGap));
	gap = &pager->gaps[pager->ngaps++];
	gap->start = part->offset;
	gap->end = part->end;
	gap->known = Max(part->known, part->offset);
}
