/*
 * inspect.c
 *	  What a job would do, without doing it: checks, explain, preview.
 *
 * All of it happens in the caller's transaction, as the job's owner, and writes
 * nothing: plans are made with WRITE_PLAN_CHECK, which creates no table.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/state_catalog.h"
#include "destination/item_filter.h"
#include "destination/log_table.h"
#include "destination/rules.h"
#include "destination/stage.h"
#include "destination/write_plan.h"
#include "item/convert.h"
#include "miscadmin.h"
#include "run/inspect.h"
#include "run/request_plan.h"
#include "run/response_rules.h"
#include "run/run_error.h"
#include "run/run_hooks.h"
#include "run/secret_mask.h"
#include "run/step_data.h"
#include "template/template.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define HTTP_UNAUTHORIZED	401

typedef struct Explanation
{
	bool		costs;
	List	   *lines;			/* of char * */
} Explanation;

typedef struct Preview
{
	int			max_items;
	PreviewReceiver receive;
	void	   *arg;
	List	   *delivered;		/* of DeliveredRows *: what the steps so far give, of which later ones make requests */
} Preview;

/* What a request's templates are in. */
static const char *const request_parts[] = {"source/type", "source/url", "source/headers", "source/query", "source/body", NULL};

/* What the credentials of a source are made of. */
static const char *const auth_parts[] = {"source/type", "source/auth", "source/tls", NULL};

static const char *const query_parts[] = {"source/type", "source/query", "source/incremental", NULL};

/* What the rules over responses are in. */
static const char *const response_parts[] = {
	"source/type", "source/errorWhen", "source/errorMessage", "source/onStatus", "source/pagination/stopWhen", NULL
};

/*
 * What a write plan is made of.  Other keys of the destination do not change it,
 * and of a validation with problems the rest is checked.
 */
static const char *const target_parts[] = {
	"destination/type", "destination/table", "destination/schema", "destination/mode", "destination/key", NULL
};

static bool columns_are_known(const JobStep *step);
static void inspect_logging(const JobLogging *logging, ProblemList *problems);
static void inspect_target(const JobStep *step, ProblemList *problems);
static void inspect_query(const JobStep *step, ProblemList *problems);
static void inspect_bounds(const JobStep *step, int scopes, const char *part, ProblemList *problems);
static void inspect_source(const JobStep *step, ProblemList *problems);
static bool parts_are_right(const JobStep *step, const char *const *parts, const ProblemList *problems);
static bool part_is_right(const JobStep *step, const char *part, const ProblemList *problems);
static bool is_at_or_below(const char *pointer, const char *upper);
static void with_run(const JobRecord *record, void (*work) (RunContext *run, void *arg), void *arg);
static void link_steps(RunContext *run);
static void explain_steps(RunContext *run, void *arg);
static List *explain_stage(const WritePlan *plan, List *lines);
static List *explain_plan(const List *plan, List *lines);
static List *explain_sql(const char *sql, List *lines);
static List *explain_request(RunContext *run, const JobStep *step, List *lines);
static void preview_steps(RunContext *run, void *arg);
static void preview_step(RunContext *run, const JobStep *step, Preview *preview);
static WritePlan *check_plan(const JobStep *step);
static Jsonb *scopes_now(RunContext *run, const JobStep *step);
static List *placeholders(const RunContext *run, const JobStep *step);
static SqlSource *make_sql_source(const JobStep *step);
static void keep_rows(Preview *preview, const JobStep *step, Jsonb *const *rows, char *const *errors, int nrows);
static ItemBatch *fetch_items(Listing *listing, int max_items);
static bool take_items(Listing *listing, const char *data, size_t len, ItemBatch *batch);
static void read_rows(Listing *listing, ItemBatch *batch);
static void read_deliveries(Listing *listing, ItemBatch *batch);
static void read_page(Listing *listing, ItemBatch *batch);
static void complete_context(Listing *listing, bool whole);
static void begin_page(Listing *listing);
static bool judge_page(Listing *listing, bool readable);
static bool judge_error(Listing *listing);
static bool act(Listing *listing, ResponseAction action, const char *message);
static void show_item(Preview *preview, const JobStep *step, const ItemBatch *items, int position,
					  Jsonb *row, char *error);
static const BadItem *bad_item(const ItemBatch *items, int position);

