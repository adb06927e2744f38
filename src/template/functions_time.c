/*
 * functions_time.c
 *	  SQL functions of the filters that read and write times.
 *
 * None of them depends on the session's time zone or date style: a time without
 * a zone is UTC, and times are written in UTC where no zone is asked for.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "template/functions.h"
#include "template/time_format.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

/* Bytes of a value that an error shows. */
#define SHOWN_BYTES	100

PG_FUNCTION_INFO_V1(databite_to_datetime);
PG_FUNCTION_INFO_V1(databite_to_datetime_jsonb);
PG_FUNCTION_INFO_V1(databite_to_datetime_format);
PG_FUNCTION_INFO_V1(databite_filter_to_date);
PG_FUNCTION_INFO_V1(databite_filter_to_date_jsonb);
PG_FUNCTION_INFO_V1(databite_filter_to_date_format);
PG_FUNCTION_INFO_V1(databite_filter_format_date);
PG_FUNCTION_INFO_V1(databite_iso8601);
PG_FUNCTION_INFO_V1(databite_filter_tz);
PG_FUNCTION_INFO_V1(databite_filter_tz_local);

static char *jsonb_text(Jsonb *value);
static bool read_own_format(const char *filter, text *value, text *format, pg_tz *zone, TimeValue *result);
static bool read_unix(const char *filter, const char *text, int scale, TimeValue *result);
pg_noreturn static void refuse_format(const char *filter, const char *mistake, const char *format);
static char *write_time(TimestampTz time, text *format, pg_tz *zone);
static Datum call_in_zone(pg_tz *zone, PGFunction function, Datum value, Datum argument);

/*
 * databite.to_datetime(text) -> timestamptz
 */
Datum
databite_to_datetime(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(time_text_to_timestamptz(text_to_cstring(PG_GETARG_TEXT_PP(0)), -1));
}

/*
 * databite.to_datetime(jsonb) -> timestamptz
 *
 * Of a string; JSON null is NULL.
 */
Datum
databite_to_datetime_jsonb(PG_FUNCTION_ARGS)
{
	char	   *value = jsonb_text(PG_GETARG_JSONB_P(0));

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(time_text_to_timestamptz(value, -1));
}

/*
 * databite.to_datetime(text, format text, zone text) -> timestamptz
 *
 * A time read by a format, in a time zone where the text has none.
 */
