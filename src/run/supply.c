/*
 * supply.c
 *	  Which listings are opened, and when.
 *
 * There is one listing; or one for each window of time, from the oldest on, of
 * which several may be open; or one for each row of a parent step.  While fewer
 * requests are in flight than there may be, first a part of a listing that is
 * open already is taken, then the next window or parent.
 *
 * Beside other steps a step may have fewer requests in flight than it could.  Then a listing that is between two
 * pages waits without one; it is the first to go on.
 *
 * What is not opened yet is two numbers: where the next window begins, and the
 * number of the last parent that was taken.
 */
#include "postgres.h"

#include "run/run_error.h"
#include "run/shortfall.h"
#include "run/step_data.h"
#include "template/template.h"
#include "utils/memutils.h"

static int	most_in_flight(const StepRun *sr);
static int	in_flight(const StepRun *sr);
static bool open_one(StepRun *sr);
static bool open_part(StepRun *sr);
static bool open_part_of(Listing *whole);
static void check_pager(Listing *listing);
static bool open_window(StepRun *sr);
static bool open_parent(StepRun *sr);
static bool has_window(const StepRun *sr);
static bool set_first_window(Listing *listing);
static bool open_only(StepRun *sr);
static void prepare_parents(RunContext *run, void *arg);
static void prepare_listing(RunContext *run, void *arg);
static void make_pager(Listing *listing, const char *page);
static void begin(Listing *listing);
static void add(Listing *listing);
static void settle_held(StepRun *sr);

bool
supply_open(StepRun *sr, int most)
{
	settle_held(sr);
	while (!sr->unchanged)
	{
		if (in_flight(sr) >= most_in_flight(sr) || supply_in_flight(sr) >= most)
			return true;
		if (!open_one(sr))
			break;
	}
	return false;
}

int
supply_in_flight(const StepRun *sr)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, sr->listings)
	{
		const Listing *listing = lfirst(lc);

		n += listing->fetch != NULL && !listing->held;
	}
	return n;
}

bool
supply_gives_way(const StepRun *sr)
{
	return supply_in_flight(sr) >= sr->fair_share;
}

Listing *
listing_create(StepRun *sr)
{
	MemoryContext memory = AllocSetContextCreate(sr->memory, "databite listing", ALLOCSET_SMALL_SIZES);
	Listing    *listing = MemoryContextAllocZero(memory, sizeof(Listing));

	listing->sr = sr;
	listing->memory = memory;
	listing->page_memory = AllocSetContextCreate(memory, "databite page", ALLOCSET_SMALL_SIZES);
	listing->base_memory = AllocSetContextCreate(memory, "databite request", ALLOCSET_SMALL_SIZES);
	listing->cursor = sr->cursor;
	listing->scopes = sr->scopes;
	listing->sent_token = sr->sync_token_expired ? NULL : sr->state.sync_token;
	listing->pager_memory = AllocSetContextCreate(memory, "databite pager", ALLOCSET_SMALL_SIZES);
	return listing;
}

Listing *
supply_reopen(StepRun *sr, const CursorWindow *window, const ParentRow *parent, const char *seen, Listing *whole,
			  const char *page)
{
	Listing    *listing = listing_create(sr);

	listing_set_window(listing, window);
	if (parent != NULL)
		parent_state_begin(listing, parent, seen);
	if (whole != NULL)
	{
		listing->cursor = whole->cursor;
		listing->scopes = whole->scopes;
	}
	listing->whole = whole;
	if (sr->step->source.type == SOURCE_API)
	{
		step_render(listing);
		make_pager(listing, page);
	}
	if (whole != NULL)
		whole->open_parts++;
	add(listing);
	return listing;
}

void
listing_set_window(Listing *listing, const CursorWindow *window)
{
	MemoryContext old = MemoryContextSwitchTo(listing->memory);

	listing->window.from = window->from != NULL ? pstrdup(window->from) : NULL;
	listing->window.to = window->to != NULL ? pstrdup(window->to) : NULL;
	MemoryContextSwitchTo(old);
}

