/*
 * step_write.c
 *	  The batch to the table, with counters and checkpoint, in one transaction.
 *
 * A flush ends with everything that was read so far in the table or undone.  The
 * last one of a step also moves what the next run begins with (last_sync_time, the
 * cursor, what the source gave to be asked with again), and the last one of the
 * step that ends last completes the run.
 */
#include "postgres.h"

#include "catalog/extension.h"
#include "catalog/part_catalog.h"
#include "catalog/rejected_catalog.h"
#include "catalog/stage_catalog.h"
#include "destination/stage.h"
#include "item/batch_part.h"
#include "miscadmin.h"
#include "run/failure_report.h"
#include "run/run_error.h"
#include "run/run_log.h"
#include "run/secret_mask.h"
#include "run/shortfall.h"
#include "run/step_data.h"
#include "run/time_limit.h"
#include "template/template.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static void check_responses(const StepRun *sr);
static void write_batch(RunContext *run, void *arg);
static ItemBatch *items_left(const StepRun *sr, ItemBatch *batch);
static void keep_parents(StepRun *sr, const ItemBatch *batch);
static void keep_rejected(StepRun *sr, const List *items);
static void raise_bad_item(const StepRun *sr, const ItemBatch *batch);
static void count(RunContext *run, const WriteCounts *counts, int64 pages, RunCounters *counters);
static void put_state(StepRun *sr, const StepPlace *place, bool last);
static void forget_passes(const StepRun *sr);
static void save_windows(StepRun *sr, const char *finished);
static void finish_state(StepRun *sr);
static void move_state(StepRun *sr);
static void forget_contexts(StepRun *sr);
static void note_left_out_parents(const StepRun *sr);
static void note_no_table(const StepRun *sr);

void
step_flush(StepRun *sr)
{
	step_write(sr);
	if (sr->finished)
		return;
	time_limit_check(sr->run, NULL);
	rounds_begin(sr);
}

void
step_write(StepRun *sr)
{
	MemoryContext old = MemoryContextSwitchTo(sr->write_memory);

	check_responses(sr);
	step_watch(sr, "database");
	if (rounds_take(sr))
	{
		MemoryContextSwitchTo(old);
		MemoryContextReset(sr->write_memory);
		return;
	}
	sr->run->more_to_come = !sr->finished || !step_is_last(sr);
	flush_write(sr, write_batch);
	sr->run->more_to_come = false;
	sr->run->publishing = false;
	MemoryContextSwitchTo(old);
	MemoryContextReset(sr->write_memory);

	/* Only now is it committed: a deferred constraint may have undone it at the last moment. */
	step_take_counters(sr);
	step_batch_done(sr);
	if (sr->cancelled && !sr->finished)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("the run was cancelled")));
	(void) run_log_write_due(sr->run);
}

void
step_take_counters(StepRun *sr)
{
	RunCounters before = sr->run->counters;

	sr->items += sr->counters.processed - before.processed;
	sr->run->counters = sr->counters;
	step_log_batch(sr, &before);	/* a line in the log is where a cancel is heard */
}

void
step_batch_done(StepRun *sr)
{
	sr->pages_done = 0;
	deliveries_forget_settled(sr);
	parent_state_forget_ended(sr);
	if (sr->batch)
	{
		sr->position += sr->batch->nitems;
		item_batch_reset(sr->batch);
		forget_contexts(sr);
		if (sr->has_origins)
			origins_forget(sr);
	}
	sr->last_flush = GetCurrentTimestamp();
}

/* A transform that looks at the response needs pages that fit into a batch: what follows the list is not known before. */
static void
check_responses(const StepRun *sr)
{
	ListCell   *lc;

	if ((sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) == 0)
		return;
	foreach(lc, sr->listings)
	{
		const Listing *listing = lfirst(lc);

		if (listing->context != NULL && !listing->context_complete)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a page has more items than a batch, and the transform looks at the response"),
					 errdetail("The response is known when the page is complete, and its items are written with it."),
					 errhint("Ask for smaller pages, or raise destination.batchSize.")));
	}
}

static void
write_batch(RunContext *run, void *arg)
{
	StepRun    *sr = arg;
	WriteCounts counts = {0};
	StepPlace	place;

	step_lock_extension();
	step_lower_work_mem(sr);
	if (sr->batch && sr->batch->nitems > 0)
		step_write_items(sr, &counts);
	deliveries_settle(sr, &counts);
	sr->stage = FLUSH_BOOKS;
	step_take_place(sr, &place);
	step_record(sr, &counts, &place, sr->finished);
	sr->stage = FLUSH_COMMIT;
}

