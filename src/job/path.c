/*
 * path.c
 *	  A path into a JSON value: reading it, writing it, comparing it.
 *
 * Grammar (spaces are not allowed outside of quotes):
 *
 *		path  = "$" | [ "$" [ "." ] ] step { step }
 *		step  = [ "." ] ( key | "*" ) | "[" ( index | string | "*" ) "]"
 *		index = [ "-" ] digits
 *		key   = one or more characters but . [ ] " ' * and white space
 *
 * A key or * may be written bare at the beginning and after a dot only.  What does
 * not fit a bare key is written as ["odd key"] or ['odd key'].  The bare *, all
 * members of an object, is for paths to items only.
 */
#include "postgres.h"

#include "job/path.h"
#include "job/quoted.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/json.h"

/* A path under construction; pos is a byte offset. */
typedef struct PathReader
{
	const char *text;
	int			len;
	int			pos;
	JsonPath   *path;
	int			allocated;
	bool		members;		/* the bare * is allowed */
	char	   *error;
} PathReader;

static JsonPath *parse(PathReader *reader, char **error);
static bool read_steps(PathReader *reader);
static bool read_bare_key(PathReader *reader);
static bool read_bracket(PathReader *reader);
static bool read_quoted_key(PathReader *reader);
static bool read_index(PathReader *reader);
static JsonPathStep *add_step(PathReader *reader, JsonPathStepKind kind);
static bool fail(PathReader *reader, int pos, const char *what);
static bool is_bare_char(unsigned char c);
static bool is_bare_key(const JsonPathStep *step, bool first);

JsonPath *
json_path_parse(const char *text, char **error)
{
	PathReader	reader = {.text = text, .len = strlen(text)};

	return parse(&reader, error);
}

JsonPath *
json_path_parse_items(const char *text, char **error)
{
	PathReader	reader = {.text = text, .len = strlen(text), .members = true};

	return parse(&reader, error);
}

bool
json_path_has(const JsonPath *path, JsonPathStepKind kind)
{
	for (int i = 0; i < path->nsteps; i++)
	{
		if (path->steps[i].kind == kind)
			return true;
	}
	return false;
}

char *
json_path_print(const JsonPath *path)
{
	StringInfoData out;

	if (path->nsteps == 0)
		return pstrdup("$");

	initStringInfo(&out);
	for (int i = 0; i < path->nsteps; i++)
	{
		const JsonPathStep *step = &path->steps[i];

		switch (step->kind)
		{
			case PATH_KEY:
				if (is_bare_key(step, i == 0))
					appendStringInfo(&out, "%s%s", i > 0 ? "." : "", step->key);
				else
				{
					appendStringInfoChar(&out, '[');
					escape_json(&out, step->key);
					appendStringInfoChar(&out, ']');
				}
				break;
			case PATH_INDEX:
				appendStringInfo(&out, "[%d]", step->index);
				break;
			case PATH_ALL:
				appendStringInfoString(&out, "[*]");
				break;
			case PATH_MEMBERS:
				appendStringInfoString(&out, i > 0 ? ".*" : "$.*");
				break;
			case PATH_REST:
				appendStringInfoString(&out, "$.* but ");
				break;
		}
	}
	return out.data;
}

bool
json_path_equal(const JsonPath *a, const JsonPath *b)
{
	if (a->nsteps != b->nsteps)
		return false;
	for (int i = 0; i < a->nsteps; i++)
	{
		const JsonPathStep *x = &a->steps[i];
		const JsonPathStep *y = &b->steps[i];

		if (x->kind != y->kind)
			return false;
		if (x->kind == PATH_KEY &&
			(x->keylen != y->keylen || memcmp(x->key, y->key, x->keylen) != 0))
			return false;
		if (x->kind == PATH_INDEX && x->index != y->index)
			return false;
	}
	return true;
}

static JsonPath *
parse(PathReader *reader, char **error)
{
	reader->path = palloc0(sizeof(JsonPath));
	if (!read_steps(reader))
	{
		*error = reader->error;
		return NULL;
	}
	return reader->path;
}

/*
 * Reads the whole text; false with the error set where it is not a path.
 */
static bool
read_steps(PathReader *reader)
{
	const char *text = reader->text;
	bool		rooted = text[0] == '$' && (text[1] == '\0' || text[1] == '.' || text[1] == '[');

	if (reader->len == 0)
		return fail(reader, 0, "a path is empty");
	if (rooted)
		reader->pos = 1;

	while (reader->pos < reader->len)
	{
		char		c = text[reader->pos];

		if (reader->path->nsteps >= JSON_PATH_MAX_STEPS)
			return fail(reader, reader->pos, "too many steps in a path");
		if (c == '[')
		{
			if (!read_bracket(reader))
				return false;
		}
		else if (c == '.' && (reader->path->nsteps > 0 || rooted))
		{
			reader->pos++;
			if (!read_bare_key(reader))
				return false;
		}
		else if (reader->path->nsteps == 0 && !rooted)
		{
			if (!read_bare_key(reader))
				return false;
		}
		else
			return fail(reader, reader->pos, "\".\" or \"[\" expected");
	}
	return true;
}

