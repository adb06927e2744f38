/*
 * inspect.c
 *	  What a job would do, without doing it: checks, explain, preview.
 *
 * All of it happens in the caller's transaction, as the job's owner, and writes
 * nothing: plans are made with WRITE_PLAN_CHECK, which creates no table.
 */
#include "postgres.h"

#include "catalog/state_catalog.h"
#include "destination/item_filter.h"
#include "destination/rules.h"
#include "destination/write_plan.h"
#include "item/convert.h"
#include "miscadmin.h"
#include "run/context.h"
#include "run/inspect.h"
#include "run/request_plan.h"
#include "run/response_rules.h"
#include "run/run_error.h"
#include "run/secret_mask.h"
#include "run/step.h"
#include "source/pagination.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

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
} Preview;

/* What a request's templates are in. */
static const char *const request_parts[] = {"source/type", "source/url", "source/headers", "source/query", "source/body", NULL};

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

static bool parts_are_right(const JobStep *step, const char *const *parts, const ProblemList *problems);
static bool part_is_right(const JobStep *step, const char *part, const ProblemList *problems);
static bool is_at_or_below(const char *pointer, const char *upper);
static void with_run(const JobRecord *record, void (*work) (RunContext *run, void *arg), void *arg);
static void explain_steps(RunContext *run, void *arg);
static List *explain_plan(const List *plan, List *lines);
static List *explain_sql(const char *sql, List *lines);
static List *explain_request(RunContext *run, const JobStep *step, List *lines);
static void preview_steps(RunContext *run, void *arg);
static void preview_step(RunContext *run, const JobStep *step, Preview *preview);
static WritePlan *check_plan(const JobStep *step);
static HttpRequest *render(RunContext *run, const JobStep *step, bool masked);
static Jsonb *scopes_now(RunContext *run, const JobStep *step);
static ItemBatch *fetch_items(RunContext *run, const JobStep *step, int max_items);
static void read_until_full(RunContext *run, const JobStep *step, ItemReader *reader, ItemBatch *batch);
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

	foreach(lc, job->steps)
	{
		const JobStep *step = lfirst(lc);
		bool		has_transform = part_is_right(step, "transform", problems);
		bool		has_target = has_transform && parts_are_right(step, target_parts, problems);

		if (step->source.type == SOURCE_API && parts_are_right(step, request_parts, problems))
			(void) request_plan_create(&step->source, problems, problems->context);
		if (step->source.type == SOURCE_API && parts_are_right(step, response_parts, problems))
			(void) response_rules_create(&step->source, problems, problems->context);
		if (has_target)
			(void) write_plan_create(step, WRITE_PLAN_CHECK, problems, problems->context);
		else
		{
			if (part_is_right(step, "source/where", problems))
				(void) item_filter_create(&step->source, problems);
			if (has_transform)
			{
				columns_check(step, problems);
				rules_check(step, problems);
			}
		}
	}
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
	run->job = job_parse(record->definition, strlen(record->definition), problems);
	problem_raise_first(problems);
	run_in_transaction(run, work, arg);
}

