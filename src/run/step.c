/*
 * step.c
 *	  One step of a run: from its definition to its last row.
 *
 * prepare (one transaction) reads the step's state, makes its table where that
 * is missing, compiles and renders.  Then listings are read without a
 * transaction (step_data.h has the parts); a full batch is written with one
 * statement, and in the same transaction go the counters and the checkpoint: for
 * each listing that is open its page, and how many of that page's items are in the
 * table.  Requests are under way while a batch is written.  The last flush
 * writes the rest and moves last_sync_time and the cursor.
 *
 * A pass that was killed goes on at its checkpoint: the pages are read once more
 * and the items that are in the table already are skipped, so the rows are
 * right with and without a key and nothing is counted twice.  A pass that failed
 * or was cancelled begins anew if its writes can be repeated (upsert);
 * otherwise it too goes on at the checkpoint, because a second insert of the
 * same items would double them.
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/part_catalog.h"
#include "destination/stage.h"
#include "item/reread.h"
#include "miscadmin.h"
#include "run/job_lock.h"
#include "run/run_error.h"
#include "run/shortfall.h"
#include "run/step_data.h"
#include "run/time_limit.h"
#include "template/template.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static void prepare(RunContext *run, void *arg);
static void link_parents(RunContext *run);
static void prepare_source(StepRun *sr, ProblemList *problems);
static void begin_pass(RunContext *run, void *arg);
static bool goes_on(const StepRun *sr);
static void clear_deliveries(StepRun *sr);
static void read_source(StepRun *sr);
static void await_orphans(RunContext *run, void *arg);
static void read_listings(StepRun *sr);
static void end_in_time(StepRun *sr);
static int	next_fetches(StepRun *sr, Listing **listings, Fetch **fetches);
static void read_inline(StepRun *sr);
static void read_sql(StepRun *sr);
static Listing *only_listing(StepRun *sr);
static void finish_items(Listing *listing);

void
step_run(RunContext *run, const JobStep *step)
{
	StepRun    *sr;
	MemoryContext memory = AllocSetContextCreate(run->memory, "databite step", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);

	sr = palloc0(sizeof(StepRun));
	sr->run = run;
	sr->step = step;
	sr->memory = memory;
	sr->write_memory = AllocSetContextCreate(memory, "databite write", ALLOCSET_DEFAULT_SIZES);
	sr->loop_memory = AllocSetContextCreate(memory, "databite loop", ALLOCSET_DEFAULT_SIZES);
	sr->ended_memory = AllocSetContextCreate(memory, "databite ended parents", ALLOCSET_SMALL_SIZES);
	sr->context_memory = AllocSetContextCreate(memory, "databite item contexts", ALLOCSET_SMALL_SIZES);
	run->step = step;
	run->page = 0;

	sr->origin_memory = AllocSetContextCreate(memory, "databite origins", ALLOCSET_SMALL_SIZES);
	sr->has_origins = step->destination.mode == WRITE_PARALLEL;
	sr->clock_lead = -1;

	step_watch(sr, "database");
	if (sr->has_origins)
		run_in_transaction(run, await_orphans, NULL);
	run_in_transaction(run, prepare, sr);
	if (sr->done)
	{
		/* What it has left out, or written, is the run's. */
		run->shortfall.earlier |= sr->incomplete;
		run->shortfall.taken = true;
	}
	else
	{
		/* Requests may be made of what the token's answer says, so it comes before they are rendered. */
		if (sr->auth != NULL)
			(void) auth_session_refresh(sr->auth, run, sr->scopes);
		if (!goes_on(sr))
			clear_deliveries(sr);
		run_in_transaction(run, begin_pass, sr);
		sr->last_flush = GetCurrentTimestamp();
		read_source(sr);
	}

	run->step = NULL;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}

/* What an earlier pass has delivered to later steps. */
static void
clear_deliveries(StepRun *sr)
{
	ListCell   *lc;

	foreach(lc, sr->wanted)
		parents_clear(sr->run, ((const ParentDelivery *) lfirst(lc))->to->id);
}

/* From the first item to the last row.  Parallel writers end with it, however it ends. */
static void
read_source(StepRun *sr)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		switch (sr->step->source.type)
		{
			case SOURCE_API:
				read_listings(sr);
				break;
			case SOURCE_INLINE:
				read_inline(sr);
				break;
			case SOURCE_SQL:
				read_sql(sr);
				break;
		}
		sr->finished = true;
		step_flush(sr);
	}
	PG_CATCH();
	{
		if (sr->rounds == NULL)
			PG_RE_THROW();
		MemoryContextSwitchTo(sr->run->memory);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error == NULL)
		rounds_end(sr);
	else
	{
		rounds_abandon(sr, error);
		error_rethrow(error);
	}
}

/* What writers of a run that is gone are still writing must be there when this one looks what is. */
static void
await_orphans(RunContext *run, void *arg)
{
	job_writers_await(run->record->id);
}