/*
 * What can be checked of a definition that has problems already is checked
 * too, so that the user sees all of them at once.
 */
void
inspect_check(const Job *job, ProblemList *problems)
{
	ListCell   *lc;

	run_hooks_check(&job->hooks, problems);
	parents_link(job, problems);
	inspect_logging(&job->logging, problems);
	foreach(lc, job->steps)
	{
		const JobStep *step = lfirst(lc);
		bool		has_transform = part_is_right(step, "transform", problems);
		bool		has_target = has_transform && parts_are_right(step, target_parts, problems) && columns_are_known(step);

		if (step->source.type == SOURCE_API && parts_are_right(step, request_parts, problems))
			inspect_source(step, problems);
		if (step->source.type == SOURCE_API && parts_are_right(step, response_parts, problems))
			(void) response_rules_create(&step->source, problems, problems->context);
		if (step->source.type == SOURCE_SQL && parts_are_right(step, query_parts, problems) &&
			parents_check_query(step, problems))
			inspect_query(step, problems);
		if (step->source.type != SOURCE_API)
			parents_check_items(step, NULL, problems);
		if (step->source.incremental != NULL && part_is_right(step, "source/incremental", problems))
			cursor_check(step->source.incremental, psprintf("%s/source/incremental", step->pointer), problems);
		if (has_target)
			inspect_target(step, problems);
		else
		{
			if (part_is_right(step, "source/where", problems))
				(void) item_filter_create(step, FILTER_WHERE, &step->source.where, problems);
			if (has_transform)
			{
				columns_check(step, problems);
				rules_check(step, problems);
			}
		}
	}
}

/* The table that lines on its runs go to. */
static void
inspect_logging(const JobLogging *logging, ProblemList *problems)
{
	int			before = list_length(problems->problems);

	if (!logging->to_database || logging->table == NULL)
		return;
	log_table_check(logging->table, logging->pointer, problems);
	if (!logging->stated && list_length(problems->problems) > before)
		((Problem *) llast(problems->problems))->hint =
			"The job says nothing of \"logging\", so it has what databite.configure says.";
}

/* Where they are what later steps name, those may be wrong, which is said of them. */
static bool
columns_are_known(const JobStep *step)
{
	return !step->destination.none || step->has_transform || step->delivers != NIL;
}

/* What the step writes, and of which items. */
static void
inspect_target(const JobStep *step, ProblemList *problems)
{
	WritePlan  *plan = write_plan_create(step, WRITE_PLAN_CHECK, problems, problems->context);

	if (plan != NULL)
		inspect_bounds(step, stage_filter_scopes(plan), "source/where", problems);
}

static void
inspect_query(const JobStep *step, ProblemList *problems)
{
	SqlSource  *source = sql_source_create(&step->source, problems, problems->context);

	if (source != NULL)
		inspect_bounds(step, sql_source_uses(source), "source/query", problems);
}

/* A table is not replaced by what is newer than something; scopes: that templates of the part name. */
static void
inspect_bounds(const JobStep *step, int scopes, const char *part, ProblemList *problems)
{
	if (step->destination.mode == WRITE_REPLACE && (scopes & TEMPLATE_USES_BOUNDS) != 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s/%s", step->pointer, part),
					"Use mode \"upsert\", or ask for all that there is.",
					"mode \"replace\" needs the whole listing, and last_sync_time, cursor or window ask for a part of it");
}

/* What the step asks its source with. */
static void
inspect_source(const JobStep *step, ProblemList *problems)
{
	bool		has_auth = parts_are_right(step, auth_parts, problems);
	RequestPlan *plan = request_plan_create(step, problems, problems->context);

	if (plan != NULL)
	{
		inspect_bounds(step, request_plan_uses(plan), "source", problems);
		parents_check_items(step, request_plan_parent(plan), problems);
	}
	if (has_auth)
		(void) auth_session_create(&step->source, problems, problems->context);
}

/* As part_is_right, of every one. */
static bool
parts_are_right(const JobStep *step, const char *const *parts, const ProblemList *problems)
{
	for (int i = 0; parts[i] != NULL; i++)
	{
		if (!part_is_right(step, parts[i], problems))
			return false;
	}
	return true;
}

