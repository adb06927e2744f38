/*
 * filter_functions.c
 *	  The SQL functions that compiled templates call.
 *
 * None of them depends on the session's time zone: a time without a zone is
 * UTC, and times are written in UTC.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(databite_filter_join);
PG_FUNCTION_INFO_V1(databite_to_datetime);
PG_FUNCTION_INFO_V1(databite_to_datetime_format);
PG_FUNCTION_INFO_V1(databite_iso8601);
PG_FUNCTION_INFO_V1(databite_url_encode);
PG_FUNCTION_INFO_V1(databite_whole);

static void append_json_value(StringInfo out, JsonbValue *value);
static pg_tz *find_time_zone(const char *name);
static TimestampTz call_in_time_zone(pg_tz *zone, PGFunction function, Datum value, Datum argument);

/*
 * databite.filter_join(jsonb, text) -> text
 *
 * The elements of an array as text, with the separator between them.  Null
 * elements are left out.
 */
Datum
databite_filter_join(PG_FUNCTION_ARGS)
{
	Jsonb	   *array = PG_GETARG_JSONB_P(0);
	text	   *separator = PG_GETARG_TEXT_PP(1);
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;
	StringInfoData out;
	bool		first = true;

	if (JB_ROOT_IS_SCALAR(array) || !JB_ROOT_IS_ARRAY(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"join\" needs an array")));

	initStringInfo(&out);
	iterator = JsonbIteratorInit(&array->root);
	JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_ELEM)
	{
		if (value.type == jbvNull)
			continue;
		if (!first)
			appendBinaryStringInfo(&out, VARDATA_ANY(separator), VARSIZE_ANY_EXHDR(separator));
		append_json_value(&out, &value);
		first = false;
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/*
 * databite.to_datetime(text) -> timestamptz
 *
 * What PostgreSQL reads as a time; without a zone it is UTC.
 */
Datum
databite_to_datetime(PG_FUNCTION_ARGS)
{
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_TIMESTAMPTZ(call_in_time_zone(find_time_zone("UTC"), timestamptz_in,
											CStringGetDatum(value), ObjectIdGetDatum(InvalidOid)));
}

/*
 * databite.to_datetime(text, text, text) -> timestamptz
 *
 * A time read by a format of to_timestamp(), in a time zone where the format
 * has none.
 */
Datum
databite_to_datetime_format(PG_FUNCTION_ARGS)
{
	pg_tz	   *zone = find_time_zone(text_to_cstring(PG_GETARG_TEXT_PP(2)));

	PG_RETURN_TIMESTAMPTZ(call_in_time_zone(zone, to_timestamp,
											PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

/*
 * databite.iso8601(timestamptz) -> text
 *
 * 2024-05-01T12:00:00.25Z
 */
Datum
databite_iso8601(PG_FUNCTION_ARGS)
{
	TimestampTz value = PG_GETARG_TIMESTAMPTZ(0);
	char		out[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(value))
		EncodeSpecialTimestamp(value, out);
	else if (timestamp2tm(value, NULL, &tm, &fsec, NULL, NULL) == 0)
	{
		EncodeDateTime(&tm, fsec, false, 0, NULL, USE_XSD_DATES, out);
		if (tm.tm_year > 0)
			strlcat(out, "Z", sizeof(out));
		else
		{
			/* The zone stands before the era. */
			out[strlen(out) - strlen(" BC")] = '\0';
			strlcat(out, "Z BC", sizeof(out));
		}
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	PG_RETURN_TEXT_P(cstring_to_text(out));
}

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
				 errmsg("%s is not a whole number",
						DatumGetCString(DirectFunctionCall1(numeric_out, value))),
				 errhint("Round it: {{ (...) | round }}.")));
	PG_RETURN_DATUM(value);
}

/*
 * A string as it is, anything else as JSON.
 */
static void
append_json_value(StringInfo out, JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			appendBinaryStringInfo(out, value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			appendStringInfoString(out,
								   DatumGetCString(DirectFunctionCall1(numeric_out,
																	   NumericGetDatum(value->val.numeric))));
			break;
		case jbvBool:
			appendStringInfoString(out, value->val.boolean ? "true" : "false");
			break;
		default:
			JsonbToCString(out, value->val.binary.data, value->val.binary.len);
			break;
	}
}

static pg_tz *
find_time_zone(const char *name)
{
	pg_tz	   *zone = strlen(name) <= TZ_STRLEN_MAX ? pg_tzset(name) : NULL;

	if (zone == NULL || !pg_tz_acceptable(zone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", name)));
	return zone;
}

/*
 * Calls a function that reads a time as it would in a session with that time
 * zone.  PostgreSQL's readers take the zone from a global, so it is put back
 * whatever happens.
 */
static TimestampTz
call_in_time_zone(pg_tz *zone, PGFunction function, Datum value, Datum argument)
{
	pg_tz	   *session = session_timezone;
	volatile Datum result = (Datum) 0;

	session_timezone = zone;
	PG_TRY();
	{
		result = DirectFunctionCall3Coll(function, DEFAULT_COLLATION_OID,
										 value, argument, Int32GetDatum(-1));
	}
	PG_FINALLY();
	{
		session_timezone = session;
	}
	PG_END_TRY();
	return DatumGetTimestampTz(result);
}
