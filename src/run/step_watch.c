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
static int	count_requests(const StepRun *sr, FetchWait *wait, TimestampTz *until);

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
	FetchWait	wait;
	int64		items;
	int64		pages;
	RunProgress progress = {
		.page = sr->run->counters.pages + sr->pages_done,
		.items = sr->run->counters.processed + (sr->batch ? sr->batch->nitems : 0),
		.total_items = step_total_items(sr),
	};

	rounds_outstanding(sr, &items, &pages);
	progress.items += items;
	progress.page += pages;
	progress.in_flight = count_requests(sr, &wait, &progress.waiting_until);
	if (progress.in_flight > 0)
		progress.page++;
	if (waiting_for == NULL)
		waiting_for = wait_names[wait];
	if (until != 0)
		progress.waiting_until = until;
	strlcpy(progress.waiting_for, waiting_for, sizeof(progress.waiting_for));
	watch_report(sr->run, &progress);
}

/* How many there are in flight, and what holds all of them up. */
static int
count_requests(const StepRun *sr, FetchWait *wait, TimestampTz *until)
{
	int			n = 0;
	ListCell   *lc;

	*wait = WAIT_NOTHING;
	*until = 0;
	foreach(lc, sr->listings)
	{
		const Listing *listing = lfirst(lc);
		TimestampTz its_until;
		FetchWait	its;

		if (listing->fetch == NULL || listing->held)
			continue;
		its = fetch_waiting(listing->fetch, &its_until);
		if (n++ == 0 || its < *wait || (its == *wait && its_until < *until))
		{
			*wait = its;
			*until = its_until;
		}
	}
	return n;
}