/* No problem is in that part of the step, nor at what it is a part of (which may be missing or not supported). */
static bool
part_is_right(const JobStep *step, const char *part, const ProblemList *problems)
{
	char	   *pointer = psprintf("%s/%s", step->pointer, part);
	ListCell   *lc;

	foreach(lc, problems->problems)
	{
		const Problem *problem = lfirst(lc);

		if (is_at_or_below(pointer, problem->pointer) || is_at_or_below(problem->pointer, pointer))
			return false;
	}
	return true;
}

static bool
is_at_or_below(const char *pointer, const char *upper)
{
	size_t		len = strlen(upper);

	return strncmp(pointer, upper, len) == 0 && (pointer[len] == '\0' || pointer[len] == '/');
}

List *
inspect_explain(const JobRecord *record, bool costs)
{
	Explanation explanation = {.costs = costs};

	with_run(record, explain_steps, &explanation);
	return explanation.lines;
}

void
inspect_preview(const JobRecord *record, int max_items, PreviewReceiver receive, void *arg)
{
	Preview		preview = {max_items, receive, arg};

	with_run(record, preview_steps, &preview);
}

/* A run that is in no history, for as long as the work takes. */
static void
with_run(const JobRecord *record, void (*work) (RunContext *run, void *arg), void *arg)
{
	RunContext *run = palloc0(sizeof(RunContext));
	ProblemList *problems;

	run->memory = AllocSetContextCreate(CurrentMemoryContext, "databite inspection", ALLOCSET_DEFAULT_SIZES);
	run->mode = RUN_IN_FUNCTION;
	run->record = record;
	run->started_at = GetCurrentTimestamp();
	problems = problem_list_create(run->memory);
	run->job = run_parse_job(record->definition, setting_catalog_get("defaults"), problems);
	problem_raise_first(problems);
	run_in_transaction(run, work, arg);
}

/* As the job would be scheduled. */
static void
link_steps(RunContext *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	ProblemList *problems = problem_list_create(run->memory);

	parents_link(run->job, problems);
	MemoryContextSwitchTo(old);
	problem_raise_first(problems);
}

static void
explain_steps(RunContext *run, void *arg)
{
	Explanation *explanation = arg;
	ListCell   *lc;

	link_steps(run);
	if (run->job->logging.table != NULL)
		explanation->lines = lappend(explanation->lines, psprintf("log to %s", run->job->logging.table));
	foreach(lc, run->job->steps)
	{
		const JobStep *step = lfirst(lc);
		WritePlan  *plan = check_plan(step);
		const char *filter = write_plan_filter_sql(plan);
		const char *deletion = write_plan_deletion_sql(plan);
		List	   *lines = lappend(explanation->lines, psprintf("step %s", step->id));

		lines = explain_request(run, step, lines);
		if (filter != NULL)
			lines = explain_sql(psprintf("-- the items that source.where drops\n%s", filter), lines);
		if (deletion != NULL)
			lines = explain_sql(psprintf("-- the items whose rows are deleted\n%s", deletion), lines);
		lines = explain_sql(write_plan_sql(plan), lines);
		if (!write_plan_needs_sample(plan))
			lines = explain_stage(plan, lines);
		if (explanation->costs)
			lines = explain_plan(write_plan_explain(plan, scopes_now(run, step)), lines);
		explanation->lines = lines;
	}
}

static List *
explain_sql(const char *sql, List *lines)
{
	char	   *rest = pstrdup(sql);
	char	   *line;

	while ((line = strsep(&rest, "\n")) != NULL)
		lines = lappend(lines, psprintf("  %s", line));
	return lines;
}

/* What is done when the whole listing has been read. */
static List *
explain_stage(const WritePlan *plan, List *lines)
{
	List	   *statements = NIL;
	ListCell   *lc;

	if (stage_content(plan) == STAGE_ROWS)
		statements = stage_publish_statements(plan);
	else if (stage_content(plan) == STAGE_KEYS)
		statements = stage_missing_statements(plan);
	if (statements != NIL)
		lines = lappend(lines, pstrdup("  -- when the whole listing has been read"));
	foreach(lc, statements)
		lines = explain_sql(psprintf("%s;", (char *) lfirst(lc)), lines);
	return lines;
}

