/*
 * functions_number.c
 *	  SQL functions of the filters for numbers and booleans.
 *
 * What is a number is the same in every version of PostgreSQL: digits, a
 * decimal point, an exponent; not what numeric_in takes besides (NaN, 0x1F,
 * 1_000).
 */
#include "postgres.h"

#include <math.h>

#include "base/clip.h"
#include "base/compat.h"
#include "catalog/pg_collation.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "template/functions.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

/* Bytes of a value that an error message shows. */
#define SHOWN_MAX 60

PG_FUNCTION_INFO_V1(databite_whole);
PG_FUNCTION_INFO_V1(databite_exact);
PG_FUNCTION_INFO_V1(databite_filter_avg);
PG_FUNCTION_INFO_V1(databite_filter_bool);
PG_FUNCTION_INFO_V1(databite_filter_decimal);
PG_FUNCTION_INFO_V1(databite_filter_float);
PG_FUNCTION_INFO_V1(databite_filter_int);
PG_FUNCTION_INFO_V1(databite_filter_max);
PG_FUNCTION_INFO_V1(databite_filter_min);
PG_FUNCTION_INFO_V1(databite_filter_sum);

static Datum to_number(Jsonb *value, const char *filter);
static Datum localized_to_number(const char *text, int len, char separator);
static bool read_groups(StringInfo out, const char *p, const char *end, char separator);
static int	group_mark(const char *p, const char *end, char separator);
static bool is_yes_or_no(const char *text, int len, bool *result);
static char *clip_json(Jsonb *value);
static char *clip_number(Datum number);
static bool is_number_text(const char *text, int len);
static int	skip_digits(const char *text, int len, int i);
static void trim_space(const char **text, int *len);
static Jsonb *extreme(Jsonb *array, const char *filter, int sign);
static int	compare_elements(const JsonbValue *a, const JsonbValue *b, const char *filter);
static bool sum_elements(Jsonb *array, const char *filter, Datum *sum, int *count);
static JsonbIterator *open_array(Jsonb *array, const char *filter);
static bool next_element(JsonbIterator **iterator, JsonbValue *element);

/*
 * databite.whole(numeric) -> numeric
 *
 * The number, which must be whole: it is to be cast to an integer type, and a
 * fraction must not get lost silently.
 */
Datum
databite_whole(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);
	Datum		whole = DirectFunctionCall2(numeric_trunc, value, Int32GetDatum(0));

	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, value, whole)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("%s is not a whole number", clip_number(value)),
				 errhint("Round it: {{ (...) | round }}.")));
	PG_RETURN_DATUM(value);
}

/*
 * databite.exact(float8) -> numeric
 *
 * All digits that tell the number from its neighbours; PostgreSQL's own cast
 * keeps fifteen.
 */
Datum
databite_exact(PG_FUNCTION_ARGS)
{
	char		text[DOUBLE_SHORTEST_DECIMAL_LEN];

	double_to_shortest_decimal_buf(PG_GETARG_FLOAT8(0), text);
	return DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/*
 * databite.filter_avg(jsonb) -> numeric
 */
Datum
databite_filter_avg(PG_FUNCTION_ARGS)
{
	Datum		sum;
	int			count;

	if (!sum_elements(PG_GETARG_JSONB_P(0), "avg", &sum, &count))
		PG_RETURN_NULL();
	return DirectFunctionCall1(numeric_trim_scale,
							   DirectFunctionCall2(numeric_div, sum, NumericGetDatum(int64_to_numeric(count))));
}

/*
 * databite.filter_bool(jsonb) -> boolean
 */
Datum
databite_filter_bool(PG_FUNCTION_ARGS)
{
	Jsonb	   *value = PG_GETARG_JSONB_P(0);
	JsonbValue	scalar;
	const char *text;
	int			len;
	bool		result;

	if (function_get_scalar(value, &scalar))
	{
		switch (scalar.type)
		{
			case jbvNull:
				PG_RETURN_NULL();
			case jbvBool:
				PG_RETURN_BOOL(scalar.val.boolean);
			case jbvNumeric:
				if (DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(scalar.val.numeric),
													 NumericGetDatum(int64_to_numeric(1)))))
					PG_RETURN_BOOL(true);
				if (DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(scalar.val.numeric),
													 NumericGetDatum(int64_to_numeric(0)))))
					PG_RETURN_BOOL(false);
				break;
			case jbvString:
				text = scalar.val.string.val;
				len = scalar.val.string.len;
				trim_space(&text, &len);
				if (is_yes_or_no(text, len, &result))
					PG_RETURN_BOOL(result);
				break;
			default:
				break;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("filter \"bool\" cannot tell whether %s is true or false", clip_json(value)),
			 errdetail("It knows true and false, 1 and 0, yes and no, on and off, t and f, y and n.")));
}

