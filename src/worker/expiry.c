/*
 * expiry.c
 *	  Housekeeping: deletes what has got old in databite's tables.
 *
 * The table below says what there is.  Each kind has a pass once an hour, which goes
 * on from round to round of the scheduler, one small transaction in each, so
 * jobs that are due do not wait for a large clean-up, locks are short, and vacuum can
 * follow.  How far it has come is known to this process only: the next one begins anew,
 * but who rests (base/shared_turns.h) has it wait for its time.
 */
#include "postgres.h"

#include "base/settings.h"
#include "catalog/total_catalog.h"
#include "utils/timestamp.h"
#include "worker/scheduler.h"

#define INTERVAL_MS (60 * 60 * 1000)

/* Between two transactions of a pass. */
#define PAUSE_MS 100

/* So long a scheduler whose worker slot others need stays for a pass. */
#define STAY_MS 30000

/* minutes: the retention; NULL: none, what is found is of no use to anybody.  0 minutes keep everything. */
typedef struct ExpiryRule
{
	const int  *minutes;
	bool		(*delete_some) (int minutes, ExpiryPosition *position);
} ExpiryRule;

static const ExpiryRule rules[] = {
	[EXPIRY_HISTORY] = {&databite_history_retention, expiry_catalog_history},
	[EXPIRY_EVENTS] = {&databite_history_retention, expiry_catalog_events},
	[EXPIRY_DELIVERIES] = {&databite_history_retention, expiry_catalog_deliveries},
	[EXPIRY_LOG] = {&databite_history_retention, expiry_catalog_log},
	[EXPIRY_LEFTOVERS] = {NULL, expiry_catalog_leftovers},
	[EXPIRY_TOTALS] = {NULL, total_catalog_merge},
};

StaticAssertDecl(lengthof(rules) == EXPIRY_KINDS, "every kind of what expires needs its rule");

static void delete_some(Scheduler *scheduler, ExpiryKind kind);

void
expiry_begin_at(Scheduler *scheduler, TimestampTz due_at)
{
	for (ExpiryKind kind = 0; kind < EXPIRY_KINDS; kind++)
	{
		scheduler->expiry.minutes[kind] = rules[kind].minutes ? *rules[kind].minutes : -1;
		scheduler->expiry.due_at[kind] = due_at;
	}
}

bool
expiry_can_rest(const Scheduler *scheduler, TimestampTz *due_at)
{
	const Expiry *expiry = &scheduler->expiry;
	TimestampTz now = GetCurrentTimestamp();

	*due_at = TimestampTzPlusMilliseconds(now, INTERVAL_MS);
	for (ExpiryKind kind = 0; kind < EXPIRY_KINDS; kind++)
	{
		if (expiry->began_at[kind] == 0)
			*due_at = Min(*due_at, expiry->due_at[kind]);
		else if (!TimestampDifferenceExceeds(expiry->began_at[kind], now, STAY_MS))
			return false;
	}
	return true;
}

void
expiry_do(Scheduler *scheduler)
{
	Expiry	   *expiry = &scheduler->expiry;
	TimestampTz now = GetCurrentTimestamp();

	for (ExpiryKind kind = 0; kind < EXPIRY_KINDS; kind++)
	{
		int			minutes = rules[kind].minutes ? *rules[kind].minutes : -1;

		/* A retention that was changed acts at once, and a clock that was set back does not put it off. */
		if (minutes != expiry->minutes[kind] || expiry->due_at[kind] > TimestampTzPlusMilliseconds(now, INTERVAL_MS))
		{
			expiry->minutes[kind] = minutes;
			expiry->due_at[kind] = 0;
			expiry->began_at[kind] = 0;
			memset(&expiry->position[kind], 0, sizeof(ExpiryPosition));
		}
		if (minutes == 0)
			continue;
		if (expiry->due_at[kind] <= now)
			delete_some(scheduler, kind);
		scheduler_wake_by(scheduler, expiry->due_at[kind]);
	}
}

static void
delete_some(Scheduler *scheduler, ExpiryKind kind)
{
	Expiry	   *expiry = &scheduler->expiry;
	bool		more;

	if (expiry->began_at[kind] == 0)
		expiry->began_at[kind] = GetCurrentTimestamp();
	scheduler_begin_part(scheduler);
	more = rules[kind].delete_some(expiry->minutes[kind], &expiry->position[kind]);
	scheduler_end_part();

	expiry->due_at[kind] = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), more ? PAUSE_MS : INTERVAL_MS);
	if (!more)
	{
		expiry->began_at[kind] = 0;
		memset(&expiry->position[kind], 0, sizeof(ExpiryPosition));
	}
}