const char *
supply_finished_windows(const StepRun *sr)
{
	const char *finished = sr->next_window;
	ListCell   *lc;

	if (request_plan_parent(sr->request_plan) != NULL)
		return NULL;
	foreach(lc, sr->listings)
	{
		const Listing *listing = lfirst(lc);

		if (listing->window.from != NULL)
		{
			finished = listing->window.from;	/* they are open in their order */
			break;
		}
	}
	if (sr->failed_window != NULL && (finished == NULL || strcmp(sr->failed_window, finished) < 0))
		finished = sr->failed_window;
	return finished;
}

/* One as long as the columns of the table are to be told by what it gives: what others read is not read a second time. */
static int
most_in_flight(const StepRun *sr)
{
	bool		learning = sr->batch != NULL ? sr->sampling : write_plan_needs_sample(sr->plan);

	return learning ? 1 : sr->concurrency;
}

/* Listings that have a request, answered or not. */
static int
in_flight(const StepRun *sr)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, sr->listings)
	{
		const Listing *listing = lfirst(lc);

		n += listing->fetch != NULL;
	}
	return n;
}

static bool
open_one(StepRun *sr)
{
	ListCell   *lc;

	foreach(lc, sr->listings)
	{
		Listing    *listing = lfirst(lc);

		if (listing->fetch == NULL && !listing->split)
		{
			listing_begin_page(listing);	/* of a checkpoint, or that gave way */
			return true;
		}
	}
	return open_part(sr) || open_window(sr) || open_parent(sr) || open_only(sr);
}

static bool
open_part(StepRun *sr)
{
	ListCell   *lc;

	foreach(lc, sr->listings)
	{
		Listing    *listing = lfirst(lc);

		if (listing->split && !listing->ended && !listing->given_up)
		{
			if (open_part_of(listing))
				return true;
			if (!list_member_ptr(sr->listings, listing))
				return open_one(sr);	/* it has failed as a whole */
			listing->ended = true;
		}
		if (listing->split && (listing->ended || listing->given_up) && listing->open_parts == 0)
		{
			return listing_parts_ended(listing) || open_one(sr);	/* the list has changed */
		}
	}
	return false;
}

/* Takes the next page off a listing; false where there is none (yet). */
static bool
open_part_of(Listing *whole)
{
	StepRun    *sr = whole->sr;
	Listing    *part = listing_create(sr);

	part->pager = pager_fork(whole->pager, part->pager_memory);
	if (part->pager == NULL)
	{
		MemoryContextDelete(part->memory);
		shortfall_try(whole, check_pager);
		return false;
	}
	part->whole = whole;
	part->window = whole->window;
	part->parent = whole->parent;
	part->cursor = whole->cursor;
	part->scopes = whole->scopes;
	part->sent_token = whole->sent_token;
	part->base = whole->base;
	part->rendered = whole->rendered;
	whole->open_parts++;
	begin(part);
	return true;
}

static void
check_pager(Listing *listing)
{
	const char *hint;
	const char *message = pager_error(listing->pager, &hint);

	if (message != NULL)
		run_raise_content_error(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, message, hint, listing->sr->step->source.method, NULL);
}

/* Windows of the whole step; those of a parent come one after another in its listing. */
static bool
open_window(StepRun *sr)
{
	CursorWindow window;
	Listing    *listing;

	if (sr->next_window == NULL || request_plan_parent(sr->request_plan) != NULL)
		return false;
	sr->opened_first = true;
	if (!cursor_window(sr->cursor, sr->next_window, &window))
	{
		sr->next_window = NULL;
		return false;
	}
	listing = listing_create(sr);
	listing_set_window(listing, &window);
	pfree(sr->next_window);
	sr->next_window = window.to != NULL ? MemoryContextStrdup(sr->memory, window.to) : NULL;
	run_in_transaction(sr->run, prepare_listing, listing);
	begin(listing);
	return true;
}

