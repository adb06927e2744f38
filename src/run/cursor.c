/*
 * cursor.c
 *	  Incremental sync: what was there already, what is asked for, what has been seen.
 *
 * Nothing is lost at a boundary: the lower bound is asked for too (its items
 * come again and are absorbed by the key), every bound is rounded down to what
 * its format can say, and the end of a window is the beginning of the next.
 */
#include "postgres.h"

#include "base/time_text.h"
#include "item/convert_parts.h"
#include "job/units.h"
#include "mb/pg_wchar.h"
#include "run/cursor.h"
#include "template/time_format.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#define HTTP_DATE	"%a, %d %b %Y %H:%M:%S GMT"	/* RFC 9110 section 5.6.7 */

/* Digits behind the point of a number of seconds that count. */
#define FRACTION_DIGITS 6

/* Longer numbers, and greater powers of ten, are beyond numeric or take too long. */
#define MAX_NUMBER_LEN		1000
#define MAX_EXPONENT_DIGITS 4

struct Cursor
{
	MemoryContext context;
	const JobIncremental *incremental;	/* NULL: the clock */
	CursorType	type;
	const char *format;			/* of times */
	pg_tz	   *zone;
	CursorWindow bounds;
	char	   *last_sync_time;

	/* the greatest value so far */
	bool		has_seen;
	TimestampTz seen_time;		/* of type time */
	char	   *seen;			/* of the other types */
	int64		seen_number;	/* of type number, where it is an integer */
	bool		seen_is_integer;
};

/* What looking at an item's value came to. */
typedef enum ValueKind
{
	VALUE_GOOD,
	VALUE_MISSING,
	VALUE_WRONG
} ValueKind;

static const JobIncremental no_incremental = {.type = CURSOR_TIME};

static void set_bounds(Cursor *cursor, const char *saved, TimestampTz now);
static char *lower_bound(const Cursor *cursor, const char *saved, TimestampTz now);
static char *initial_value(const Cursor *cursor, TimestampTz now);
static char *upper_bound(const Cursor *cursor, TimestampTz now);
static bool read_definition_value(const Cursor *cursor, const char *text, TimestampTz now, char **value);
static bool read_time(const Cursor *cursor, const char *text, TimestampTz *time);
static TimestampTz local_time(const Cursor *cursor, Timestamp shown);
static bool read_epoch(const char *text, int64 unit, TimestampTz *time);
static int64 epoch_unit(const char *format);
static bool is_number(const char *text);
static TimestampTz time_of(const char *value);
static TimestampTz round_down(const Cursor *cursor, TimestampTz time);
static int64 granularity(const char *format);
static TimestampTz unambiguous(const Cursor *cursor, TimestampTz time);
static char *epoch_text(TimestampTz time, int64 unit);
static int	compare(const Cursor *cursor, const char *a, const char *b);
static int	compare_numbers(const char *a, const char *b);
static Datum to_numeric(const char *text);
static ValueKind take_value(Cursor *cursor, const ItemBatch *batch, const Cell *cell, const CursorWindow *window, bool *outside);
static const char *at_most_bound(const Cursor *cursor, const char *value);
static bool outside_of(const Cursor *cursor, const char *value, const CursorWindow *window);
static void see_time(Cursor *cursor, TimestampTz time);
static void see_number(Cursor *cursor, const char *text);
static void see_text(Cursor *cursor, const char *text);
static void keep(Cursor *cursor, const char *text);

Cursor *
cursor_create(const JobIncremental *incremental, const char *saved, TimestampTz now, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Cursor	   *cursor = palloc0(sizeof(Cursor));

	cursor->context = context;
	cursor->incremental = incremental != NULL ? incremental : &no_incremental;
	cursor->type = cursor->incremental->type;
	cursor->format = cursor->incremental->format != NULL ? cursor->incremental->format : "iso";
	cursor->zone = pg_tzset("UTC");
	if (cursor->incremental->timezone != NULL)
		cursor->zone = time_zone_find(cursor->incremental->timezone);
	if (cursor->zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known", cursor->incremental->timezone)));

	set_bounds(cursor, saved, now);
	cursor_see(cursor, saved);
	MemoryContextSwitchTo(old);
	return cursor;
}

void
cursor_check(const JobIncremental *incremental, const char *pointer, ProblemList *problems)
{
	Cursor		cursor = {.incremental = incremental, .type = incremental->type, .zone = pg_tzset("UTC")};
	const char *const names[] = {"initialValue", "end"};
	const char *const values[] = {incremental->initial_value, incremental->end};
	char	   *value;
	char	   *mistake = incremental->format != NULL ? time_format_mistake(incremental->format, false) : NULL;

	if (mistake != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s/format", pointer), NULL, "%s", mistake);
	if (incremental->timezone != NULL && (cursor.zone = time_zone_find(incremental->timezone)) == NULL)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s/timezone", pointer),
					"The view pg_timezone_names has those that are known.",
					"time zone \"%s\" is not known", incremental->timezone);
		return;
	}

	cursor.format = incremental->format != NULL ? incremental->format : "iso";
	for (int i = 0; i < lengthof(names); i++)
	{
		if (values[i] != NULL && !read_definition_value(&cursor, values[i], GetCurrentTimestamp(), &value))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s/%s", pointer, names[i]),
						incremental->type == CURSOR_TIME ? "Write a time as \"2024-05-01T00:00:00Z\", or as \"-30d\" before now." : NULL,
						"\"%s\" is no %s", names[i], incremental->type == CURSOR_TIME ? "time" : "number");
	}
}