int64
step_total_items(const StepRun *sr)
{
	const Listing *first = sr->listings != NIL ? linitial(sr->listings) : NULL;

	/* The total of a listing is that of the step where it is the only one. */
	return first != NULL && first->pager != NULL && first->window.from == NULL && first->parent == NULL
		? pager_total_items(first->pager)
		: -1;
}

ItemReader *
step_reader(const JobStep *step, const MemoryBudget *budget, int npaths, const JsonPath *const *paths,
			MemoryContext context)
{
	const JobSource *source = &step->source;
	bool		is_api = source->type == SOURCE_API;
	ItemReaderOptions options = {
		.data_path = is_api ? source->data_path : NULL,
		.npaths = npaths,
		.paths = paths,
		.max_item_bytes = budget->item_bytes,
		.patience_bytes = STEP_PATIENCE,
		.keep_bytes = budget->own_bytes / 2,
		.max_depth = STEP_MAX_DEPTH,
		.max_envelope_bytes = budget->envelope_bytes,
		.format = is_api ? source->format : FORMAT_JSON,
		.zip = source->zip,
		.fingerprint = true,
		.objects_only = !step->has_transform && source->where.text == NULL,
	};

	return item_reader_create(&options, context);
}

void
step_raise_reader_error(const ItemReader *reader, const JobSource *source, const Fetch *fetch)
{
	const char *hint;
	const char *message = item_reader_error(reader, &hint);

	run_raise_content_error(item_reader_sqlstate(reader), message, hint, source->method,
							fetch ? fetch_response(fetch) : NULL);
}

ItemBatch *
step_reread(const ItemBatch *whole, int npaths, const JsonPath *const *paths, MemoryContext context)
{
	return item_batch_reread(whole, 0, npaths, paths, context);
}

/* One transaction: state, table, statement, requests. */
static void
prepare(RunContext *run, void *arg)
{
	StepRun    *sr = arg;
	MemoryContext old = MemoryContextSwitchTo(sr->memory);
	ProblemList *problems = problem_list_create(sr->memory);
	bool		partial;

	state_catalog_get(run->record->id, sr->step->id, &sr->state);
	sr->done = checkpoint_is_done(sr->state.checkpoint, &partial, &sr->incomplete);
	if (partial)
		step_note_part(sr);
	link_parents(run);
	sr->plan = write_plan_create(sr->step, WRITE_PLAN_RUN, problems, sr->memory);
	problem_raise_first(problems);
	step_note_changes(sr);
	run->keep_checkpoint |= write_plan_goes_on(sr->plan);
	if (!sr->done)
	{
		step_stage_find(sr);

		/* A pass asks for what there was when it began, in whichever run: the rest is the next one's. */
		sr->pass_started = goes_on(sr) ? checkpoint_started_at(sr->state.checkpoint) : run->started_at;
		sr->scopes_used = write_plan_scopes(sr->plan);
		sr->wanted = parents_deliveries(run->job, sr->step);
		prepare_source(sr, problems);
	}

	/* Also a run that nobody started for that goes on where another one stood. */
	if (run->run_id != 0 && run->resumes == 0 && (sr->done || goes_on(sr)))
		run->resumes = run_catalog_take_up(run->run_id);
	MemoryContextSwitchTo(old);
}

/* What it sets lives as long as the job. */
static void
link_parents(RunContext *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	parents_link(run->job, NULL);
	MemoryContextSwitchTo(old);
}

/* Compiles what the step asks its source with. */
static void
prepare_source(StepRun *sr, ProblemList *problems)
{
	const RunContext *run = sr->run;
	const JobSource *source = &sr->step->source;

	step_make_cursor(sr);
	sr->concurrency = 1;
	if (source->type != SOURCE_API)
		step_make_budget(sr);
	if (source->type == SOURCE_SQL)
	{
		step_lower_work_mem(sr);
		sr->sql = sql_source_create(source, problems, sr->memory);
		problem_raise_first(problems);
		sql_source_execute(sr->sql, sr->scopes);
	}
	if (source->type != SOURCE_API)
		return;

	sr->auth = auth_session_create(source, problems, sr->memory);
	sr->request_plan = request_plan_create(sr->step, problems, sr->memory);
	step_make_policy(sr, problems);
	problem_raise_first(problems);
	if (!rate_limiter_is_shared(sr->policy.limiter))
		run_note(sr->run, "the rate limit is not shared with other processes: databite is not preloaded");

	/* A page is in the batch by itself where its items are completed by what follows them. */
	sr->concurrency = (sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) != 0 ? 1
		: source->max_concurrency > 0 ? source->max_concurrency
									  : run->job->concurrency;
	step_make_budget(sr);
}

