/*
 * step.c
 *	  One step of a run: pages, items, batches, checkpoints.
 *
 * prepare (one transaction) reads the step's state, makes its table where that
 * is missing, compiles and renders.  Then pages are read without a transaction;
 * a full batch is written with one statement, and in the same transaction go the
 * counters and the checkpoint: the page that is being read and how many of its
 * items are in the table.  The request of the next page is under way while a
 * batch is written.  finish writes the rest and moves last_sync_time.
 *
 * A pass that was killed goes on at its checkpoint: the page is read once more
 * and the items that are in the table already are skipped, so the rows are
 * right with and without a key and nothing is counted twice.  A pass that failed
 * or was cancelled begins anew if its writes can be repeated (upsert);
 * otherwise it too goes on at the checkpoint, because a second insert of the
 * same items would double them.
 *
 * While the columns of the table are not known (no table, no schema), items are
 * read whole, the first batch is the sample, and the items of that page are
 * read a second time with the paths that came of it.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "catalog/rejected_catalog.h"
#include "catalog/state_catalog.h"
#include "destination/write_plan.h"
#include "item/convert.h"
#include "miscadmin.h"
#include "run/request_plan.h"
#include "run/response_rules.h"
#include "run/run_error.h"
#include "run/secret_mask.h"
#include "run/step.h"
#include "source/envelope.h"
#include "source/pagination.h"
#include "source/rate_limit.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A batch that is not full is written at the end of a page when this time has passed, so that rows show up. */
#define FLUSH_INTERVAL_MS 500

typedef struct StepRun
{
	RunContext *run;
	const JobStep *step;
	MemoryContext memory;		/* lives as long as the step */
	MemoryContext page_memory;	/* reset at every page */
	MemoryContext write_memory;	/* reset after every batch */

	/* Known after prepare. */
	StepState	state;
	TimestampTz pass_started;	/* of the first run of this pass */
	WritePlan  *plan;
	Jsonb	   *scopes;
	HttpRequest *request;
	ResponseRules *rules;		/* or NULL */
	RateLimiter *limiter;
	char	   *resume_page;	/* pager state of the checkpoint, or NULL */
	int64		skip;			/* items of the first page that are in the table already */
	int64		position;		/* items of this pass that are done with: in the table, or rejected and the like */
	int64		rejected;		/* items of this pass */
	int64		taken;			/* items of this pass that were neither rejected nor skipped */
	char	   *first_reason;	/* of an item of this run that was rejected, or NULL */

	/* While pages are read. */
	Pager	   *pager;
	Fetch	   *fetch;			/* the page that is being read; NULL for inline items */
	ItemReader *reader;
	ItemBatch  *batch;
	bool		sampling;		/* the reader reads whole items */
	bool		list_noticed;
	int64		pages_done;
	TimestampTz last_flush;
	bool		at_page_end;	/* the checkpoint is the beginning of the pager's page */
	bool		finished;		/* this flush is the last */
	bool		cancelled;
	RunCounters counters;		/* of the run, with this batch */
} StepRun;

