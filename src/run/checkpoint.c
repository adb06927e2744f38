/*
 * checkpoint.c
 *	  Where a pass stands, as JSON.
 *
 * {"started_at": text, "position": n, "rejected": n, "taken": n, "left_out": n, "seen": text, "parents_go_on": true,
 *  "sync_token", "etag", "last_modified", "validators_for": text,
 *  "next_window": text, "next_parent": n, "columns": [text], "incomplete": true, "failed_window": text, "kept": true,
 *  "shorter": true, "pages_changed": n, "clock_lead": n,
 *  "listings": [{"page": state of its pager, "items": n, "last": value,
 *				  "items_print": text, "repeats": true, "bound": n,
 *				  "window": {"from", "to"}, "parent": {"number": n, "hash": text, "row": {...}, "sync_token", "saved", "seen"},
 *				  "delivery": n, "token_expired": true, "new_token": text, "split": true, "given_up": true, "skipped": true, "whole": n}]}
 *
 * The open listings are all that is unfinished before next_window and
 * next_parent; "items" of a listing's page are in the table.  "whole" is the
 * place of the listing that this one is a part of.  "columns" are those that the
 * rows in a stage have values for.  {"done": true, "partial": false} stands for a
 * step that is complete while the run that it belongs to is not.  What a failure must not take
 * away is "kept", whichever step it is that fails.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "destination/stage.h"
#include "mb/pg_wchar.h"
#include "run/step_data.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define CHECKPOINT_DEPTH 512

static void append_columns(StringInfo json, const StepRun *sr);
static void append_listing(StringInfo json, const StepRun *sr, const Listing *listing);
static void append_member(StringInfo json, const char *name, const char *value);
static void append_text(StringInfo json, const char *name, const char *value);
pg_noreturn static void raise_unreadable(void);
static bool parse(const char *checkpoint, MemoryContext context, struct json_object **root);
static void read_listing(StepRun *sr, struct json_object *object);
static char *member_of(struct json_object *object, const char *name);
static char *text_of(struct json_object *object, const char *name);
static int64 number_of(struct json_object *object, const char *name);
static bool flag_of(struct json_object *object, const char *name);
static List *names_of(struct json_object *object, const char *name);
static char *print(struct json_object *value);

const char *
checkpoint_done(bool partial, bool incomplete, bool kept)
{
	return psprintf("{\"done\": true%s%s%s}", partial ? ", \"partial\": true" : "", incomplete ? ", \"incomplete\": true" : "",
					kept ? ", \"kept\": true" : "");
}

bool
checkpoint_is_done(const char *checkpoint, bool *partial, bool *incomplete)
{
	struct json_object *root;

	*partial = *incomplete = false;
	if (!parse(checkpoint, CurrentMemoryContext, &root) || !flag_of(root, "done"))
		return false;
	*partial = flag_of(root, "partial");
	*incomplete = flag_of(root, "incomplete");
	return true;
}

bool
checkpoint_is_kept(const char *checkpoint)
{
	struct json_object *root;

	return parse(checkpoint, CurrentMemoryContext, &root) && flag_of(root, "kept");
}

TimestampTz
checkpoint_started_at(const char *checkpoint)
{
	struct json_object *root;
	char	   *started_at;

	if (!parse(checkpoint, CurrentMemoryContext, &root) ||
		(started_at = text_of(root, "started_at")) == NULL)
		raise_unreadable();
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(started_at),
												   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* Needs the step's plans: listings are rendered. */
void
checkpoint_read(StepRun *sr)
{
	struct json_object *root;
	struct json_object *list;
	struct json_object *lead;

	if (!parse(sr->state.checkpoint, sr->memory, &root) ||
		!jsonc_get(root, "listings", &list) || !json_object_is_type(list, json_type_array))
		raise_unreadable();
	sr->position = number_of(root, "position");
	sr->rejected = number_of(root, "rejected");
	sr->taken = number_of(root, "taken");
	sr->left_out = number_of(root, "left_out");
	stage_take_into_use(sr->plan, names_of(root, "columns"));
	cursor_see(sr->cursor, text_of(root, "seen"));
	sr->sync_token = member_of(root, "sync_token");
	sr->etag = member_of(root, "etag");
	sr->last_modified = member_of(root, "last_modified");
	sr->validators_for = member_of(root, "validators_for");
	sr->next_window = text_of(root, "next_window");
	sr->next_parent = number_of(root, "next_parent");
	sr->incomplete = flag_of(root, "incomplete");
	sr->failed_window = text_of(root, "failed_window");
	sr->shorter = flag_of(root, "shorter");
	sr->pages_changed = number_of(root, "pages_changed");
	if (jsonc_get(root, "clock_lead", &lead))
		sr->clock_lead = json_object_get_int64(lead);
	sr->parents_go_on = flag_of(root, "parents_go_on");
	sr->opened_first = true;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		read_listing(sr, json_object_array_get_idx(list, i));
}

