/*
 * cursor_value.c
 *	  Values of a cursor: read as sources write them, compared, written as sources read them.
 */
#include "postgres.h"

#include "base/time_text.h"
#include "item/convert_parts.h"
#include "job/units.h"
#include "run/cursor.h"
#include "run/cursor_value.h"
#include "template/time_format.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#define HTTP_DATE	"%a, %d %b %Y %H:%M:%S GMT" /* RFC 9110 section 5.6.7 */

/* Digits behind the point of a number of seconds that count. */
#define FRACTION_DIGITS 6

/* Longer numbers, and greater powers of ten, are beyond numeric or take too long. */
#define MAX_NUMBER_LEN		1000
#define MAX_EXPONENT_DIGITS 4

/* Ten thousand years: what is longer ago does not fit. */
#define MAX_AGO_MS	(INT64CONST(3652500) * 24 * 60 * 60 * 1000)

static TimestampTz local_time(const CursorForm *form, Timestamp shown);
static bool has_four_digits(TimestampTz time);
static bool read_epoch(const char *text, int64 unit, TimestampTz *time);
static int64 epoch_unit(const char *format);
static int64 granularity(const char *format);
static TimestampTz unambiguous(const CursorForm *form, TimestampTz time);
static char *epoch_text(TimestampTz time, int64 unit);
static int	compare_numbers(const char *a, const char *b);

void
cursor_form_set(CursorForm *form, const JobIncremental *incremental)
{
	form->type = incremental->type;
	form->format = incremental->format != NULL ? incremental->format : "iso";
	form->zone = incremental->timezone != NULL ? time_zone_find(incremental->timezone) : pg_tzset("UTC");
}

bool
cursor_value_read(const CursorForm *form, const char *text, TimestampTz now, char **value)
{
	TimestampTz time;
	int64		ms;

	switch (form->type)
	{
		case CURSOR_TIME:
			if (text[0] == '-' && duration_parse(text + 1, &ms))
				time = ms <= MAX_AGO_MS ? now - ms * 1000 : DT_NOBEGIN;
			else if (!cursor_value_read_time(form, text, &time))
				return false;
			if (!has_four_digits(time))
				return false;
			*value = cursor_time_value(time);
			return true;
		case CURSOR_NUMBER:
			*value = pstrdup(text);
			return cursor_value_is_number(text);
		case CURSOR_TEXT:
			*value = pstrdup(text);
			return true;
	}
	return false;
}

bool
cursor_value_read_time(const CursorForm *form, const char *text, TimestampTz *time)
{
	TimeValue	value;
	int64		unit = epoch_unit(form->format);

	if (unit > 0 && read_epoch(text, unit, time))
		return has_four_digits(*time);
	if (strlen(text) > TIME_TEXT_MAX)
		return false;

	/* the source may write as it reads; a number is no time otherwise, and time_text_parse would raise */
	if ((strchr(form->format, '%') == NULL || !time_format_read(text, form->format, form->zone, &value)) &&
		(cursor_value_is_number(text) || !time_text_parse(text, &value)))
		return false;
	*time = value.has_zone ? value.microseconds : local_time(form, value.microseconds);
	return has_four_digits(*time);
}

char *
cursor_time_value(TimestampTz time)
{
	StringInfoData text;
	int64		fraction = time % USECS_PER_SEC;

	if (fraction < 0)
		fraction += USECS_PER_SEC;
	initStringInfo(&text);
	time_format_write(&text, time - fraction, "%Y-%m-%dT%H:%M:%S", pg_tzset("UTC"));
	appendStringInfo(&text, ".%06dZ", (int) fraction);
	return text.data;
}

TimestampTz
cursor_value_time(const char *value)
{
	TimeValue	time;

	if (!iso_time_parse(value, strlen(value), &time))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the saved cursor \"%s\" is no time", value),
				 errhint("Forget it with databite.reset_job.")));
	return time.microseconds;
}

