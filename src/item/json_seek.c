/*
 * json_seek.c
 *	  Single values inside of JSON that lies in memory and is known to be right.
 */
#include "postgres.h"

#include "item/json_seek.h"

static const char *seek_member(const char *p, const char *end, const JsonPathStep *step, JsonNesting *nesting);
static const char *seek_element(const char *p, const char *end, int index, JsonNesting *nesting);
static bool is_key(const char *text, size_t len, bool escaped, const JsonPathStep *step);
static const char *value_end_at(const char *p, const char *end, JsonNesting *nesting);

const char *
json_seek(const char *p, const char *end, const JsonPathStep *steps, int nsteps,
		  JsonNesting *nesting, const char **value_end)
{
	p = json_skip_space(p, end);
	for (int i = 0; i < nsteps && p != NULL; i++)
	{
		if (steps[i].kind == PATH_KEY)
			p = seek_member(p, end, &steps[i], nesting);
		else if (steps[i].kind == PATH_INDEX)
			p = seek_element(p, end, steps[i].index, nesting);
		else
			p = NULL;
	}
	if (p != NULL)
		*value_end = value_end_at(p, end, nesting);
	return p;
}

bool
json_elements_begin(JsonElements *elements, const char *p, const char *end, JsonNesting *nesting)
{
	elements->p = json_skip_space(p, end);
	elements->end = end;
	elements->nesting = nesting;
	return elements->p < end && *elements->p == '[';
}

const char *
json_elements_next(JsonElements *elements, const char **value_end)
{
	const char *value;

	/* after the bracket, or the comma */
	if (*elements->p == ']')
		return NULL;
	value = json_skip_space(elements->p + 1, elements->end);
	if (*value == ']')
		return NULL;
	*value_end = value_end_at(value, elements->end, elements->nesting);
	elements->p = json_skip_space(*value_end, elements->end);
	return value;
}

static const char *
seek_member(const char *p, const char *end, const JsonPathStep *step, JsonNesting *nesting)
{
	const char *found = NULL;

	if (*p != '{')
		return NULL;
	p = json_skip_space(p + 1, end);
	while (*p == '"')
	{
		JsonStringInfo info;
		const char *key = p + 1;
		bool		wanted;

		p = json_string_end(key, end, &info);
		wanted = is_key(key, p - key, info.escaped, step);
		p = json_skip_space(p + 1, end);	/* the colon */
		p = json_skip_space(p + 1, end);
		if (wanted)
			found = p;
		p = json_skip_space(value_end_at(p, end, nesting), end);
		if (*p == ',')
			p = json_skip_space(p + 1, end);
	}
	return found;
}

/* An index that counts from the end becomes one from the start, by the number of elements. */
static const char *
seek_element(const char *p, const char *end, int index, JsonNesting *nesting)
{
	JsonElements elements;
	const char *value;
	const char *value_end;

	if (!json_elements_begin(&elements, p, end, nesting))
		return NULL;
	if (index < 0)
	{
		while (json_elements_next(&elements, &value_end) != NULL)
			index++;
		if (index < 0)
			return NULL;
		(void) json_elements_begin(&elements, p, end, nesting);
	}
	while ((value = json_elements_next(&elements, &value_end)) != NULL)
	{
		if (index-- == 0)
			return value;
	}
	return NULL;
}

static bool
is_key(const char *text, size_t len, bool escaped, const JsonPathStep *step)
{
	char	   *plain;
	bool		same;

	if (!escaped)
		return len == step->keylen && memcmp(text, step->key, len) == 0;
	plain = palloc_extended(len, MCXT_ALLOC_HUGE);
	len = json_unescape(text, len, plain);
	same = len == step->keylen && memcmp(plain, step->key, len) == 0;
	pfree(plain);
	return same;
}

static const char *
value_end_at(const char *p, const char *end, JsonNesting *nesting)
{
	JsonUnstorable unstorable = JSON_STORABLE;

	return json_value_end(p, end, 1, nesting, &unstorable);
}
