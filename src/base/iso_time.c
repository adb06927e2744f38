/*
 * iso_time.c
 *	  Dates and times as ISO 8601 writes them.
 *
 *	  date [(T| )time[zone]]
 *
 *	  date = YYYY-MM-DD | YYYY-Www-D | YYYY-DDD, or the same without "-"
 *	  time = HH:MM[:SS[(.|,)f...]], or the same without ":"
 *	  zone = Z | (+|-)HH[[:]MM]
 *
 * What is valid is what PostgreSQL takes: years from 1, 24:00:00 and a 60th
 * second, offsets up to 15:59.
 */
#include "postgres.h"

#include <math.h>

#include "base/iso_time.h"
#include "datatype/timestamp.h"
#include "utils/datetime.h"

/* Digits of a fraction that are looked at; more make no difference to a microsecond. */
#define MAX_FRACTION_DIGITS	30

/* The length of 2024-02-29T12:30:15Z. */
#define USUAL_LENGTH	20

static bool parse_usual(const char *text, TimeValue *result);
static bool take_date(const char **p, const char *end, int *julian);
static bool take_week_date(const char **p, const char *end, int year, bool dashes, int *julian);
static bool take_day_of_year(const char **p, const char *end, int year, int *julian);
static int	count_digits(const char *p, const char *end);
static bool take_digits(const char **p, const char *end, int count, int *value);
static bool take_char(const char **p, const char *end, char c);
static bool take_time(const char **p, const char *end, int64 *microseconds);
static bool take_fraction(const char **p, const char *end, int64 *microseconds);
static bool take_offset(const char **p, const char *end, int *seconds);

bool
iso_time_parse(const char *text, size_t len, TimeValue *result)
{
	const char *p = text;
	const char *end = text + len;
	int			julian;
	int64		time = 0;
	int			offset = 0;

	if (len == USUAL_LENGTH && parse_usual(text, result))
		return true;
	result->has_zone = false;
	if (!take_date(&p, end, &julian))
		return false;
	if (p < end)
	{
		if (*p != 'T' && *p != ' ' && *p != 't')
			return false;
		p++;
		if (!take_time(&p, end, &time))
			return false;
		result->has_zone = p < end;
		if (!take_offset(&p, end, &offset) || p < end)
			return false;
	}
	result->days = julian - POSTGRES_EPOCH_JDATE;
	result->microseconds = result->days * USECS_PER_DAY + time - offset * USECS_PER_SEC;
	return true;
}

/* The form that most APIs write, without a branch for each character.  False for any other, and what is out of the usual range. */
static bool
parse_usual(const char *text, TimeValue *result)
{
	static const char form[USUAL_LENGTH + 1] = "0000-00-00T00:00:00Z";
	unsigned char digit[USUAL_LENGTH];
	bool		other = false;
	int			year,
				month,
				day,
				hour,
				minute,
				second;

	for (int i = 0; i < USUAL_LENGTH; i++)
	{
		digit[i] = (unsigned char) text[i] - (unsigned char) form[i];
		other |= digit[i] > (form[i] == '0' ? 9 : 0);
	}
	if (other)
		return false;
	year = digit[0] * 1000 + digit[1] * 100 + digit[2] * 10 + digit[3];
	month = digit[5] * 10 + digit[6];
	day = digit[8] * 10 + digit[9];
	hour = digit[11] * 10 + digit[12];
	minute = digit[14] * 10 + digit[15];
	second = digit[17] * 10 + digit[18];
	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || day < 1 || day > day_tab[isleap(year)][month - 1] ||
		hour >= HOURS_PER_DAY || minute >= MINS_PER_HOUR || second >= SECS_PER_MINUTE)
		return false;
	result->has_zone = true;
	result->days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	result->microseconds = result->days * USECS_PER_DAY +
		((hour * MINS_PER_HOUR + minute) * SECS_PER_MINUTE + second) * USECS_PER_SEC;
	return true;
}