TimestampTz
cursor_value_round_down(const CursorForm *form, TimestampTz time)
{
	int64		unit = granularity(form->format);
	int64		rest;
	int64		offset = 0;

	time = unambiguous(form, time);
	if (unit > USECS_PER_HOUR)
	{
		pg_time_t	seconds = timestamptz_to_time_t(time);

		offset = pg_localtime(&seconds, form->zone)->tm_gmtoff * USECS_PER_SEC;
	}
	rest = (time + offset) % unit;
	return time - (rest < 0 ? rest + unit : rest);
}

char *
cursor_value_format(const CursorForm *form, const char *value)
{
	StringInfoData text;
	StringInfoData json;
	TimestampTz time;
	int64		unit;

	if (form->type == CURSOR_NUMBER)	/* JSON knows no zeros in front */
		return DatumGetCString(DirectFunctionCall1(numeric_out, cursor_value_numeric(value)));
	initStringInfo(&json);
	if (form->type == CURSOR_TEXT)
	{
		escape_json(&json, value);
		return json.data;
	}

	time = cursor_value_round_down(form, cursor_value_time(value));
	unit = epoch_unit(form->format);
	if (unit > 0)
		return epoch_text(time, unit);
	initStringInfo(&text);
	if (strcmp(form->format, "iso") == 0)
		time_format_write(&text, time, "%Y-%m-%dT%H:%M:%SZ", pg_tzset("UTC"));
	else if (strcmp(form->format, "http") == 0)
		time_format_write(&text, time, HTTP_DATE, pg_tzset("UTC"));
	else
		time_format_write(&text, time, strcmp(form->format, "date") == 0 ? "%Y-%m-%d" : form->format, form->zone);
	escape_json(&json, text.data);
	return json.data;
}

int
cursor_value_compare(const CursorForm *form, const char *a, const char *b)
{
	TimestampTz ta;
	TimestampTz tb;

	if (form->type == CURSOR_NUMBER)
		return compare_numbers(a, b);
	if (form->type == CURSOR_TEXT)
		return strcmp(a, b);
	ta = cursor_value_time(a);
	tb = cursor_value_time(b);
	return ta < tb ? -1 : ta > tb;
}

bool
cursor_value_is_number(const char *text)
{
	const char *p = text + (text[0] == '-');
	size_t		digits = strspn(p, "0123456789");

	p += digits;
	if (digits > 0 && *p == '.')
	{
		digits = strspn(p + 1, "0123456789");
		p += 1 + digits;
	}
	if (digits > 0 && (*p == 'e' || *p == 'E'))
	{
		p += p[1] == '+' || p[1] == '-' ? 2 : 1;
		digits = strspn(p, "0123456789");
		p += digits;
		if (digits > MAX_EXPONENT_DIGITS)
			return false;
	}
	return digits > 0 && *p == '\0' && p - text <= MAX_NUMBER_LEN;
}