Datum
databite_to_datetime_format(PG_FUNCTION_ARGS)
{
	pg_tz	   *zone = function_time_zone("to_datetime", PG_GETARG_TEXT_PP(2));
	TimeValue	value;

	if (read_own_format("to_datetime", PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1), zone, &value))
		PG_RETURN_TIMESTAMPTZ(value.microseconds);
	PG_RETURN_DATUM(call_in_zone(zone, to_timestamp, PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

/*
 * databite.filter_to_date(text) -> date
 *
 * The day as it is written, in whatever zone.
 */
Datum
databite_filter_to_date(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATEADT(time_text_to_date(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

/*
 * databite.filter_to_date(jsonb) -> date
 */
Datum
databite_filter_to_date_jsonb(PG_FUNCTION_ARGS)
{
	char	   *value = jsonb_text(PG_GETARG_JSONB_P(0));

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(time_text_to_date(value));
}

/*
 * databite.filter_to_date(text, format text) -> date
 */
Datum
databite_filter_to_date_format(PG_FUNCTION_ARGS)
{
	TimeValue	value;

	if (read_own_format("to_date", PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1), time_zone_find("UTC"), &value))
		PG_RETURN_DATEADT(value.days);
	PG_RETURN_DATUM(DirectFunctionCall2Coll(to_date, DEFAULT_COLLATION_OID,
											PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

/*
 * databite.filter_format_date(timestamptz, format text, zone text) -> text
 */
Datum
databite_filter_format_date(PG_FUNCTION_ARGS)
{
	TimestampTz time = PG_GETARG_TIMESTAMPTZ(0);
	pg_tz	   *zone = function_time_zone("format_date", PG_GETARG_TEXT_PP(2));

	if (TIMESTAMP_NOT_FINITE(time))
		PG_RETURN_TEXT_P(cstring_to_text(time_format_iso(time, zone)));
	PG_RETURN_TEXT_P(cstring_to_text(write_time(time, PG_GETARG_TEXT_PP(1), zone)));
}

/*
 * databite.iso8601(timestamptz) -> text
 *
 * 2024-05-01T12:00:00.25Z
 */
Datum
databite_iso8601(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(time_format_iso(PG_GETARG_TIMESTAMPTZ(0), time_zone_find("UTC"))));
}

/*
 * databite.filter_tz(timestamptz, zone text) -> text
 *
 * 2024-05-01T15:00:00.25+03:00
 */
Datum
databite_filter_tz(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(time_format_iso(PG_GETARG_TIMESTAMPTZ(0), function_time_zone("tz", PG_GETARG_TEXT_PP(1)))));
}

/*
 * databite.filter_tz_local(timestamptz, zone text) -> timestamp
 *
 * What the clock on the wall shows there.
 */
Datum
databite_filter_tz_local(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(call_in_zone(function_time_zone("tz", PG_GETARG_TEXT_PP(1)), timestamptz_timestamp,
								 PG_GETARG_DATUM(0), (Datum) 0));
}

/*
 * A JSON value as text; NULL for null.
 */
static char *
jsonb_text(Jsonb *value)
{
	JsonbValue	scalar;
	StringInfoData out;

	if (!JsonbExtractScalar(&value->root, &scalar))
		return JsonbToCString(NULL, &value->root, VARSIZE(value));
	if (scalar.type == jbvNull)
		return NULL;
	initStringInfo(&out);
	function_append_json(&out, &scalar);
	return out.data;
}

/*
 * Reads a text by any format but a pattern of PostgreSQL's, for which it is
 * false.  Raises an error where the text does not fit the format.
 */
static bool
read_own_format(const char *filter, text *value, text *format, pg_tz *zone, TimeValue *result)
{
	char	   *from = text_to_cstring(value);
	char	   *by = text_to_cstring(format);
	char	   *mistake;
	int			scale;
	bool		fits = false;

	switch (time_format_kind(by, &scale))
	{
		case TIME_STRFTIME:
			mistake = time_format_mistake(by, true);
			if (mistake != NULL)
				refuse_format(filter, mistake, by);
			fits = time_format_read(from, by, zone, result);
			break;
		case TIME_UNIX:
			fits = read_unix(filter, from, scale, result);
			break;
		case TIME_ISO:
			fits = iso_time_parse(from, strlen(from), result);
			if (fits && !result->has_zone)
				result->microseconds = DatumGetTimestampTz(call_in_zone(zone, timestamp_timestamptz,
																		TimestampGetDatum(result->microseconds),
																		(Datum) 0));
			break;
		case TIME_RFC2822:
		case TIME_HTTP:
			fits = time_text_parse_rfc2822(from, strlen(from), result);
			break;
		case TIME_PATTERN:
			mistake = time_format_mistake(by, true);
			if (mistake != NULL)
				refuse_format(filter, mistake, by);
			if (strlen(from) <= TIME_TEXT_MAX)
				return false;
			break;
	}
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("filter \"%s\" cannot read \"%.*s\" by the format \"%.*s\"", filter,
						pg_mbcliplen(from, strlen(from), SHOWN_BYTES), from,
						pg_mbcliplen(by, strlen(by), SHOWN_BYTES), by)));
	return true;
}

/*
 * A number of units of so many microseconds since 1970.
 */
static bool
read_unix(const char *filter, const char *text, int scale, TimeValue *result)
{
	Datum		number = function_text_number(text, strlen(text));

	if (number == (Datum) 0)
		return false;
	result->microseconds = function_from_unix(filter, number, scale);
	result->days = result->microseconds / USECS_PER_DAY - (result->microseconds % USECS_PER_DAY < 0 ? 1 : 0);
	result->has_zone = true;
	return true;
}

static void
refuse_format(const char *filter, const char *mistake, const char *format)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("filter \"%s\" got %s: \"%.*s\"", filter, mistake,
					pg_mbcliplen(format, strlen(format), SHOWN_BYTES), format)));
}

static char *
write_time(TimestampTz time, text *format, pg_tz *zone)
{
	char	   *by = text_to_cstring(format);
	char	   *mistake;
	int			scale;
	StringInfoData out;

	initStringInfo(&out);
	switch (time_format_kind(by, &scale))
	{
		case TIME_STRFTIME:
			mistake = time_format_mistake(by, false);
			if (mistake != NULL)
				refuse_format("format_date", mistake, by);
			time_format_write(&out, time, by, zone);
			return out.data;
		case TIME_UNIX:
			return DatumGetCString(DirectFunctionCall1(numeric_out, function_to_unix("format_date", time, scale)));
		case TIME_ISO:
			return time_format_iso(time, zone);
		case TIME_RFC2822:
			time_format_write(&out, time, "%a, %d %b %Y %T %z", zone);
			return out.data;
		case TIME_HTTP:
			time_format_write(&out, time, "%a, %d %b %Y %T GMT", time_zone_find("UTC"));
			return out.data;
		case TIME_PATTERN:
			break;
	}
	if (*by == '\0')
		return by;
	return text_to_cstring(DatumGetTextPP(call_in_zone(zone, timestamptz_to_char, TimestampTzGetDatum(time),
													   PointerGetDatum(format))));
}

pg_tz *
function_time_zone(const char *filter, text *name)
{
	char	   *wanted = text_to_cstring(name);
	pg_tz	   *zone = time_zone_find(wanted);

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"%s\" does not know the time zone \"%.*s\"", filter,
						pg_mbcliplen(wanted, strlen(wanted), SHOWN_BYTES), wanted)));
	return zone;
}

/*
 * Calls a function as in a session with that time zone, which PostgreSQL's
 * functions take from a global, so it is put back whatever happens.
 */
static Datum
call_in_zone(pg_tz *zone, PGFunction function, Datum value, Datum argument)
{
	TimeSession saved;
	volatile Datum result = (Datum) 0;

	time_session_neutral(&saved, zone);
	PG_TRY();
	{
		result = DirectFunctionCall2Coll(function, DEFAULT_COLLATION_OID, value, argument);
	}
	PG_FINALLY();
	{
		time_session_restore(&saved);
	}
	PG_END_TRY();
	return result;
}
