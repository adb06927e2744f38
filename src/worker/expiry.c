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
#include "miscadmin.h"
#include "utils/timestamp.h"
#include "worker/scheduler.h"

#define INTERVAL_MS (60 * 60 * 1000)

/* Between two transactions of a pass. */
#define PAUSE_MS 100

/* So long at most all of it takes in a session. */
#define ALL_MS 5000

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
	[EXPIRY_NOTIFICATIONS] = {&databite_history_retention, expiry_catalog_notifications},
	[EXPIRY_DELIVERIES] = {&databite_history_retention, expiry_catalog_deliveries},
	[EXPIRY_LOG] = {&databite_history_retention, expiry_catalog_log},
	[EXPIRY_LEFTOVERS] = {NULL, expiry_catalog_leftovers},
	[EXPIRY_TOTALS] = {NULL, total_catalog_merge},
};

StaticAssertDecl(lengthof(rules) == EXPIRY_KINDS, "every kind of what expires needs its rule");

static void delete_in_pass(Scheduler *scheduler, ExpiryKind kind);
static bool delete_some(Scheduler *scheduler, ExpiryKind kind);
static int	retention(ExpiryKind kind);

void
expiry_begin_at(Scheduler *scheduler, TimestampTz due_at)
{
	for (ExpiryKind kind = 0; kind < EXPIRY_KINDS; kind++)
	{
		scheduler->expiry.minutes[kind] = retention(kind);
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
		int			minutes = retention(kind);

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
			delete_in_pass(scheduler, kind);
		scheduler_wake_by(scheduler, expiry->due_at[kind]);
	}
}

void
expiry_do_all(Scheduler *scheduler)
{
	TimestampTz began_at = GetCurrentTimestamp();

	for (ExpiryKind kind = 0; kind < EXPIRY_KINDS; kind++)
	{
		scheduler->expiry.minutes[kind] = retention(kind);
		if (scheduler->expiry.minutes[kind] == 0)
			continue;
		while (delete_some(scheduler, kind))
		{
			if (TimestampDifferenceExceeds(began_at, GetCurrentTimestamp(), ALL_MS))
				return;
			CHECK_FOR_INTERRUPTS();
		}
	}
}

static void
delete_in_pass(Scheduler *scheduler, ExpiryKind kind)
{
	Expiry	   *expiry = &scheduler->expiry;
	bool		more;

	if (expiry->began_at[kind] == 0)
		expiry->began_at[kind] = GetCurrentTimestamp();
	more = delete_some(scheduler, kind);
	expiry->due_at[kind] = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), more ? PAUSE_MS : INTERVAL_MS);
	if (!more)
	{
		expiry->began_at[kind] = 0;
		memset(&expiry->position[kind], 0, sizeof(ExpiryPosition));
	}
}

/* One transaction of it; is there more? */
static bool
delete_some(Scheduler *scheduler, ExpiryKind kind)
{
	bool		more;

	scheduler->begin_part(scheduler);
	more = rules[kind].delete_some(scheduler->expiry.minutes[kind], &scheduler->expiry.position[kind]);
	scheduler->end_part();
	return more;
}

/* In minutes; 0: kept for ever, -1: what is left over goes at once. */
static int
retention(ExpiryKind kind)
{
	return rules[kind].minutes ? *rules[kind].minutes : -1;
}