void
step_lock_extension(void)
{
	if (!OidIsValid(catalog_lock_extension()))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension databite was dropped while the job was running")));
}

void
step_take_place(StepRun *sr, StepPlace *place)
{
	const char *finished = sr->windowed ? supply_finished_windows(sr) : NULL;

	memset(place, 0, sizeof(StepPlace));
	place->pages = sr->pages_done;
	place->ended_parents = parent_state_copy_ended(sr);
	if (sr->finished || sr->run->mode == RUN_IN_FUNCTION)	/* where nothing of it would outlive the transaction */
		return;
	place->checkpoint = checkpoint_place(sr);
	place->finished_window = finished != NULL ? pstrdup(finished) : NULL;
}

void
step_record(StepRun *sr, WriteCounts *counts, const StepPlace *place, bool last)
{
	RunContext *run = sr->run;

	count(run, counts, place->pages, &sr->counters);
	if (sr->step->destination.none)
		run->shortfall.delivered_pages += place->pages;
	sr->rejected += counts->rejected;
	sr->taken += counts->processed - counts->rejected - counts->skipped;
	if (last)
		run->failure = shortfall_failure(sr);
	if (run->failure == NULL && last && !sr->unchanged && write_plan_needs_sample(sr->plan))
		note_no_table(sr);
	if (last && run->failure == NULL)
	{
		step_stage_finish(sr, counts);
		count(run, counts, place->pages, &sr->counters);
	}
	if (last && sr->left_out > 0)
		run_note(run, psprintf("step \"%s\": %d pages were left out", sr->step->id, sr->left_out));
	if (last && sr->parents_left_out > 0)
		note_left_out_parents(sr);
	if (run->failure == NULL)
		parent_state_write(sr, place->ended_parents);
	put_state(sr, place, last);
	run_write_notices(run);
	if (run->run_id != 0 && run->mode != RUN_IN_FUNCTION)
	{
		sr->cancelled = run_catalog_progress(run->run_id, sr->step->id, &sr->counters, step_total_items(sr));

		/* With the rows that complete it: a run that was killed between the two would be done twice. */
		if (last && run->failure != NULL)
		{
			run_catalog_finish(run->run_id, RUN_FAILED, &sr->counters,
							   shortfall_failure_json(run, &sr->counters, run->failure, sr->step->id));
			failure_report(run->record->id, run->record->owner, &run->job->error_handling, run->run_id, run->failure);
		}
		else if (last && step_is_last(sr))
			run_catalog_finish(run->run_id, shortfall_status(run, &sr->counters), &sr->counters,
							   shortfall_json(run, &sr->counters));
	}
}

void
step_write_items(StepRun *sr, WriteCounts *counts)
{
	ItemBatch  *batch = sr->batch;

	if (batch->bad != NIL && !write_plan_rejects(sr->plan) && sr->given_up == NULL)
		raise_bad_item(sr, batch);
	sr->stage = FLUSH_ITEMS;
	if (sr->sampling && write_plan_needs_sample(sr->plan) && sr->given_up == NULL)
	{
		write_plan_learn(sr->plan, sr->batch, sr->position, sr->scopes);
		step_note_changes(sr);
		sr->run->keep_checkpoint |= write_plan_goes_on(sr->plan);
		step_stage_make(sr);
	}
	if (sr->sampling && !write_plan_needs_sample(sr->plan))
	{
		const JsonPath *const *paths;
		int			npaths = write_plan_paths(sr->plan, &paths);

		batch = step_reread(sr->batch, npaths, paths, CurrentMemoryContext);
	}
	if (sr->in_table != NULL)
		batch = items_left(sr, batch);
	if (batch->nitems == 0)
		return;
	if (sr->given_up != NULL)
	{
		keep_rejected(sr, write_plan_reject_batch(sr->plan, batch, sr->position, sr->scopes, sr->given_up, counts));
		sr->run->shortfall.batches++;
		if (stage_content(sr->plan) == STAGE_ROWS)
			sr->incomplete = true;	/* the items may be sound: a table without them is not what the source has */
		return;
	}
	keep_rejected(sr, write_plan_execute(sr->plan, batch, sr->position, sr->scopes, counts));
	step_note_changes(sr);
	if (stage_content(sr->plan) == STAGE_KEYS && !write_plan_needs_sample(sr->plan))
		stage_add_keys(sr->plan, batch, sr->position, sr->scopes);
	if (sr->wanted != NIL)
		keep_parents(sr, batch);
}