static List *
explain_plan(const List *plan, List *lines)
{
	ListCell   *lc;

	if (plan == NIL)
		return lappend(lines, pstrdup("  no plan yet: the table does not exist, or lacks columns"));
	lines = lappend(lines, pstrdup("  plan"));
	foreach(lc, plan)
		lines = lappend(lines, psprintf("    %s", (char *) lfirst(lc)));
	return lines;
}

static List *
explain_request(RunContext *run, const JobStep *step, List *lines)
{
	Listing    *listing;
	HttpRequest *request;
	ListCell   *lc;

	if (step->source.type == SOURCE_INLINE)
		return lappend(lines, pstrdup("  items of the definition"));
	if (step->source.type == SOURCE_WEBHOOK)
		return lappend(lines, pstrdup("  what the endpoint has taken"));
	if (step->source.type == SOURCE_SQL)
		return explain_sql(sql_source_text(make_sql_source(step)), lines);

	listing = step_sketch(run, step, placeholders(run, step), true);
	request = listing_request(listing);
	if (listing->parent != NULL && step->source.batch_parents > 0)
		lines = lappend(lines,
						psprintf("  for every %d rows of step %s", step->source.batch_parents,
								 request_plan_parent(listing->sr->request_plan)->id));
	else if (listing->parent != NULL)
		lines = lappend(lines, psprintf("  for each row of step %s", request_plan_parent(listing->sr->request_plan)->id));
	lines = lappend(lines, psprintf("  %s %s", request->method, request->url));
	foreach(lc, request->headers)
	{
		const HttpHeader *header = lfirst(lc);

		lines = lappend(lines, psprintf("  %s: %s", header->name, header->value));
	}
	if (request->body)
		lines = lappend(lines, psprintf("  %s", request->body));
	if (step->source.default_retry != NULL)
		lines = lappend(lines, psprintf("  -- retry, by databite.configure: %s", step->source.default_retry));
	if (step->source.default_rate_limit != NULL)
		lines = lappend(lines, psprintf("  -- rateLimit, by databite.configure: %s", step->source.default_rate_limit));
	return lines;
}

/* {"id": "(id)"}: what stands for the rows of the step that the requests are made of. */
static List *
placeholders(const RunContext *run, const JobStep *step)
{
	List	   *delivered = NIL;
	ListCell   *lc;
	ListCell   *name;

	foreach(lc, step->parents)
	{
		DeliveredRows *rows = palloc(sizeof(DeliveredRows));
		StringInfoData json;

		initStringInfo(&json);
		foreach(name, parents_wanted(run->job, lfirst(lc)))
		{
			appendStringInfoString(&json, json.len > 0 ? ", " : "{");
			escape_json(&json, lfirst(name));
			appendStringInfoString(&json, ": ");
			escape_json(&json, psprintf("(%s)", (char *) lfirst(name)));
		}
		appendStringInfoString(&json, json.len > 0 ? "}" : "{}");
		rows->step = lfirst(lc);
		rows->rows = list_make1(json.data);
		delivered = lappend(delivered, rows);
	}
	return delivered;
}

static SqlSource *
make_sql_source(const JobStep *step)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	SqlSource  *source = sql_source_create(&step->source, problems, CurrentMemoryContext);

	problem_raise_first(problems);
	return source;
}

static void
preview_steps(RunContext *run, void *arg)
{
	ListCell   *lc;

	link_steps(run);
	run->client = source_client_create(run->memory);
	foreach(lc, run->job->steps)
		preview_step(run, lfirst(lc), arg);
}

static void
preview_step(RunContext *run, const JobStep *step, Preview *preview)
{
	WritePlan  *plan = check_plan(step);
	Listing    *listing = step_sketch(run, step, preview->delivered, false);
	Jsonb	   *scopes;
	ItemBatch  *items;
	ItemBatch  *batch;
	const JsonPath *const *paths;
	int			npaths;
	Jsonb	  **rows;
	char	  **errors;

	if (listing == NULL)		/* no request would be made */
		return;
	scopes = listing->sr->scopes;
	items = fetch_items(listing, preview->max_items);
	rows = palloc0(sizeof(Jsonb *) * (items->nitems + 1));
	errors = palloc0(sizeof(char *) * (items->nitems + 1));
	npaths = write_plan_paths(plan, &paths);
	batch = step_reread(items, npaths, paths, run->memory);
	if (write_plan_needs_sample(plan))
	{
		write_plan_learn(plan, batch, 0, scopes);
		npaths = write_plan_paths(plan, &paths);
		batch = step_reread(items, npaths, paths, run->memory);
	}
	write_plan_preview(plan, batch, scopes, rows, errors);
	for (int i = 0; i < items->nitems; i++)
		show_item(preview, step, items, i, rows[i], errors[i]);
	keep_rows(preview, step, rows, errors, items->nitems);
}