/*
 * Reads a key without quotes, or *.
 */
static bool
read_bare_key(PathReader *reader)
{
	int			start = reader->pos;
	JsonPathStep *step;

	if (reader->text[start] == '*')
	{
		if (!reader->members)
			return fail(reader, start, "only a path to the list of items may have \"*\" for the members of an object, found");
		reader->pos++;
		add_step(reader, PATH_MEMBERS);
		return true;
	}
	while (reader->pos < reader->len && is_bare_char(reader->text[reader->pos]))
		reader->pos++;
	if (reader->pos == start)
		return fail(reader, start, "a key expected");

	step = add_step(reader, PATH_KEY);
	step->keylen = reader->pos - start;
	step->key = pnstrdup(reader->text + start, step->keylen);
	return true;
}

/*
 * Reads [0], [-1], [*], ["key"] or ['key'].
 */
static bool
read_bracket(PathReader *reader)
{
	char		c = reader->text[++reader->pos];

	if (c == '*')
	{
		reader->pos++;
		add_step(reader, PATH_ALL);
	}
	else if (c == '"' || c == '\'')
	{
		if (!read_quoted_key(reader))
			return false;
	}
	else if (!read_index(reader))
		return false;

	if (reader->text[reader->pos] != ']')
		return fail(reader, reader->pos, "\"]\" expected");
	reader->pos++;
	return true;
}

/*
 * Reads "key" or 'key'.
 */
static bool
read_quoted_key(PathReader *reader)
{
	const char *text = reader->text + reader->pos;
	int			len = quoted_length(text, reader->len - reader->pos);
	JsonPathStep *step;
	const char *error;
	int			error_at;
	char	   *key;
	int			keylen;

	if (len < 0)
		return fail(reader, reader->pos, "a quoted key is not closed");
	key = quoted_decode(text + 1, len - 2, &keylen, &error, &error_at);
	if (key == NULL)
		return fail(reader, reader->pos + 1 + error_at, error);

	step = add_step(reader, PATH_KEY);
	step->key = key;
	step->keylen = keylen;
	reader->pos += len;
	return true;
}

/*
 * Reads a whole number that fits an int.
 */
static bool
read_index(PathReader *reader)
{
	int			start = reader->pos;
	bool		negative = reader->text[start] == '-';
	int64		value = 0;

	if (negative)
		reader->pos++;
	if (!isdigit((unsigned char) reader->text[reader->pos]))
		return fail(reader, start, "an index, a quoted key or \"*\" expected");
	while (isdigit((unsigned char) reader->text[reader->pos]))
	{
		value = value * 10 + (reader->text[reader->pos++] - '0');
		if (value > PG_INT32_MAX)
			return fail(reader, start, "an index is too large");
	}
	add_step(reader, PATH_INDEX)->index = negative ? -(int) value : (int) value;
	return true;
}

/*
 * Adds an empty step; the pointer is valid until the next one is added.
 */
static JsonPathStep *
add_step(PathReader *reader, JsonPathStepKind kind)
{
	JsonPath   *path = reader->path;
	JsonPathStep *step;

	if (path->steps == NULL)
	{
		reader->allocated = 8;
		path->steps = palloc(reader->allocated * sizeof(JsonPathStep));
	}
	else if (path->nsteps == reader->allocated)
	{
		reader->allocated *= 2;
		path->steps = repalloc(path->steps, reader->allocated * sizeof(JsonPathStep));
	}
	step = &path->steps[path->nsteps++];
	memset(step, 0, sizeof(*step));
	step->kind = kind;
	return step;
}

/*
 * Sets the error and returns false.
 */
static bool
fail(PathReader *reader, int pos, const char *what)
{
	reader->error = psprintf("%s at position %d", what,
							 pg_mbstrlen_with_len(reader->text, pos) + 1);
	return false;
}

/*
 * May the character stand in a key without quotes?
 */
static bool
is_bare_char(unsigned char c)
{
	return c > ' ' && c != 0x7f && strchr(".[]\"'*", c) == NULL;
}

/*
 * Is the key read back as it is when it is written without quotes?
 */
static bool
is_bare_key(const JsonPathStep *step, bool first)
{
	if (step->keylen == 0 || (first && strcmp(step->key, "$") == 0))
		return false;
	for (int i = 0; i < step->keylen; i++)
	{
		if (!is_bare_char(step->key[i]))
			return false;
	}
	return true;
}
