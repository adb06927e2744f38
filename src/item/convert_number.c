/*
 * convert_number.c
 *	  Numbers in their plain form, without the detour over an input function.
 *
 * Numbers are taken by their text; nothing here goes through double.
 */
#include "postgres.h"

#include "item/convert_parts.h"
#include "utils/builtins.h"

/* This many digits always fit an int64. */
#define SAFE_DIGITS		18

/* An optional minus and up to 18 digits. */
bool
parse_int64(const char *text, size_t len, int64 *result)
{
	const char *p = text;
	const char *end = text + len;
	bool		negative = (len > 0 && *p == '-');
	int64		value = 0;

	if (negative)
		p++;
	if (p == end || end - p > SAFE_DIGITS)
		return false;
	for (; p < end; p++)
	{
		if (*p < '0' || *p > '9')
			return false;
		value = value * 10 + (*p - '0');
	}
	*result = negative ? -value : value;
	return true;
}

/*
 * An optional minus and up to 18 digits, with a point between two of them.  The scale is
 * that of the text: 1.10 stays 1.10.
 */
bool
parse_decimal(const char *text, size_t len, Numeric *result)
{
	const char *p = text;
	const char *end = text + len;
	bool		negative = (len > 0 && *p == '-');
	const char *point = NULL;
	int64		value = 0;
	int			digits = 0;

	if (negative)
		p++;
	for (; p < end; p++)
	{
		if (*p >= '0' && *p <= '9')
		{
			if (++digits > SAFE_DIGITS)
				return false;
			value = value * 10 + (*p - '0');
		}
		else if (*p == '.' && point == NULL && digits > 0)
			point = p;
		else
			return false;
	}
	if (digits == 0 || (point != NULL && point == end - 1))
		return false;
	if (negative)
		value = -value;
	*result = (point == NULL) ? int64_to_numeric(value) : int64_div_fast_to_numeric(value, end - point - 1);
	return true;
}

Numeric
number_to_numeric(const char *text, size_t len)
{
	Numeric		result;

	if (parse_decimal(text, len, &result))
		return result;
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
											   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}