/*
 * databite.filter_decimal(jsonb, text) -> numeric
 */
Datum
databite_filter_decimal(PG_FUNCTION_ARGS)
{
	Jsonb	   *value = PG_GETARG_JSONB_P(0);
	text	   *separator = PG_GETARG_TEXT_PP(1);
	char		mark = VARSIZE_ANY_EXHDR(separator) == 1 ? *VARDATA_ANY(separator) : '\0';
	JsonbValue	scalar;
	Datum		number = (Datum) 0;

	if (mark != '.' && mark != ',')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the decimal separator is \".\" or \",\"")));
	if (function_get_scalar(value, &scalar))
	{
		if (scalar.type == jbvNull)
			PG_RETURN_NULL();
		if (scalar.type == jbvNumeric)
			PG_RETURN_NUMERIC(scalar.val.numeric);
		if (scalar.type == jbvString)
			number = localized_to_number(scalar.val.string.val, scalar.val.string.len, mark);
	}
	if (number == (Datum) 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("filter \"decimal\" cannot read %s as a number", clip_json(value)),
				 errdetail("The decimal separator is \"%c\", and digits are grouped by threes, if at all.", mark)));
	PG_RETURN_DATUM(number);
}

/*
 * databite.filter_float(jsonb) -> float8
 */
Datum
databite_filter_float(PG_FUNCTION_ARGS)
{
	Datum		number = to_number(PG_GETARG_JSONB_P(0), "float");
	float8		result;

	if (number == (Datum) 0)
		PG_RETURN_NULL();
	/* PostgreSQL's own cast would show all of its digits */
	result = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, number));
	if (isinf(result) ||
		(result == 0 && !DatumGetBool(DirectFunctionCall2(numeric_eq, number, NumericGetDatum(int64_to_numeric(0))))))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("filter \"float\" cannot keep %s in a double", clip_number(number))));
	PG_RETURN_FLOAT8(result);
}

/*
 * databite.filter_int(jsonb) -> int8
 *
 * Without its fraction.
 */
Datum
databite_filter_int(PG_FUNCTION_ARGS)
{
	Datum		number = to_number(PG_GETARG_JSONB_P(0), "int");

	if (number == (Datum) 0)
		PG_RETURN_NULL();
	return DirectFunctionCall1(numeric_int8,
							   DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0)));
}

/*
 * databite.filter_max(jsonb) -> jsonb
 */
Datum
databite_filter_max(PG_FUNCTION_ARGS)
{
	Jsonb	   *result = extreme(PG_GETARG_JSONB_P(0), "max", 1);

	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(result);
}

/*
 * databite.filter_min(jsonb) -> jsonb
 */
Datum
databite_filter_min(PG_FUNCTION_ARGS)
{
	Jsonb	   *result = extreme(PG_GETARG_JSONB_P(0), "min", -1);

	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(result);
}

/*
 * databite.filter_sum(jsonb) -> numeric
 *
 * Of nothing it is 0.
 */
Datum
databite_filter_sum(PG_FUNCTION_ARGS)
{
	Datum		sum;
	int			count;

	sum_elements(PG_GETARG_JSONB_P(0), "sum", &sum, &count);
	PG_RETURN_DATUM(sum);
}

/*
 * A number, a text that is one, or a boolean, as numeric; 0 for JSON's null.
 */