void
step_make_policy(StepRun *sr, ProblemList *problems)
{
	const JobSource *source = &sr->step->source;

	sr->rules = response_rules_create(source, problems, sr->memory);
	sr->policy.retry = &source->retry;
	sr->policy.limiter = rate_limiter_create(source->rate_limit, sr->run->record->owner, sr->memory);
	sr->policy.judged = true;
}

/* One transaction: from the beginning, or from the checkpoint of a pass that has not ended. */
static void
begin_pass(RunContext *run, void *arg)
{
	StepRun    *sr = arg;
	MemoryContext old = MemoryContextSwitchTo(sr->memory);
	CursorWindow bounds;

	if (sr->windowed)
	{
		cursor_bounds(sr->cursor, &bounds);
		sr->next_window = pstrdup(bounds.from);
	}
	step_stage_begin(sr, goes_on(sr));
	if (goes_on(sr))
	{
		checkpoint_read(sr);
		run->shortfall.earlier |= sr->incomplete;
	}
	if (sr->has_origins && goes_on(sr))
		rounds_take_up(sr);
	else if (sr->has_origins)
		part_catalog_clear(run->record->id, sr->step->id);
	MemoryContextSwitchTo(old);
}

/*
 * Where what was gathered is gone, all of it is gathered again.  Nobody can tell whether a query gives the same rows again, so
 * where they can be written again they are.
 */
static bool
goes_on(const StepRun *sr)
{
	return sr->state.checkpoint != NULL && !sr->stage_lost &&
		(sr->step->source.type != SOURCE_SQL ||
		 (!write_plan_is_upsert(sr->plan) && stage_content(sr->plan) != STAGE_ROWS));
}

static void
read_listings(StepRun *sr)
{
	/* There are never more requests in flight than that. */
	Listing   **listings = palloc(sizeof(Listing *) * MAX_REQUESTS);
	Fetch	  **fetches = palloc(sizeof(Fetch *) * MAX_REQUESTS);
	MemoryContext old = MemoryContextSwitchTo(sr->loop_memory);
	int			n;

	supply_open(sr);
	while ((n = next_fetches(sr, listings, fetches)) > 0)
	{
		int			ready;

		step_watch(sr, NULL);
		ready = fetch_select(sr->run->client, fetches, n, items_longest_pause(sr));
		if (ready >= 0)
			shortfall_try(listings[ready], listing_read);
		else if (time_limit_is_over(sr->run))
			end_in_time(sr);
		if (ready < 0 || (items_flush_is_due(sr) && sr->pages_done > 0))
			step_flush(sr);
		MemoryContextReset(sr->loop_memory);
		supply_open(sr);
	}
	MemoryContextSwitchTo(old);
}

/* The time of the run is over: what has come is written, and where it came from is in the checkpoint. */
static void
end_in_time(StepRun *sr)
{
	if (items_may_be_written(sr))
		step_flush(sr);
	time_limit_check(sr->run, NULL);
}

/* The requests in flight for whose bytes there is memory, beginning behind the one that was served last. */
static int
next_fetches(StepRun *sr, Listing **listings, Fetch **fetches)
{
	int			n = 0;
	int			total = list_length(sr->listings);

	step_look_at_memory(sr);
	for (int i = 0; i < total; i++)
	{
		Listing    *listing = list_nth(sr->listings, (sr->turn + i) % total);

		if (listing->fetch == NULL || listing->held || !step_memory_lets_read(listing))
			continue;
		listings[n] = listing;
		fetches[n++] = listing->fetch;
	}
	sr->turn++;
	return n;
}

static void
read_inline(StepRun *sr)
{
	Listing    *listing = only_listing(sr);
	const char *items = sr->step->source.inline_items;

	items_push(listing, items, strlen(items));
	finish_items(listing);
}

/* Rows of the query, as an array. */
static void
read_sql(StepRun *sr)
{
	Listing    *listing = only_listing(sr);
	MemoryContext old = MemoryContextSwitchTo(sr->loop_memory);
	const char *before = "[";
	char	   *row;
	size_t		len;

	while ((row = sql_source_next(sr->sql, &len)) != NULL)
	{
		items_push(listing, before, 1);
		items_push(listing, row, len);
		before = ",";
		MemoryContextReset(sr->loop_memory);
	}
	if (before[0] == '[')
		items_push(listing, before, 1);
	items_push(listing, "]", 1);
	MemoryContextSwitchTo(old);
	finish_items(listing);
}

/* The listing of a source that is no API: one page, whose items are at hand. */
static Listing *
only_listing(StepRun *sr)
{
	Listing    *listing;

	if (sr->listings != NIL)
		listing = linitial(sr->listings);	/* of a checkpoint */
	else
	{
		listing = listing_create(sr);
		sr->listings = lappend(sr->listings, listing);
	}
	items_begin(listing, NULL);
	return listing;
}

static void
finish_items(Listing *listing)
{
	items_check(listing, items_finish(listing));
	(void) changing_wants_page_again(listing);	/* it cannot be had again */
	listing->sr->pages_done++;
}