static void prepare(RunContext *run, void *arg);
static void read_checkpoint(StepRun *sr);
static WritePlan *compile_plan(RunContext *run, const JobStep *step, MemoryContext context);
static RequestPlan *compile_request(const JobStep *step, MemoryContext context);
static void read_pages(StepRun *sr);
static Fetch *send_page(StepRun *sr);
static bool read_body(StepRun *sr);
static bool judge(StepRun *sr, const char *body, size_t len);
static ResponseRules *compile_rules(const JobStep *step, MemoryContext context);
static void next_page(StepRun *sr);
static const char *key_into_list(const StepRun *sr);
static void raise_page_error(const StepRun *sr, int sqlstate, const char *message, const char *hint);
static void read_inline(StepRun *sr);
static void open_reader(StepRun *sr);
static void begin_document(StepRun *sr, int64 skip);
static void push(StepRun *sr, const char *data, size_t len);
static void finish_document(StepRun *sr);
static bool flush_is_due(const StepRun *sr);
static void flush(StepRun *sr);
static void write_batch(RunContext *run, void *arg);
static void write_items(StepRun *sr, WriteCounts *counts);
static void keep_rejected(StepRun *sr, const List *items);
static ErrorData *all_rejected(const StepRun *sr);
static void raise_bad_item(const StepRun *sr);
static void count(RunContext *run, const WriteCounts *counts, int64 pages, RunCounters *counters);
static void put_state(StepRun *sr);
static char *checkpoint(StepRun *sr);
static void note_list_path(StepRun *sr);
static void note_no_table(const StepRun *sr);
static void write_notices(RunContext *run);

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
	sr->page_memory = AllocSetContextCreate(memory, "databite page", ALLOCSET_DEFAULT_SIZES);
	sr->write_memory = AllocSetContextCreate(memory, "databite write", ALLOCSET_DEFAULT_SIZES);
	run->step = step;
	run->page = 0;

	run_in_transaction(run, prepare, sr);
	sr->last_flush = GetCurrentTimestamp();
	if (step->source.type == SOURCE_INLINE)
		read_inline(sr);
	else
		read_pages(sr);
	sr->finished = true;
	flush(sr);

	run->step = NULL;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}

Jsonb *
step_scopes(const RunContext *run, bool has_last_sync_time, TimestampTz last_sync_time)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"last_sync_time\": ");

	/* Whole seconds, rounded down: what every API takes; the second that is asked for again is absorbed by the key. */
	escape_json(&json, has_last_sync_time ? run_time_text(last_sync_time) : "1970-01-01T00:00:00Z");
	appendStringInfo(&json, ", \"run\": {\"id\": " INT64_FORMAT ", \"started_at\": ", run->run_id);
	escape_json(&json, run_time_text(run->started_at));
	appendStringInfo(&json, "}, \"payload\": %s}", run->payload ? run->payload : "null");
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data)));
}

ItemReader *
step_reader(const JobSource *source, int npaths, const JsonPath *const *paths, MemoryContext context)
{
	ItemReaderOptions options = {
		.data_path = source->type == SOURCE_INLINE ? NULL : source->data_path,
		.npaths = npaths,
		.paths = paths,
		.max_item_bytes = STEP_MAX_ITEM_BYTES,
		.max_depth = STEP_MAX_DEPTH,
		.max_envelope_bytes = STEP_MAX_ENVELOPE_BYTES,
	};

	return item_reader_create(&options, context);
}

void
step_raise_reader_error(const ItemReader *reader, const JobSource *source, const Fetch *fetch)
{
	const char *hint;
	const char *message = item_reader_error(reader, &hint);

	run_raise_content_error(ERRCODE_INVALID_JSON_TEXT, message, hint, source->method,
							fetch ? fetch_response(fetch) : NULL);
}

ItemBatch *
step_reread(const ItemBatch *whole, int npaths, const JsonPath *const *paths, MemoryContext context)
{
	ItemReaderOptions options = {
		.npaths = npaths,
		.paths = paths,
		.max_item_bytes = STEP_MAX_ITEM_BYTES,
		.max_depth = STEP_MAX_DEPTH,
		.max_envelope_bytes = 0,
	};
	ItemReader *reader = item_reader_create(&options, context);
	ItemBatch  *batch = item_batch_create(npaths, Max(whole->nitems, 1), MaxAllocHugeSize, context);
	size_t		taken;

	item_reader_begin(reader, 0);
	(void) item_reader_push(reader, "[", 1, &taken, batch);
	for (int i = 0; i < whole->nitems; i++)
	{
		const char *text = cell_json_text(whole, &whole->cells[(int64) i * whole->npaths]);

		if (text == NULL)		/* a bad item, which stands in the list of those */
			text = "null";
		if (i > 0)
			(void) item_reader_push(reader, ",", 1, &taken, batch);
		if (item_reader_push(reader, text, strlen(text), &taken, batch) == ITEMS_ERROR)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg_internal("could not read an item a second time")));
	}
	/* Only what follows a number ends it. */
	(void) item_reader_push(reader, "]", 1, &taken, batch);
	batch->bad = whole->bad;
	return batch;
}

