/*
 * pattern.c
 *	  A regular expression over bytes that a server sent.
 */
#include "postgres.h"

#include "base/pattern.h"
#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "regex/regex.h"
#include "utils/memutils.h"

struct Pattern
{
	MemoryContextCallback callback;
	bool		compiled;
	regex_t		expression;
};

static void release_pattern(void *arg);
static pg_wchar *wide_bytes(const char *text, size_t len);

Pattern *
pattern_create(const char *text, MemoryContext context, char **error)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Pattern    *pattern = palloc0(sizeof(Pattern));
	size_t		len = strlen(text);
	int			code;

	pattern->callback.func = release_pattern;
	pattern->callback.arg = pattern;
	MemoryContextRegisterResetCallback(context, &pattern->callback);

	code = pg_regcomp(&pattern->expression, wide_bytes(text, len), len, REG_ADVANCED, C_COLLATION_OID);
	pattern->compiled = code == REG_OKAY;
	MemoryContextSwitchTo(old);
	if (pattern->compiled)
		return pattern;

	*error = palloc(100);
	pg_regerror(code, &pattern->expression, *error, 100);
	return NULL;
}

int
pattern_groups(const Pattern *pattern)
{
	return pattern->expression.re_nsub;
}

char *
pattern_first_group(Pattern *pattern, const char *text, size_t len)
{
	regmatch_t	matches[2];
	pg_wchar   *wide = wide_bytes(text, len);
	char	   *group = NULL;

	if (pg_regexec(&pattern->expression, wide, len, 0, NULL, lengthof(matches), matches, 0) == REG_OKAY &&
		matches[1].rm_so >= 0)
		group = pnstrdup(text + matches[1].rm_so, matches[1].rm_eo - matches[1].rm_so);
	pfree(wide);
	return group;
}

/* Its memory is malloc'd up to 15. */
static void
release_pattern(void *arg)
{
	Pattern    *pattern = arg;

	if (pattern->compiled)
		pg_regfree(&pattern->expression);
	pattern->compiled = false;
}

static pg_wchar *
wide_bytes(const char *text, size_t len)
{
	pg_wchar   *wide = palloc((len + 1) * sizeof(pg_wchar));

	for (size_t i = 0; i < len; i++)
		wide[i] = (unsigned char) text[i];
	wide[len] = 0;
	return wide;
}
