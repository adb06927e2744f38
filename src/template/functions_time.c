/*
 * functions_time.c
 *	  SQL functions of the filters for times.
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
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(databite_to_datetime);
PG_FUNCTION_INFO_V1(databite_to_datetime_format);
PG_FUNCTION_INFO_V1(databite_iso8601);

static pg_tz *find_time_zone(const char *name);
static TimestampTz call_in_time_zone(pg_tz *zone, PGFunction function, Datum value, Datum argument);

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