char *
checkpoint_write(const StepRun *sr, const char *place)
{
	return psprintf("{\"rejected\": " INT64_FORMAT ", \"taken\": " INT64_FORMAT ", %s", sr->rejected, sr->taken, place);
}

char *
checkpoint_place(StepRun *sr)
{
	StringInfoData json;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfoString(&json, "\"started_at\": ");
	escape_json(&json, timestamptz_to_str(sr->pass_started));
	appendStringInfo(&json, ", \"position\": " INT64_FORMAT, sr->position + (sr->batch ? sr->batch->nitems : 0));
	appendStringInfo(&json, ", \"left_out\": %d", sr->left_out);
	append_text(&json, "seen", cursor_seen(sr->cursor));
	append_member(&json, "sync_token", sr->sync_token);
	append_member(&json, "etag", sr->etag);
	append_member(&json, "last_modified", sr->last_modified);
	append_member(&json, "validators_for", sr->validators_for);
	append_member(&json, "next_window", sr->next_window);
	if (sr->incomplete)
		appendStringInfoString(&json, ", \"incomplete\": true");
	if (write_plan_goes_on(sr->plan))
		appendStringInfoString(&json, ", \"kept\": true");
	append_text(&json, "failed_window", sr->failed_window);
	if (sr->shorter)
		appendStringInfoString(&json, ", \"shorter\": true");
	if (sr->pages_changed > 0)
		appendStringInfo(&json, ", \"pages_changed\": %d", sr->pages_changed);
	if (sr->clock_lead >= 0)
		appendStringInfo(&json, ", \"clock_lead\": " INT64_FORMAT, sr->clock_lead);
	if (sr->parents_go_on)
		appendStringInfoString(&json, ", \"parents_go_on\": true");
	appendStringInfo(&json, ", \"next_parent\": " INT64_FORMAT, sr->next_parent);
	append_columns(&json, sr);
	appendStringInfoString(&json, ", \"listings\": [");
	foreach(lc, sr->listings)
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(&json, ", ");
		append_listing(&json, sr, lfirst(lc));
	}
	appendStringInfoString(&json, "]}");
	return json.data;
}

static void
append_columns(StringInfo json, const StepRun *sr)
{
	ListCell   *lc;

	if (stage_content(sr->plan) != STAGE_ROWS)
		return;
	appendStringInfoString(json, ", \"columns\": [");
	foreach(lc, stage_columns_in_use(sr->plan))
	{
		if (foreach_current_index(lc) > 0)
			appendStringInfoString(json, ", ");
		escape_json(json, lfirst(lc));
	}
	appendStringInfoChar(json, ']');
}

static void
append_listing(StringInfo json, const StepRun *sr, const Listing *listing)
{
	appendStringInfo(json, "{\"page\": %s, \"items\": " INT64_FORMAT,
					 listing->pager ? pager_state(listing->pager) : "null", items_delivered(listing));
	if (items_delivered(listing) > 0 && items_print(listing) != 0)
		appendStringInfo(json, ", \"items_print\": \"" UINT64_FORMAT "\"", items_print(listing));
	append_member(json, "last", listing->last_value);
	if (listing->last_is_number)
		appendStringInfoString(json, ", \"last_is_number\": true");
	if (listing->repeats)
		appendStringInfoString(json, ", \"repeats\": true");
	if (listing->bound != BOUND_UNKNOWN)
		appendStringInfo(json, ", \"bound\": %d", listing->bound);
	if (listing->window.from != NULL)
	{
		appendStringInfoString(json, ", \"window\": {\"from\": ");
		escape_json(json, listing->window.from);
		append_member(json, "to", listing->window.to);
		appendStringInfoChar(json, '}');
	}
	if (listing->parent != NULL)
	{
		appendStringInfo(json, ", \"parent\": {\"number\": " INT64_FORMAT ", \"hash\": \"%s\", \"row\": %s",
						 listing->parent->number, listing->parent->hash, listing->parent->json);
		append_member(json, "sync_token", listing->sent_token);
		append_text(json, "saved", listing->parent->saved);
		if (parent_state_is_own(sr))
			append_text(json, "seen", cursor_seen(listing->cursor));
		appendStringInfoChar(json, '}');
	}
	else if (sr->state.sync_token != NULL && listing->sent_token == NULL)
		appendStringInfoString(json, ", \"token_expired\": true");
	if (listing->delivery != 0)
		appendStringInfo(json, ", \"delivery\": " INT64_FORMAT, listing->delivery);
	append_member(json, "new_token", listing->new_token);
	if (listing->split)
		appendStringInfoString(json, ", \"split\": true");
	if (listing->given_up)
		appendStringInfoString(json, ", \"given_up\": true");
	if (listing->skipped)
		appendStringInfoString(json, ", \"skipped\": true");
	if (listing->whole != NULL)
	{
		int			place = 0;

		while (list_nth(sr->listings, place) != listing->whole)
			place++;
		appendStringInfo(json, ", \"whole\": %d", place);
	}
	appendStringInfoChar(json, '}');
}

