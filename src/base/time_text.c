/*
 * time_text.c
 *	  Texts that mean a date or a time.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/time_text.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "common/string.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "port.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

/* Bytes of a value that an error shows. */
#define SHOWN_BYTES	100

/* RFC 2822 4.3; what else there is in letters is left to PostgreSQL. */
static const struct
{
	const char *name;
	int			hours;
}			zone_names[] = {
	{"UTC", 0},
	{"GMT", 0},
	{"UT", 0},
	{"Z", 0},
	{"EST", -5},
	{"EDT", -4},
	{"CST", -6},
	{"CDT", -5},
	{"MST", -7},
	{"MDT", -6},
	{"PST", -8},
	{"PDT", -7},
};

const char *const time_month_names[12] = {
	"January", "February", "March", "April", "May", "June",
	"July", "August", "September", "October", "November", "December"
};

const char *const time_day_names[7] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"
};

static bool parse_json_date(const char *text, size_t len, TimeValue *result);
static Datum read_neutral(PGFunction input, const char *text, int32 typmod);
static bool is_number(const char *p, const char *end);
static bool take_int(const char **p, const char *end, int max_digits, int *value);
static bool take_char(const char **p, const char *end, char c);
static bool take_blanks(const char **p, const char *end);
static bool take_clock(const char **p, const char *end, int *seconds);
static bool take_offset(const char **p, const char *end, int *seconds);

TimestampTz
time_text_to_timestamptz(const char *text, int32 typmod)
{
	TimeValue	value;

	if (!time_text_parse(text, &value))
		return DatumGetTimestampTz(read_neutral(timestamptz_in, text, typmod));
	if (typmod < 0)
		return value.microseconds;
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_scale,
												   TimestampTzGetDatum(value.microseconds),
												   Int32GetDatum(typmod)));
}

DateADT
time_text_to_date(const char *text)
{
	TimeValue	value;

	if (!time_text_parse(text, &value))
		return DatumGetDateADT(read_neutral(date_in, text, -1));
	return value.days;
}

bool
time_text_parse(const char *text, TimeValue *result)
{
	const char *start = text;
	const char *end;

	while (isspace((unsigned char) *start))
		start++;
	end = start + strlen(start);
	while (end > start && isspace((unsigned char) end[-1]))
		end--;

	if (iso_time_parse(start, end - start, result) ||
		time_text_parse_rfc2822(start, end - start, result) ||
		parse_json_date(start, end - start, result))
		return true;
	if (is_number(start, end))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("a number is not a time: \"%.*s\"", SHOWN_BYTES, text),
				 errhint("Use a filter that says what the number means, such as from_unix.")));
	if (end - start > TIME_TEXT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("a text of %zu bytes is not a time: \"%.*s...\"", strlen(text),
						pg_mbcliplen(start, TIME_TEXT_MAX, SHOWN_BYTES), start)));
	return false;
}