static bool
take_date(const char **p, const char *end, int *julian)
{
	int			year,
				month,
				day;
	bool		dashes;

	if (!take_digits(p, end, 4, &year) || year < 1)
		return false;
	dashes = take_char(p, end, '-');
	if (take_char(p, end, 'W'))
		return take_week_date(p, end, year, dashes, julian);
	if (count_digits(*p, end) == 3)
		return take_day_of_year(p, end, year, julian);

	if (!take_digits(p, end, 2, &month) || (dashes && !take_char(p, end, '-')) ||
		!take_digits(p, end, 2, &day))
		return false;
	if (month < 1 || month > MONTHS_PER_YEAR || day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;
	*julian = date2j(year, month, day);
	return true;
}

/*
 * Week 1 is the one with the 4th of January in it; it begins on a Monday.
 */
static bool
take_week_date(const char **p, const char *end, int year, bool dashes, int *julian)
{
	int			week,
				day;

	if (!take_digits(p, end, 2, &week) || (dashes && !take_char(p, end, '-')) ||
		!take_digits(p, end, 1, &day))
		return false;
	if (week < 1 || day < 1 || day > 7 || isoweek2j(year, week) >= isoweek2j(year + 1, 1))
		return false;
	*julian = isoweek2j(year, week) + day - 1;
	return true;
}

static bool
take_day_of_year(const char **p, const char *end, int year, int *julian)
{
	int			day;

	if (!take_digits(p, end, 3, &day) || day < 1 || day > (isleap(year) ? 366 : 365))
		return false;
	*julian = date2j(year, 1, 1) + day - 1;
	return true;
}

/* Digits in a row, from p on. */
static int
count_digits(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p - start;
}

/* Exactly count digits. */
static bool
take_digits(const char **p, const char *end, int count, int *value)
{
	if (end - *p < count)
		return false;
	*value = 0;
	for (int i = 0; i < count; i++)
	{
		char		c = *(*p)++;

		if (c < '0' || c > '9')
			return false;
		*value = *value * 10 + (c - '0');
	}
	return true;
}

static bool
take_char(const char **p, const char *end, char c)
{
	if (*p >= end || **p != c)
		return false;
	(*p)++;
	return true;
}

static bool
take_time(const char **p, const char *end, int64 *microseconds)
{
	int			hour,
				minute,
				second = 0;
	int64		fraction = 0;
	bool		colons;

	if (!take_digits(p, end, 2, &hour))
		return false;
	colons = take_char(p, end, ':');
	if (!take_digits(p, end, 2, &minute))
		return false;
	if (colons ? take_char(p, end, ':') : count_digits(*p, end) > 0)
	{
		if (!take_digits(p, end, 2, &second))
			return false;
		if ((take_char(p, end, '.') || take_char(p, end, ',')) && !take_fraction(p, end, &fraction))
			return false;
	}
	if (minute > MINS_PER_HOUR - 1 || second > SECS_PER_MINUTE)
		return false;
	if (hour > HOURS_PER_DAY || (hour == HOURS_PER_DAY && (minute > 0 || second > 0 || fraction > 0)))
		return false;
	*microseconds = ((hour * MINS_PER_HOUR + minute) * SECS_PER_MINUTE + second) * USECS_PER_SEC + fraction;
	return true;
}

/* p is after the point.  More than six digits are rounded as PostgreSQL rounds them. */
static bool
take_fraction(const char **p, const char *end, int64 *microseconds)
{
	const char *start = *p;
	int64		value = 0;
	int			digits;

	while (*p < end && **p >= '0' && **p <= '9')
	{
		if (*p - start < 6)
			value = value * 10 + (**p - '0');
		(*p)++;
	}
	digits = *p - start;
	if (digits == 0)
		return false;
	if (digits > 6)
	{
		char		text[MAX_FRACTION_DIGITS + 3];

		snprintf(text, sizeof(text), "0.%.*s", Min(digits, MAX_FRACTION_DIGITS), start);
		value = rint(strtod(text, NULL) * 1000000);
	}
	for (int i = digits; i < 6; i++)
		value *= 10;
	*microseconds = value;
	return true;
}

/* Seconds east of UTC; none is UTC. */
static bool
take_offset(const char **p, const char *end, int *seconds)
{
	int			hour,
				minute = 0;
	bool		west;

	*seconds = 0;
	if (*p == end || take_char(p, end, 'Z') || take_char(p, end, 'z'))
		return true;
	west = (**p == '-');
	if (!take_char(p, end, '+') && !take_char(p, end, '-'))
		return false;
	if (!take_digits(p, end, 2, &hour))
		return false;
	if (*p < end)
	{
		(void) take_char(p, end, ':');
		if (!take_digits(p, end, 2, &minute))
			return false;
	}
	if (hour > MAX_TZDISP_HOUR || minute > MINS_PER_HOUR - 1)
		return false;
	*seconds = (hour * MINS_PER_HOUR + minute) * SECS_PER_MINUTE * (west ? -1 : 1);
	return true;
}