static void
keep_rows(Preview *preview, const JobStep *step, Jsonb *const *rows, char *const *errors, int nrows)
{
	DeliveredRows *delivered = palloc(sizeof(DeliveredRows));

	delivered->step = step;
	delivered->rows = NIL;
	for (int i = 0; i < nrows; i++)
	{
		if (rows[i] != NULL && errors[i] == NULL)
			delivered->rows = lappend(delivered->rows, JsonbToCString(NULL, &rows[i]->root, VARSIZE(rows[i])));
	}
	preview->delivered = lappend(preview->delivered, delivered);
}

static WritePlan *
check_plan(const JobStep *step)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	WritePlan  *plan = write_plan_create(step, WRITE_PLAN_CHECK, problems, CurrentMemoryContext);

	problem_raise_first(problems);
	return plan;
}

static Jsonb *
scopes_now(RunContext *run, const JobStep *step)
{
	return step_sketch(run, step, placeholders(run, step), true)->sr->scopes;
}

/* Up to max_items whole items of the first page. */
static ItemBatch *
fetch_items(Listing *listing, int max_items)
{
	RunContext *run = listing->sr->run;
	const JobSource *source = &listing->sr->step->source;
	JsonPath	root = {0};
	const JsonPath *paths[] = {&root};
	ItemBatch  *batch = item_batch_create(1, max_items, MaxAllocHugeSize, run->memory);

	listing->reader = step_reader(listing->sr->step, &listing->sr->budget, 1, paths, run->memory);
	item_reader_begin(listing->reader, 0);
	listing->context = palloc0(sizeof(ItemContext));
	listing->context->json = step_context_json(listing, NULL);
	item_batch_set_context(batch, listing->context);
	switch (source->type)
	{
		case SOURCE_INLINE:
			(void) take_items(listing, source->inline_items, strlen(source->inline_items), batch);
			break;
		case SOURCE_SQL:
			read_rows(listing, batch);
			break;
		case SOURCE_WEBHOOK:
			read_deliveries(listing, batch);
			break;
		case SOURCE_API:
			read_page(listing, batch);
			break;
	}
	return batch;
}

/* True where the batch is full. */
static bool
take_items(Listing *listing, const char *data, size_t len, ItemBatch *batch)
{
	size_t		taken;
	ItemReaderStatus status = item_reader_push(listing->reader, data, len, &taken, batch);

	if (status == ITEMS_ERROR)
		items_fail(listing);
	return status == ITEMS_BATCH_FULL;
}

static void
read_rows(Listing *listing, ItemBatch *batch)
{
	SqlSource  *source = make_sql_source(listing->sr->step);
	const char *before = "[";
	bool		full = false;
	char	   *row;
	size_t		len;

	sql_source_execute(source, listing->sr->scopes);
	while (!full && (row = sql_source_next(source, &len)) != NULL)
	{
		full = take_items(listing, before, 1, batch) || take_items(listing, row, len, batch);
		before = ",";
	}
	if (!full && before[0] == ',')
		(void) take_items(listing, "]", 1, batch);
}

/* What waits for the next run. */
static void
read_deliveries(Listing *listing, ItemBatch *batch)
{
	List	   *waiting = deliveries_waiting(listing->sr);
	ListCell   *lc;

	if (waiting == NIL)
		ereport(NOTICE,
				(errmsg("nothing that the webhook has brought waits for job \"%s\"", listing->sr->run->record->id),
				 errhint("While a job is paused, what comes for it waits and can be seen.")));
	foreach(lc, waiting)
	{
		const WaitingDelivery *delivery = lfirst(lc);
		ItemContext *context = palloc0(sizeof(ItemContext));

		listing->webhook = delivery->webhook;
		context->json = step_context_json(listing, NULL);
		item_batch_set_context(batch, context);
		item_reader_begin(listing->reader, 0);
		if (take_items(listing, delivery->items, strlen(delivery->items), batch))
			break;
	}
}