void
cursor_bounds(const Cursor *cursor, CursorWindow *window)
{
	*window = cursor->bounds;
}

bool
cursor_window(const Cursor *cursor, const char *from, CursorWindow *window)
{
	TimestampTz begin = time_of(from);
	TimestampTz bound = time_of(cursor->bounds.to);
	TimestampTz end = begin + cursor->incremental->step_ms * 1000;

	if (begin >= bound)
		return false;
	window->from = pstrdup(from);
	window->to = cursor_time_value(Min(end, bound));
	return true;
}

char *
cursor_format(const Cursor *cursor, const char *value)
{
	StringInfoData text;
	StringInfoData json;
	TimestampTz time;
	int64		unit;

	if (cursor->type == CURSOR_NUMBER)	/* JSON knows no zeros in front */
		return DatumGetCString(DirectFunctionCall1(numeric_out, to_numeric(value)));
	initStringInfo(&json);
	if (cursor->type == CURSOR_TEXT)
	{
		escape_json(&json, value);
		return json.data;
	}

	time = round_down(cursor, time_of(value));
	unit = epoch_unit(cursor->format);
	if (unit > 0)
		return epoch_text(time, unit);
	initStringInfo(&text);
	if (strcmp(cursor->format, "iso") == 0)
		time_format_write(&text, time, "%Y-%m-%dT%H:%M:%SZ", pg_tzset("UTC"));
	else if (strcmp(cursor->format, "http") == 0)
		time_format_write(&text, time, HTTP_DATE, pg_tzset("UTC"));
	else
		time_format_write(&text, time, strcmp(cursor->format, "date") == 0 ? "%Y-%m-%d" : cursor->format, cursor->zone);
	escape_json(&json, text.data);
	return json.data;
}

const char *
cursor_last_sync_time(const Cursor *cursor)
{
	return cursor->last_sync_time;
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

bool
cursor_look(Cursor *cursor, const ItemBatch *batch, int path, int64 first, const CursorWindow *window,
			Bitmapset **drop, int64 *item)
{
	const Cell *cell = batch->cells + first * batch->npaths + path;

	for (int64 i = first; i < batch->nitems; i++, cell += batch->npaths)
	{
		bool		outside = false;
		CursorMissing policy = cursor->incremental->missing;

		switch (take_value(cursor, batch, cell, window, &outside))
		{
			case VALUE_GOOD:
				if (outside && cursor->incremental->filter)
					*drop = bms_add_member(*drop, (int) i);
				continue;
			case VALUE_MISSING:
				if (policy == MISSING_INCLUDE)
					continue;
				break;
			case VALUE_WRONG:
				break;
		}
		if (policy != MISSING_SKIP)
		{
			*item = i;
			return false;
		}
		*drop = bms_add_member(*drop, (int) i);
	}
	return true;
}

const char *
cursor_seen(const Cursor *cursor)
{
	if (!cursor->has_seen)
		return NULL;
	return cursor->type == CURSOR_TIME ? cursor_time_value(cursor->seen_time) : cursor->seen;
}

void
cursor_see(Cursor *cursor, const char *value)
{
	if (value == NULL)
		return;
	switch (cursor->type)
	{
		case CURSOR_TIME:
			see_time(cursor, time_of(value));
			break;
		case CURSOR_NUMBER:
			see_number(cursor, value);
			break;
		case CURSOR_TEXT:
			see_text(cursor, value);
			break;
	}
}

static void
set_bounds(Cursor *cursor, const char *saved, TimestampTz now)
{
	StringInfoData text;

	cursor->bounds.from = lower_bound(cursor, saved, now);
	cursor->bounds.to = upper_bound(cursor, now);
	if (cursor->type != CURSOR_TIME)
	{
		cursor->last_sync_time = cursor->bounds.from;
		return;
	}

	/* Whole seconds, rounded down: what every API takes; the second that is asked for again is absorbed by the key. */
	initStringInfo(&text);
	time_format_write(&text, time_of(cursor->bounds.from), "%Y-%m-%dT%H:%M:%SZ", pg_tzset("UTC"));
	cursor->last_sync_time = text.data;
}

static char *
lower_bound(const Cursor *cursor, const char *saved, TimestampTz now)
{
	const JobIncremental *incremental = cursor->incremental;

	if (saved == NULL)
		return initial_value(cursor, now);
	if (cursor->type == CURSOR_TIME)
		return cursor_time_value(time_of(saved) - incremental->lookback_ms * 1000);
	if (cursor->type == CURSOR_NUMBER && incremental->lookback_number != 0)
	{
		Datum		number = to_numeric(saved);
		Datum		back = DirectFunctionCall1(float8_numeric, Float8GetDatum(incremental->lookback_number));

		return DatumGetCString(DirectFunctionCall1(numeric_out, DirectFunctionCall2(numeric_sub, number, back)));
	}
	return pstrdup(saved);
}

/* Where nothing was there before. */
static char *
initial_value(const Cursor *cursor, TimestampTz now)
{
	static const char *const least[] = {
		[CURSOR_TIME] = "1970-01-01T00:00:00.000000Z",
		[CURSOR_NUMBER] = "0",
		[CURSOR_TEXT] = "",
	};
	char	   *value;

	if (cursor->incremental->initial_value == NULL)
		return pstrdup(least[cursor->type]);
	if (!read_definition_value(cursor, cursor->incremental->initial_value, now, &value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("incremental.initialValue \"%s\" is not of the cursor's type", cursor->incremental->initial_value)));
	return value;
}

/* NULL: whatever there is. */
static char *
upper_bound(const Cursor *cursor, TimestampTz now)
{
	const JobIncremental *incremental = cursor->incremental;
	char	   *end = NULL;
	char	   *latest = NULL;

	if (incremental->end != NULL && !read_definition_value(cursor, incremental->end, now, &end))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("incremental.end \"%s\" is not of the cursor's type", incremental->end)));
	if (cursor->type == CURSOR_TIME && (incremental->lag_ms > 0 || incremental->step_ms > 0))
		latest = cursor_time_value(round_down(cursor, now - incremental->lag_ms * 1000));
	if (end == NULL || (latest != NULL && compare(cursor, latest, end) < 0))
		return latest;
	return end;
}

