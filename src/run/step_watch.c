/*
 * step_watch.c
 *	  What those who watch a step see of it before anything is committed.
 */
#include "postgres.h"

#include "run/step_data.h"
#include "run/watch.h"

/* Waits in the order in which one hides another: bytes that are there, then what comes by itself, then time. */
static const char *const wait_names[] = {
	[WAIT_NOTHING] = "",
	[WAIT_RESPONSE] = "response",
	[WAIT_RETRY] = "retry",
	[WAIT_RATE_LIMIT] = "rate limit",
};

static void report(const StepRun *sr, const char *waiting_for, TimestampTz until);
static void add_step(const StepRun *sr, RunProgress *progress, FetchWait *wait);
static void look_at_request(const Fetch *fetch, bool first, FetchWait *wait, TimestampTz *until);
static int64 total_of(const StepRun *sr);

void
step_watch(const StepRun *sr, const char *waiting_for)
{
	report(sr, waiting_for, 0);
}

void
step_watch_wait(const StepRun *sr, const char *waiting_for, TimestampTz until)
{
	report(sr, waiting_for, until);
}

static void
report(const StepRun *sr, const char *waiting_for, TimestampTz until)
{
	const RunContext *run = sr->run;
	FetchWait	wait = WAIT_NOTHING;
	RunProgress progress = {
		.page = run->counters.pages,
		.items = run->counters.processed,
		.total_items = step_total_items(sr),
	};
	ListCell   *lc;

	foreach(lc, run->active)
		add_step(lfirst(lc), &progress, &wait);
	if (!list_member_ptr(run->active, sr))	/* that of a replay */
		add_step(sr, &progress, &wait);
	if (progress.in_flight > 0)
		progress.page++;
	if (waiting_for == NULL)
		waiting_for = wait_names[wait];
	if (until != 0)
		progress.waiting_until = until;
	strlcpy(progress.waiting_for, waiting_for, sizeof(progress.waiting_for));
	watch_report(run, &progress);
}

/* What the step has read that is not counted yet, its requests in flight, and what holds all requests up. */
static void
add_step(const StepRun *sr, RunProgress *progress, FetchWait *wait)
{
	int64		items;
	int64		pages;
	ListCell   *lc;

	if (progress->step[0] != '\0')
		strlcat(progress->step, ", ", sizeof(progress->step));
	strlcat(progress->step, sr->step->id, sizeof(progress->step));
	rounds_outstanding(sr, &items, &pages);
	progress->items += items + (sr->batch ? sr->batch->nitems : 0);
	progress->page += pages + sr->pages_done;
	foreach(lc, sr->listings)
	{
		const Listing *listing = lfirst(lc);

		if (listing->fetch != NULL && !listing->held)
			look_at_request(listing->fetch, progress->in_flight++ == 0, wait, &progress->waiting_until);
	}
}

static void
look_at_request(const Fetch *fetch, bool first, FetchWait *wait, TimestampTz *until)
{
	TimestampTz its_until;
	FetchWait	its = fetch_waiting(fetch, &its_until);

	if (first || its < *wait || (its == *wait && its_until < *until))
	{
		*wait = its;
		*until = its_until;
	}
}

int64
step_total_items(const StepRun *sr)
{
	const RunContext *run = sr->run;
	int64		total = run->counters.processed;
	ListCell   *lc;

	foreach(lc, run->active)
	{
		const StepRun *active = lfirst(lc);
		int64		its = total_of(active);

		if (its < 0)
			return -1;
		total += its - active->items;
	}
	return run->active != NIL ? total : -1;
}

/* The total of a listing is that of the step where it is the only one. */
static int64
total_of(const StepRun *sr)
{
	const Listing *first = sr->listings != NIL ? linitial(sr->listings) : NULL;

	return first != NULL && first->pager != NULL && first->window.from == NULL && first->parent == NULL
		? pager_total_items(first->pager)
		: -1;
}
