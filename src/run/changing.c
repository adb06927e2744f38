/*
 * changing.c
 *	  What tells that a source has changed while it was read.
 *
 * doc/changing-data.md says what becomes of items that come, go and move
 * meanwhile.  Where a page can leave items out, and something tells so, it is
 * noticed here:
 *
 * - Pages that are asked for by the last item's value of a field (keyset,
 *   restart) leave out items that have the same value, if the source gives what lies
 *   behind it only.  That it does is seen where a page begins; that values repeat,
 *   where two items next to each other have one.
 * - A total that falls: something before the place has gone, and what took its
 *   place has moved to a page that was read already.
 * - A page that was taken in part and is read again, whose beginning is not the
 *   same any more: what is skipped of it may not be what was taken.
 * - A clock of ours that is ahead: what the source changes until it has caught
 *   up would be older than the time that the next run asks from.
 */
#include "postgres.h"

#include "run/run_error.h"
#include "run/shortfall.h"
#include "run/step_data.h"
#include "source/source_clock.h"
#include "template/template.h"
#include "utils/timestamp.h"

/* A clock that is ahead by more than that is worth a line in history. */
#define NOTED_LEAD	(60 * USECS_PER_SEC)

static const char *begins_with(const Listing *listing);
static bool same_text(const ItemBatch *batch, const Cell *cell, const char *text);
static void note_shorter(const StepRun *sr, int64 before, int64 now);
static void note_changed(const StepRun *sr, int64 page);
static int64 clock_lead(const StepRun *sr);
static bool uses_clock(const StepRun *sr);

void
changing_look_at_keys(Listing *listing, int first)
{
	const StepRun *sr = listing->sr;
	const ItemBatch *batch = sr->batch;
	const Cell *cell = &batch->cells[(int64) first * batch->npaths + sr->watched_path];
	const char *last = listing->last_value;
	bool		begins = item_reader_count(listing->reader) == batch->nitems - first;	/* the page, with the first of them */

	if (begins)
	{
		const char *from = begins_with(listing);

		if (from != NULL && same_text(batch, cell, from))
			listing->bound = BOUND_FROM;
		else if (from != NULL && listing->bound == BOUND_UNKNOWN)
			listing->bound = BOUND_BEHIND;
		last = NULL;
	}
	for (int i = first; i < batch->nitems && !listing->repeats; i++, cell += batch->npaths)
	{
		listing->repeats = last != NULL && same_text(batch, cell, last);
		last = cell->kind == CELL_NUMBER || cell->kind == CELL_STRING ? batch->arena + cell->offset : NULL;
	}
}

const char *
changing_key_problem(Listing *listing, const char **hint)
{
	const JobPagination *pagination = &listing->sr->step->source.pagination;
	const JsonPath *field = pagination_watched_path(pagination);
	bool		by_keyset = pagination->type == PAGINATION_KEYSET;

	/* what has the value comes again, if the source gives it again: so a page that is empty is behind it */
	if (field != NULL && item_reader_count(listing->reader) == 0 &&
		begins_with(listing) != NULL && listing->bound == BOUND_UNKNOWN)
		listing->bound = BOUND_BEHIND;
	if (!listing->repeats || listing->bound != BOUND_BEHIND || pagination->ties_whole)
		return NULL;
	*hint = psprintf("Let pagination.%s name a field that no two items share, or let the source give items from that value on.  "
					 "If it never divides such items between pages, set pagination.%s to \"whole\".",
					 by_keyset ? "field" : "restart.field", by_keyset ? "ties" : "restart.ties");
	return psprintf("pages may leave items out: there are several items with one \"%s\", and the source gives those behind it only",
					json_path_print(field));
}

void
changing_forget_keys(Listing *listing)
{
	listing->repeats = false;
	listing->bound = BOUND_UNKNOWN;
}

/* The value by which the page was asked for, where it is the first behind that; else NULL. */
static const char *
begins_with(const Listing *listing)
{
	PagePosition position;

	pager_position(listing->pager, &position);
	if (listing->sr->step->source.pagination.type == PAGINATION_KEYSET)
		return position.cursor;
	return position.offset == 0 && position.cursor == NULL ? position.after : NULL;
}

