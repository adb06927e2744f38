/*
 * step_items.c
 *	  Bytes to items of the batch.
 *
 * Every listing reads its pages with a reader of its own; readers are handed on
 * from a listing that has ended to one that begins.  All deliver into the
 * step's batch.
 *
 * While the columns of the table are not known (no table, no schema), items are
 * read whole, the first batch is the sample, and the items of that page are
 * read a second time with the paths that came of it.  Nothing else is read meanwhile.
 */
#include "postgres.h"

#include "destination/batch.h"
#include "miscadmin.h"
#include "run/run_error.h"
#include "run/step_data.h"
#include "template/template.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A batch that is not full is written at the end of a page when this time has passed, so that rows show up. */
#define FLUSH_INTERVAL_MS 500

/* With "streaming_insert" so often at the most, whenever the source pauses. */
#define PAUSE_FLUSH_INTERVAL_MS 100

static bool a_page_has_begun(const StepRun *sr);
static bool is_late(const StepRun *sr);
static void open_batch(StepRun *sr);
static ItemReader *open_reader(StepRun *sr);
static int	all_paths(StepRun *sr, const JsonPath *const **paths);
static void look_at_items(Listing *listing, int first);
static void look_at_cursor(Listing *listing, int first);
static void keep_last_value(Listing *listing);
static void set_context(Listing *listing);
static bool keeps_beginning(const Listing *listing);
static void raise_reader_error(const Listing *listing);
static void note_list_path(const Listing *listing);

void
items_begin(Listing *listing, const char *content_type)
{
	StepRun    *sr = listing->sr;

	/* What a try that broke has left in the sample stays there. */
	if (sr->batch == NULL || (sr->sampling && sr->batch->nitems == 0 && !write_plan_needs_sample(sr->plan)))
		open_batch(sr);
	if (listing->reader == NULL)
		listing->reader = open_reader(sr);
	item_reader_begin(listing->reader, listing->skip);
	item_reader_expect(listing->reader, listing->skip_print);
	listing->reading = true;
	bms_free(listing->fresh);
	listing->fresh = NULL;
	listing->withdrawn = 0;
	items_begin_body(listing, content_type);
}

void
items_begin_body(Listing *listing, const char *content_type)
{
	listing->unreadable = false;
	listing->beginning_len = 0;
	listing->body_len = 0;
	if (!item_reader_set_content_type(listing->reader, content_type))
		items_fail(listing);
}

void
items_push(Listing *listing, const char *data, size_t len)
{
	StepRun    *sr = listing->sr;

	items_keep_beginning(listing, data, len);
	while (len > 0 && !listing->unreadable)
	{
		size_t		taken;
		int			before = sr->batch->nitems;
		ItemReaderStatus status;

		set_context(listing);
		status = item_reader_push(listing->reader, data, len, &taken, sr->batch);
		data += taken;
		len -= taken;
		look_at_items(listing, before);
		if (status == ITEMS_ERROR)
			items_fail(listing);
		if (status == ITEMS_BATCH_FULL)
			step_flush(sr);
		CHECK_FOR_INTERRUPTS();
	}
}

bool
items_finish(Listing *listing)
{
	StepRun    *sr = listing->sr;
	ItemReaderStatus status;
	int			before;

	if (listing->unreadable)
		return false;
	do
	{
		before = sr->batch->nitems;
		set_context(listing);
		status = item_reader_finish(listing->reader, sr->batch);
		look_at_items(listing, before);
		if (status == ITEMS_BATCH_FULL)
			step_flush(sr);
	} while (status == ITEMS_BATCH_FULL);
	return status != ITEMS_ERROR;
}

void
items_keep_beginning(Listing *listing, const char *data, size_t len)
{
	if (!keeps_beginning(listing))
		return;
	listing->body_len += len;
	if (listing->beginning == NULL)
		listing->beginning = MemoryContextAlloc(listing->memory, MAX_BEGINNING);
	len = Min(len, MAX_BEGINNING - listing->beginning_len);
	memcpy(listing->beginning + listing->beginning_len, data, len);
	listing->beginning_len += len;
}

void
items_fail(Listing *listing)
{
	if (!keeps_beginning(listing) && listing->delivery == 0)
		raise_reader_error(listing);
	listing->unreadable = true;
}

bool
items_are_given_up(const Listing *listing)
{
	return listing->unreadable && listing->beginning_len == MAX_BEGINNING;
}

const char *
items_body(const Listing *listing, bool readable, size_t *len)
{
	/* Of one that was read to its end, the envelope is all but the items, also where no list was found in it. */
	if (readable || (!listing->unreadable && listing->body_len > MAX_BEGINNING))
		return item_reader_envelope(listing->reader, len);
	*len = listing->beginning_len;
	return listing->beginning != NULL ? listing->beginning : "";
}

