/*
 * functions_time_math.c
 *	  SQL functions of the filters that reckon with times.
 *
 * They reckon in UTC, where every day has 24 hours, except where a zone is given.
 */
#include "postgres.h"

#include "base/compat.h"
#include "common/int.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "template/functions.h"
#include "template/time_format.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* Bytes of a value that an error shows. */
#define SHOWN_BYTES	100

/* Between PostgreSQL's epoch and Unix's. */
#define UNIX_SHIFT	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

PG_FUNCTION_INFO_V1(databite_filter_from_unix);
PG_FUNCTION_INFO_V1(databite_filter_to_unix);
PG_FUNCTION_INFO_V1(databite_filter_date_add);
PG_FUNCTION_INFO_V1(databite_filter_date_add_interval);
PG_FUNCTION_INFO_V1(databite_filter_date_trunc);
PG_FUNCTION_INFO_V1(databite_filter_today);

static int	unix_scale(const char *filter, text *unit);
static TimestampTz add_months(TimestampTz time, Datum count, int months);
static bool whole_part(Datum number, int64 *result);
static Interval *read_interval(const char *text);
pg_noreturn static void unknown_unit(const char *filter, const char *unit);
pg_noreturn static void out_of_range(const char *filter);

/*
 * databite.filter_from_unix(numeric, unit text) -> timestamptz
 */
Datum
databite_filter_from_unix(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(function_from_unix("from_unix", PG_GETARG_DATUM(0),
											 unix_scale("from_unix", PG_GETARG_TEXT_PP(1))));
}

/*
 * databite.filter_to_unix(timestamptz, unit text) -> numeric
 */
Datum
databite_filter_to_unix(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(function_to_unix("to_unix", PG_GETARG_TIMESTAMPTZ(0),
									 unix_scale("to_unix", PG_GETARG_TEXT_PP(1))));
}

/*
 * databite.filter_date_add(timestamptz, numeric, unit text) -> timestamptz
 */
Datum
databite_filter_date_add(PG_FUNCTION_ARGS)
{
	TimestampTz time = PG_GETARG_TIMESTAMPTZ(0);
	Datum		count = PG_GETARG_DATUM(1);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	const TimeUnit *unit = time_unit_find(name);
	int64		microseconds;

	if (unit == NULL)
		unknown_unit("date_add", name);
	if (TIMESTAMP_NOT_FINITE(time))
		PG_RETURN_TIMESTAMPTZ(time);
	if (unit->months > 0)
		PG_RETURN_TIMESTAMPTZ(add_months(time, count, unit->months));

	count = DirectFunctionCall2(numeric_mul, count, NumericGetDatum(int64_to_numeric(unit->microseconds)));
	if (!whole_part(count, &microseconds) || pg_add_s64_overflow(time, microseconds, &time) ||
		!IS_VALID_TIMESTAMP(time))
		out_of_range("date_add");
	PG_RETURN_TIMESTAMPTZ(time);
}

/*
 * databite.filter_date_add(timestamptz, text) -> timestamptz
 */
Datum
databite_filter_date_add_interval(PG_FUNCTION_ARGS)
{
	Interval   *interval = read_interval(text_to_cstring(PG_GETARG_TEXT_PP(1)));

	/* In UTC the two kinds of timestamp are the same. */
	PG_RETURN_DATUM(DirectFunctionCall2(timestamp_pl_interval, PG_GETARG_DATUM(0), IntervalPGetDatum(interval)));
}

/*
 * databite.filter_date_trunc(timestamptz, unit text, zone text) -> timestamptz
 */
Datum
databite_filter_date_trunc(PG_FUNCTION_ARGS)
{
	char	   *unit = text_to_cstring(PG_GETARG_TEXT_PP(1));
	pg_tz	   *zone = function_time_zone("date_trunc", PG_GETARG_TEXT_PP(2));
	TimeSession saved;
	volatile Datum result = (Datum) 0;

	if (!time_trunc_unit_known(unit))
		unknown_unit("date_trunc", unit);

	time_session_neutral(&saved, zone);
	PG_TRY();
	{
		result = DirectFunctionCall2(timestamptz_trunc, PG_GETARG_DATUM(1), PG_GETARG_DATUM(0));
	}
	PG_FINALLY();
	{
		time_session_restore(&saved);
	}
	PG_END_TRY();
	PG_RETURN_DATUM(result);
}

/*
 * databite.filter_today(timestamptz, zone text) -> date
 *
 * The date of a point in time in a zone.
 */