static bool
open_parent(StepRun *sr)
{
	Listing    *listing;

	if (request_plan_parent(sr->request_plan) == NULL)
		return false;
	sr->opened_first = true;
	if (sr->windowed && !parent_state_is_own(sr) && !has_window(sr))
		return false;
	while (sr->prepared == NIL && !sr->parents_done)
		run_in_transaction(sr->run, prepare_parents, sr);
	if (sr->prepared == NIL)
		return false;
	listing = linitial(sr->prepared);
	sr->prepared = list_delete_first(sr->prepared);
	sr->next_parent = listing->parent->number;
	sr->parents_left_out += listing->parent->left_out;
	begin(listing);
	return true;
}

/* Is there anything to ask for, of whichever parent? */
static bool
has_window(const StepRun *sr)
{
	CursorWindow window;

	return sr->next_window != NULL && cursor_window(sr->cursor, sr->next_window, &window);
}

/* The one listing of a step without windows and parents. */
static bool
open_only(StepRun *sr)
{
	Listing    *listing;

	if (sr->opened_first)
		return false;
	sr->opened_first = true;
	listing = listing_create(sr);
	run_in_transaction(sr->run, prepare_listing, listing);
	begin(listing);
	return true;
}

/* Looks up the next parents and renders their requests. */
static void
prepare_parents(RunContext *run, void *arg)
{
	StepRun    *sr = arg;
	ListCell   *lc;

	foreach(lc, parent_rows_next(sr))
	{
		const ParentRow *row = lfirst(lc);
		Listing    *listing = listing_create(sr);
		MemoryContext old;

		parent_state_begin(listing, row, NULL);
		if (sr->windowed && !set_first_window(listing))
		{
			MemoryContextDelete(listing->memory);
			if (sr->prepared == NIL)
			{
				sr->next_parent = row->number;
				sr->parents_left_out += row->left_out;
			}
			continue;
		}
		prepare_listing(run, listing);

		old = MemoryContextSwitchTo(sr->memory);
		sr->prepared = lappend(sr->prepared, listing);
		MemoryContextSwitchTo(old);
	}
}

/* The oldest window of a parent; false where there is nothing to ask for. */
static bool
set_first_window(Listing *listing)
{
	CursorWindow bounds;
	CursorWindow window;

	cursor_bounds(listing->cursor, &bounds);
	if (!cursor_window(listing->cursor, bounds.from, &window))
		return false;
	listing_set_window(listing, &window);
	return true;
}

static void
prepare_listing(RunContext *run, void *arg)
{
	step_render(arg);
	make_pager(arg, NULL);
}

/* The pager of a listing that was rendered; page: where it goes on, or NULL. */
static void
make_pager(Listing *listing, const char *page)
{
	listing->pager = pager_create(&listing->sr->step->source.pagination, listing->base, page, listing->pager_memory);
	if (page != NULL && (request_plan_uses(listing->sr->request_plan) & TEMPLATE_SCOPE_PAGE) != 0)
		listing->rendered = NOT_RENDERED;	/* the base is the first page's */
}

static void
begin(Listing *listing)
{
	add(listing);
	listing_begin_page(listing);
}

static void
add(Listing *listing)
{
	StepRun    *sr = listing->sr;
	MemoryContext old = MemoryContextSwitchTo(sr->memory);

	sr->listings = lappend(sr->listings, listing);
	MemoryContextSwitchTo(old);
}

/* Parts that failed while earlier ones were open: by now it may be known whether they are behind the end. */
static void
settle_held(StepRun *sr)
{
	bool		again = true;
	ListCell   *lc;

	while (again)
	{
		again = false;
		foreach(lc, sr->listings)
		{
			Listing    *listing = lfirst(lc);

			if (listing->held)
			{
				listing->held = false;
				shortfall_try(listing, listing_read);	/* fails, is held again, or goes away */
				if (!list_member_ptr(sr->listings, listing))
				{
					again = true;
					break;
				}
			}
		}
	}
}
