/*
 * schedule.c
 *	  When a job runs: intervals and cron expressions with a time zone.
 *
 * Daylight saving time follows the rules of Debian's cron.  An expression whose
 * minute or hour begins with "*" follows the wall clock: it has no run at times
 * that are skipped and runs again at times that are repeated.  Any other
 * expression names fixed times: those that are skipped run once, right after
 * the gap, and those that are repeated run the first time only.  Where a zone
 * moves its clock by three hours or more (across the date line), that is a
 * correction and not daylight saving time, and every expression follows the clock.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "common/int.h"
#include "job/cron.h"
#include "job/reader.h"
#include "job/schedule.h"
#include "lib/stringinfo.h"
#include "pgtime.h"
#include "utils/timestamp.h"

#define MAX_INTERVAL_DAYS	3650
#define MAX_INTERVAL_SECS	(MAX_INTERVAL_DAYS * SECS_PER_DAY)

/* A change of the clock by this much or more is a correction. */
#define MAX_DST_SHIFT		(3 * SECS_PER_HOUR)

/* A date that comes at all comes within 40 years: 29 February on a given day of the week, around 2100. */
#define SEARCH_SECS			(INT64CONST(50) * 366 * SECS_PER_DAY)

/* Between the epochs of Unix and PostgreSQL. */
#define EPOCH_DIFF_SECS		((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

/* The keys of a schedule. */
typedef struct ScheduleReading
{
	char	   *expression;
	char	   *timezone;
	int			seconds;
	int			minutes;
	int			hours;
	int			days;
} ScheduleReading;

/* A stretch of time without a change of the clock, from where it was asked for to the next change. */
typedef struct ClockPeriod
{
	int64		offset;			/* local time minus UTC, seconds */
	bool		changes;		/* is there a next change? */
	int64		end;			/* when (Unix time) */
	int64		next_offset;	/* the offset after it */
} ClockPeriod;

static const Choice schedule_types[] = {
	{"cron", SCHEDULE_CRON},
	{"interval", SCHEDULE_INTERVAL},
	{NULL}
};

#define CRON		(1U << SCHEDULE_CRON)
#define INTERVAL	(1U << SCHEDULE_INTERVAL)

static const KeyRule schedule_rules[] = {
	{.name = "type", .types = VALUE_STRING},
	{.name = "expression", .types = VALUE_STRING, .parse = read_string, .flags = KEY_REQUIRED, .variants = CRON,
	FIELD(ScheduleReading, expression), .min = 1},
	{.name = "timezone", .types = VALUE_STRING, .parse = read_string, .variants = CRON,
	FIELD(ScheduleReading, timezone), .min = 1},
	{.name = "seconds", .types = VALUE_NUMBER, .parse = read_int, .variants = INTERVAL,
	FIELD(ScheduleReading, seconds), .min = 1, .max = MAX_INTERVAL_SECS},
	{.name = "minutes", .types = VALUE_NUMBER, .parse = read_int, .variants = INTERVAL,
	FIELD(ScheduleReading, minutes), .min = 1, .max = MAX_INTERVAL_SECS / SECS_PER_MINUTE},
	{.name = "hours", .types = VALUE_NUMBER, .parse = read_int, .variants = INTERVAL,
	FIELD(ScheduleReading, hours), .min = 1, .max = MAX_INTERVAL_SECS / SECS_PER_HOUR},
	{.name = "days", .types = VALUE_NUMBER, .parse = read_int, .variants = INTERVAL,
	FIELD(ScheduleReading, days), .min = 1, .max = MAX_INTERVAL_DAYS},
	{NULL}
};

static void finish_cron(JobSchedule *schedule, const ScheduleReading *reading,
						const char *pointer, ProblemList *problems);
static void finish_interval(JobSchedule *schedule, const ScheduleReading *reading,
							const char *pointer, ProblemList *problems);
static TimestampTz next_interval(int64 interval, TimestampTz after, TimestampTz anchor);
static TimestampTz next_cron(const JobSchedule *schedule, TimestampTz after);
static bool next_in_zone(const CronExpression *cron, const pg_tz *zone, int64 after, int64 *fire);
static void clock_period(const pg_tz *zone, int64 start, ClockPeriod *period);
static int64 floor_minute(int64 seconds);
static int64 ceil_minute(int64 seconds);
static void append_unit(StringInfo text, int64 *rest, int64 unit, const char *name);