Datum
databite_filter_today(PG_FUNCTION_ARGS)
{
	pg_tz	   *zone = function_time_zone("today", PG_GETARG_TEXT_PP(1));
	struct pg_tm tm;
	fsec_t		microsecond;
	int			west;

	if (timestamp2tm(PG_GETARG_TIMESTAMPTZ(0), &west, &tm, &microsecond, NULL, zone) != 0)
		out_of_range("today");
	PG_RETURN_DATEADT(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE);
}

TimestampTz
function_from_unix(const char *filter, Datum number, int scale)
{
	TimestampTz time;

	number = DirectFunctionCall2(numeric_mul, number, NumericGetDatum(int64_to_numeric(scale)));
	if (!whole_part(number, &time) || pg_sub_s64_overflow(time, UNIX_SHIFT, &time) || !IS_VALID_TIMESTAMP(time))
		out_of_range(filter);
	return time;
}

Datum
function_to_unix(const char *filter, TimestampTz time, int scale)
{
	const char *factor = "0.000001";
	Datum		result;
	Datum		unit;

	if (TIMESTAMP_NOT_FINITE(time))
		out_of_range(filter);
	if (scale == 1)
		factor = "1";
	else if (scale == 1000)
		factor = "0.001";
	result = DirectFunctionCall2(numeric_add, NumericGetDatum(int64_to_numeric(time)),
								 NumericGetDatum(int64_to_numeric(UNIX_SHIFT)));
	unit = DirectFunctionCall3(numeric_in, CStringGetDatum(factor),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return DirectFunctionCall1(numeric_trim_scale, DirectFunctionCall2(numeric_mul, result, unit));
}

static int
unix_scale(const char *filter, text *unit)
{
	char	   *name = text_to_cstring(unit);
	int			scale = time_unix_scale(name);

	if (scale == 0)
		unknown_unit(filter, name);
	return scale;
}

/*
 * As PostgreSQL adds months: 31 March and a month is 30 April.
 */
static TimestampTz
add_months(TimestampTz time, Datum count, int months)
{
	Interval	interval = {0};
	int64		whole;

	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, count,
										  DirectFunctionCall2(numeric_trunc, count, Int32GetDatum(0)))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"date_add\" needs a whole number of months, quarters or years, not %.*s",
						SHOWN_BYTES, DatumGetCString(DirectFunctionCall1(numeric_out, count)))));
	if (!whole_part(count, &whole) || pg_mul_s64_overflow(whole, months, &whole) ||
		whole < PG_INT32_MIN || whole > PG_INT32_MAX)
		out_of_range("date_add");
	interval.month = (int32) whole;
	return DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval, TimestampGetDatum(time),
												 IntervalPGetDatum(&interval)));
}

/*
 * A number rounded to a whole one; false where it does not fit.
 */
static bool
whole_part(Datum number, int64 *result)
{
	Datum		rounded = DirectFunctionCall2(numeric_round, number, Int32GetDatum(0));

	/* NaN is greater than any number. */
	if (DatumGetBool(DirectFunctionCall2(numeric_gt, rounded, NumericGetDatum(int64_to_numeric(PG_INT64_MAX)))) ||
		DatumGetBool(DirectFunctionCall2(numeric_lt, rounded, NumericGetDatum(int64_to_numeric(PG_INT64_MIN)))))
		return false;
	*result = DatumGetInt64(DirectFunctionCall1(numeric_int8, rounded));
	return true;
}

/*
 * An interval, which has units: PostgreSQL takes a bare number for seconds.
 */
static Interval *
read_interval(const char *text)
{
	TimeSession saved;
	volatile Datum result = (Datum) 0;

	if (strspn(text, " +-.0123456789") == strlen(text))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("filter \"date_add\" needs a unit: \"%.*s\"", SHOWN_BYTES, text),
				 errhint("Write date_add(1, \"day\") or date_add(\"1 day\").")));
	if (strlen(text) > TIME_TEXT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("filter \"date_add\" cannot read a text of %zu bytes: \"%.*s...\"", strlen(text),
						pg_mbcliplen(text, TIME_TEXT_MAX, SHOWN_BYTES), text)));
	time_session_neutral(&saved, time_zone_find("UTC"));
	PG_TRY();
	{
		result = DirectFunctionCall3(interval_in, CStringGetDatum(text),
									 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	}
	PG_FINALLY();
	{
		time_session_restore(&saved);
	}
	PG_END_TRY();
	return DatumGetIntervalP(result);
}

static void
unknown_unit(const char *filter, const char *unit)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("filter \"%s\" does not know the unit \"%.*s\"", filter,
					pg_mbcliplen(unit, strlen(unit), SHOWN_BYTES), unit)));
}

static void
out_of_range(const char *filter)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("filter \"%s\": timestamp out of range", filter)));
}
