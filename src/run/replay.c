/*
 * replay.c
 *	  Items that were rejected, tried again.
 *
 * A run in the caller's transaction, with the job's lock and the current definition, whose source is databite.rejected_item:
 * the steps in their order, and of each its items in the order in which they were rejected, in batches.
 * What becomes of an item is decided by transform, validation and destination alone; it is of the source's no more, so
 * source.where is not asked, and no cursor moves.  What fits leaves the list, what does not
 * stays with its new reason.  A bad item is found and rejected again whatever the definition says of errors;
 * an error that no single item causes fails the replay, and nothing of it stays.
 *
 * An item brings along what it had in common with its page.  A payload is that of the item's run, as long as history has it.
 */
#include "postgres.h"

#include "catalog/event_catalog.h"
#include "catalog/rejected_catalog.h"
#include "item/reread.h"
#include "run/replay.h"
#include "run/shortfall.h"
#include "run/step_data.h"
#include "run/time_limit.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Texts of items that are tried at a time; an item alone has less. */
#define CHUNK_BYTES		(1024 * 1024)

/* A step's items on their way. */
typedef struct ReplayStep
{
	StepRun    *sr;				/* its batch is in the memory of the chunk */
	MemoryContext chunk_memory;
	int64		last_id;		/* of the items that are done with */
	int64		of_run;			/* whose payload the scopes have; 0: none yet */
	List	   *rows;			/* of RejectedRow *: the chunk */
} ReplayStep;

static void replay_step(RunContext *run, const JobStep *step);
static JobStep *own_step(const JobStep *step);
static void replay_chunk(RunContext *run, void *arg);
static void prepare(StepRun *sr);
static void use_payload(ReplayStep *rs, int64 run_id);
static ItemBatch *read_chunk(const ReplayStep *rs);
static void settle(const ReplayStep *rs, const List *rejected);
static void count(StepRun *sr, const WriteCounts *counts);
static void finish(RunContext *run, void *arg);

void
replay_steps(RunContext *run)
{
	ListCell   *lc;

	foreach(lc, run->job->steps)
	{
		const JobStep *step = lfirst(lc);

		if (!step->destination.none)	/* what it delivers is for the rest of a run, and here is none */
			replay_step(run, step);
	}
	run->step = NULL;
	run_in_transaction(run, finish, NULL);
}