static Datum
to_number(Jsonb *value, const char *filter)
{
	JsonbValue	scalar;
	Datum		number = (Datum) 0;

	if (function_get_scalar(value, &scalar))
	{
		if (scalar.type == jbvNull)
			return (Datum) 0;
		if (scalar.type == jbvNumeric)
			return NumericGetDatum(scalar.val.numeric);
		if (scalar.type == jbvBool)
			return NumericGetDatum(int64_to_numeric(scalar.val.boolean ? 1 : 0));
		if (scalar.type == jbvString)
			number = function_text_number(scalar.val.string.val, scalar.val.string.len);
	}
	if (number == (Datum) 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("filter \"%s\" cannot read %s as a number", filter, clip_json(value))));
	return number;
}

Datum
function_text_number(const char *text, int len)
{
	trim_space(&text, &len);
	if (!is_number_text(text, len))
		return (Datum) 0;
	return DirectFunctionCall3(numeric_in, CStringGetDatum(pnstrdup(text, len)),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/*
 * Leaves the marks between groups of digits out and writes a point for the
 * separator; 0 for a text that is no number then.
 */
static Datum
localized_to_number(const char *text, int len, char separator)
{
	StringInfoData plain;
	const char *end;
	const char *whole_end;

	trim_space(&text, &len);
	end = text + len;
	whole_end = memchr(text, separator, len);
	if (whole_end == NULL)
		whole_end = end;

	initStringInfo(&plain);
	if (text < end && (*text == '-' || *text == '+'))
		appendStringInfoChar(&plain, *text++);
	if (!read_groups(&plain, text, whole_end, separator))
		return (Datum) 0;
	if (whole_end < end)
	{
		appendStringInfoChar(&plain, '.');
		appendBinaryStringInfo(&plain, whole_end + 1, end - whole_end - 1);
	}
	return function_text_number(plain.data, plain.len);
}

/*
 * Appends the digits without the marks between groups, and what follows them.
 * False where the groups are none: 12,5 is not 125.  They have three digits,
 * the inner ones of Indian numbers two.
 */
static bool
read_groups(StringInfo out, const char *p, const char *end, char separator)
{
	const char *mark = NULL;
	int			mark_len = 0;

	for (;;)
	{
		int			digits = skip_digits(p, end - p, 0);
		int			len;

		appendBinaryStringInfo(out, p, digits);
		p += digits;
		len = group_mark(p, end, separator);
		if (len == 0)
		{
			appendBinaryStringInfo(out, p, end - p);
			return mark == NULL || digits == 3;
		}
		if (digits > 3 || digits < (mark == NULL ? 1 : 2) ||
			(mark != NULL && (len != mark_len || memcmp(p, mark, len) != 0)))
			return false;
		mark = p;
		mark_len = len;
		p += len;
	}
}

/*
 * The length of the mark between two groups of digits; 0 if there is none.
 */
static int
group_mark(const char *p, const char *end, char separator)
{
	/* No-break space, narrow no-break space, thin space, right quotation mark. */
	static const char *const marks[] = {"\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x89", "\xE2\x80\x99"};

	if (p == end)
		return 0;
	if (*p == ' ' || *p == '\'' || ((*p == '.' || *p == ',') && *p != separator))
		return 1;
	for (int i = 0; i < lengthof(marks) && GetDatabaseEncoding() == PG_UTF8; i++)
	{
		int			len = strlen(marks[i]);

		if (end - p >= len && memcmp(p, marks[i], len) == 0)
			return len;
	}
	return 0;
}

/*
 * [+-] digits [. digits] [e [+-] digits], with a digit before or after the point.
 */
static bool
is_number_text(const char *text, int len)
{
	int			i = len > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
	int			digits = i;

	i = skip_digits(text, len, i);
	digits = i - digits;
	if (i < len && text[i] == '.')
	{
		int			point = i + 1;

		i = skip_digits(text, len, point);
		digits += i - point;
	}
	if (digits == 0)
		return false;
	if (i < len && (text[i] == 'e' || text[i] == 'E'))
	{
		int			exponent;

		i++;
		if (i < len && (text[i] == '-' || text[i] == '+'))
			i++;
		exponent = i;
		i = skip_digits(text, len, i);
		if (i == exponent)
			return false;
	}
	return i == len;
}

/*
 * The position of the first character from i on that is no digit.
 */
static int
skip_digits(const char *text, int len, int i)
{
	while (i < len && text[i] >= '0' && text[i] <= '9')
		i++;
	return i;
}

static void
trim_space(const char **text, int *len)
{
	while (*len > 0 && ((*text)[0] == ' ' || ((*text)[0] >= '\t' && (*text)[0] <= '\r')))
	{
		(*text)++;
		(*len)--;
	}
	while (*len > 0 && ((*text)[*len - 1] == ' ' || ((*text)[*len - 1] >= '\t' && (*text)[*len - 1] <= '\r')))
		(*len)--;
}

/*
 * In any case of the letters; false for any other text.
 */
static bool
is_yes_or_no(const char *text, int len, bool *result)
{
	static const char *const words[][2] = {
		{"false", "true"}, {"f", "t"}, {"no", "yes"}, {"n", "y"}, {"off", "on"}, {"0", "1"}
	};

	for (int i = 0; i < lengthof(words); i++)
	{
		for (int yes = 0; yes <= 1; yes++)
		{
			if (strlen(words[i][yes]) == len && pg_strncasecmp(text, words[i][yes], len) == 0)
			{
				*result = yes == 1;
				return true;
			}
		}
	}
	return false;
}

/*
 * The greatest element, or with the sign -1 the least; NULL where there is none.
 */
static Jsonb *
extreme(Jsonb *array, const char *filter, int sign)
{
	JsonbIterator *iterator = open_array(array, filter);
	JsonbValue	element;
	JsonbValue	best = {.type = jbvNull};

	while (next_element(&iterator, &element))
	{
		if (compare_elements(&element, best.type == jbvNull ? &element : &best, filter) * sign > 0 || best.type == jbvNull)
			best = element;
	}
	return best.type == jbvNull ? NULL : JsonbValueToJsonb(&best);
}

/*
 * Numbers by their values, texts as "<" does.
 */
static int
compare_elements(const JsonbValue *a, const JsonbValue *b, const char *filter)
{
	if (a->type == jbvNumeric && b->type == jbvNumeric)
		return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a->val.numeric),
												 NumericGetDatum(b->val.numeric)));
	if (a->type != jbvString || b->type != jbvString)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"%s\" needs an array of numbers or of texts", filter)));
	return varstr_cmp(a->val.string.val, a->val.string.len,
					  b->val.string.val, b->val.string.len, DEFAULT_COLLATION_OID);
}