JobSchedule *
schedule_parse(struct json_object *value, const char *pointer, ProblemList *problems)
{
	int			nproblems = list_length(problems->problems);
	ScheduleReading reading = {0};
	JobSchedule *schedule;
	ObjectType	type;

	if (!check_type(problems, value, VALUE_OBJECT, "a schedule", pointer))
		return NULL;

	read_type(problems, value, pointer, schedule_types, &type);
	read_object(problems, value, pointer, schedule_rules, type.variant, type.label, &reading);

	schedule = palloc0(sizeof(JobSchedule));
	schedule->type = type.value;
	if (type.variant == CRON)
		finish_cron(schedule, &reading, pointer, problems);
	else if (type.variant == INTERVAL && list_length(problems->problems) == nproblems)
		finish_interval(schedule, &reading, pointer, problems);

	return list_length(problems->problems) == nproblems ? schedule : NULL;
}

/* Never again: after the end of time, or an expression that follows the clock and names only times that its zone skips. */
TimestampTz
schedule_next(const JobSchedule *schedule, TimestampTz after, TimestampTz anchor)
{
	if (TIMESTAMP_NOT_FINITE(after))
		return DT_NOEND;
	if (schedule->type == SCHEDULE_INTERVAL)
		return next_interval(schedule->interval_us, after, anchor);
	return next_cron(schedule, after);
}

char *
schedule_describe(const JobSchedule *schedule)
{
	StringInfoData text;
	int64		rest = schedule->interval_us / USECS_PER_SEC;

	initStringInfo(&text);
	if (schedule->type == SCHEDULE_CRON)
	{
		appendStringInfo(&text, "cron %s", schedule->expression);
		if (schedule->timezone != NULL)
			appendStringInfo(&text, " in %s", schedule->timezone);
		return text.data;
	}

	appendStringInfoString(&text, "every");
	append_unit(&text, &rest, SECS_PER_DAY, "day");
	append_unit(&text, &rest, SECS_PER_HOUR, "hour");
	append_unit(&text, &rest, SECS_PER_MINUTE, "minute");
	append_unit(&text, &rest, 1, "second");
	return text.data;
}

static void
finish_cron(JobSchedule *schedule, const ScheduleReading *reading,
			const char *pointer, ProblemList *problems)
{
	char	   *error;
	char	   *hint;

	schedule->expression = reading->expression;
	schedule->timezone = reading->timezone;

	if (reading->timezone != NULL && pg_tzset(reading->timezone) == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "timezone"),
					"The view pg_timezone_names has those that are known.",
					"time zone \"%s\" is not known", clip_text(reading->timezone));

	if (reading->expression == NULL)
		return;
	schedule->cron = cron_parse(reading->expression, &error, &hint);
	if (schedule->cron == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "expression"),
					hint, "%s", error);
}

/* Several units add up. */
static void
finish_interval(JobSchedule *schedule, const ScheduleReading *reading,
				const char *pointer, ProblemList *problems)
{
	int64		seconds = reading->seconds +
		(int64) reading->minutes * SECS_PER_MINUTE +
		(int64) reading->hours * SECS_PER_HOUR +
		(int64) reading->days * SECS_PER_DAY;

	if (seconds == 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Set one of \"seconds\", \"minutes\", \"hours\" and \"days\", or several, which add up.",
					"the interval has no length");
	if (seconds > MAX_INTERVAL_SECS)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"an interval must be no longer than %d days", MAX_INTERVAL_DAYS);
	schedule->interval_us = seconds * USECS_PER_SEC;
}

/* The first of anchor + k * interval (k any integer) after "after". */
static TimestampTz
next_interval(int64 interval, TimestampTz after, TimestampTz anchor)
{
	int64		elapsed;
	int64		into;
	TimestampTz next;

	if (TIMESTAMP_NOT_FINITE(anchor) || pg_sub_s64_overflow(after, anchor, &elapsed))
		return DT_NOEND;

	into = elapsed % interval;
	if (into < 0)
		into += interval;
	if (pg_add_s64_overflow(after, interval - into, &next) || !IS_VALID_TIMESTAMP(next))
		return DT_NOEND;
	return next;
}

