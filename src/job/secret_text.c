/*
 * secret_text.c
 *	  Texts in which tokens stand and nothing else that is evaluated: "Bearer {{secrets.name}}".
 *
 * For what is rendered where nothing of a user may run, so no template can be.
 */
#include "postgres.h"

#include "job/definition_parts.h"
#include "job/secret_text.h"
#include "lib/stringinfo.h"

static bool next_token(const char **rest, size_t *literal_len, char **name);

const char *
secret_text_problem(const char *text, bool *has_secret)
{
	size_t		literal_len;
	char	   *name;

	*has_secret = false;
	while (next_token(&text, &literal_len, &name))
	{
		if (name == NULL)
			return "may have tokens as {{secrets.name}} in it, and no other template";
		*has_secret = true;
	}
	return NULL;
}

char *
secret_text_render(const char *text, const char *(*get) (const char *name, void *arg), void *arg)
{
	StringInfoData result;
	const char *literal = text;
	size_t		literal_len;
	char	   *name;

	initStringInfo(&result);
	while (next_token(&text, &literal_len, &name))
	{
		appendBinaryStringInfo(&result, literal, literal_len);
		if (name != NULL)
			appendStringInfoString(&result, get(name, arg));
		literal = text;
	}
	appendStringInfoString(&result, literal);
	return result.data;
}

/* Moves behind the next {{ }}; name: what it names, NULL where it is no token.  False: there is none. */
static bool
next_token(const char **rest, size_t *literal_len, char **name)
{
	const char *open = strstr(*rest, "{{");
	const char *close = open != NULL ? strstr(open, "}}") : NULL;

	if (open == NULL)
		return false;
	*literal_len = open - *rest;
	*name = close != NULL ? lone_token(pnstrdup(open, close + 2 - open)) : NULL;
	*rest = close != NULL ? close + 2 : open + strlen(open);
	return true;
}
