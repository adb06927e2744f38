/*
 * cursor.c
 *	  Incremental sync: what was there already, what is asked for, what has been seen.
 *
 * Nothing is lost at a boundary: the lower bound is asked for too (its items
 * come again and are absorbed by the key), every bound is rounded down to what
 * its format can say, and the end of a window is the beginning of the next.
 */
#include "postgres.h"

#include "item/convert_parts.h"
#include "mb/pg_wchar.h"
#include "run/cursor.h"
#include "run/cursor_value.h"
#include "template/time_format.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

struct Cursor
{
	MemoryContext context;
	const JobIncremental *incremental;	/* NULL: the clock */
	CursorForm	form;
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
	cursor_form_set(&cursor->form, cursor->incremental);
	if (cursor->form.zone == NULL)
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
	CursorForm	form;
	const char *const names[] = {"initialValue", "end"};
	const char *const values[] = {incremental->initial_value, incremental->end};
	char	   *value;
	char	   *mistake = incremental->format != NULL ? time_format_mistake(incremental->format, false) : NULL;

	if (mistake != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s/format", pointer), NULL, "%s", mistake);
	cursor_form_set(&form, incremental);
	if (form.zone == NULL)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s/timezone", pointer),
					"The view pg_timezone_names has those that are known.",
					"time zone \"%s\" is not known", incremental->timezone);
		return;
	}

	for (int i = 0; i < lengthof(names); i++)
	{
		if (values[i] != NULL && !cursor_value_read(&form, values[i], GetCurrentTimestamp(), &value))
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
	TimestampTz begin = cursor_value_time(from);
	TimestampTz bound = cursor_value_time(cursor->bounds.to);
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
	return cursor_value_format(&cursor->form, value);
}

const char *
cursor_last_sync_time(const Cursor *cursor)
{
	return cursor->last_sync_time;
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
cursor_next(const Cursor *cursor, const char *bound, const char *saved)
{
	const JobIncremental *incremental = cursor->incremental;

	if (incremental->step_ms == 0)
		return incremental->cursor_field != NULL ? cursor_seen(cursor) : bound;

	/* What was asked for, unless the lag has grown. */
	return saved != NULL && strcmp(saved, bound) > 0 ? saved : bound;
}

char *
cursor_saved(const JobIncremental *incremental, const char *cursor, TimestampTz last_sync_time)
{
	if (cursor != NULL)
		return pstrdup(cursor);
	if (last_sync_time == 0 || (incremental != NULL && incremental->cursor_field != NULL))
		return NULL;
	return cursor_time_value(last_sync_time);
}

const char *
cursor_seen(const Cursor *cursor)
{
	if (!cursor->has_seen)
		return NULL;
	return cursor->form.type == CURSOR_TIME ? cursor_time_value(cursor->seen_time) : cursor->seen;
}

void
cursor_see(Cursor *cursor, const char *value)
{
	if (value == NULL)
		return;
	switch (cursor->form.type)
	{
		case CURSOR_TIME:
			see_time(cursor, cursor_value_time(value));
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
	if (cursor->form.type != CURSOR_TIME)
	{
		cursor->last_sync_time = cursor->bounds.from;
		return;
	}

	/* Whole seconds, rounded down: what every API takes; the second that is asked for again is absorbed by the key. */
	initStringInfo(&text);
	time_format_write(&text, cursor_value_time(cursor->bounds.from), "%Y-%m-%dT%H:%M:%SZ", pg_tzset("UTC"));
	cursor->last_sync_time = text.data;
}

static char *
lower_bound(const Cursor *cursor, const char *saved, TimestampTz now)
{
	const JobIncremental *incremental = cursor->incremental;

	if (saved == NULL)
		return initial_value(cursor, now);
	if (cursor->form.type == CURSOR_TIME)
		return cursor_time_value(cursor_value_time(saved) - incremental->lookback_ms * 1000);
	if (cursor->form.type == CURSOR_NUMBER && incremental->lookback_number != 0)
	{
		Datum		number = cursor_value_numeric(saved);
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
		return pstrdup(least[cursor->form.type]);
	if (!cursor_value_read(&cursor->form, cursor->incremental->initial_value, now, &value))
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

	if (incremental->end != NULL && !cursor_value_read(&cursor->form, incremental->end, now, &end))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("incremental.end \"%s\" is not of the cursor's type", incremental->end)));
	if (cursor->form.type == CURSOR_TIME && (incremental->lag_ms > 0 || incremental->step_ms > 0))
		latest = cursor_time_value(cursor_value_round_down(&cursor->form, now - incremental->lag_ms * 1000));
	if (end == NULL || (latest != NULL && cursor_value_compare(&cursor->form, latest, end) < 0))
		return latest;
	return end;
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
	switch (cursor->form.type)
	{
		case CURSOR_TIME:
			if (!cursor_value_read_time(&cursor->form, text, &time))
				return VALUE_WRONG;
			if (cursor->incremental->filter)
				*outside = time < cursor_value_time(window->from) || (window->to != NULL && time >= cursor_value_time(window->to));
			see_time(cursor, cursor->bounds.to != NULL ? Min(time, cursor_value_time(cursor->bounds.to)) : time);
			return VALUE_GOOD;
		case CURSOR_NUMBER:
			if (!cursor_value_is_number(text))
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

	return bound != NULL && cursor_value_compare(&cursor->form, value, bound) > 0 ? bound : value;
}

static bool
outside_of(const Cursor *cursor, const char *value, const CursorWindow *window)
{
	return cursor_value_compare(&cursor->form, value, window->from) < 0 ||
		(window->to != NULL && cursor_value_compare(&cursor->form, value, window->to) >= 0);
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
	if (cursor->has_seen && !(is_integer && cursor->seen_is_integer) && cursor_value_compare(&cursor->form, text, cursor->seen) <= 0)
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
