/*
 * functions_text.c
 *	  SQL functions of the filters for texts, and for what texts and arrays have
 *	  in common.
 *
 * What PostgreSQL has itself is not here: the script declares it under the name
 * of the filter.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "template/functions.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(databite_filter_contains);
PG_FUNCTION_INFO_V1(databite_filter_contains_text);
PG_FUNCTION_INFO_V1(databite_filter_ends_with);
PG_FUNCTION_INFO_V1(databite_filter_length);
PG_FUNCTION_INFO_V1(databite_filter_length_text);
PG_FUNCTION_INFO_V1(databite_filter_pad_left);
PG_FUNCTION_INFO_V1(databite_filter_slice);
PG_FUNCTION_INFO_V1(databite_filter_slice_text);
PG_FUNCTION_INFO_V1(databite_filter_split);
PG_FUNCTION_INFO_V1(databite_filter_truncate);

static Jsonb *split_text(text *value, const char *separator, int separator_len);
static void push_text(JsonbParseState **state, const char *data, int len);
static bool array_contains(Jsonb *array, Jsonb *wanted);
static bool text_contains(text *value, text *wanted);
static Jsonb *slice_array(Jsonb *array, FunctionCallInfo fcinfo);
static text *slice_text(text *value, FunctionCallInfo fcinfo);
static void slice_bounds(FunctionCallInfo fcinfo, int length, int *start, int *end);
static text *first_characters(text *value, int n);
static int	characters(text *value);

/*
 * databite.filter_contains(jsonb, jsonb) -> boolean
 *
 * Is it an element of the array, or a part of the text?
 */
Datum
databite_filter_contains(PG_FUNCTION_ARGS)
{
	Jsonb	   *value = PG_GETARG_JSONB_P(0);
	Jsonb	   *wanted = PG_GETARG_JSONB_P(1);
	JsonbValue	scalar;
	JsonbValue	part;

	if (JB_ROOT_IS_ARRAY(value) && !JB_ROOT_IS_SCALAR(value))
		PG_RETURN_BOOL(array_contains(value, wanted));
	if (!function_get_scalar(value, &scalar) || scalar.type != jbvString)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"contains\" needs a text or an array")));
	if (!function_get_scalar(wanted, &part) || part.type == jbvNull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"contains\" can only look for a text in a text")));
	PG_RETURN_BOOL(text_contains(function_scalar_text(&scalar), function_scalar_text(&part)));
}

/*
 * databite.filter_contains(text, text) -> boolean
 */
Datum
databite_filter_contains_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(text_contains(PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1)));
}

/*
 * databite.filter_ends_with(text, text) -> boolean
 */
Datum
databite_filter_ends_with(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	text	   *end = PG_GETARG_TEXT_PP(1);
	int			rest = VARSIZE_ANY_EXHDR(value) - VARSIZE_ANY_EXHDR(end);

	PG_RETURN_BOOL(rest >= 0 &&
				   memcmp(VARDATA_ANY(value) + rest, VARDATA_ANY(end), VARSIZE_ANY_EXHDR(end)) == 0);
}

/*
 * databite.filter_length(jsonb) -> int8
 *
 * Characters of a text, elements of an array, members of an object.
 */
Datum
databite_filter_length(PG_FUNCTION_ARGS)
{
	Jsonb	   *value = PG_GETARG_JSONB_P(0);
	JsonbValue	scalar;

	if (!JB_ROOT_IS_SCALAR(value))
		PG_RETURN_INT64(JB_ROOT_COUNT(value));
	if (!function_get_scalar(value, &scalar) || scalar.type != jbvString)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"length\" needs a text, an array or an object")));
	PG_RETURN_INT64(pg_mbstrlen_with_len(scalar.val.string.val, scalar.val.string.len));
}

/*
 * databite.filter_length(text) -> int8
 */
Datum
databite_filter_length_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(characters(PG_GETARG_TEXT_PP(0)));
}

/*
 * databite.filter_pad_left(text, int, text) -> text
 *
 * The text with as much before it as it takes to be that long; never less than
 * the text.
 */
Datum
databite_filter_pad_left(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	int			length = PG_GETARG_INT32(1);
	text	   *fill = PG_GETARG_TEXT_PP(2);

	if (length < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the length in filter \"pad_left\" must not be negative")));
	if (VARSIZE_ANY_EXHDR(fill) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"pad_left\" cannot fill with an empty text")));
	if (characters(value) >= length)
		PG_RETURN_TEXT_P(value);
	return DirectFunctionCall3(lpad, PointerGetDatum(value), Int32GetDatum(length), PointerGetDatum(fill));
}

/*
 * databite.filter_slice(jsonb, int [, int]) -> jsonb
 *
 * Elements or characters from one position, from 0, up to but without another;
 * negative positions count from the end.
 */
Datum
databite_filter_slice(PG_FUNCTION_ARGS)
{
	Jsonb	   *value = PG_GETARG_JSONB_P(0);
	JsonbValue	scalar;
	text	   *part;

	if (JB_ROOT_IS_ARRAY(value) && !JB_ROOT_IS_SCALAR(value))
		PG_RETURN_JSONB_P(slice_array(value, fcinfo));
	if (!function_get_scalar(value, &scalar) || scalar.type != jbvString)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"slice\" needs a text or an array")));

	part = slice_text(function_scalar_text(&scalar), fcinfo);
	scalar.val.string.val = VARDATA_ANY(part);
	scalar.val.string.len = VARSIZE_ANY_EXHDR(part);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(&scalar));
}