/* Without a zone of its own the schedule is in the session's, which is the server's in the scheduler. */
static TimestampTz
next_cron(const JobSchedule *schedule, TimestampTz after)
{
	const pg_tz *zone = schedule->timezone ? pg_tzset(schedule->timezone) : session_timezone;
	int64		seconds = after / USECS_PER_SEC - (after % USECS_PER_SEC < 0 ? 1 : 0);
	int64		fire;
	TimestampTz next;

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known", schedule->timezone),
				 errdetail("It was known when the schedule was made.")));

	if (!next_in_zone(schedule->cron, zone, seconds + EPOCH_DIFF_SECS, &fire) ||
		pg_mul_s64_overflow(fire - EPOCH_DIFF_SECS, USECS_PER_SEC, &next) ||
		!IS_VALID_TIMESTAMP(next))
		return DT_NOEND;
	return next;
}

/*
 * Walks from one change of the clock to the next and looks for a minute of the
 * wall clock in between.  Times are Unix times in seconds; "local" ones have the
 * offset added.
 *
 * For fixed times the walk begins early enough to know of a change whose
 * repeated times "after" may be among.
 */
static bool
next_in_zone(const CronExpression *cron, const pg_tz *zone, int64 after, int64 *fire)
{
	int64		limit = after + SEARCH_SECS;
	int64		start = cron->follows_clock ? after : after - MAX_DST_SHIFT;
	int64		repeated_until = PG_INT64_MIN;	/* local minute */

	for (;;)
	{
		ClockPeriod period;
		int64		end;
		int64		from;
		int64		shift;
		int64		minute;
		bool		fixed;

		clock_period(zone, start, &period);
		end = period.changes ? Min(period.end, limit) : limit;

		from = Max(floor_minute(after + period.offset) + 1, ceil_minute(start + period.offset));
		from = Max(from, repeated_until);
		if (cron_next(cron, from, ceil_minute(end + period.offset), &minute))
		{
			*fire = minute * SECS_PER_MINUTE - period.offset;
			return true;
		}
		if (end >= limit)
			return false;

		shift = period.next_offset - period.offset;
		fixed = !cron->follows_clock && shift > -MAX_DST_SHIFT && shift < MAX_DST_SHIFT;

		/* Times that are skipped run right after the gap. */
		if (fixed && end > after &&
			cron_next(cron, ceil_minute(end + period.offset), ceil_minute(end + period.next_offset), &minute))
		{
			*fire = end;
			return true;
		}
		repeated_until = fixed ? ceil_minute(end + period.offset) : PG_INT64_MIN;
		start = end;
	}
}

static void
clock_period(const pg_tz *zone, int64 start, ClockPeriod *period)
{
	pg_time_t	from = start;
	pg_time_t	boundary = 0;
	long		before_offset = 0;
	long		after_offset = 0;
	int			before_isdst;
	int			after_isdst;
	int			result;

	result = pg_next_dst_boundary(&from, &before_offset, &before_isdst,
								  &boundary, &after_offset, &after_isdst, zone);
	if (result < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time zone \"%s\" has no rules for this time", pg_get_timezone_name((pg_tz *) zone))));

	period->offset = before_offset;
	period->changes = result > 0;
	period->end = boundary;
	period->next_offset = after_offset;
}

static int64
floor_minute(int64 seconds)
{
	return seconds / SECS_PER_MINUTE - (seconds % SECS_PER_MINUTE < 0 ? 1 : 0);
}

static int64
ceil_minute(int64 seconds)
{
	return -floor_minute(-seconds);
}

/* " 1 hour", " 2 hours": as many whole units as there are in rest. */
static void
append_unit(StringInfo text, int64 *rest, int64 unit, const char *name)
{
	int64		count = *rest / unit;

	*rest %= unit;
	if (count > 0)
		appendStringInfo(text, " " INT64_FORMAT " %s%s", count, name, count > 1 ? "s" : "");
}