void
step_note_changes(StepRun *sr)
{
	ListCell   *lc;

	foreach(lc, write_plan_take_notices(sr->plan))
		run_note(sr->run, lfirst(lc));
}

/* Without those that are in the table already. */
static ItemBatch *
items_left(const StepRun *sr, ItemBatch *batch)
{
	int		   *items = palloc(sizeof(int) * batch->nitems);
	int			nitems = 0;

	for (int i = 0; i < batch->nitems; i++)
	{
		if (!bms_is_member(i, sr->in_table))
			items[nitems++] = i;
	}
	return batch_part_create(batch, batch->npaths, items, nitems, sr->position);
}

/* What later steps make requests of. */
static void
keep_parents(StepRun *sr, const ItemBatch *batch)
{
	Jsonb	  **rows;
	int			nrows = write_plan_delivered(sr->plan, batch, sr->position, sr->scopes, &rows);
	ListCell   *lc;

	if (nrows == 0)
		return;
	foreach(lc, sr->wanted)
	{
		const ParentDelivery *delivery = lfirst(lc);

		parent_catalog_add(sr->run->record->id, delivery->to->id, delivery->names, nrows, rows,
						   sr->step->destination.mode == WRITE_PARALLEL);
	}
}

/* Writes what was rejected, in the transaction of its batch. */
static void
keep_rejected(StepRun *sr, const List *items)
{
	const JobRecord *job = sr->run->record;
	RejectedRecord *records;
	ListCell   *lc;

	if (items == NIL)
		return;
	records = palloc(sizeof(RejectedRecord) * list_length(items));
	foreach(lc, items)
	{
		const RejectedItem *item = lfirst(lc);

		records[foreach_current_index(lc)] = step_rejected_record(item);
	}
	shortfall_note_item(sr, &records[0]);
	if (sr->run->run_id != 0)
		rejected_catalog_add(job->id, job->owner, sr->run->run_id, sr->step->id, list_length(items), records);
}

RejectedRecord
step_rejected_record(const RejectedItem *item)
{
	return (RejectedRecord){
		.item = item->item,
		.sqlstate = item->sqlstate,
		.message = secret_mask_text(item->message),
		.column = item->column,
		.constraint = item->constraint,
		.context = item->context,
	};
}

static void
raise_bad_item(const StepRun *sr, const ItemBatch *batch)
{
	BadItem    *bad = linitial(batch->bad);

	ereport(ERROR,
			(errcode(bad->sqlstate),
			 errmsg("item " INT64_FORMAT " cannot be stored: %s", item_batch_position(batch, sr->position, bad->item) + 1, bad->reason),
			 bad->sqlstate == ERRCODE_DATATYPE_MISMATCH ? errhint("Say in \"transform\" which column takes {{ item }}.") : 0));
}

void
step_add_counts(RunCounters *counters, const WriteCounts *counts)
{
	counters->processed += counts->processed;
	counters->inserted += counts->inserted;
	counters->updated += counts->updated;
	counters->unchanged += counts->unchanged;
	counters->deleted += counts->deleted;
	counters->rejected += counts->rejected;
	counters->skipped += counts->skipped;
}

static void
count(RunContext *run, const WriteCounts *counts, int64 pages, RunCounters *counters)
{
	*counters = run->counters;
	step_add_counts(counters, counts);
	counters->pages += pages;
	run_count_traffic(run, counters);
}

/*
 * A pass that goes on leaves its checkpoint, one that ends moves what the next
 * begins with, and one that has failed for its items leaves neither.
 */
static void
put_state(StepRun *sr, const StepPlace *place, bool last)
{
	const JobRecord *job = sr->run->record;

	if (last && sr->run->failure != NULL)
		forget_passes(sr);
	else if (last)
		finish_state(sr);
	else if (place->checkpoint != NULL)
	{
		state_catalog_put_checkpoint(job->id, job->state_epoch, sr->step->id, checkpoint_write(sr, place->checkpoint));
		if (sr->done_forgotten)
			part_catalog_forget_earlier(job->id, sr->step->id, sr->run->run_id);
		sr->done_forgotten = false;
		save_windows(sr, place->finished_window);
	}
}