/* initialValue or end: a value of the type, or for times "-30d" before now. */
static bool
read_definition_value(const Cursor *cursor, const char *text, TimestampTz now, char **value)
{
	TimestampTz time;
	int64		ms;

	switch (cursor->type)
	{
		case CURSOR_TIME:
			if (text[0] == '-' && duration_parse(text + 1, &ms))
				*value = cursor_time_value(now - ms * 1000);
			else if (read_time(cursor, text, &time))
				*value = cursor_time_value(time);
			else
				return false;
			return true;
		case CURSOR_NUMBER:
			*value = pstrdup(text);
			return is_number(text);
		case CURSOR_TEXT:
			*value = pstrdup(text);
			return true;
	}
	return false;
}

/* A time as an item or the definition has it; false where it is none. */
static bool
read_time(const Cursor *cursor, const char *text, TimestampTz *time)
{
	TimeValue	value;
	int64		unit = epoch_unit(cursor->format);

	if (unit > 0 && read_epoch(text, unit, time))
		return true;
	if (strlen(text) > TIME_TEXT_MAX)
		return false;

	/* the source may write as it reads; a number is no time otherwise, and time_text_parse would raise */
	if ((strchr(cursor->format, '%') == NULL || !time_format_read(text, cursor->format, cursor->zone, &value)) &&
		(is_number(text) || !time_text_parse(text, &value)))
		return false;
	*time = value.has_zone ? value.microseconds : local_time(cursor, value.microseconds);
	return true;
}

/* The time at which the wall clocks of the cursor's zone show this. */
static TimestampTz
local_time(const Cursor *cursor, Timestamp shown)
{
	struct pg_tm tm;
	fsec_t		fraction;

	if (timestamp2tm(shown, NULL, &tm, &fraction, NULL, NULL) != 0)
		return shown;
	return shown + DetermineTimeZoneOffset(&tm, cursor->zone) * USECS_PER_SEC;
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

/* A decimal number that numeric holds; with zeros in front too. */
static bool
is_number(const char *text)
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

/* Of a value in the cursor's own form. */
static TimestampTz
time_of(const char *value)
{
	TimeValue	time;

	if (!iso_time_parse(value, strlen(value), &time))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the saved cursor \"%s\" is no time", value),
				 errhint("Forget it with databite.reset_job.")));
	return time.microseconds;
}