static bool
same_text(const ItemBatch *batch, const Cell *cell, const char *text)
{
	return (cell->kind == CELL_NUMBER || cell->kind == CELL_STRING) && strcmp(batch->arena + cell->offset, text) == 0;
}

/* Of a listing that begins anew behind an item the total is another one by itself. */
void
changing_look_at_total(Listing *listing, int64 before)
{
	StepRun    *sr = listing->sr;
	int64		now = pager_total_items(listing->pager);

	if (now >= before || sr->step->source.pagination.restart_after > 0)
		return;
	if (!sr->shorter)
		note_shorter(sr, before, now);
	sr->shorter = true;
	if (write_plan_is_upsert(sr->plan))
		shortfall_note_window(sr, listing);
}

static void
note_shorter(const StepRun *sr, int64 before, int64 now)
{
	const char *next = write_plan_is_upsert(sr->plan) ? ": the next run asks for the same again" : "";

	run_note(sr->run,
			 psprintf("step \"%s\": the list has become shorter while it was read (" INT64_FORMAT " items, then " INT64_FORMAT
					  "), so some may not have been seen%s",
					  sr->step->id, before, now, next));
}

/* Where items can be written again they are; else it is told that it cannot be known which of them are in the table. */
bool
changing_wants_page_again(Listing *listing)
{
	StepRun    *sr = listing->sr;
	bool		is_shorter = item_reader_count(listing->reader) < listing->skip && !listing->smaller;

	if (!is_shorter && !item_reader_skipped_others(listing->reader))
		return false;
	if (sr->step->source.type == SOURCE_API && write_plan_is_upsert(sr->plan) &&
		listing->retaken++ < sr->step->source.retry.attempts)
	{
		listing->skip = 0;
		if (sr->has_origins)
			origins_forget_done(sr);
		return true;
	}
	if (++sr->pages_changed <= MAX_NOTED)
		note_changed(sr, listing->pager != NULL ? pager_page_number(listing->pager) : 1);
	return false;
}

static void
note_changed(const StepRun *sr, int64 page)
{
	run_note(sr->run,
			 psprintf("step \"%s\": page " INT64_FORMAT " has changed since some of its items were written: "
					  "items may be missing, or there twice",
					  sr->step->id, page));
}

void
changing_look_at_clock(const Listing *listing)
{
	StepRun    *sr = listing->sr;

	if (sr->clock_lead < 0)
		sr->clock_lead = source_clock_lead(fetch_response(listing->fetch), GetCurrentTimestamp());
}

TimestampTz
changing_pass_started(const StepRun *sr)
{
	return sr->pass_started - clock_lead(sr);
}

/* Less than a line in history may be the way of the response: to ask so much earlier costs nothing only where there is a key. */
static int64
clock_lead(const StepRun *sr)
{
	return write_plan_is_upsert(sr->plan) || sr->clock_lead > NOTED_LEAD ? Max(sr->clock_lead, 0) : 0;
}

const char *
changing_next_cursor(const StepRun *sr, const Cursor *cursor, const char *saved)
{
	CursorWindow bounds;

	cursor_bounds(cursor, &bounds);
	return cursor_next(cursor, changing_bound(sr, bounds.to), saved);
}

const char *
changing_bound(const StepRun *sr, const char *bound)
{
	const JobIncremental *incremental = sr->step->source.incremental;
	char	   *latest;

	if (bound == NULL || clock_lead(sr) == 0 || (incremental != NULL && incremental->type != CURSOR_TIME))
		return bound;
	latest = cursor_time_value(changing_pass_started(sr));
	return strcmp(latest, bound) < 0 ? latest : bound;	/* of one form, so they sort as the times do */
}

void
changing_note_clock(const StepRun *sr)
{
	if (sr->clock_lead > NOTED_LEAD && uses_clock(sr))
		run_note(sr->run,
				 psprintf("step \"%s\": the clock here is " INT64_FORMAT " seconds ahead of the source's, by whose clock the next run asks",
						  sr->step->id, sr->clock_lead / USECS_PER_SEC));
}

/* Does the next run ask from when this one began? */
static bool
uses_clock(const StepRun *sr)
{
	const JobIncremental *incremental = sr->step->source.incremental;

	return (incremental == NULL || incremental->cursor_field == NULL) &&
		(request_plan_uses(sr->request_plan) & TEMPLATE_USES_BOUNDS) != 0;
}