static void
replay_step(RunContext *run, const JobStep *step)
{
	MemoryContext memory = AllocSetContextCreate(run->memory, "databite replay", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	ReplayStep	rs = {0};

	rs.sr = palloc0(sizeof(StepRun));
	rs.sr->run = run;
	rs.sr->step = own_step(step);
	rs.sr->memory = memory;
	rs.sr->pass_started = run->started_at;
	rs.chunk_memory = AllocSetContextCreate(memory, "databite replayed items", ALLOCSET_DEFAULT_SIZES);
	run->step = step;
	do
	{
		time_limit_check(run, NULL);
		step_watch(rs.sr, "database");
		MemoryContextSwitchTo(rs.chunk_memory);
		run_in_transaction(run, replay_chunk, &rs);
		MemoryContextReset(rs.chunk_memory);
	} while (rs.rows != NIL);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}

/* The step without its source, and without what only a whole pass may do. */
static JobStep *
own_step(const JobStep *step)
{
	JobStep    *own = palloc(sizeof(JobStep));
	JobDestination *destination = &own->destination;

	*own = *step;
	own->source.where.text = NULL;
	destination->rejects_bad_items = true;
	if (destination->mode == WRITE_REPLACE || destination->mode == WRITE_PARALLEL || destination->mode == WRITE_STREAMING)
		destination->mode = WRITE_DEFAULT;
	if (destination->deletes != NULL)
	{
		destination->deletes = palloc(sizeof(JobDeletes));
		*destination->deletes = *step->destination.deletes;
		destination->deletes->missing = DELETE_NONE;
	}
	return own;
}

/* The next items of the step; rows is NIL where there are none. */
static void
replay_chunk(RunContext *run, void *arg)
{
	ReplayStep *rs = arg;
	StepRun    *sr = rs->sr;
	WriteCounts counts = {0};
	int			max_items = sr->step->destination.batch_size > 0 ? sr->step->destination.batch_size : STEP_BATCH_ITEMS;
	ItemBatch  *batch;
	List	   *rejected;

	rs->rows = rejected_catalog_get(run->record->id, run->replay_of, sr->step->id, rs->last_id, max_items, CHUNK_BYTES);
	if (rs->rows == NIL)
		return;
	if (sr->plan == NULL)
		prepare(sr);
	use_payload(rs, ((RejectedRow *) linitial(rs->rows))->run_id);
	batch = read_chunk(rs);
	if (write_plan_needs_sample(sr->plan))
	{
		write_plan_learn(sr->plan, batch, sr->position, sr->scopes);
		if (!write_plan_needs_sample(sr->plan))
			batch = read_chunk(rs);
	}
	rejected = write_plan_execute(sr->plan, batch, sr->position, sr->scopes, &counts);
	step_note_changes(sr);
	settle(rs, rejected);
	count(sr, &counts);
	sr->position += batch->nitems;
	rs->last_id = ((RejectedRow *) llast(rs->rows))->id;
}

static void
prepare(StepRun *sr)
{
	MemoryContext old = MemoryContextSwitchTo(sr->memory);
	ProblemList *problems = problem_list_create(sr->memory);

	state_catalog_get(sr->run->record->id, sr->step->id, &sr->state);
	sr->plan = write_plan_create(sr->step, WRITE_PLAN_RUN, problems, sr->memory);
	problem_raise_first(problems);
	MemoryContextSwitchTo(old);
}

static void
use_payload(ReplayStep *rs, int64 run_id)
{
	StepRun    *sr = rs->sr;
	RunContext *run = sr->run;
	MemoryContext old;
	RunRecord  *record;
	char	   *event;

	if (rs->of_run == run_id)
		return;
	record = run_catalog_get(run_id);
	if (run->payload != NULL)
		pfree(run->payload);
	if (run->event != NULL)
		pfree(run->event);
	run->payload = record != NULL && record->payload != NULL ? MemoryContextStrdup(run->memory, record->payload) : NULL;
	event = record != NULL && record->event_id != 0 ? event_catalog_json(record->event_id) : NULL;
	run->event = event != NULL ? MemoryContextStrdup(run->memory, event) : NULL;
	old = MemoryContextSwitchTo(sr->memory);
	step_make_cursor(sr);
	MemoryContextSwitchTo(old);
	rs->of_run = run_id;
}

static ItemBatch *
read_chunk(const ReplayStep *rs)
{
	int			nitems = list_length(rs->rows);
	char	  **texts = palloc(sizeof(char *) * nitems);
	ItemContext *contexts = palloc(sizeof(ItemContext) * nitems);
	const JsonPath *const *paths;
	int			npaths = write_plan_paths(rs->sr->plan, &paths);
	ListCell   *lc;

	foreach(lc, rs->rows)
	{
		const RejectedRow *row = lfirst(lc);

		texts[foreach_current_index(lc)] = row->item;
		contexts[foreach_current_index(lc)].json = row->context != NULL ? row->context : "{}";
	}
	return item_batch_read(nitems, texts, contexts, npaths, paths, CurrentMemoryContext);
}

/* Those that are rejected again keep their place in the list, with the new reason; the others leave it. */
static void
settle(const ReplayStep *rs, const List *rejected)
{
	int64	   *done = palloc(sizeof(int64) * list_length(rs->rows));
	int			ndone = 0;
	ListCell   *next = list_head(rejected);
	ListCell   *lc;

	foreach(lc, rs->rows)
	{
		const RejectedRow *row = lfirst(lc);
		const RejectedItem *item = next != NULL ? lfirst(next) : NULL;
		RejectedRecord record;

		if (item == NULL || item->position != foreach_current_index(lc))
		{
			done[ndone++] = row->id;
			continue;
		}
		record = step_rejected_record(item);
		rejected_catalog_update(row->id, &record);
		shortfall_note_item(rs->sr, &record);
		next = lnext(rejected, next);
	}
	rejected_catalog_remove(ndone, done);
}

static void
count(StepRun *sr, const WriteCounts *counts)
{
	step_add_counts(&sr->run->counters, counts);
	sr->run->shortfall.taken |= counts->processed > counts->rejected + counts->skipped;
}

/* As with any run, nothing but rejected items is a failure. */
static void
finish(RunContext *run, void *arg)
{
	int64		left = rejected_catalog_count(run->record->id, run->replay_of) - run->counters.rejected;

	if (left > 0)
		run_note(run,
				 psprintf(INT64_FORMAT " %s not tried again: the text was not kept, or the step is gone or has no destination",
						  left, left == 1 ? "item was" : "items were"));
	if (run->counters.rejected > 0 && !run->shortfall.taken && run->counters.skipped == 0)
		run->failure = shortfall_all_rejected(run, run->shortfall.first_reason);
	run_write_notices(run);
}
