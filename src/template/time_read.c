/*
 * time_read.c
 *	  Reads a time by a format of strptime.
 *
 * Names are English, in any case.  White space in the format stands for any
 * white space, none included; anything else stands for itself.
 */
#include "postgres.h"

#include "common/int.h"
#include "template/time_format.h"
#include "utils/datetime.h"

/* What was read so far. */
typedef struct TimeReader
{
	const char *p;
	const char *end;
	int			year;
	int			month;
	int			day;
	int			day_of_year;	/* 0: not given */
	int			hour;
	int			minute;
	int			second;
	int			microsecond;
	int			half;			/* %p: 0 am, 1 pm, -1 not given */
	bool		has_offset;
	int			offset;			/* seconds east of UTC */
	pg_tz	   *zone;
	bool		has_unix;
	int64		unix_seconds;
} TimeReader;

static bool read_format(TimeReader *reader, const char *format);
static bool read_directive(TimeReader *reader, char directive);
static bool read_number(TimeReader *reader, int min_digits, int max_digits, int *value);
static bool read_fraction(TimeReader *reader);
static bool read_half(TimeReader *reader);
static bool read_name(TimeReader *reader, const char *const *names, int count, int *value);
static bool read_offset(TimeReader *reader);
static bool read_zone(TimeReader *reader);
static bool read_unix(TimeReader *reader);
static void skip_blanks(TimeReader *reader);
static bool put_together(const TimeReader *reader, TimeValue *result);
static bool find_day(const TimeReader *reader, int *julian);

bool
time_format_read(const char *text, const char *format, pg_tz *zone, TimeValue *result)
{
	TimeReader	reader = {.p = text, .end = text + strlen(text), .month = 1, .day = 1, .half = -1, .zone = zone};

	return read_format(&reader, format) && reader.p == reader.end && put_together(&reader, result);
}

/*
 * Reads what the format says.  It may hold another format, but that holds none.
 */
static bool
read_format(TimeReader *reader, const char *format)
{
	for (const char *f = format; *f; f++)
	{
		if (isspace((unsigned char) *f))
			skip_blanks(reader);
		else if (*f == '%')
		{
			f++;
			if (*f == '-')
				f++;
			if (*f == '\0' || !read_directive(reader, *f))
				return false;
		}
		else
		{
			if (reader->p == reader->end || *reader->p != *f)
				return false;
			reader->p++;
		}
	}
	return true;
}

static bool
read_directive(TimeReader *reader, char directive)
{
	const char *expanded = time_format_expand(directive);
	int			value;

	if (expanded != NULL)
		return read_format(reader, expanded);
	switch (directive)
	{
		case 'Y':
			return read_number(reader, 4, 4, &reader->year) && reader->year > 0;
		case 'y':
			if (!read_number(reader, 2, 2, &value))
				return false;
			reader->year = value + (value < 69 ? 2000 : 1900);
			return true;
		case 'm':
			return read_number(reader, 1, 2, &reader->month) && reader->month >= 1 && reader->month <= MONTHS_PER_YEAR;
		case 'b':
		case 'h':
		case 'B':
			if (!read_name(reader, time_month_names, 12, &value))
				return false;
			reader->month = value + 1;
			return true;
		case 'e':
			skip_blanks(reader);
			return read_number(reader, 1, 2, &reader->day);
		case 'd':
			return read_number(reader, 1, 2, &reader->day);
		case 'j':
			return read_number(reader, 1, 3, &reader->day_of_year) && reader->day_of_year > 0;
		case 'a':
		case 'A':
			return read_name(reader, time_day_names, 7, &value);
		case 'H':
			return read_number(reader, 1, 2, &reader->hour) && reader->hour < HOURS_PER_DAY;
		case 'I':
			return read_number(reader, 1, 2, &reader->hour) && reader->hour >= 1 && reader->hour <= 12;
		case 'p':
			return read_half(reader);
		case 'M':
			return read_number(reader, 1, 2, &reader->minute) && reader->minute < MINS_PER_HOUR;
		case 'S':
			return read_number(reader, 1, 2, &reader->second) && reader->second <= SECS_PER_MINUTE;
		case 'f':
			return read_fraction(reader);
		case 'z':
			return read_offset(reader);
		case 'Z':
			return read_zone(reader);
		case 's':
			return read_unix(reader);
		case 'n':
		case 't':
			skip_blanks(reader);
			return true;
		case '%':
			return reader->p < reader->end && *reader->p++ == '%';
		default:
			return false;
	}
}

static bool
read_number(TimeReader *reader, int min_digits, int max_digits, int *value)
{
	const char *start = reader->p;

	*value = 0;
	while (reader->p < reader->end && reader->p - start < max_digits && isdigit((unsigned char) *reader->p))
		*value = *value * 10 + (*reader->p++ - '0');
	return reader->p - start >= min_digits;
}

/* One to nine digits after the point; what is below a microsecond is cut off. */
static bool
read_fraction(TimeReader *reader)
{
	const char *start = reader->p;
	int			digits;

	if (!read_number(reader, 1, 9, &reader->microsecond))
		return false;
	for (digits = reader->p - start; digits < 6; digits++)
		reader->microsecond *= 10;
	for (; digits > 6; digits--)
		reader->microsecond /= 10;
	return true;
}

