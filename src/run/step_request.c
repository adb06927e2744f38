/*
 * step_request.c
 *	  What the templates of a step see, and its requests.
 *
 * Requests see one object ($1): the run, the cursor, and of their listing its
 * page, window and parent row.  A transform sees what is the same for the
 * whole step in $1 and the rest in the context of the item; the cursor is there too
 * where each parent row has its own.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "run/step_data.h"
#include "template/template.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

static List *delivered_by(const JobStep *step, const List *delivered);
static void append_run(StringInfo json, const StepRun *sr, const Cursor *cursor);
static void append_cursor(StringInfo json, const Listing *listing);
static void append_page(StringInfo json, const Listing *listing);
static void append_window(StringInfo json, const Cursor *cursor, const CursorWindow *window);
static void append_parent(StringInfo json, const Listing *listing);
static void append_text(StringInfo json, const char *text, bool is_number);
static Jsonb *scopes_jsonb(StringInfo json);

Listing *
step_sketch(RunContext *run, const JobStep *step, const List *delivered, bool masked)
{
	ProblemList *problems = problem_list_create(run->memory);
	StepRun    *sr = MemoryContextAllocZero(run->memory, sizeof(StepRun));
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	Listing    *listing;

	sr->run = run;
	sr->step = step;
	sr->memory = run->memory;
	sr->masked = masked;
	state_catalog_get(run->record->id, step->id, &sr->state);
	sr->pass_started = run->started_at;
	step_make_cursor(sr);
	sr->concurrency = 1;
	step_make_budget(sr);
	listing = listing_create(sr);
	if (step->source.type == SOURCE_API)
	{
		sr->auth = auth_session_create(&step->source, problems, run->memory);
		sr->request_plan = request_plan_create(step, problems, run->memory);
		if (!masked)
			step_make_policy(sr, problems);
		problem_raise_first(problems);
		if (request_plan_parent(sr->request_plan) != NULL)
		{
			ParentRow  *row = parent_rows_first(sr, delivered_by(request_plan_parent(sr->request_plan), delivered));

			if (row == NULL)
			{
				MemoryContextSwitchTo(old);
				return NULL;
			}
			parent_state_begin(listing, row, NULL);
		}
		if (!masked)
			(void) auth_session_refresh(sr->auth, run, sr->scopes);
		if (sr->windowed)
		{
			CursorWindow bounds;

			cursor_bounds(listing->cursor, &bounds);
			(void) cursor_window(listing->cursor, bounds.from, &listing->window);
		}
		step_render(listing);
		listing->pager = pager_create(&step->source.pagination, listing->base, NULL, listing->memory);
	}
	MemoryContextSwitchTo(old);
	return listing;
}

static List *
delivered_by(const JobStep *step, const List *delivered)
{
	ListCell   *lc;

	foreach(lc, delivered)
	{
		const DeliveredRows *rows = lfirst(lc);

		if (rows->step == step)
			return rows->rows;
	}
	return NIL;
}

void
step_make_cursor(StepRun *sr)
{
	const JobIncremental *incremental = sr->step->source.incremental;
	char	   *saved = cursor_saved(incremental, sr->state.cursor, sr->state.last_sync_time);

	sr->cursor = cursor_create(incremental, saved, sr->pass_started, sr->memory);
	sr->windowed = incremental != NULL && incremental->step_ms > 0;
	sr->scopes = step_transform_scopes(sr, sr->cursor);
}

Jsonb *
step_transform_scopes(const StepRun *sr, const Cursor *cursor)
{
	StringInfoData json;
	CursorWindow bounds;

	cursor_bounds(cursor, &bounds);
	initStringInfo(&json);
	append_run(&json, sr, cursor);
	appendStringInfo(&json, ", \"cursor\": %s}", cursor_format(cursor, bounds.from));
	return scopes_jsonb(&json);
}

void
step_render(Listing *listing)
{
	StepRun    *sr = listing->sr;
	CursorWindow bounds;
	StringInfoData json;
	MemoryContext old;

	cursor_bounds(listing->cursor, &bounds);
	if (listing->window.from != NULL)
		bounds = listing->window;
	initStringInfo(&json);
	append_run(&json, sr, listing->cursor);
	appendStringInfo(&json, ", \"cursor\": %s, ", cursor_format(listing->cursor, bounds.from));
	append_page(&json, listing);
	appendStringInfoString(&json, ", ");
	append_window(&json, listing->cursor, &bounds);
	append_parent(&json, listing);
	appendStringInfo(&json, ", \"auth\": %s}", auth_session_scope(sr->auth));

	MemoryContextReset(listing->base_memory);
	old = MemoryContextSwitchTo(listing->base_memory);
	listing->base = request_plan_render(sr->request_plan, sr->run->record->owner, scopes_jsonb(&json), sr->masked);
	listing->rendered = sr->renderings;
	MemoryContextSwitchTo(old);
}

char *
step_context_json(const Listing *listing, const char *response)
{
	CursorWindow bounds = listing->window;
	StringInfoData json;

	if (bounds.from == NULL)
		cursor_bounds(listing->cursor, &bounds);
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	if (parent_state_is_own(listing->sr))
		append_cursor(&json, listing);
	append_page(&json, listing);
	appendStringInfoString(&json, ", ");
	append_window(&json, listing->cursor, &bounds);
	append_parent(&json, listing);
	if (listing->webhook != NULL)
		appendStringInfo(&json, ", \"webhook\": %s", listing->webhook);
	if (response != NULL)		/* {"response": ..., "http": ...} */
		appendStringInfo(&json, ", %.*s", (int) strlen(response) - 2, response + 1);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* {"last_sync_time": ..., "run": ..., "payload": ... */
static void
append_run(StringInfo json, const StepRun *sr, const Cursor *cursor)
{
	const RunContext *run = sr->run;

	appendStringInfoString(json, "{\"last_sync_time\": ");
	escape_json(json, cursor_last_sync_time(cursor));
	appendStringInfo(json, ", \"run\": {\"id\": " INT64_FORMAT ", \"started_at\": ", run->run_id);
	escape_json(json, run_time_text(run->started_at));
	appendStringInfo(json, "}, \"event\": %s", run->event ? run->event : "null");
	appendStringInfo(json, ", \"payload\": %s", run->payload ? run->payload : "null");
}

/* "last_sync_time": ..., "cursor": ..., of the parent row. */
static void
append_cursor(StringInfo json, const Listing *listing)
{
	CursorWindow bounds;

	cursor_bounds(listing->cursor, &bounds);
	appendStringInfoString(json, "\"last_sync_time\": ");
	escape_json(json, cursor_last_sync_time(listing->cursor));
	appendStringInfo(json, ", \"cursor\": %s, ", cursor_format(listing->cursor, bounds.from));
}

/* "page": {"number", "offset", "limit", "cursor", "after"} */
static void
append_page(StringInfo json, const Listing *listing)
{
	const JobPagination *pagination = &listing->sr->step->source.pagination;
	PagePosition position = {.number = 1, .limit = pagination->limit};

	if (listing->pager != NULL)
		pager_position(listing->pager, &position);
	appendStringInfo(json, "\"page\": {\"number\": " INT64_FORMAT ", \"offset\": " INT64_FORMAT ", \"limit\": " INT64_FORMAT ", ",
					 position.number, position.offset, position.limit);
	appendStringInfoString(json, "\"cursor\": ");
	append_text(json, position.cursor, position.cursor_is_number);
	appendStringInfoString(json, ", \"after\": ");
	append_text(json, position.after, position.after_is_number);
	appendStringInfoChar(json, '}');
}

/* "window": {"from", "to"} */
static void
append_window(StringInfo json, const Cursor *cursor, const CursorWindow *window)
{
	appendStringInfo(json, "\"window\": {\"from\": %s, \"to\": %s}",
					 cursor_format(cursor, window->from),
					 window->to != NULL ? cursor_format(cursor, window->to) : "null");
}

/* , "sync_customers": {"id": 1} */
static void
append_parent(StringInfo json, const Listing *listing)
{
	if (listing->parent == NULL)
		return;
	appendStringInfoString(json, ", ");
	escape_json(json, request_plan_parent(listing->sr->request_plan)->id);
	appendStringInfo(json, ": %s", listing->parent->json);
}

/* Values that a server gave are UTF-8; numbers are as they were written. */
static void
append_text(StringInfo json, const char *text, bool is_number)
{
	if (text == NULL)
		appendStringInfoString(json, "null");
	else if (is_number)
		appendStringInfoString(json, text);
	else
		escape_json(json, pg_any_to_server(text, strlen(text), PG_UTF8));
}

static Jsonb *
scopes_jsonb(StringInfo json)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json->data)));
}