Datum
cursor_value_numeric(const char *text)
{
	return DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/* The time at which the wall clocks of the cursor's zone show this. */
static TimestampTz
local_time(const CursorForm *form, Timestamp shown)
{
	struct pg_tm tm;
	fsec_t		fraction;

	if (timestamp2tm(shown, NULL, &tm, &fraction, NULL, NULL) != 0)
		return shown;
	return shown + DetermineTimeZoneOffset(&tm, form->zone) * USECS_PER_SEC;
}

/* Is it of a year from 1 to 9999?  Milliseconds that are taken for seconds are not. */
static bool
has_four_digits(TimestampTz time)
{
	return time >= (date2j(1, 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY &&
		time < (date2j(10000, 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
}

/* "1712345678", "1712345678.123456": a decimal number of units (of microseconds) since 1970. */
static bool
read_epoch(const char *text, int64 unit, TimestampTz *time)
{
	const char *point = strchr(text, '.');
	size_t		len = point != NULL ? point - text : strlen(text);
	int64		whole;
	int64		fraction = 0;
	int64		scale = unit;

	if (!parse_int64(text, len, &whole) || whole > PG_INT64_MAX / 4 / unit || whole < -(PG_INT64_MAX / 4 / unit))
		return false;
	for (const char *p = point != NULL ? point + 1 : ""; *p != '\0'; p++)
	{
		if (*p < '0' || *p > '9')
			return false;
		scale /= 10;
		fraction += (*p - '0') * scale;
	}
	*time = whole * unit + (text[0] == '-' ? -fraction : fraction) -
		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	return true;
}

/* Microseconds of what times are counted in; 0: they are not. */
static int64
epoch_unit(const char *format)
{
	if (strcmp(format, "epoch") == 0 || strcmp(format, "epoch_float") == 0)
		return USECS_PER_SEC;
	return strcmp(format, "epoch_ms") == 0 ? 1000 : 0;
}

/* Microseconds of the smallest step of a format. */
static int64
granularity(const char *format)
{
	static const struct
	{
		char		directive;
		int64		unit;
	}			finest[] = {
		{'f', 1}, {'s', USECS_PER_SEC}, {'S', USECS_PER_SEC}, {'T', USECS_PER_SEC}, {'M', USECS_PER_MINUTE},
		{'R', USECS_PER_MINUTE}, {'H', USECS_PER_HOUR}, {'I', USECS_PER_HOUR}
	};

	if (strcmp(format, "epoch_float") == 0)
		return 1;
	if (strcmp(format, "epoch_ms") == 0)
		return 1000;
	if (strcmp(format, "date") == 0)
		return USECS_PER_DAY;
	if (strchr(format, '%') == NULL)
		return USECS_PER_SEC;
	for (int i = 0; i < lengthof(finest); i++)
	{
		for (const char *p = strchr(format, '%'); p != NULL && p[1] != '\0'; p = strchr(p + 2, '%'))
		{
			if (p[1] == finest[i].directive)
				return finest[i].unit;
		}
	}
	return USECS_PER_DAY;
}

/*
 * When clocks are put back an hour comes twice, and a wall clock without an
 * offset does not say which is meant.  The source may take the later one: so of the
 * earlier one the hour before is asked from, which repeats some and loses nothing.
 */
static TimestampTz
unambiguous(const CursorForm *form, TimestampTz time)
{
	pg_time_t	now = timestamptz_to_time_t(time);
	pg_time_t	later = now + SECS_PER_HOUR;
	long		offset;
	long		offset_later;

	if (strchr(form->format, '%') == NULL || strstr(form->format, "%z") != NULL)
		return time;
	offset = pg_localtime(&now, form->zone)->tm_gmtoff;
	offset_later = pg_localtime(&later, form->zone)->tm_gmtoff;
	return offset - offset_later == SECS_PER_HOUR ? time - USECS_PER_HOUR : time;
}

static char *
epoch_text(TimestampTz time, int64 unit)
{
	int64		since = time + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	int64		rest = since % unit;

	if (rest == 0)
		return psprintf(INT64_FORMAT, since / unit);

	/* epoch_float alone has a fraction: others were rounded down */
	if (since < 0)
		return psprintf("%.6f", (double) since / unit);
	return psprintf(INT64_FORMAT ".%0*d", since / unit, FRACTION_DIGITS, (int) rest);
}

/* Exactly, whatever their size. */
static int
compare_numbers(const char *a, const char *b)
{
	int64		ia;
	int64		ib;
	Datum		na;
	Datum		nb;
	int			result;

	if (parse_int64(a, strlen(a), &ia) && parse_int64(b, strlen(b), &ib))
		return ia < ib ? -1 : ia > ib;
	na = cursor_value_numeric(a);
	nb = cursor_value_numeric(b);
	result = DatumGetInt32(DirectFunctionCall2(numeric_cmp, na, nb));
	pfree(DatumGetPointer(na));
	pfree(DatumGetPointer(nb));
	return result;
}