/* One transaction: state, table, statement, request. */
static void
prepare(RunContext *run, void *arg)
{
	StepRun    *sr = arg;
	MemoryContext old = MemoryContextSwitchTo(sr->memory);

	state_catalog_get(run->record->id, sr->step->id, &sr->state);
	sr->pass_started = run->started_at;
	if (sr->state.checkpoint)
		read_checkpoint(sr);

	sr->plan = compile_plan(run, sr->step, sr->memory);
	run->keep_checkpoint = !write_plan_is_upsert(sr->plan);
	sr->scopes = step_scopes(run, sr->state.has_last_sync_time, sr->state.last_sync_time);
	sr->rules = compile_rules(sr->step, sr->memory);
	sr->limiter = rate_limiter_create(sr->step->source.rate_limit, run->record->owner, sr->memory);
	if (sr->step->source.type == SOURCE_API)
		sr->request = request_plan_render(compile_request(sr->step, sr->memory), run->record->owner,
										  sr->scopes, false);
	MemoryContextSwitchTo(old);
}

static WritePlan *
compile_plan(RunContext *run, const JobStep *step, MemoryContext context)
{
	ProblemList *problems = problem_list_create(context);
	WritePlan  *plan = write_plan_create(step, WRITE_PLAN_RUN, problems, context);

	problem_raise_first(problems);
	return plan;
}

static RequestPlan *
compile_request(const JobStep *step, MemoryContext context)
{
	ProblemList *problems = problem_list_create(context);
	RequestPlan *plan = request_plan_create(&step->source, problems, context);

	problem_raise_first(problems);
	return plan;
}

