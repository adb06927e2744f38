/*
 * functions_coding.c
 *	  SQL functions of the filters that encode, decode and hash.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(databite_url_encode);

/*
 * databite.url_encode(text) -> text
 *
 * Percent-encodes everything but RFC 3986's unreserved characters.
 */
Datum
databite_url_encode(PG_FUNCTION_ARGS)
{
	static const char digits[] = "0123456789ABCDEF";
	text	   *value = PG_GETARG_TEXT_PP(0);
	const unsigned char *p = (const unsigned char *) VARDATA_ANY(value);
	const unsigned char *end = p + VARSIZE_ANY_EXHDR(value);
	StringInfoData out;

	initStringInfo(&out);
	for (; p < end; p++)
	{
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			*p == '-' || *p == '.' || *p == '_' || *p == '~')
			appendStringInfoCharMacro(&out, *p);
		else
		{
			appendStringInfoChar(&out, '%');
			appendStringInfoChar(&out, digits[*p >> 4]);
			appendStringInfoChar(&out, digits[*p & 15]);
		}
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}