/* What servers gave is UTF-8. */
static void
append_member(StringInfo json, const char *name, const char *value)
{
	if (value != NULL)
		append_text(json, name, pg_any_to_server(value, strlen(value), PG_UTF8));
}

/* In the encoding of the database. */
static void
append_text(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfoString(json, ", ");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
	escape_json(json, value);
}

static void
read_listing(StepRun *sr, struct json_object *object)
{
	CursorWindow window = {NULL, NULL};
	ParentRow	parent = {0};
	bool		has_parent;
	struct json_object *value;
	char	   *page = NULL;
	char	   *print_text;
	char	   *seen = NULL;
	Listing    *whole = NULL;
	Listing    *listing;

	if (jsonc_get(object, "page", &value) && value != NULL)
		page = print(value);
	if (jsonc_get(object, "window", &value))
	{
		window.from = text_of(value, "from");
		window.to = text_of(value, "to");
	}
	has_parent = jsonc_get(object, "parent", &value);
	if (has_parent)
	{
		struct json_object *row;

		parent.number = number_of(value, "number");
		parent.hash = text_of(value, "hash");
		(void) jsonc_get(value, "row", &row);
		parent.json = print(row);
		parent.sync_token = member_of(value, "sync_token");
		parent.saved = text_of(value, "saved");
		seen = text_of(value, "seen");
	}
	if (jsonc_get(object, "whole", &value))
		whole = list_nth(sr->listings, json_object_get_int(value));

	listing = supply_reopen(sr, &window, has_parent ? &parent : NULL, seen, whole, page);
	listing->skip = number_of(object, "items");
	print_text = text_of(object, "items_print");
	listing->skip_print = print_text != NULL ? strtou64(print_text, NULL, 10) : 0;
	listing->repeats = flag_of(object, "repeats");
	listing->bound = number_of(object, "bound");
	listing->delivery = number_of(object, "delivery");
	listing->split = flag_of(object, "split");
	listing->given_up = flag_of(object, "given_up");
	listing->skipped = flag_of(object, "skipped");
	listing->last_value = member_of(object, "last");
	listing->last_is_number = flag_of(object, "last_is_number");
	if (listing->last_value != NULL)
		listing->last_value = MemoryContextStrdup(listing->memory, listing->last_value);
	if (flag_of(object, "token_expired"))
	{
		listing->sent_token = NULL;
		sr->sync_token_expired = true;
	}
	listing->new_token = member_of(object, "new_token");
	if (listing->new_token != NULL)
		listing->new_token = MemoryContextStrdup(listing->memory, listing->new_token);
}

static void
raise_unreadable(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the checkpoint of the step cannot be read"),
			 errhint("Forget it with databite.reset_job.")));
}

/* False where there is none (NULL), or it is not JSON. */
static bool
parse(const char *checkpoint, MemoryContext context, struct json_object **root)
{
	char	   *error;

	return checkpoint != NULL && jsonc_parse(checkpoint, strlen(checkpoint), CHECKPOINT_DEPTH, context, root, &error);
}

/* What append_member wrote, in the current context, or NULL. */
static char *
member_of(struct json_object *object, const char *name)
{
	char	   *text = text_of(object, name);

	return text != NULL ? pg_server_to_any(text, strlen(text), PG_UTF8) : NULL;
}

/* What append_text wrote, in the current context, or NULL. */
static char *
text_of(struct json_object *object, const char *name)
{
	struct json_object *value;

	if (!jsonc_get(object, name, &value) || !json_object_is_type(value, json_type_string))
		return NULL;
	return pstrdup(json_object_get_string(value));
}

static int64
number_of(struct json_object *object, const char *name)
{
	struct json_object *value;

	return jsonc_get(object, name, &value) ? json_object_get_int64(value) : 0;
}

static bool
flag_of(struct json_object *object, const char *name)
{
	struct json_object *value;

	return jsonc_get(object, name, &value) && json_object_get_boolean(value);
}

/* Texts, in the current context. */
static List *
names_of(struct json_object *object, const char *name)
{
	struct json_object *value;
	List	   *names = NIL;

	if (!jsonc_get(object, name, &value) || !json_object_is_type(value, json_type_array))
		return NIL;
	for (size_t i = 0; i < json_object_array_length(value); i++)
		names = lappend(names, pstrdup(json_object_get_string(json_object_array_get_idx(value, i))));
	return names;
}

static char *
print(struct json_object *value)
{
	return pstrdup(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}