static void
explain_steps(RunContext *run, void *arg)
{
	Explanation *explanation = arg;
	ListCell   *lc;

	foreach(lc, run->job->steps)
	{
		const JobStep *step = lfirst(lc);
		WritePlan  *plan = check_plan(step);
		const char *filter = write_plan_filter_sql(plan);
		List	   *lines = lappend(explanation->lines, psprintf("step %s", step->id));

		lines = explain_request(run, step, lines);
		if (filter != NULL)
			lines = explain_sql(psprintf("-- the items that source.where drops\n%s", filter), lines);
		lines = explain_sql(write_plan_sql(plan), lines);
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

static List *
explain_plan(const List *plan, List *lines)
{
	ListCell   *lc;

	if (plan == NIL)
		return lappend(lines, pstrdup("  no plan yet: the table does not exist"));
	lines = lappend(lines, pstrdup("  plan"));
	foreach(lc, plan)
		lines = lappend(lines, psprintf("    %s", (char *) lfirst(lc)));
	return lines;
}

static List *
explain_request(RunContext *run, const JobStep *step, List *lines)
{
	HttpRequest *request;
	ListCell   *lc;

	if (step->source.type == SOURCE_INLINE)
		return lappend(lines, pstrdup("  items of the definition"));

	request = pager_request(pager_create(&step->source.pagination, render(run, step, true), NULL,
										 CurrentMemoryContext));
	lines = lappend(lines, psprintf("  %s %s", request->method, request->url));
	foreach(lc, request->headers)
	{
		const HttpHeader *header = lfirst(lc);

		lines = lappend(lines, psprintf("  %s: %s", header->name, header->value));
	}
	if (request->body)
		lines = lappend(lines, psprintf("  %s", request->body));
	return lines;
}

static void
preview_steps(RunContext *run, void *arg)
{
	ListCell   *lc;

	run->client = source_client_create(run->memory);
	foreach(lc, run->job->steps)
		preview_step(run, lfirst(lc), arg);
}

static void
preview_step(RunContext *run, const JobStep *step, Preview *preview)
{
	WritePlan  *plan = check_plan(step);
	Jsonb	   *scopes = scopes_now(run, step);
	ItemBatch  *items = fetch_items(run, step, preview->max_items);
	ItemBatch  *batch;
	const JsonPath *const *paths;
	int			npaths;
	Jsonb	  **rows = palloc0(sizeof(Jsonb *) * (items->nitems + 1));
	char	  **errors = palloc0(sizeof(char *) * (items->nitems + 1));

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
}

static WritePlan *
check_plan(const JobStep *step)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	WritePlan  *plan = write_plan_create(step, WRITE_PLAN_CHECK, problems, CurrentMemoryContext);

	problem_raise_first(problems);
	return plan;
}

static HttpRequest *
render(RunContext *run, const JobStep *step, bool masked)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	RequestPlan *plan = request_plan_create(&step->source, problems, CurrentMemoryContext);

	problem_raise_first(problems);
	return request_plan_render(plan, run->record->owner, scopes_now(run, step), masked);
}

static Jsonb *
scopes_now(RunContext *run, const JobStep *step)
{
	StepState	state;

	state_catalog_get(run->record->id, step->id, &state);
	return step_scopes(run, state.has_last_sync_time, state.last_sync_time);
}

/* Up to max_items whole items of the first page. */
static ItemBatch *
fetch_items(RunContext *run, const JobStep *step, int max_items)
{
	JsonPath	root = {0};
	const JsonPath *paths[] = {&root};
	ItemReader *reader = step_reader(&step->source, 1, paths, run->memory);
	ItemBatch  *batch = item_batch_create(1, max_items, MaxAllocHugeSize, run->memory);

	item_reader_begin(reader, 0);
	if (step->source.type == SOURCE_INLINE)
	{
		size_t		taken;

		if (item_reader_push(reader, step->source.inline_items, strlen(step->source.inline_items),
							 &taken, batch) == ITEMS_ERROR)
			step_raise_reader_error(reader, &step->source, NULL);
	}
	else
		read_until_full(run, step, reader, batch);
	return batch;
}

static void
read_until_full(RunContext *run, const JobStep *step, ItemReader *reader, ItemBatch *batch)
{
	Pager	   *pager = pager_create(&step->source.pagination, render(run, step, false), NULL, run->memory);
	Fetch	   *fetch = fetch_start(run->client, pager_request(pager), &(FetchPolicy) {.retry = &step->source.retry});
	ItemReaderStatus status = ITEMS_MORE;
	const char *data;
	size_t		len;
	size_t		taken;

	while (status == ITEMS_MORE)
	{
		switch (fetch_read(fetch, &data, &len))
		{
			case FETCH_DATA:
				status = item_reader_push(reader, data, len, &taken, batch);
				break;
			case FETCH_RESTARTED:
				item_reader_restart(reader);
				break;
			case FETCH_END:
				status = item_reader_finish(reader, batch);
				if (status == ITEMS_MORE)
				{
					fetch_close(fetch);
					return;
				}
				break;
			case FETCH_JUDGE:	/* not asked for */
			case FETCH_FAILED:
				run_raise_source_error(fetch_error(fetch));
		}
	}
	if (status == ITEMS_ERROR)
		step_raise_reader_error(reader, &step->source, fetch);
	fetch_close(fetch);
}

static void
show_item(Preview *preview, const JobStep *step, const ItemBatch *items, int position, Jsonb *row, char *error)
{
	const BadItem *bad = bad_item(items, position);
	Datum		item;

	if (bad != NULL)
	{
		preview->receive(preview->arg, step->id, NULL, NULL, bad->reason);
		return;
	}
	item = DirectFunctionCall1(jsonb_in, CStringGetDatum(cell_json_text(items, &items->cells[position])));
	preview->receive(preview->arg, step->id, DatumGetJsonbP(item), row, secret_mask_text(error));
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
