/*
 * step.c
 *	  One step of a run: from its definition to its last row.
 *
 * step_begin: prepare (one transaction) reads the step's state, makes its table where that
 * is missing, compiles and renders.  Then listings are read without a
 * transaction, among those of other steps (step_loop.c; step_data.h has the parts); a full batch is written with one
 * statement, and in the same transaction go the counters and the checkpoint: for
 * each listing that is open its page, and how many of that page's items are in the
 * table.  Requests are under way while a batch is written.  step_end: the last flush
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

#include "catalog/part_catalog.h"
#include "destination/stage.h"
#include "item/reread.h"
#include "run/run_error.h"
#include "run/run_log.h"
#include "run/shortfall.h"
#include "run/step_data.h"
#include "template/template.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Of a source that is no API so many bytes are read at a time, so that other steps have their turn. */
#define PIECE_BYTES (64 * 1024)

static StepRun *create(RunContext *run, const JobStep *step);
static void prepare(RunContext *run, void *arg);
static void link_parents(RunContext *run);
static void prepare_source(StepRun *sr, ProblemList *problems);
static RateLimiter *make_limiter(StepRun *sr);
static void begin_pass(RunContext *run, void *arg);
static bool goes_on(const StepRun *sr);
static void clear_deliveries(StepRun *sr);
static void read_inline(StepRun *sr, Listing *listing);
static void read_sql(StepRun *sr, Listing *listing);
static Listing *only_listing(StepRun *sr);
static void finish_items(Listing *listing);

StepRun *
step_begin(RunContext *run, const JobStep *step)
{
	StepRun    *sr = create(run, step);
	MemoryContext old = MemoryContextSwitchTo(sr->memory);

	step_watch(sr, "database");
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
		sr->begun = true;
	}
	MemoryContextSwitchTo(old);
	return sr;
}

/* What an earlier pass has delivered to later steps. */
static void
clear_deliveries(StepRun *sr)
{
	ListCell   *lc;

	foreach(lc, sr->wanted)
		parents_clear(sr->run, ((const ParentDelivery *) lfirst(lc))->to->id);
}

static StepRun *
create(RunContext *run, const JobStep *step)
{
	MemoryContext memory = AllocSetContextCreate(run->memory, "databite step", ALLOCSET_DEFAULT_SIZES);
	StepRun    *sr = MemoryContextAllocZero(memory, sizeof(StepRun));
	MemoryContext old;

	sr->run = run;
	sr->step = step;
	sr->memory = memory;
	sr->write_memory = AllocSetContextCreate(memory, "databite write", ALLOCSET_DEFAULT_SIZES);
	sr->loop_memory = AllocSetContextCreate(memory, "databite loop", ALLOCSET_DEFAULT_SIZES);
	sr->ended_memory = AllocSetContextCreate(memory, "databite ended parents", ALLOCSET_SMALL_SIZES);
	sr->context_memory = AllocSetContextCreate(memory, "databite item contexts", ALLOCSET_SMALL_SIZES);
	sr->origin_memory = AllocSetContextCreate(memory, "databite origins", ALLOCSET_SMALL_SIZES);
	sr->has_origins = step->destination.mode == WRITE_PARALLEL;
	sr->clock_lead = -1;
	sr->fair_share = MAX_REQUESTS;

	old = MemoryContextSwitchTo(run->memory);
	run->active = lappend(run->active, sr);
	MemoryContextSwitchTo(old);
	return sr;
}

void
step_read_piece(StepRun *sr)
{
	Listing    *listing = sr->listings != NIL ? linitial(sr->listings) : NULL;

	if (sr->step->source.type == SOURCE_WEBHOOK)
	{
		deliveries_read_some(sr);
		return;
	}
	if (listing == NULL || !listing->reading)
		listing = only_listing(sr);
	if (sr->step->source.type == SOURCE_INLINE)
		read_inline(sr, listing);
	else
		read_sql(sr, listing);
}

void
step_end(StepRun *sr)
{
	sr->finished = true;
	step_flush(sr);
	rounds_end(sr);
}

