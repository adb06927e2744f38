/*
 * step_memory.c
 *	  Keeps a step within its memory: back-pressure on what is read.
 *
 * What a reader holds of an item that is not complete grows with the item.  Up
 * to its own bytes it may hold that whatever the others do.  Beyond that there is a
 * room that all share; when it is full, listings whose items need more of it
 * are not read, and their transfers pause.  One of them, the holder, goes
 * on nevertheless, as it has a room of its own for an item of any size that may be; so
 * there is always progress.  It gives the room back when its item is complete.
 *
 * An item above the bound is none that anybody waits for: its reader keeps
 * nothing of it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "run/step_data.h"
#include "utils/guc.h"
#include "utils/memutils.h"

/* Cursors and sync tokens of parents that wait to be written, where nothing else is. */
#define MAX_ENDED_BYTES (1024 * 1024)

static void bound_transfers(const StepRun *sr);
static size_t held(const Listing *listing);

void
step_make_budget(StepRun *sr)
{
	const RunContext *run = sr->run;
	int			steps = run->steps_at_once > 0 ? run->steps_at_once : job_steps_at_once(run->job);

	memory_budget_make(run->job->memory_limit / steps, sr->concurrency, &sr->budget);
	rounds_bound_memory(sr);
	if (sr->budget.requests < sr->concurrency)
		run_note(sr->run,
				 psprintf("step \"%s\": of %d requests in flight, memoryLimit has memory for %d",
						  sr->step->id, sr->concurrency, sr->budget.requests));
	sr->concurrency = sr->budget.requests;
	if (run->client != NULL)
		bound_transfers(sr);
}

/* The client is one for all steps: its transfers take no more than any of them can give. */
static void
bound_transfers(const StepRun *sr)
{
	SourceMemory memory = sr->budget.transfers;
	ListCell   *lc;

	foreach(lc, sr->run->active)
	{
		const StepRun *other = lfirst(lc);

		if (other == sr || !other->begun)
			continue;
		memory.ring_bytes = Min(memory.ring_bytes, other->budget.transfers.ring_bytes);
		memory.brotli_bytes = Min(memory.brotli_bytes, other->budget.transfers.brotli_bytes);
		memory.connections += other->budget.transfers.connections;
	}
	source_client_bound(sr->run->client, &memory);
}

void
step_look_at_memory(StepRun *sr)
{
	ListCell   *lc;

	sr->held = 0;
	foreach(lc, sr->listings)
	{
		if (lfirst(lc) != sr->holder)
			sr->held += held(lfirst(lc));
	}
	if (sr->holder != NULL && (sr->holder->held || held(sr->holder) == 0))
	{
		sr->held += held(sr->holder);
		sr->holder = NULL;
	}
}

bool
step_memory_lets_read(Listing *listing)
{
	StepRun    *sr = listing->sr;
	size_t		its = held(listing);

	/* As its buffer doubles, it may need as much again. */
	if (its == 0 || listing == sr->holder || sr->held + its <= sr->budget.shared_bytes)
		return true;
	if (sr->holder != NULL)
		return false;
	sr->holder = listing;
	sr->held -= its;
	return true;
}

bool
step_memory_wants_flush(const StepRun *sr)
{
	return MemoryContextMemAllocated(sr->context_memory, false) > sr->budget.batch_bytes ||
		MemoryContextMemAllocated(sr->ended_memory, false) > MAX_ENDED_BYTES;
}

void
step_lower_work_mem(const StepRun *sr)
{
	char		value[32];

	if (sr->budget.work_mem_kb == 0 || sr->budget.work_mem_kb >= work_mem)
		return;
	snprintf(value, sizeof(value), "%dkB", sr->budget.work_mem_kb);
	(void) set_config_option("work_mem", value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Bytes of what is not complete, beyond the reader's own. */
static size_t
held(const Listing *listing)
{
	size_t		bytes = listing->reader != NULL ? item_reader_held(listing->reader) : 0;

	return bytes - Min(bytes, listing->sr->budget.own_bytes);
}
