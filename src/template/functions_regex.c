/*
 * functions_regex.c
 *	  SQL functions of the filters with regular expressions: PostgreSQL's own
 *	  engine, with its cache of compiled ones.
 */
#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "template/functions.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

PG_FUNCTION_INFO_V1(databite_filter_regex_extract);
PG_FUNCTION_INFO_V1(databite_filter_regex_replace);

static bool find_match(regex_t *regex, const pg_wchar *wide, int len, int group, regmatch_t *match);
static text *wide_to_text(const pg_wchar *wide, int len);

/*
 * databite.filter_regex_extract(text, text [, int]) -> text
 *
 * What a group of the pattern matched first: the first one where none is named
 * and the pattern has one, else the whole match.  NULL without a match.
 */
Datum
databite_filter_regex_extract(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	regex_t    *regex = RE_compile_and_cache(PG_GETARG_TEXT_PP(1), REG_ADVANCED, PG_GET_COLLATION());
	int			groups = regex->re_nsub;
	int			group = PG_NARGS() > 2 ? PG_GETARG_INT32(2) : Min(groups, 1);
	regmatch_t	match;
	pg_wchar   *wide;
	int			len;

	if (group < 0 || group > groups)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the regular expression has no group %d", group)));
	wide = palloc((VARSIZE_ANY_EXHDR(value) + 1) * sizeof(pg_wchar));
	len = pg_mb2wchar_with_len(VARDATA_ANY(value), wide, VARSIZE_ANY_EXHDR(value));
	if (!find_match(regex, wide, len, group, &match))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(wide_to_text(wide + match.rm_so, match.rm_eo - match.rm_so));
}

/*
 * databite.filter_regex_replace(text, text, text) -> text
 *
 * Every match is replaced.
 */
Datum
databite_filter_regex_replace(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall4Coll(textregexreplace, PG_GET_COLLATION(),
								   PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2),
								   PointerGetDatum(cstring_to_text("g")));
}

/*
 * False where there is no match, or the group has no part in it.
 */
static bool
find_match(regex_t *regex, const pg_wchar *wide, int len, int group, regmatch_t *match)
{
	regmatch_t *matches = palloc((group + 1) * sizeof(regmatch_t));
	int			result = pg_regexec(regex, wide, len, 0, NULL, group + 1, matches, 0);

	if (result != REG_OKAY && result != REG_NOMATCH)
	{
		char		message[100];

		CHECK_FOR_INTERRUPTS();
		pg_regerror(result, regex, message, sizeof(message));
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_REGULAR_EXPRESSION),
				 errmsg("regular expression failed: %s", message)));
	}
	*match = matches[group];
	pfree(matches);
	return result == REG_OKAY && match->rm_so >= 0;
}

static text *
wide_to_text(const pg_wchar *wide, int len)
{
	char	   *buffer = palloc((Size) len * pg_database_encoding_max_length() + 1);

	return cstring_to_text_with_len(buffer, pg_wchar2mb_with_len(wide, buffer, len));
}
