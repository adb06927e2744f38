/*
 * pager_state.c
 *	  Where a pager stands, as a small JSON text.
 *
 * {"page": 3, "offset": 200} and its like; what is as it is anyway (the size of
 * a page, a position that the page's number tells) is left out.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/jsonc.h"
#include "source/pager.h"
#include "utils/memutils.h"

static bool add_int(struct json_object *state, const char *key, int64 value, int64 usual);
static bool add_text(struct json_object *state, const char *key, const char *value);
static bool add_flag(struct json_object *state, const char *key, bool value);
static bool add_gaps(struct json_object *state, const Pager *pager);
static void get_int(struct json_object *state, const char *key, int64 *value);
static void get_text(struct json_object *state, const char *key, char **value);
static void get_flag(struct json_object *state, const char *key, bool *value);
static void get_gaps(Pager *pager, struct json_object *state);
static bool is_sound(const Pager *pager);
pg_noreturn static void raise_damaged(void);

char *
pager_state(const Pager *pager)
{
	struct json_object *state = json_object_new_object();
	bool		by_offset = pager->pagination->type == PAGINATION_OFFSET;
	bool		by_page = pager->pagination->type == PAGINATION_PAGE;
	int64		reached = by_page ? pager->index : pager->offset;
	const char *text = NULL;
	char	   *copy = NULL;
	bool		ok;

	/* no error in here, so that the object is released */
	ok = state != NULL &&
		add_int(state, "page", pager->page_number, 0) &&
		add_int(state, "offset", pager->offset, by_offset ? -1 : 0) &&
		add_int(state, "index", pager->index, by_page ? pager->page_number - 1 : pager->index) &&
		add_int(state, "limit", pager->limit, pager->pagination->limit) &&
		add_text(state, "cursor", pager->cursor) &&
		add_flag(state, "number", pager->cursor_is_number) &&
		add_text(state, "url", pager->url) &&
		add_text(state, "after", pager->after) &&
		add_flag(state, "after_number", pager->after_is_number) &&
		add_int(state, "total", by_page ? pager->total_pages : pager->total_items, -1) &&
		add_int(state, "extra", pager->extra, 0);
	if (pager->is_part)
		ok = ok && add_int(state, "end", pager->end, -1) &&
			add_int(state, "known", pager->known, 0);
	else if (by_offset || by_page)
		ok = ok && add_int(state, "step", pager->step, pager->step == 0 ? 0 : pager->limit) &&
			add_int(state, "reached", pager->reached, pager->page_number > 1 ? reached : 0) &&
			add_int(state, "dead", pager->dead, 0) &&
			add_flag(state, "ended", pager->ended) &&
			add_gaps(state, pager);
	if (ok)
		text = json_object_to_json_string_ext(state, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text != NULL)
	{
		copy = palloc_extended(strlen(text) + 1, MCXT_ALLOC_NO_OOM);
		if (copy != NULL)
			strcpy(copy, text);
	}
	json_object_put(state);
	if (copy == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed to write down the position in a listing.")));
	return copy;
}

void
pager_restore(Pager *pager, const char *text)
{
	MemoryContext context = AllocSetContextCreate(pager->context, "databite state", ALLOCSET_SMALL_SIZES);
	struct json_object *state;
	int64		limit = pager->limit;
	char	   *error;

	if (!jsonc_parse(text, strlen(text), PAGER_JSON_DEPTH, context, &state, &error))
		raise_damaged();
	pager->page_number = 0;
	get_int(state, "page", &pager->page_number);
	get_int(state, "offset", &pager->offset);
	pager->index = pager->pagination->type == PAGINATION_PAGE ? pager->page_number - 1 : 0;
	get_int(state, "index", &pager->index);
	get_int(state, "limit", &limit);
	pager->limit = limit > 0 && limit < pager->limit ? limit : pager->limit;
	get_text(state, "cursor", &pager->cursor);
	get_flag(state, "number", &pager->cursor_is_number);
	get_text(state, "url", &pager->url);
	get_text(state, "after", &pager->after);
	get_flag(state, "after_number", &pager->after_is_number);
	get_int(state, "total", pager->pagination->type == PAGINATION_PAGE ? &pager->total_pages : &pager->total_items);
	get_int(state, "extra", &pager->extra);
	pager->forked_extra = pager->extra;
	pager->end = -1;
	get_int(state, "end", &pager->end);
	pager->is_part = pager->end >= 0;
	get_int(state, "known", &pager->known);
	get_int(state, "step", &pager->step);
	pager->reached = pager->pagination->type == PAGINATION_PAGE ? pager->index : pager->offset;
	get_int(state, "reached", &pager->reached);
	get_int(state, "dead", &pager->dead);
	get_flag(state, "ended", &pager->ended);
	get_gaps(pager, state);
	MemoryContextDelete(context);

	if (!is_sound(pager))
		raise_damaged();
}

