/*
 * shared_turns.c
 *	  Who may have a worker slot, where there are not enough for all databases.
 *
 * Works on the section of shared memory that says who runs where, under its
 * lock.  What is free is known by counting databite's own processes only, so this
 * is about fairness: whether there is a slot is said by PostgreSQL when one is asked for.
 */
#include "postgres.h"

#include "base/shared_state.h"
#include "base/shared_turns.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

/* PostgreSQL's launcher of logical replication, and ours. */
#define STATIC_WORKERS 2

/* In a crowd a scheduler stays for what comes that soon: to start a process costs more than to keep it. */
#define LINGER_MS 5000

/* A database that has not said for so long that it is hungry does not keep others waiting (its scheduler may fail). */
#define HUNGRY_FOR_MS 45000

static int	count_runs(const SharedDatabase *slot);
static int	count_writers(const SharedDatabase *slot);
static int	free_slots(const SharedWorkers *workers);
static bool is_hungry(const SharedDatabase *slot, TimestampTz now);

int
shared_scheduler_places(void)
{
	return Max(1, (max_worker_processes - STATIC_WORKERS) / 2);
}

void
shared_set_crowd(int members, bool crowded, int waiting)
{
	SharedWorkers *workers = &shared_state->workers;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	workers->members = members;
	workers->crowded = crowded;
	workers->waiting = waiting;
	LWLockRelease(shared_workers_lock);
}

bool
shared_must_rest(Oid database, TimestampTz wake_at, bool busy)
{
	SharedWorkers *workers = &shared_state->workers;
	bool		must;

	LWLockAcquire(shared_workers_lock, LW_SHARED);
	if (!workers->crowded)
		must = false;
	else if (workers->waiting > 0)
		must = true;
	else
	{
		SharedDatabase *slot = shared_find_database(database);

		must = !busy && !(slot && slot->requested) &&
			wake_at > TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LINGER_MS);
	}
	LWLockRelease(shared_workers_lock);
	return must;
}

void
shared_scheduler_rests(Oid database, TimestampTz look_at, TimestampTz expire_at)
{
	SharedDatabase *slot;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = shared_find_database(database);
	if (slot)
	{
		slot->look_at = look_at;
		slot->expire_at = expire_at;
	}
	LWLockRelease(shared_workers_lock);
}

bool
shared_may_run(Oid database, int runs)
{
	SharedWorkers *workers;
	TimestampTz now = GetCurrentTimestamp();
	SharedDatabase *mine;
	int			free;
	bool		may = true;

	if (shared_state == NULL)
		return true;
	workers = &shared_state->workers;
	LWLockAcquire(shared_workers_lock, LW_SHARED);
	mine = shared_find_database(database);
	for (int i = 0; i < SHARED_MAX_DATABASES && may; i++)
	{
		const SharedDatabase *other = &workers->databases[i];
		int			has;

		if (!OidIsValid(other->oid) || other == mine || !is_hungry(other, now))
			continue;
		has = count_runs(other);
		may = has > runs ||
			(has == runs && mine && mine->hungry_since != 0 && mine->hungry_since <= other->hungry_since);
	}
	/* Of our runs some may not have entered shared memory yet. */
	free = free_slots(workers) - Max(0, runs - (mine ? count_runs(mine) : 0));
	if (runs > 0 && workers->members > 1)
		may = may && free >= 2;
	else if (workers->crowded && max_worker_processes > STATIC_WORKERS + shared_scheduler_places())
		may = may && free >= 1;
	LWLockRelease(shared_workers_lock);
	return may;
}

TimestampTz
shared_set_hungry(Oid database, bool hungry)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz since = 0;
	SharedDatabase *slot;

	if (shared_state == NULL)
		return hungry ? now : 0;
	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = shared_find_database(database);
	if (slot)
	{
		if (!hungry)
			slot->hungry_since = 0;
		else if (slot->hungry_since == 0)
			slot->hungry_since = now;
		slot->hungry_seen = now;
		since = slot->hungry_since;
	}
	LWLockRelease(shared_workers_lock);
	return since;
}

void
shared_feed_hungry(SharedDatabase *ended)
{
	SharedWorkers *workers = &shared_state->workers;
	TimestampTz now = GetCurrentTimestamp();
	SharedDatabase *next = NULL;
	int			next_has = 0;

	/* It has had its turn. */
	if (ended->hungry_since != 0)
		ended->hungry_since = now;
	for (int i = 0; i < SHARED_MAX_DATABASES; i++)
	{
		SharedDatabase *slot = &workers->databases[i];
		int			has;

		if (!OidIsValid(slot->oid) || !is_hungry(slot, now))
			continue;
		has = count_runs(slot);
		if (next == NULL || has < next_has || (has == next_has && slot->hungry_since < next->hungry_since))
		{
			next = slot;
			next_has = has;
		}
	}
	if (next)
		shared_ask_for_scheduler(next);
}

static int
count_runs(const SharedDatabase *slot)
{
	int			count = 0;

	for (int i = 0; i < SHARED_MAX_RUNNERS; i++)
		count += slot->runners[i] != 0;
	return count;
}

static int
count_writers(const SharedDatabase *slot)
{
	int			count = 0;

	for (int i = SHARED_MAX_RUNNERS; i < lengthof(slot->runners); i++)
		count += slot->runners[i] != 0;
	return count;
}

/* Worker slots for runs, as far as databite knows; in a crowd the schedulers' places are kept for them. */
static int
free_slots(const SharedWorkers *workers)
{
	int			schedulers = 0;
	int			others = 0;

	for (int i = 0; i < SHARED_MAX_DATABASES; i++)
	{
		const SharedDatabase *slot = &workers->databases[i];

		if (!OidIsValid(slot->oid))
			continue;
		schedulers += slot->scheduler != 0;
		others += count_runs(slot) + count_writers(slot);
	}
	if (workers->crowded)
		schedulers = Max(schedulers, shared_scheduler_places());
	return max_worker_processes - STATIC_WORKERS - schedulers - others;
}

static bool
is_hungry(const SharedDatabase *slot, TimestampTz now)
{
	return slot->hungry_since != 0 && !slot->stopped && slot->blocked_by == 0 &&
		!TimestampDifferenceExceeds(slot->hungry_seen, now, HUNGRY_FOR_MS);
}