/*
 * False where there is no element but nulls; the sum is 0 then.
 */
static bool
sum_elements(Jsonb *array, const char *filter, Datum *sum, int *count)
{
	JsonbIterator *iterator = open_array(array, filter);
	JsonbValue	element;

	*sum = NumericGetDatum(int64_to_numeric(0));
	*count = 0;
	while (next_element(&iterator, &element))
	{
		Datum		number = (Datum) 0;

		if (element.type == jbvNumeric)
			number = NumericGetDatum(element.val.numeric);
		else if (element.type == jbvString)
			number = function_text_number(element.val.string.val, element.val.string.len);
		if (number == (Datum) 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("filter \"%s\" needs an array of numbers", filter)));
		*sum = DirectFunctionCall2(numeric_add, *sum, number);
		(*count)++;
	}
	return *count > 0;
}

static JsonbIterator *
open_array(Jsonb *array, const char *filter)
{
	JsonbIterator *iterator;
	JsonbValue	ignored;

	if (JB_ROOT_IS_SCALAR(array) || !JB_ROOT_IS_ARRAY(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"%s\" needs an array", filter)));
	iterator = JsonbIteratorInit(&array->root);
	JsonbIteratorNext(&iterator, &ignored, true);
	return iterator;
}

/*
 * Passes nulls over.
 */
static bool
next_element(JsonbIterator **iterator, JsonbValue *element)
{
	while (JsonbIteratorNext(iterator, element, true) == WJB_ELEM)
	{
		if (element->type != jbvNull)
			return true;
	}
	return false;
}

/*
 * The value for a message, its beginning where it is long.
 */
static char *
clip_json(Jsonb *value)
{
	return text_clip(JsonbToCString(NULL, &value->root, VARSIZE(value)), SHOWN_MAX);
}

static char *
clip_number(Datum number)
{
	return text_clip(DatumGetCString(DirectFunctionCall1(numeric_out, number)), SHOWN_MAX);
}