/* {"started_at": text, "page": object or null, "items": n, "position": n, "rejected": n, "taken": n}, written by checkpoint(). */
static void
read_checkpoint(StepRun *sr)
{
	struct json_object *root;
	struct json_object *value;
	char	   *error;

	if (!jsonc_parse(sr->state.checkpoint, strlen(sr->state.checkpoint), 32, sr->memory, &root, &error) ||
		!jsonc_get(root, "started_at", &value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the checkpoint of the step cannot be read"),
				 errhint("Forget it with databite.reset_job.")));
	sr->pass_started = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
															   CStringGetDatum(json_object_get_string(value)),
															   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	if (jsonc_get(root, "page", &value) && value != NULL)
		sr->resume_page = pstrdup(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	if (jsonc_get(root, "items", &value))
		sr->skip = json_object_get_int64(value);
	if (jsonc_get(root, "position", &value))
		sr->position = json_object_get_int64(value);
	if (jsonc_get(root, "rejected", &value))
		sr->rejected = json_object_get_int64(value);
	if (jsonc_get(root, "taken", &value))
		sr->taken = json_object_get_int64(value);
}

static void
read_pages(StepRun *sr)
{
	RunContext *run = sr->run;

	sr->pager = pager_create(&sr->step->source.pagination, sr->request, sr->resume_page, sr->memory);
	sr->fetch = send_page(sr);
	while (sr->fetch != NULL)
	{
		run->page = pager_page_number(sr->pager);
		begin_document(sr, sr->skip);
		sr->skip = 0;
		if (read_body(sr))
			next_page(sr);
		else
		{
			fetch_close(sr->fetch);
			sr->fetch = NULL;
			sr->pages_done++;
		}
		if (sr->fetch != NULL && flush_is_due(sr))
			flush(sr);
		MemoryContextReset(sr->page_memory);
	}
}

static Fetch *
send_page(StepRun *sr)
{
	FetchPolicy policy = {
		.retry = &sr->step->source.retry,
		.limiter = sr->limiter,
		.judged = response_rules_for_errors(sr->rules),
	};

	return fetch_start(sr->run->client, pager_request(sr->pager), &policy);
}

/* False where a rule over responses ends the listing here. */
static bool
read_body(StepRun *sr)
{
	const char *data;
	size_t		len;

	for (;;)
	{
		switch (fetch_read(sr->fetch, &data, &len))
		{
			case FETCH_DATA:
				push(sr, data, len);
				break;
			case FETCH_RESTARTED:
				/* Items that were taken stay; the new body gives them again. */
				item_reader_restart(sr->reader);
				break;
			case FETCH_END:
				if (response_rules_for_successes(sr->rules))
				{
					size_t		n;
					const char *envelope = item_reader_envelope(sr->reader, &n);

					if (judge(sr, envelope, n))
						return false;
					if (fetch_waiting(sr->fetch, &(TimestampTz){0}) != WAIT_NOTHING || fetch_error(sr->fetch) != NULL)
						break;
				}
				finish_document(sr);
				return true;
			case FETCH_JUDGE:
				data = fetch_error_body(sr->fetch, &len);
				if (judge(sr, data, len))
					return false;
				break;
			case FETCH_FAILED:
				run_raise_source_error(fetch_error(sr->fetch));
		}
	}
}

/* Has the rules judge the response; true where the listing ends with it. */
static bool
judge(StepRun *sr, const char *body, size_t len)
{
	MemoryContext old = MemoryContextSwitchTo(sr->page_memory);
	ResponseVerdict verdict;
	FetchVerdict made = VERDICT_FAIL;

	response_rules_judge(sr->rules, sr->run, fetch_response(sr->fetch), body, len, &verdict);
	MemoryContextSwitchTo(old);
	if (verdict.action == ACTION_SKIP)
		run_note(sr->run, psprintf("a response with status %d was skipped", fetch_response(sr->fetch)->status));
	if (verdict.action == ACTION_EMPTY || verdict.action == ACTION_SKIP)
		return true;
	if (verdict.action == ACTION_DEFAULT)
		made = VERDICT_DEFAULT;
	else if (verdict.action == ACTION_RETRY)
		made = VERDICT_RETRY;
	fetch_judge(sr->fetch, made, NULL, verdict.message);
	return false;
}

static ResponseRules *
compile_rules(const JobStep *step, MemoryContext context)
{
	ProblemList *problems = problem_list_create(context);
	ResponseRules *rules = response_rules_create(&step->source, problems, context);

	problem_raise_first(problems);
	return rules;
}

/* Sends the request of the next page; where this page was the last, none is being fetched after that. */
static void
next_page(StepRun *sr)
{
	MemoryContext old = MemoryContextSwitchTo(sr->page_memory);
	PageResult	result = {
		.response = fetch_response(sr->fetch),
		.nitems = item_reader_count(sr->reader),
	};
	const char *hint;
	const char *key = key_into_list(sr);
	PagerStatus status;

	if (key != NULL)
		raise_page_error(sr, ERRCODE_INVALID_PARAMETER_VALUE,
						 psprintf("\"%s\" leads into the list of items", key),
						 "what tells of the next page must stand outside of the list");
	result.envelope = item_reader_envelope(sr->reader, &result.envelope_len);
	status = pager_advance(sr->pager, &result);
	if (status == PAGER_FAILED)
	{
		const char *message = pager_error(sr->pager, &hint);

		raise_page_error(sr, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, message, hint);
	}

	fetch_close(sr->fetch);
	sr->fetch = NULL;
	sr->pages_done++;
	if (status == PAGER_NEXT)
	{
		sr->fetch = send_page(sr);
		sr->at_page_end = true;
	}
	MemoryContextSwitchTo(old);
}

/* The key of the pagination that looks for the next page where the items are, or NULL. */
static const char *
key_into_list(const StepRun *sr)
{
	const char *list = item_reader_list_path(sr->reader);
	JsonPath   *path;
	char	   *error;

	if (list == NULL)			/* null stood in its place */
		return NULL;
	path = json_path_parse(list, &error);
	return path ? envelope_path_into_list(&sr->step->source.pagination, path) : NULL;
}

static void
raise_page_error(const StepRun *sr, int sqlstate, const char *message, const char *hint)
{
	run_raise_content_error(sqlstate, message, hint, sr->step->source.method, fetch_response(sr->fetch));
}

static void
read_inline(StepRun *sr)
{
	const char *items = sr->step->source.inline_items;

	begin_document(sr, sr->skip);
	push(sr, items, strlen(items));
	finish_document(sr);
	sr->pages_done++;
}

/* Makes the reader for what the plan wants by now. */
static void
open_reader(StepRun *sr)
{
	MemoryContext old = MemoryContextSwitchTo(sr->memory);
	const JsonPath *const *paths;
	int			npaths = write_plan_paths(sr->plan, &paths);
	int			batch_items = sr->step->destination.batch_size;

	if (batch_items == 0)
		batch_items = STEP_BATCH_ITEMS;
	sr->reader = step_reader(&sr->step->source, npaths, paths, sr->memory);
	sr->batch = item_batch_create(npaths, batch_items, STEP_BATCH_BYTES, sr->memory);
	sr->sampling = write_plan_needs_sample(sr->plan);
	MemoryContextSwitchTo(old);
}

static void
begin_document(StepRun *sr, int64 skip)
{
	if (sr->reader == NULL || (sr->sampling && !write_plan_needs_sample(sr->plan)))
		open_reader(sr);
	item_reader_begin(sr->reader, skip);
	sr->at_page_end = false;
}

static void
push(StepRun *sr, const char *data, size_t len)
{
	while (len > 0)
	{
		size_t		taken;
		ItemReaderStatus status = item_reader_push(sr->reader, data, len, &taken, sr->batch);

		data += taken;
		len -= taken;
		if (status == ITEMS_ERROR)
			step_raise_reader_error(sr->reader, &sr->step->source, sr->fetch);
		if (status == ITEMS_BATCH_FULL)
			flush(sr);
		CHECK_FOR_INTERRUPTS();
	}
}

static void
finish_document(StepRun *sr)
{
	ItemReaderStatus status;

	while ((status = item_reader_finish(sr->reader, sr->batch)) == ITEMS_BATCH_FULL)
		flush(sr);
	if (status == ITEMS_ERROR)
		step_raise_reader_error(sr->reader, &sr->step->source, sr->fetch);
	note_list_path(sr);
}

static bool
flush_is_due(const StepRun *sr)
{
	if (sr->batch->nitems == 0)
		return false;
	return sr->sampling || sr->batch->nitems * 2 >= sr->batch->max_items ||
		TimestampDifferenceExceeds(sr->last_flush, GetCurrentTimestamp(), FLUSH_INTERVAL_MS);
}

/* Writes and commits what the batch holds, with counters and checkpoint. */
static void
flush(StepRun *sr)
{
	MemoryContext old = MemoryContextSwitchTo(sr->write_memory);

	sr->run->more_to_come = !sr->finished;
	run_in_transaction(sr->run, write_batch, sr);
	sr->run->more_to_come = false;
	MemoryContextSwitchTo(old);
	MemoryContextReset(sr->write_memory);

	/* Only now is it committed: a deferred constraint may have undone it at the last moment. */
	sr->run->counters = sr->counters;
	sr->pages_done = 0;
	if (sr->batch)
	{
		sr->position += sr->batch->nitems;
		item_batch_reset(sr->batch);
	}
	sr->last_flush = GetCurrentTimestamp();
	if (sr->cancelled && !sr->finished)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("the run was cancelled")));
}

