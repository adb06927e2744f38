/*
 * secret_mask.c
 *	  Keeps the secrets that went into requests out of errors.
 *
 * Errors name what does not fit: a value that is no number, the path of a URL.
 * Where a template has put a secret into such a place, it would get into
 * history, the server log and the client's screen.  So every secret that is
 * handed out is remembered, as it is and percent-encoded, and whatever is caught
 * from a run is searched for it.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "run/secret_mask.h"
#include "source/request.h"
#include "utils/memutils.h"

/* Less is no secret; to mask it would make errors unreadable and tell it by the gaps. */
#define SECRET_MIN_BYTES 4

static void remember(const char *value);
static char *replace(char *text, const char *secret);

static List *secrets = NIL;		/* of char *, in TopMemoryContext */

void
secret_mask_remember(const char *value)
{
	const char *encoded = strchr(url_add_parameter("http://mask/", "p", value, false), '=') + 1;

	remember(value);
	if (strcmp(encoded, value) != 0)
		remember(encoded);
}

const List *
secret_mask_list(void)
{
	return secrets;
}

void
secret_mask_adopt(const char *value)
{
	remember(value);
}

char *
secret_mask_text(char *text)
{
	ListCell   *lc;

	if (text == NULL)
		return NULL;
	foreach(lc, secrets)
		text = replace(text, lfirst(lc));
	return text;
}

void
secret_mask_error(ErrorData *error)
{
	error->message = secret_mask_text(error->message);
	error->detail = secret_mask_text(error->detail);
	error->detail_log = secret_mask_text(error->detail_log);
	error->hint = secret_mask_text(error->hint);
	error->context = secret_mask_text(error->context);
}

static void
remember(const char *value)
{
	MemoryContext old;
	ListCell   *lc;

	if (strlen(value) < SECRET_MIN_BYTES)
		return;
	foreach(lc, secrets)
	{
		if (strcmp(lfirst(lc), value) == 0)
			return;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	secrets = lappend(secrets, pstrdup(value));
	MemoryContextSwitchTo(old);
}

static char *
replace(char *text, const char *secret)
{
	StringInfoData masked;
	char	   *found = strstr(text, secret);

	if (found == NULL)
		return text;
	initStringInfo(&masked);
	for (; found != NULL; found = strstr(text, secret))
	{
		appendBinaryStringInfo(&masked, text, found - text);
		appendStringInfoString(&masked, "***");
		text = found + strlen(secret);
	}
	appendStringInfoString(&masked, text);
	return masked.data;
}