static bool
read_half(TimeReader *reader)
{
	if (reader->end - reader->p < 2)
		return false;
	if (pg_strncasecmp(reader->p, "am", 2) == 0)
		reader->half = 0;
	else if (pg_strncasecmp(reader->p, "pm", 2) == 0)
		reader->half = 1;
	else
		return false;
	reader->p += 2;
	return true;
}

static bool
read_name(TimeReader *reader, const char *const *names, int count, int *value)
{
	*value = time_text_take_name(&reader->p, reader->end, names, count);
	return *value >= 0;
}

/* Z, +HH, +HHMM or +HH:MM */
static bool
read_offset(TimeReader *reader)
{
	bool		west = *reader->p == '-';
	int			hours,
				minutes = 0;

	reader->has_offset = true;
	reader->offset = 0;
	if (*reader->p == 'Z' || *reader->p == 'z')
	{
		reader->p++;
		return true;
	}
	if (*reader->p != '+' && *reader->p != '-')
		return false;
	reader->p++;
	if (!read_number(reader, 2, 2, &hours))
		return false;
	if (*reader->p == ':')
	{
		reader->p++;
		if (!read_number(reader, 2, 2, &minutes))
			return false;
	}
	else if (isdigit((unsigned char) *reader->p) && !read_number(reader, 2, 2, &minutes))
		return false;
	reader->offset = (hours * MINS_PER_HOUR + minutes) * SECS_PER_MINUTE * (west ? -1 : 1);
	return hours <= MAX_TZDISP_HOUR && minutes < MINS_PER_HOUR;
}

/* A name of RFC 2822, or of a time zone. */
static bool
read_zone(TimeReader *reader)
{
	const char *start = reader->p;

	if (time_text_take_zone_name(&reader->p, reader->end, &reader->offset))
	{
		reader->has_offset = true;
		return true;
	}
	while (reader->p < reader->end && (isalnum((unsigned char) *reader->p) || strchr("/_+-", *reader->p) != NULL))
		reader->p++;
	if (reader->p == start)
		return false;
	reader->zone = time_zone_find(pnstrdup(start, reader->p - start));
	return reader->zone != NULL;
}

/* Seconds since 1970. */
static bool
read_unix(TimeReader *reader)
{
	bool		negative = *reader->p == '-';
	const char *start;

	if (negative)
		reader->p++;
	start = reader->p;
	reader->has_unix = true;
	reader->unix_seconds = 0;
	/* a timestamp has no more than 13 digits */
	while (reader->p < reader->end && reader->p - start < 13 && isdigit((unsigned char) *reader->p))
		reader->unix_seconds = reader->unix_seconds * 10 + (*reader->p++ - '0');
	if (negative)
		reader->unix_seconds = -reader->unix_seconds;
	return reader->p > start;
}

static void
skip_blanks(TimeReader *reader)
{
	while (reader->p < reader->end && isspace((unsigned char) *reader->p))
		reader->p++;
}

/*
 * The time from its parts; false where there is no such time.
 */
static bool
put_together(const TimeReader *reader, TimeValue *result)
{
	int			hour = reader->hour;
	int			julian;
	int			west;
	struct pg_tm tm = {0};

	result->has_zone = true;
	if (reader->has_unix)
	{
		result->microseconds = (reader->unix_seconds -
								(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY);
		if (pg_mul_s64_overflow(result->microseconds, USECS_PER_SEC, &result->microseconds) ||
			pg_add_s64_overflow(result->microseconds, reader->microsecond, &result->microseconds) ||
			!IS_VALID_TIMESTAMP(result->microseconds))
			return false;
		result->days = result->microseconds / USECS_PER_DAY - (result->microseconds % USECS_PER_DAY < 0 ? 1 : 0);
		return true;
	}

	if (!find_day(reader, &julian))
		return false;
	if (reader->half >= 0)
	{
		if (hour > 12)
			return false;
		hour = hour % 12 + reader->half * 12;
	}
	j2date(julian, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	tm.tm_hour = hour;
	tm.tm_min = reader->minute;
	tm.tm_sec = reader->second;
	west = reader->has_offset ? -reader->offset : DetermineTimeZoneOffset(&tm, reader->zone);

	result->days = julian - POSTGRES_EPOCH_JDATE;
	result->microseconds = result->days * USECS_PER_DAY +
		((hour * MINS_PER_HOUR + reader->minute) * SECS_PER_MINUTE + reader->second + west) * USECS_PER_SEC +
		reader->microsecond;
	return true;
}

static bool
find_day(const TimeReader *reader, int *julian)
{
	if (reader->year < 1)
		return false;
	if (reader->day_of_year > 0)
	{
		*julian = date2j(reader->year, 1, 1) + reader->day_of_year - 1;
		return reader->day_of_year <= (isleap(reader->year) ? 366 : 365);
	}
	*julian = date2j(reader->year, reader->month, reader->day);
	return reader->day >= 1 && reader->day <= day_tab[isleap(reader->year)][reader->month - 1];
}