static void
write_batch(RunContext *run, void *arg)
{
	StepRun    *sr = arg;
	WriteCounts counts = {0};

	if (!OidIsValid(catalog_lock_extension()))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension databite was dropped while the job was running")));

	if (sr->batch && sr->batch->bad != NIL && !write_plan_is_validated(sr->plan))
		raise_bad_item(sr);
	if (sr->batch && sr->batch->nitems > 0)
		write_items(sr, &counts);
	count(run, &counts, sr->pages_done, &sr->counters);
	sr->rejected += counts.rejected;
	sr->taken += counts.processed - counts.rejected - counts.skipped;
	if (sr->finished && sr->rejected > 0 && sr->taken == 0)
		run->failure = all_rejected(sr);
	else if (sr->finished && write_plan_needs_sample(sr->plan))
		note_no_table(sr);
	put_state(sr);
	write_notices(run);
	if (run->run_id != 0 && run->mode != RUN_IN_FUNCTION)
	{
		sr->cancelled = run_catalog_progress(run->run_id, sr->step->id, &sr->counters,
											 sr->pager ? pager_total_items(sr->pager) : -1);

		/* With the rows that complete it: a run that was killed between the two would be done twice. */
		if (run->failure != NULL)
			run_catalog_finish(run->run_id, RUN_FAILED, &sr->counters, run_error_json(run->failure, sr->step->id));
		else if (sr->finished && sr->step == llast(run->job->steps))
			run_catalog_finish(run->run_id, RUN_COMPLETED, &sr->counters, NULL);
	}
}