/* To what the format can say. */
static TimestampTz
round_down(const Cursor *cursor, TimestampTz time)
{
	int64		unit = granularity(cursor->format);
	int64		rest;
	int64		offset = 0;

	time = unambiguous(cursor, time);
	if (unit > USECS_PER_HOUR)
	{
		pg_time_t	seconds = timestamptz_to_time_t(time);

		offset = pg_localtime(&seconds, cursor->zone)->tm_gmtoff * USECS_PER_SEC;
	}
	rest = (time + offset) % unit;
	return time - (rest < 0 ? rest + unit : rest);
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
unambiguous(const Cursor *cursor, TimestampTz time)
{
	pg_time_t	now = timestamptz_to_time_t(time);
	pg_time_t	later = now + SECS_PER_HOUR;
	long		offset;
	long		offset_later;

	if (strchr(cursor->format, '%') == NULL || strstr(cursor->format, "%z") != NULL)
		return time;
	offset = pg_localtime(&now, cursor->zone)->tm_gmtoff;
	offset_later = pg_localtime(&later, cursor->zone)->tm_gmtoff;
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

static int
compare(const Cursor *cursor, const char *a, const char *b)
{
	TimestampTz ta;
	TimestampTz tb;

	if (cursor->type == CURSOR_NUMBER)
		return compare_numbers(a, b);
	if (cursor->type == CURSOR_TEXT)
		return strcmp(a, b);
	ta = time_of(a);
	tb = time_of(b);
	return ta < tb ? -1 : ta > tb;
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
	na = to_numeric(a);
	nb = to_numeric(b);
	result = DatumGetInt32(DirectFunctionCall2(numeric_cmp, na, nb));
	pfree(DatumGetPointer(na));
	pfree(DatumGetPointer(nb));
	return result;
}

/* Of what is_number takes. */
static Datum
to_numeric(const char *text)
{
	return DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

/* Sees the value of an item, if it has one; *outside: it is not in the window. */
static ValueKind
take_value(Cursor *cursor, const ItemBatch *batch, const Cell *cell, const CursorWindow *window, bool *outside)
{
	const char *text = batch->arena + cell->offset;
	TimestampTz time;

	if (cell->kind == CELL_MISSING || cell->kind == CELL_NULL || (cell->kind == CELL_STRING && cell->length == 0))
		return VALUE_MISSING;
	if (cell->kind != CELL_NUMBER && cell->kind != CELL_STRING)
		return VALUE_WRONG;
	switch (cursor->type)
	{
		case CURSOR_TIME:
			if (!read_time(cursor, text, &time))
				return VALUE_WRONG;
			if (cursor->incremental->filter)
				*outside = time < time_of(window->from) || (window->to != NULL && time >= time_of(window->to));
			see_time(cursor, cursor->bounds.to != NULL ? Min(time, time_of(cursor->bounds.to)) : time);
			return VALUE_GOOD;
		case CURSOR_NUMBER:
			if (!is_number(text))
				return VALUE_WRONG;
			*outside = cursor->incremental->filter && outside_of(cursor, text, window);
			see_number(cursor, at_most_bound(cursor, text));
			return VALUE_GOOD;
		case CURSOR_TEXT:
			text = pg_any_to_server(text, cell->length, PG_UTF8);
			*outside = cursor->incremental->filter && outside_of(cursor, text, window);
			see_text(cursor, at_most_bound(cursor, text));
			return VALUE_GOOD;
	}
	return VALUE_WRONG;
}

/* What lies at or behind the upper bound does not move the cursor over it: the next run asks for that. */
static const char *
at_most_bound(const Cursor *cursor, const char *value)
{
	const char *bound = cursor->bounds.to;

	return bound != NULL && compare(cursor, value, bound) > 0 ? bound : value;
}

static bool
outside_of(const Cursor *cursor, const char *value, const CursorWindow *window)
{
	return compare(cursor, value, window->from) < 0 ||
		(window->to != NULL && compare(cursor, value, window->to) >= 0);
}

static void
see_time(Cursor *cursor, TimestampTz time)
{
	if (!cursor->has_seen || time > cursor->seen_time)
		cursor->seen_time = time;
	cursor->has_seen = true;
}

static void
see_number(Cursor *cursor, const char *text)
{
	int64		number;
	bool		is_integer = parse_int64(text, strlen(text), &number);

	if (cursor->has_seen && is_integer && cursor->seen_is_integer && number <= cursor->seen_number)
		return;
	if (cursor->has_seen && !(is_integer && cursor->seen_is_integer) && compare_numbers(text, cursor->seen) <= 0)
		return;
	cursor->seen_number = number;
	cursor->seen_is_integer = is_integer;
	keep(cursor, text);
}

static void
see_text(Cursor *cursor, const char *text)
{
	if (!cursor->has_seen || strcmp(text, cursor->seen) > 0)
		keep(cursor, text);
}

static void
keep(Cursor *cursor, const char *text)
{
	if (cursor->seen != NULL)
		pfree(cursor->seen);
	cursor->seen = MemoryContextStrdup(cursor->context, text);
	cursor->has_seen = true;
}