/* There are rules that may tell what a body is that cannot be read. */
static bool
keeps_beginning(const Listing *listing)
{
	return listing->fetch != NULL && response_rules_for_successes(listing->sr->rules);
}

void
items_check(Listing *listing, bool right)
{
	if (!right)
		raise_reader_error(listing);
	note_list_path(listing);
}

int64
items_delivered(const Listing *listing)
{
	return listing->reading ? Max(item_reader_count(listing->reader) - listing->withdrawn, listing->skip) : listing->skip;
}

uint64
items_print(const Listing *listing)
{
	if (!listing->reading || listing->withdrawn > 0 || item_reader_count(listing->reader) <= listing->skip)
		return listing->skip_print;
	return item_reader_fingerprint(listing->reader);
}

void
items_withdraw(Listing *listing)
{
	ItemBatch  *batch = listing->sr->batch;
	MemoryContext old = MemoryContextSwitchTo(batch->context);

	batch->dropped = bms_add_members(batch->dropped, listing->fresh);
	MemoryContextSwitchTo(old);
	if (listing->sr->has_origins)
		origins_withdraw(listing->sr, listing->fresh);
	listing->withdrawn += bms_num_members(listing->fresh);
	bms_free(listing->fresh);
	listing->fresh = NULL;
}

bool
items_flush_is_due(const StepRun *sr)
{
	if (step_memory_wants_flush(sr))
		return true;
	if (response_rules_for_successes(sr->rules) && a_page_has_begun(sr))
		return false;			/* its items may have to be withdrawn: see items_withdraw */
	if (sr->batch == NULL || sr->batch->nitems == 0)	/* empty windows and parents are done with too */
		return (sr->windowed || request_plan_parent(sr->request_plan) != NULL) && is_late(sr);
	return (sr->sampling && sr->step->source.type != SOURCE_WEBHOOK) || (sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) != 0 ||
		sr->batch->nitems * 2 >= sr->batch->max_items || is_late(sr);
}

static bool
is_late(const StepRun *sr)
{
	return TimestampDifferenceExceeds(sr->last_flush, GetCurrentTimestamp(), FLUSH_INTERVAL_MS);
}

/*
 * Items of a page that has not come wholly can be written by themselves, as those
 * of a batch that is full are, but where something is still to be learned of it.
 */
int64
items_longest_pause(const StepRun *sr)
{
	if (sr->step->destination.mode != WRITE_STREAMING || sr->run->mode == RUN_IN_FUNCTION)
		return -1;
	if (sr->batch == NULL || sr->batch->nitems == 0 || sr->sampling || (sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) != 0)
		return -1;
	if (response_rules_for_successes(sr->rules) && a_page_has_begun(sr))
		return -1;
	return Max(PAUSE_FLUSH_INTERVAL_MS - TimestampDifferenceMilliseconds(sr->last_flush, GetCurrentTimestamp()), 0);
}

bool
items_may_be_written(const StepRun *sr)
{
	return !a_page_has_begun(sr) ||
		(!response_rules_for_successes(sr->rules) && (sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) == 0);
}

/* Has some of the items of a page come, and not all? */
static bool
a_page_has_begun(const StepRun *sr)
{
	ListCell   *lc;

	foreach(lc, sr->listings)
	{
		if (((const Listing *) lfirst(lc))->reading)
			return true;
	}
	return false;
}

/* Makes the batch for what the plan wants by now; readers for what it wanted before are of no use any more. */
static void
open_batch(StepRun *sr)
{
	MemoryContext old = MemoryContextSwitchTo(sr->memory);
	const JsonPath *const *paths;
	int			npaths;
	int			batch_items = sr->step->destination.batch_size;
	ListCell   *lc;

	if (batch_items == 0)
		batch_items = STEP_BATCH_ITEMS;
	if ((sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) != 0)
		batch_items++;			/* a page of just as many items is complete behind its last one */
	npaths = all_paths(sr, &paths);
	batch_items = Min(batch_items, Max(sr->budget.cells_bytes / (sizeof(Cell) * Max(npaths, 1)), 1));
	sr->batch = item_batch_create(npaths, batch_items, sr->budget.batch_bytes, sr->memory);
	sr->batch->max_rows_bytes = sr->budget.rows_bytes;
	sr->sampling = write_plan_needs_sample(sr->plan);
	sr->idle_readers = NIL;
	foreach(lc, sr->listings)
		((Listing *) lfirst(lc))->reader = NULL;
	MemoryContextSwitchTo(old);
}

static ItemReader *
open_reader(StepRun *sr)
{
	const JsonPath *const *paths;
	int			npaths;
	ItemReader *reader;
	MemoryContext old;

	if (sr->idle_readers != NIL)
	{
		reader = llast(sr->idle_readers);
		sr->idle_readers = list_delete_last(sr->idle_readers);
		return reader;
	}
	old = MemoryContextSwitchTo(sr->memory);
	npaths = all_paths(sr, &paths);
	reader = step_reader(sr->step, &sr->budget, npaths, paths, sr->memory);
	MemoryContextSwitchTo(old);
	return reader;
}