static void
write_items(StepRun *sr, WriteCounts *counts)
{
	ItemBatch  *batch = sr->batch;

	if (sr->sampling && write_plan_needs_sample(sr->plan))
	{
		write_plan_learn(sr->plan, sr->batch, sr->position, sr->scopes);
		sr->run->keep_checkpoint = !write_plan_is_upsert(sr->plan);
	}
	if (sr->sampling && !write_plan_needs_sample(sr->plan))
	{
		const JsonPath *const *paths;
		int			npaths = write_plan_paths(sr->plan, &paths);

		batch = step_reread(sr->batch, npaths, paths, CurrentMemoryContext);
	}
	keep_rejected(sr, write_plan_execute(sr->plan, batch, sr->position, sr->scopes, counts));
}

/* Writes what was rejected, in the transaction of its batch. */
static void
keep_rejected(StepRun *sr, const List *items)
{
	const JobRecord *job = sr->run->record;
	RejectedRecord *records = palloc(sizeof(RejectedRecord) * Max(list_length(items), 1));
	ListCell   *lc;

	foreach(lc, items)
	{
		const RejectedItem *item = lfirst(lc);
		RejectedRecord *record = &records[foreach_current_index(lc)];

		record->item = item->item;
		record->sqlstate = item->sqlstate;
		record->message = secret_mask_text(item->message);
		record->column = item->column;
		record->constraint = item->constraint;
	}
	if (items == NIL)
		return;
	if (sr->first_reason == NULL)
		sr->first_reason = MemoryContextStrdup(sr->memory, records[0].message);
	if (sr->run->run_id != 0)
		rejected_catalog_add(job->id, job->owner, sr->run->run_id, sr->step->id, list_length(items), records);
}

/* What a run failed with that wrote nothing but rejected items; in the run's memory. */
static ErrorData *
all_rejected(const StepRun *sr)
{
	MemoryContext old = MemoryContextSwitchTo(sr->run->memory);
	ErrorData  *error = palloc0(sizeof(ErrorData));

	error->elevel = ERROR;
	error->sqlerrcode = ERRCODE_CHECK_VIOLATION;
	error->message = psprintf("every item was rejected");
	if (sr->first_reason != NULL)
		error->detail = psprintf("The first of them: %s.", sr->first_reason);
	error->hint = pstrdup("The view databite.rejected_items has the items and the reasons.");
	error->assoc_context = sr->run->memory;
	MemoryContextSwitchTo(old);
	return error;
}

