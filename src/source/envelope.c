/*
 * envelope.c
 *	  What a response says beside its items: cursors, totals, "has more".
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "job/definition.h"
#include "source/envelope.h"

static bool leads_into(const JsonPath *path, const JsonPath *list);

Found
envelope_find(struct json_object *envelope, const JsonPath *path, struct json_object **value)
{
	struct json_object *at = envelope;

	*value = NULL;
	for (int i = 0; i < path->nsteps; i++)
	{
		const JsonPathStep *step = &path->steps[i];

		if (step->kind == PATH_ALL)
			return FOUND_OTHER;
		if (step->kind == PATH_KEY)
		{
			if (!jsonc_get(at, step->key, &at))
				return FOUND_NOTHING;
		}
		else
		{
			int64		length;
			int64		index = step->index;

			if (!json_object_is_type(at, json_type_array))
				return FOUND_NOTHING;
			length = json_object_array_length(at);
			if (index < 0)
				index += length;
			if (index < 0 || index >= length)
				return FOUND_NOTHING;
			at = json_object_array_get_idx(at, index);
		}
	}

	*value = at;
	switch (json_object_get_type(at))
	{
		case json_type_null:
			return FOUND_NOTHING;
		case json_type_string:
			return json_object_get_string_len(at) == 0 ? FOUND_NOTHING : FOUND_TEXT;
		case json_type_int:
		case json_type_double:
			return FOUND_TEXT;
		default:
			return FOUND_OTHER;
	}
}

bool
envelope_count(struct json_object *envelope, const JsonPath *path, int64 *count)
{
	struct json_object *value;
	int64		number;

	if (envelope_find(envelope, path, &value) != FOUND_TEXT)
		return false;
	errno = 0;
	number = json_object_get_int64(value);
	if (errno != 0 || number < 0)
		return false;
	*count = number;
	return true;
}

bool
envelope_is_false(struct json_object *value)
{
	switch (json_object_get_type(value))
	{
		case json_type_boolean:
			return !json_object_get_boolean(value);
		case json_type_int:
			return json_object_get_int64(value) == 0;
		case json_type_string:
			return pg_strcasecmp(json_object_get_string(value), "false") == 0 ||
				strcmp(json_object_get_string(value), "0") == 0;
		default:
			return false;
	}
}

char *
envelope_text(struct json_object *value)
{
	const char *text = json_object_get_string(value);

	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed to read a JSON value.")));
	if (json_object_is_type(value, json_type_string) &&
		strlen(text) != (size_t) json_object_get_string_len(value))
		return NULL;
	return pstrdup(text);
}

const char *
envelope_path_into_list(const struct JobPagination *pagination, const JsonPath *list)
{
	if (leads_into(pagination->next_url_path, list))
		return "nextUrlPath";
	if (leads_into(pagination->cursor_path, list))
		return "cursorPath";
	if (leads_into(pagination->has_more_path, list))
		return "hasMorePath";
	if (leads_into(pagination->total_path, list))
		return "totalPath";
	if (leads_into(pagination->total_pages_path, list))
		return "totalPagesPath";
	return NULL;
}

static bool
leads_into(const JsonPath *path, const JsonPath *list)
{
	JsonPath	beginning;

	if (path == NULL || path->nsteps <= list->nsteps)
		return false;
	beginning = *path;
	beginning.nsteps = list->nsteps;
	return json_path_equal(&beginning, list);
}