/*
 * databite.filter_slice(text, int [, int]) -> text
 */
Datum
databite_filter_slice_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(slice_text(PG_GETARG_TEXT_PP(0), fcinfo));
}

/*
 * databite.filter_split(text, text) -> jsonb
 *
 * The parts between the separators as an array; an empty text has none.
 */
Datum
databite_filter_split(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	text	   *separator = PG_GETARG_TEXT_PP(1);

	if (VARSIZE_ANY_EXHDR(separator) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the separator in filter \"split\" must not be empty")));
	PG_RETURN_JSONB_P(split_text(value, VARDATA_ANY(separator), VARSIZE_ANY_EXHDR(separator)));
}

/*
 * databite.filter_truncate(text, int, text) -> text
 *
 * At most that many characters; a text that is cut ends in the suffix, where
 * there is room for it.
 */
Datum
databite_filter_truncate(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	int			length = PG_GETARG_INT32(1);
	text	   *suffix = PG_GETARG_TEXT_PP(2);
	int			room;

	if (length < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the length in filter \"truncate\" must not be negative")));
	if (characters(value) <= length)
		PG_RETURN_TEXT_P(value);
	room = length - characters(suffix);
	if (room < 0)
		PG_RETURN_TEXT_P(first_characters(value, length));
	return DirectFunctionCall2(textcat, PointerGetDatum(first_characters(value, room)), PointerGetDatum(suffix));
}

static Jsonb *
split_text(text *value, const char *separator, int separator_len)
{
	const char *p = VARDATA_ANY(value);
	const char *end = p + VARSIZE_ANY_EXHDR(value);
	const char *part = p;
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	while (end - p >= separator_len)
	{
		CHECK_FOR_INTERRUPTS();
		if (memcmp(p, separator, separator_len) == 0)
		{
			push_text(&state, part, p - part);
			p += separator_len;
			part = p;
		}
		else
			p += pg_mblen(p);
	}
	if (end > VARDATA_ANY(value))
		push_text(&state, part, end - part);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

static void
push_text(JsonbParseState **state, const char *data, int len)
{
	JsonbValue	value = {.type = jbvString, .val.string = {.len = len, .val = unconstify(char *, data)}};

	pushJsonbValue(state, WJB_ELEM, &value);
}

/*
 * Elements are compared as JSON, as "in" does.
 */
static bool
array_contains(Jsonb *array, Jsonb *wanted)
{
	JsonbValue	key;
	JsonbValue	element;
	JsonbIterator *iterator;

	if (JB_ROOT_IS_SCALAR(wanted))
	{
		function_get_scalar(wanted, &key);
		return findJsonbValueFromContainer(&array->root, JB_FARRAY, &key) != NULL;
	}

	iterator = JsonbIteratorInit(&array->root);
	JsonbIteratorNext(&iterator, &element, true);
	while (JsonbIteratorNext(&iterator, &element, true) == WJB_ELEM)
	{
		if (element.type == jbvBinary && compareJsonbContainers(element.val.binary.data, &wanted->root) == 0)
			return true;
	}
	return false;
}

static bool
text_contains(text *value, text *wanted)
{
	return DatumGetInt32(DirectFunctionCall2Coll(textpos, C_COLLATION_OID,
												 PointerGetDatum(value), PointerGetDatum(wanted))) > 0;
}

static Jsonb *
slice_array(Jsonb *array, FunctionCallInfo fcinfo)
{
	JsonbParseState *state = NULL;
	int			start;
	int			end;

	slice_bounds(fcinfo, JB_ROOT_COUNT(array), &start, &end);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = start; i < end; i++)
		pushJsonbValue(&state, WJB_ELEM, getIthJsonbValueFromContainer(&array->root, i));
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

static text *
slice_text(text *value, FunctionCallInfo fcinfo)
{
	int			start;
	int			end;

	slice_bounds(fcinfo, characters(value), &start, &end);
	return DatumGetTextPP(DirectFunctionCall3(text_substr, PointerGetDatum(value),
											  Int32GetDatum(start + 1), Int32GetDatum(end - start)));
}

/*
 * From the function's second argument, and the third where it has one:
 * 0 <= start <= end <= length.
 */
static void
slice_bounds(FunctionCallInfo fcinfo, int length, int *start, int *end)
{
	int64		from = PG_GETARG_INT32(1);
	int64		to = PG_NARGS() > 2 ? PG_GETARG_INT32(2) : length;

	if (from < 0)
		from += length;
	if (to < 0)
		to += length;
	*start = Min(Max(from, 0), length);
	*end = Max(Min(to, length), *start);
}

static text *
first_characters(text *value, int n)
{
	const char *data = VARDATA_ANY(value);
	int			len = VARSIZE_ANY_EXHDR(value);

	return cstring_to_text_with_len(data, pg_mbcharcliplen(data, len, n));
}

static int
characters(text *value)
{
	return pg_mbstrlen_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

bool
function_get_scalar(Jsonb *value, JsonbValue *scalar)
{
	return JB_ROOT_IS_SCALAR(value) && JsonbExtractScalar(&value->root, scalar);
}

text *
function_scalar_text(JsonbValue *scalar)
{
	StringInfoData out;

	if (scalar->type == jbvString)
		return cstring_to_text_with_len(scalar->val.string.val, scalar->val.string.len);
	initStringInfo(&out);
	function_append_json(&out, scalar);
	return cstring_to_text_with_len(out.data, out.len);
}