static void
raise_bad_item(const StepRun *sr)
{
	BadItem    *bad = linitial(sr->batch->bad);

	ereport(ERROR,
			(errcode(bad->sqlstate),
			 errmsg("item " INT64_FORMAT " cannot be stored: %s", sr->position + bad->item + 1, bad->reason)));
}

static void
count(RunContext *run, const WriteCounts *counts, int64 pages, RunCounters *counters)
{
	*counters = run->counters;
	counters->processed += counts->processed;
	counters->inserted += counts->inserted;
	counters->updated += counts->updated;
	counters->unchanged += counts->unchanged;
	counters->rejected += counts->rejected;
	counters->skipped += counts->skipped;
	counters->pages += pages;
	if (run->client)
	{
		const SourceCounters *source = source_client_counters(run->client);

		counters->requests = source->requests;
		counters->retries = source->retries;
		counters->bytes_received = source->bytes_received;
	}
}

/*
 * A pass that goes on leaves its checkpoint, one that ends moves last_sync_time
 * to where it began, and one that has failed for its items leaves neither.
 */
static void
put_state(StepRun *sr)
{
	const JobRecord *job = sr->run->record;

	if (sr->run->failure != NULL)
		state_catalog_forget_checkpoints(job->id);
	else if (sr->finished)
		state_catalog_finish(job->id, job->state_epoch, sr->step->id, sr->pass_started);
	else if (sr->run->mode != RUN_IN_FUNCTION)	/* where nothing of it would outlive the transaction */
		state_catalog_put_checkpoint(job->id, job->state_epoch, sr->step->id, checkpoint(sr));
}

static char *
checkpoint(StepRun *sr)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"started_at\": ");
	escape_json(&json, timestamptz_to_str(sr->pass_started));
	appendStringInfo(&json, ", \"page\": %s, \"items\": " INT64_FORMAT ", \"position\": " INT64_FORMAT,
					 sr->pager ? pager_state(sr->pager) : "null",
					 sr->at_page_end ? (int64) 0 : item_reader_count(sr->reader),
					 sr->position + sr->batch->nitems);
	appendStringInfo(&json, ", \"rejected\": " INT64_FORMAT ", \"taken\": " INT64_FORMAT "}", sr->rejected, sr->taken);
	return json.data;
}

/* Where the definition does not say it, the user is told where the items were found. */
static void
note_list_path(StepRun *sr)
{
	const char *path = item_reader_list_path(sr->reader);
	char	   *notice;

	if (sr->list_noticed || path == NULL || strcmp(path, "$") == 0 ||
		sr->step->source.data_path != NULL || sr->step->source.type == SOURCE_INLINE)
		return;
	sr->list_noticed = true;
	notice = psprintf("the items are at \"%s\" of the response", path);
	ereport(NOTICE,
			(errmsg_internal("%s", notice),
			 errhint("Say so with \"dataPath\": \"%s\".", path)));
	run_note(sr->run, notice);
}

/* The columns of a table are taken from items, and there were none. */
static void
note_no_table(const StepRun *sr)
{
	bool		dropped = sr->position > 0 || (sr->batch != NULL && sr->batch->nitems > 0);
	char	   *notice = psprintf("table \"%s\" was not created because %s", sr->step->destination.table,
								  dropped ? "source.where dropped all items" : "the source gave no items");

	ereport(NOTICE,
			(errmsg_internal("%s", notice)));
	run_note(sr->run, notice);
}

static void
write_notices(RunContext *run)
{
	ListCell   *lc;

	if (run->run_id != 0)
		foreach(lc, run->notices)
			run_catalog_notice(run->run_id, lfirst(lc));
	run->notices = NIL;
}