bool
time_text_parse_rfc2822(const char *text, size_t len, TimeValue *result)
{
	const char *p = text;
	const char *end = text + len;
	int			day,
				month,
				year,
				seconds,
				offset;
	const char *digits;

	if (time_text_take_name(&p, end, time_day_names, 7) >= 0 && !take_char(&p, end, ','))
		return false;
	(void) take_blanks(&p, end);
	if (!take_int(&p, end, 2, &day) || (!take_char(&p, end, '-') && !take_blanks(&p, end)))
		return false;
	month = time_text_take_name(&p, end, time_month_names, 12) + 1;
	if (month == 0 || (!take_char(&p, end, '-') && !take_blanks(&p, end)))
		return false;
	digits = p;
	if (!take_int(&p, end, 4, &year) || p - digits < 2)
		return false;

	/* RFC 2822 4.3: two digits from 50 on and three digits are of the 20th century. */
	if (p - digits == 2 && year < 50)
		year += 2000;
	else if (p - digits < 4)
		year += 1900;

	if (!take_blanks(&p, end) || !take_clock(&p, end, &seconds) || !take_blanks(&p, end) ||
		!take_offset(&p, end, &offset))
		return false;
	(void) take_blanks(&p, end);
	if (p < end && !(*p == '(' && end[-1] == ')'))
		return false;
	if (year < 1 || day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;

	result->days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	result->microseconds = result->days * USECS_PER_DAY + (int64) (seconds - offset) * USECS_PER_SEC;
	result->has_zone = true;
	return true;
}

int
time_text_take_name(const char **p, const char *end, const char *const *names, int count)
{
	size_t		len = 0;

	while (*p + len < end && isalpha((unsigned char) (*p)[len]))
		len++;
	for (int i = 0; i < count; i++)
	{
		if ((len == 3 || len == strlen(names[i])) && pg_strncasecmp(*p, names[i], len) == 0)
		{
			*p += len;
			return i;
		}
	}
	return -1;
}

bool
time_text_take_zone_name(const char **p, const char *end, int *seconds)
{
	size_t		len = 0;

	while (*p + len < end && isalpha((unsigned char) (*p)[len]))
		len++;
	for (int i = 0; i < lengthof(zone_names); i++)
	{
		if (len == strlen(zone_names[i].name) && pg_strncasecmp(*p, zone_names[i].name, len) == 0)
		{
			*p += len;
			*seconds = zone_names[i].hours * SECS_PER_HOUR;
			return true;
		}
	}
	return false;
}

bool
time_type_holds_time(Oid type)
{
	Oid			base = getBaseType(type);

	switch (TypeCategory(base))
	{
		case TYPCATEGORY_DATETIME:
		case TYPCATEGORY_TIMESPAN:
		case TYPCATEGORY_COMPOSITE:
			return true;
		case TYPCATEGORY_ARRAY:
			return OidIsValid(get_element_type(base)) && time_type_holds_time(get_element_type(base));
		case TYPCATEGORY_RANGE:
			if (type_is_multirange(base))
				base = get_multirange_range(base);
			return time_type_holds_time(get_range_subtype(base));
		default:
			return false;
	}
}

void
time_session_neutral(TimeSession *saved, pg_tz *zone)
{
	saved->zone = session_timezone;
	saved->date_style = DateStyle;
	saved->date_order = DateOrder;
	saved->interval_style = IntervalStyle;
	session_timezone = zone;
	DateStyle = USE_ISO_DATES;
	DateOrder = DATEORDER_MDY;
	IntervalStyle = INTSTYLE_POSTGRES;
}

void
time_session_restore(const TimeSession *saved)
{
	session_timezone = saved->zone;
	DateStyle = saved->date_style;
	DateOrder = saved->date_order;
	IntervalStyle = saved->interval_style;
}

/*
 * /Date(1714564800000+0200)/: milliseconds since 1970.  The offset does not
 * change the point in time, only what day it is.
 */
static bool
parse_json_date(const char *text, size_t len, TimeValue *result)
{
	static const char prefix[] = "/Date(";
	const char *p = text + strlen(prefix);
	const char *end = text + len;
	int64		value = 0;
	int			offset = 0;
	bool		negative;
	int64		local;

	if (len < strlen(prefix) || strncmp(text, prefix, strlen(prefix)) != 0)
		return false;
	negative = take_char(&p, end, '-');
	if (p == end || !isdigit((unsigned char) *p))
		return false;
	for (; p < end && isdigit((unsigned char) *p); p++)
	{
		if (pg_mul_s64_overflow(value, 10, &value) || pg_add_s64_overflow(value, *p - '0', &value))
			return false;
	}
	if ((*p == '+' || *p == '-') && !take_offset(&p, end, &offset))
		return false;
	if (end - p != 2 || p[0] != ')' || p[1] != '/')
		return false;

	if (pg_mul_s64_overflow(negative ? -value : value, 1000, &value) ||
		pg_sub_s64_overflow(value, (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY, &value) ||
		!IS_VALID_TIMESTAMP(value) ||
		pg_add_s64_overflow(value, offset * USECS_PER_SEC, &local) || !IS_VALID_TIMESTAMP(local))
		return false;
	result->microseconds = value;
	result->has_zone = true;
	result->days = local / USECS_PER_DAY - (local % USECS_PER_DAY < 0 ? 1 : 0);
	return true;
}

/*
 * Through an input function of PostgreSQL.  Its hint, where it has one, is to
 * set DateStyle, which no text is read by here.
 */
static Datum
read_neutral(PGFunction input, const char *text, int32 typmod)
{
	TimeSession saved;
	MemoryContext caller = CurrentMemoryContext;
	volatile Datum result = (Datum) 0;

	time_session_neutral(&saved, pg_tzset("GMT"));
	PG_TRY();
	{
		result = DirectFunctionCall3(input, CStringGetDatum(text),
									 ObjectIdGetDatum(InvalidOid), Int32GetDatum(typmod));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		time_session_restore(&saved);
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		if (error->hint != NULL)
			error->hint = pstrdup("Say in which order it is written: {{ ... | to_datetime(\"DD/MM/YYYY\") }}.");
		error_rethrow(error);
	}
	PG_END_TRY();
	time_session_restore(&saved);
	return result;
}

/*
 * A number has no unit: nobody can tell what time it is.
 */
static bool
is_number(const char *p, const char *end)
{
	const char *start = p;

	if (!take_char(&p, end, '-'))
		(void) take_char(&p, end, '+');
	p += strspn(p, "0123456789");
	if (take_char(&p, end, '.'))
		p += strspn(p, "0123456789");
	return p == end && p > start && isdigit((unsigned char) end[-1]);
}

/* One to max_digits digits. */
static bool
take_int(const char **p, const char *end, int max_digits, int *value)
{
	const char *start = *p;

	*value = 0;
	while (*p < end && *p - start < max_digits && isdigit((unsigned char) **p))
		*value = *value * 10 + (*(*p)++ - '0');
	return *p > start;
}

static bool
take_char(const char **p, const char *end, char c)
{
	if (*p >= end || **p != c)
		return false;
	(*p)++;
	return true;
}

/* At least one. */
static bool
take_blanks(const char **p, const char *end)
{
	const char *start = *p;

	while (*p < end && isspace((unsigned char) **p))
		(*p)++;
	return *p > start;
}

/* HH:MM[:SS], as seconds of the day. */
static bool
take_clock(const char **p, const char *end, int *seconds)
{
	int			hour,
				minute,
				second = 0;

	if (!take_int(p, end, 2, &hour) || !take_char(p, end, ':') || !take_int(p, end, 2, &minute))
		return false;
	if (take_char(p, end, ':') && !take_int(p, end, 2, &second))
		return false;
	*seconds = (hour * MINS_PER_HOUR + minute) * SECS_PER_MINUTE + second;
	return hour < HOURS_PER_DAY && minute < MINS_PER_HOUR && second <= SECS_PER_MINUTE;
}

/* (+|-)HHMM or a name, as seconds east of UTC. */
static bool
take_offset(const char **p, const char *end, int *seconds)
{
	const char *start = *p;
	int			value;

	if (!take_char(p, end, '+') && !take_char(p, end, '-'))
		return time_text_take_zone_name(p, end, seconds);
	if (!take_int(p, end, 4, &value) || *p - start != 5)
		return false;
	*seconds = ((value / 100) * MINS_PER_HOUR + value % 100) * SECS_PER_MINUTE * (*start == '-' ? -1 : 1);
	return value / 100 <= MAX_TZDISP_HOUR && value % 100 < MINS_PER_HOUR;
}