void
step_free(StepRun *sr)
{
	sr->run->active = list_delete_ptr(sr->run->active, sr);
	MemoryContextDelete(sr->memory);
}

bool
step_is_last(const StepRun *sr)
{
	return sr->run->steps_left == 1;
}

ItemReader *
step_reader(const JobStep *step, const MemoryBudget *budget, int npaths, const JsonPath *const *paths,
			MemoryContext context)
{
	const JobSource *source = &step->source;
	bool		is_api = source->type == SOURCE_API;
	ItemReaderOptions options = {
		.data_path = source->data_path,
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
	if (run->event != NULL && run->resumes == 0)
		sr->state.checkpoint = NULL;	/* of a run for something else */
	sr->done = checkpoint_is_done(sr->state.checkpoint, &partial, &sr->incomplete);
	if (partial)
		step_note_part(sr);
	link_parents(run);
	sr->plan = write_plan_create(sr->step, WRITE_PLAN_RUN, problems, sr->memory);
	problem_raise_first(problems);
	step_note_changes(sr);
	run->keep_checkpoint |= write_plan_goes_on(sr->plan);
	MemoryContextSwitchTo(run->memory);
	run->prepared = lappend(run->prepared, sr->step->id);
	MemoryContextSwitchTo(sr->memory);
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
	{
		run->resumes = run_catalog_take_up(run->run_id);
		run_log_add(run, LEVEL_INFO, sr->step->id, "goes on where an earlier run stood",
					psprintf("{\"resumes\": " INT64_FORMAT "}", run->resumes));
	}
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
	sr->wish = sr->concurrency = 1;
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
	sr->wish = (sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) != 0 ? 1
		: source->max_concurrency > 0 ? source->max_concurrency
									  : run->job->concurrency;
	sr->concurrency = sr->wish;
	step_make_budget(sr);
}

void
step_make_policy(StepRun *sr, ProblemList *problems)
{
	const JobSource *source = &sr->step->source;

	sr->rules = response_rules_create(source, problems, sr->memory);
	sr->policy.retry = &source->retry;
	sr->policy.limiter = make_limiter(sr);
	sr->policy.judged = true;
	sr->policy.label = sr->step->id;
}

/* Steps of the run that name the same key share a bucket also where there is no shared memory. */
static RateLimiter *
make_limiter(StepRun *sr)
{
	RunContext *run = sr->run;
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	RateLimiter *limiter = rate_limiter_create(sr->step->source.rate_limit, run->record->owner, run->memory);
	ListCell   *lc;

	foreach(lc, run->limiters)
	{
		if (rate_limiter_join(limiter, lfirst(lc)))
			break;
	}
	run->limiters = lappend(run->limiters, limiter);
	MemoryContextSwitchTo(old);
	return limiter;
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

/* The next piece of the items. */
static void
read_inline(StepRun *sr, Listing *listing)
{
	const char *items = sr->step->source.inline_items + sr->inline_read;
	size_t		len = strnlen(items, PIECE_BYTES);

	items_push(listing, items, len);
	sr->inline_read += len;
	if (items[len] == '\0')
		finish_items(listing);
}

/* The next rows of the query, as members of an array. */
static void
read_sql(StepRun *sr, Listing *listing)
{
	size_t		read = 0;

	while (read < PIECE_BYTES)
	{
		size_t		len;
		char	   *row = sql_source_next(sr->sql, &len);

		if (!sr->array_begun || row != NULL)
			items_push(listing, sr->array_begun ? "," : "[", 1);
		sr->array_begun = true;
		if (row == NULL)
		{
			items_push(listing, "]", 1);
			finish_items(listing);
			return;
		}
		items_push(listing, row, len);
		read += len;
		MemoryContextReset(sr->loop_memory);
	}
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
		MemoryContext old = MemoryContextSwitchTo(sr->memory);

		listing = listing_create(sr);
		sr->listings = lappend(sr->listings, listing);
		MemoryContextSwitchTo(old);
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
	listing->sr->exhausted = true;
}