static void
read_page(Listing *listing, ItemBatch *batch)
{
	const char *data;
	size_t		len;
	bool		done = false;
	bool		whole = false;

	listing->fetch = fetch_start(listing->sr->run->client, listing_request(listing), &listing->sr->policy);
	while (!done)
	{
		switch (fetch_read(listing->fetch, &data, &len))
		{
			case FETCH_DATA:
				begin_page(listing);
				items_keep_beginning(listing, data, len);
				done = !listing->unreadable && take_items(listing, data, len, batch);
				if (items_are_given_up(listing) && fetch_stop(listing->fetch))
					done = judge_page(listing, false);
				break;
			case FETCH_RESTARTED:
				item_reader_restart(listing->reader);
				listing->reading = false;
				break;
			case FETCH_END:
				begin_page(listing);
				done = judge_page(listing, !listing->unreadable && item_reader_finish(listing->reader, batch) != ITEMS_ERROR);
				whole = done;
				break;
			case FETCH_JUDGE:
				done = judge_error(listing);
				break;
			case FETCH_FAILED:
				run_raise_source_error(fetch_error(listing->fetch));
		}
	}
	complete_context(listing, whole);
	fetch_close(listing->fetch);
}

/* What the transform sees of the response: its body, too, if all of the page has been read. */
static void
complete_context(Listing *listing, bool whole)
{
	const HttpResponse *response = fetch_response(listing->fetch);
	size_t		len = 0;
	const char *body = whole ? items_body(listing, !listing->unreadable, &len) : NULL;

	listing->context->json = step_context_json(listing, response_scope_json(response, body, len));
}

/* Tells the reader what kind of body comes. */
static void
begin_page(Listing *listing)
{
	if (listing->reading)
		return;
	listing->reading = true;
	items_begin_body(listing, http_header(fetch_response(listing->fetch), "Content-Type"));
}

/* A success has come.  True where the page is done with; else it goes on with the fetch. */
static bool
judge_page(Listing *listing, bool readable)
{
	ResponseVerdict verdict;

	listing_judge_success(listing, readable, &verdict);
	if (verdict.action != ACTION_DEFAULT)
		return act(listing, verdict.action, verdict.message);
	if (!readable)
		step_raise_reader_error(listing->reader, &listing->sr->step->source, listing->fetch);
	return true;
}

/* The same of what is no success. */
static bool
judge_error(Listing *listing)
{
	ResponseVerdict verdict;

	listing_judge_error(listing, &verdict);
	if (verdict.action == ACTION_DEFAULT && fetch_response(listing->fetch)->status == HTTP_UNAUTHORIZED &&
		listing_replace_token(listing))
		return false;
	return act(listing, verdict.action, verdict.message);
}

/* Does what a rule says, as far as it is about one page: what else it may lead to, a preview shows as the error. */
static bool
act(Listing *listing, ResponseAction action, const char *message)
{
	FetchVerdict verdict = VERDICT_FAIL;

	if (action == ACTION_EMPTY || action == ACTION_SKIP)
		return true;
	if (action == ACTION_REFRESH_TOKEN && listing_replace_token(listing))
		return false;
	if (action == ACTION_DEFAULT)
		verdict = VERDICT_DEFAULT;
	else if (action == ACTION_RETRY)
		verdict = VERDICT_RETRY;
	fetch_judge(listing->fetch, verdict, NULL, message);
	return false;
}

static void
show_item(Preview *preview, const JobStep *step, const ItemBatch *items, int position, Jsonb *row, char *error)
{
	const BadItem *bad = bad_item(items, position);
	char	   *text = cell_json_text(items, &items->cells[position]);	/* NULL: the item cannot be stored */
	Jsonb	   *item = text ? DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text))) : NULL;

	if (bad != NULL)
		preview->receive(preview->arg, step->id, item, NULL, bad->reason);
	else
		preview->receive(preview->arg, step->id, item, row, secret_mask_text(error));
}

static const BadItem *
bad_item(const ItemBatch *items, int position)
{
	ListCell   *lc;

	foreach(lc, items->bad)
	{
		const BadItem *bad = lfirst(lc);

		if (bad->item == position)
			return bad;
	}
	return NULL;
}
