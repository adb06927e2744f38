/*
 * convert_time.c
 *	  Dates and times as ISO 8601 writes them.
 *
 *	  YYYY-MM-DD[(T| )HH:MM[:SS[.f...]][Z|(+|-)HH[[:]MM]]]
 *
 * What is not of that form, or not valid, is left to the type's input function,
 * which raises the error if it is one.  What is valid is what PostgreSQL
 * takes: years from 1, 24:00:00 and a 60th second, offsets up to 15:59.
 */
#include "postgres.h"

#include <math.h>

#include "datatype/timestamp.h"
#include "item/convert_parts.h"
#include "utils/datetime.h"

/* Digits of a fraction that are looked at; more make no difference to a microsecond. */
#define MAX_FRACTION_DIGITS	30

static bool take_digits(const char **p, const char *end, int count, int *value);
static bool take_char(const char **p, const char *end, char c);
static bool take_time(const char **p, const char *end, int64 *microseconds);
static bool take_fraction(const char **p, const char *end, int64 *microseconds);
static bool take_offset(const char **p, const char *end, int *seconds);

bool
parse_iso_time(const char *text, size_t len, IsoTime *result)
{
	const char *p = text;
	const char *end = text + len;
	int			year,
				month,
				day;
	int64		time = 0;
	int			offset = 0;

	if (!take_digits(&p, end, 4, &year) || !take_char(&p, end, '-') ||
		!take_digits(&p, end, 2, &month) || !take_char(&p, end, '-') ||
		!take_digits(&p, end, 2, &day))
		return false;
	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR ||
		day < 1 || day > day_tab[isleap(year)][month - 1])
		return false;

	if (p < end)
	{
		if (*p != 'T' && *p != ' ' && *p != 't')
			return false;
		p++;
		if (!take_time(&p, end, &time) || !take_offset(&p, end, &offset) || p < end)
			return false;
	}
	result->days = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	result->microseconds = result->days * USECS_PER_DAY + time - offset * USECS_PER_SEC;
	return true;
}

bool
text_is_iso_time(const char *text, size_t len, bool *has_time)
{
	IsoTime		time;

	*has_time = len > strlen("2000-01-01");
	return parse_iso_time(text, len, &time);
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

	if (!take_digits(p, end, 2, &hour) || !take_char(p, end, ':') || !take_digits(p, end, 2, &minute))
		return false;
	if (take_char(p, end, ':'))
	{
		if (!take_digits(p, end, 2, &second))
			return false;
		if (take_char(p, end, '.') && !take_fraction(p, end, &fraction))
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