/* Those of the plan, and behind them what the cursor and the pagination look at. */
static int
all_paths(StepRun *sr, const JsonPath *const **paths)
{
	const JobSource *source = &sr->step->source;
	const JsonPath *const *wanted;
	int			npaths = write_plan_paths(sr->plan, &wanted);
	const JsonPath **all = palloc(sizeof(JsonPath *) * (npaths + 2));
	const JsonPath *watched = source->type == SOURCE_API ? pagination_watched_path(&source->pagination) : NULL;

	memcpy(all, wanted, sizeof(JsonPath *) * npaths);
	sr->cursor_path = sr->watched_path = -1;
	if (source->incremental != NULL && source->incremental->cursor_field != NULL)
	{
		sr->cursor_path = npaths;
		all[npaths++] = batch_utf8_path(source->incremental->cursor_field);
	}
	if (watched != NULL)
	{
		sr->watched_path = npaths;
		all[npaths++] = batch_utf8_path(watched);
	}
	*paths = all;
	return npaths;
}

/* What of the items that have just come the run itself wants to know. */
static void
look_at_items(Listing *listing, int first)
{
	StepRun    *sr = listing->sr;

	if (sr->batch->nitems == first)
		return;
	if (sr->has_origins)
		origins_note(listing, first);
	if (sr->cursor_path >= 0)
		look_at_cursor(listing, first);
	if (sr->watched_path >= 0)
	{
		changing_look_at_keys(listing, first);
		keep_last_value(listing);
	}
	if (listing->delivery != 0 || response_rules_for_successes(sr->rules))
	{
		MemoryContext old = MemoryContextSwitchTo(sr->batch->context);

		listing->fresh = bms_add_range(listing->fresh, first, sr->batch->nitems - 1);
		MemoryContextSwitchTo(old);
	}
}

static void
look_at_cursor(Listing *listing, int first)
{
	StepRun    *sr = listing->sr;
	CursorWindow window = listing->window;
	MemoryContext old = MemoryContextSwitchTo(sr->batch->context);
	int64		item;

	if (window.from == NULL)
		cursor_bounds(listing->cursor, &window);
	if (!cursor_look(listing->cursor, sr->batch, sr->cursor_path, first, &window, &sr->batch->dropped, &item))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("item " INT64_FORMAT " has no usable value at \"%s\"", sr->position + item + 1,
						json_path_print(sr->step->source.incremental->cursor_field)),
				 errdetail("It is the cursor of an incremental sync."),
				 errhint("Set incremental.missing to \"include\" or \"skip\" if that is right.")));
	MemoryContextSwitchTo(old);
}

static void
keep_last_value(Listing *listing)
{
	const StepRun *sr = listing->sr;
	const ItemBatch *batch = sr->batch;
	const Cell *cell = &batch->cells[(int64) (batch->nitems - 1) * batch->npaths + sr->watched_path];

	if (listing->last_value != NULL)
		pfree(listing->last_value);
	listing->last_value = NULL;
	if (cell->kind == CELL_NUMBER || cell->kind == CELL_STRING)
	{
		listing->last_value = MemoryContextStrdup(listing->memory, batch->arena + cell->offset);
		listing->last_is_number = cell->kind == CELL_NUMBER;
	}
}

/* The items that come now are of this listing's page. */
static void
set_context(Listing *listing)
{
	StepRun    *sr = listing->sr;
	MemoryContext old;

	if ((sr->scopes_used & template_context_scopes(sr->step)) == 0)
		return;
	if (listing->context == NULL)
	{
		old = MemoryContextSwitchTo(sr->context_memory);
		listing->context = palloc(sizeof(ItemContext));
		listing->context->json = step_context_json(listing, NULL);
		listing->context_complete = false;
		MemoryContextSwitchTo(old);
	}
	item_batch_set_context(sr->batch, listing->context);
}

static void
raise_reader_error(const Listing *listing)
{
	step_raise_reader_error(listing->reader, &listing->sr->step->source, listing->fetch);
}

/* Where the definition does not say it, the user is told where the items were found. */
static void
note_list_path(const Listing *listing)
{
	StepRun    *sr = listing->sr;
	const char *path = item_reader_list_path(listing->reader);
	char	   *notice;

	if (sr->list_noticed || path == NULL || strcmp(path, "$") == 0 ||
		sr->step->source.data_path != NULL || sr->step->source.type != SOURCE_API)
		return;
	sr->list_noticed = true;
	notice = psprintf("the items are at \"%s\" of the response", path);
	ereport(NOTICE,
			(errmsg_internal("%s", notice),
			 errhint("Say so with \"dataPath\": \"%s\".", path)));
	run_note(sr->run, list_length(sr->run->job->steps) > 1 ? psprintf("step \"%s\": %s", sr->step->id, notice) : notice);
}