/* The run has failed for the items of this step; what others have written that cannot be written again stays counted. */
static void
forget_passes(const StepRun *sr)
{
	const char *job_id = sr->run->record->id;
	const char *step_id = sr->run->keep_checkpoint ? sr->step->id : NULL;

	state_catalog_forget_checkpoint(job_id, step_id);
	stage_catalog_drop(job_id, step_id);
}

/* A window that is complete is not asked for again, whatever becomes of those behind it. */
static void
save_windows(StepRun *sr, const char *finished)
{
	const JobRecord *job = sr->run->record;
	CursorWindow bounds;

	cursor_bounds(sr->cursor, &bounds);
	finished = changing_bound(sr, finished);
	if (finished != NULL && strcmp(finished, bounds.from) > 0 &&
		(sr->state.cursor == NULL || strcmp(finished, sr->state.cursor) > 0))
	{
		state_catalog_save_cursor(job->id, job->state_epoch, sr->step->id, finished);
		sr->state.cursor = MemoryContextStrdup(sr->memory, finished);
	}
}

static void
finish_state(StepRun *sr)
{
	const JobRecord *job = sr->run->record;
	bool		partial = step_is_part(sr) != NULL;

	parent_state_note_new(sr);
	if (sr->incomplete || (sr->shorter && write_plan_is_upsert(sr->plan)))
	{
		/* What was not read is asked for again. */
		state_catalog_forget_checkpoint(job->id, sr->step->id);
		save_windows(sr, sr->windowed ? supply_finished_windows(sr) : NULL);
	}
	else
		move_state(sr);
	if (partial)
		step_note_part(sr);
	if (list_length(sr->run->job->steps) == 1)
		return;

	/* Where the run is taken up again after this, the step is not done a second time. */
	if (step_is_last(sr))
	{
		state_catalog_forget_checkpoints(job->id);

		/* The rest when that is committed (run.c); the transaction of execute_job is all that there is. */
		while (parents_clear_some(sr->run) && sr->run->mode == RUN_IN_FUNCTION)
			CHECK_FOR_INTERRUPTS();
	}
	else if (sr->run->mode != RUN_IN_FUNCTION)
		state_catalog_put_checkpoint(job->id, job->state_epoch, sr->step->id,
									 checkpoint_done(partial, sr->incomplete, write_plan_goes_on(sr->plan)));
}

/* What the next pass begins with. */
static void
move_state(StepRun *sr)
{
	const JobRecord *job = sr->run->record;
	StepOutcome state = {.last_sync_time = changing_pass_started(sr)};

	if (!parent_state_is_own(sr))
		state.cursor = changing_next_cursor(sr, sr->cursor, sr->state.cursor);
	state.sync_token = sr->sync_token == NULL && !sr->sync_token_expired ? sr->state.sync_token : sr->sync_token;
	state.etag = sr->unchanged ? sr->state.etag : sr->etag;
	state.last_modified = sr->unchanged ? sr->state.last_modified : sr->last_modified;
	state.validators_for = sr->unchanged ? sr->state.validators_for : sr->validators_for;
	changing_note_clock(sr);
	state_catalog_finish(job->id, job->state_epoch, sr->step->id, &state);
}

/* What belongs to the batch's items is gone with it; pages that go on get new contexts. */
static void
forget_contexts(StepRun *sr)
{
	ListCell   *lc;

	foreach(lc, sr->listings)
	{
		Listing    *listing = lfirst(lc);

		listing->context = NULL;
		bms_free(listing->fresh);
		listing->fresh = NULL;
	}
	MemoryContextReset(sr->context_memory);
}

/* The columns of a table are taken from items, and there were none. */
static void
note_no_table(const StepRun *sr)
{
	bool		dropped = sr->position > 0 || (sr->batch != NULL && sr->batch->nitems > 0);
	char	   *notice = psprintf("table \"%s\" was not %s because %s", sr->step->destination.table,
								  write_plan_lacks_columns(sr->plan) ? "given the columns that it lacks" : "created",
								  dropped ? "source.where dropped all items" : "the source gave no items");

	ereport(NOTICE,
			(errmsg_internal("%s", notice)));
	run_note(sr->run, notice);
}

static void
note_left_out_parents(const StepRun *sr)
{
	int64		rows = sr->parents_left_out;

	run_note(sr->run,
			 psprintf("step \"%s\": no request was made of " INT64_FORMAT " %s of step \"%s\" without a value in a column that it names",
					  sr->step->id, rows, rows == 1 ? "row" : "rows", request_plan_parent(sr->request_plan)->id));
}