/* Adds a number, unless it is the usual one. */
static bool
add_int(struct json_object *state, const char *key, int64 value, int64 usual)
{
	return value == usual || json_object_object_add(state, key, json_object_new_int64(value)) == 0;
}

static bool
add_text(struct json_object *state, const char *key, const char *value)
{
	return value == NULL || json_object_object_add(state, key, json_object_new_string(value)) == 0;
}

static bool
add_flag(struct json_object *state, const char *key, bool value)
{
	return !value || json_object_object_add(state, key, json_object_new_boolean(true)) == 0;
}

/* [start, end, known, start, ...] */
static bool
add_gaps(struct json_object *state, const Pager *pager)
{
	struct json_object *array;
	bool		ok;

	if (pager->ngaps == 0)
		return true;
	array = json_object_new_array();
	ok = array != NULL && json_object_object_add(state, "gaps", array) == 0;
	for (int i = 0; ok && i < pager->ngaps; i++)
		ok = json_object_array_add(array, json_object_new_int64(pager->gaps[i].start)) == 0 &&
			json_object_array_add(array, json_object_new_int64(pager->gaps[i].end)) == 0 &&
			json_object_array_add(array, json_object_new_int64(pager->gaps[i].known)) == 0;
	return ok;
}

static void
get_int(struct json_object *state, const char *key, int64 *value)
{
	struct json_object *found;

	if (jsonc_get(state, key, &found))
		*value = json_object_get_int64(found);
}

static void
get_text(struct json_object *state, const char *key, char **value)
{
	struct json_object *found;

	if (jsonc_get(state, key, &found) && found != NULL)
		*value = pstrdup(json_object_get_string(found));
}

static void
get_flag(struct json_object *state, const char *key, bool *value)
{
	struct json_object *found;

	if (jsonc_get(state, key, &found))
		*value = json_object_get_boolean(found);
}

static void
get_gaps(Pager *pager, struct json_object *state)
{
	struct json_object *array;

	if (!jsonc_get(state, "gaps", &array) || !json_object_is_type(array, json_type_array))
		return;
	pager->ngaps = json_object_array_length(array) / 3;
	if (pager->ngaps == 0)
		return;
	pager->gaps = palloc(pager->ngaps * sizeof(PagerGap));
	for (int i = 0; i < pager->ngaps; i++)
	{
		pager->gaps[i].start = json_object_get_int64(json_object_array_get_idx(array, 3 * i));
		pager->gaps[i].end = json_object_get_int64(json_object_array_get_idx(array, 3 * i + 1));
		pager->gaps[i].known = json_object_get_int64(json_object_array_get_idx(array, 3 * i + 2));
	}
}

/* A URL may have been allowed by another definition. */
static bool
is_sound(const Pager *pager)
{
	for (int i = 0; i < pager->ngaps; i++)
	{
		if (pager->gaps[i].start < 0 || pager->gaps[i].start >= pager->gaps[i].end)
			return false;
	}
	return pager->page_number >= 1 && pager->offset >= 0 && pager->index >= 0 && pager->step >= 0 &&
		pager->extra >= 0 &&
		(!pager->is_part || pager->pagination->type != PAGINATION_OFFSET || pager->offset < pager->end) &&
		(pager->url == NULL || pager_may_go_to(pager, pager->url));
}

static void
raise_damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("checkpoint of the pagination is damaged"),
			 errhint("Call databite.reset_job to begin the job anew.")));
	pg_unreachable();
}
