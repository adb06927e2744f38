/*
 * parents_clear.c
 *	  Forgets the rows that requests were made of.
 *
 * There may be a million of them, so they are deleted in transactions of a
 * bounded size: before the step that delivers them begins a new pass, and when the
 * run is complete.  They are of no use then, so a process that ends in between
 * leaves nothing but work to the next pass.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "run/parents.h"

/* Rows of a transaction that forgets them: some tens of milliseconds. */
#define CLEARED_ROWS	10000

/* Where forgetting them stands. */
typedef struct Clearing
{
	const char *step_id;		/* NULL: at the beginning, or the end */
	bool		only;			/* no other step */
	int64		number;			/* of the last row of it */
	bool		more;
	MemoryContext memory;
} Clearing;

static void clear_some(RunContext *run, void *arg);

void
parents_clear(RunContext *run, const char *step_id)
{
	Clearing	clearing = {.step_id = step_id, .only = step_id != NULL, .more = true, .memory = CurrentMemoryContext};

	while (clearing.more)
	{
		CHECK_FOR_INTERRUPTS();
		run_in_transaction(run, clear_some, &clearing);
	}
}

bool
parents_clear_some(RunContext *run)
{
	Clearing	clearing = {.memory = CurrentMemoryContext};

	clear_some(run, &clearing);
	return clearing.more;
}

static void
clear_some(RunContext *run, void *arg)
{
	Clearing   *clearing = arg;
	const char *job = run->record->id;
	MemoryContext old = MemoryContextSwitchTo(clearing->memory);
	int			left = CLEARED_ROWS;

	if (clearing->step_id == NULL)
		clearing->step_id = parent_catalog_next_step(job, "");
	while (clearing->step_id != NULL && left > 0)
	{
		int			cleared = parent_catalog_clear(job, clearing->step_id, &clearing->number, left);

		left -= cleared;
		if (left > 0)
		{
			clearing->step_id = clearing->only ? NULL : parent_catalog_next_step(job, clearing->step_id);
			clearing->number = 0;
		}
	}
	clearing->more = clearing->step_id != NULL;
	MemoryContextSwitchTo(old);
}
