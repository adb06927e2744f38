/*
 * cron.c
 *	  Cron expressions: which minutes of the wall clock they name.
 *
 * Five fields as pg_cron reads them.  What cron takes and nobody means is an
 * error: a step of 0, a value out of range, a range that runs backwards, a step
 * without a range (0/15), text after a field, a date that never comes.
 */
#include "postgres.h"

#include <limits.h>

#include "base/problem.h"
#include "job/cron.h"
#include "port/pg_bitutils.h"
#include "utils/datetime.h"

#define MAX_EXPRESSION_LEN	1000
#define NFIELDS				5
#define MINUTES_PER_DAY		(24 * 60)

/* Weeks in cron have two Sundays, 0 and 7. */
#define SECOND_SUNDAY		7

typedef struct CronField
{
	const char *name;
	int			low;
	int			high;
	const char *const *value_names; /* of low and up, or NULL */
} CronField;

enum
{
	FIELD_MINUTE,
	FIELD_HOUR,
	FIELD_DAY,
	FIELD_MONTH,
	FIELD_WEEKDAY
};

static const char *const month_names[] = {
	"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL
};

static const char *const weekday_names[] = {
	"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL
};

static const CronField cron_fields[NFIELDS] = {
	{"minute", 0, 59, NULL},
	{"hour", 0, 23, NULL},
	{"day of month", 1, 31, NULL},
	{"month", 1, 12, month_names},
	{"day of week", 0, SECOND_SUNDAY, weekday_names}
};

static const char *const shorthand_names[] = {
	"@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", NULL
};

static const char *const shorthand_expressions[] = {
	"0 * * * *", "0 0 * * *", "0 0 * * *", "0 0 * * 0", "0 0 1 * *", "0 0 1 1 *", "0 0 1 1 *"
};

/* The message and hint of what is wrong, palloc'd. */
typedef struct CronError
{
	char	   *message;
	char	   *hint;
} CronError;

static const char *expand_shorthand(const char *text, CronError *error);
static bool split_fields(const char *text, char **fields, CronError *error);
static bool parse_field(const CronField *field, char *text, uint64 *values, bool *last_day, CronError *error);
static bool parse_element(const CronField *field, const char *text, uint64 *values, CronError *error);
static bool parse_number(const CronField *field, const char **text, int *number);
static bool parse_step(const CronField *field, const char *element, const char *text, int *step, CronError *error);
static bool ever_comes(const CronExpression *cron);
static bool is_day(const CronExpression *cron, int64 day);
static int	last_day_of(int year, int month);
static bool next_minute_of_day(const CronExpression *cron, int from, int *minute);
static bool fail(CronError *error, char *hint, const char *fmt,...) pg_attribute_printf(3, 4);

CronExpression *
cron_parse(const char *text, char **error, char **hint)
{
	CronExpression *cron = palloc0(sizeof(CronExpression));
	CronError	failure = {NULL, NULL};
	char	   *fields[NFIELDS];
	uint64		values[NFIELDS] = {0};
	bool		valid;

	*error = NULL;
	*hint = NULL;

	text = expand_shorthand(text, &failure);
	valid = text != NULL && split_fields(text, fields, &failure);
	if (valid)
	{
		cron->follows_clock = fields[FIELD_MINUTE][0] == '*' || fields[FIELD_HOUR][0] == '*';
		cron->both_days = fields[FIELD_DAY][0] == '*' || fields[FIELD_WEEKDAY][0] == '*';
	}
	for (int i = 0; valid && i < NFIELDS; i++)
		valid = parse_field(&cron_fields[i], fields[i], &values[i],
							i == FIELD_DAY ? &cron->last_day : NULL, &failure);

	cron->minutes = values[FIELD_MINUTE];
	cron->hours = (uint32) values[FIELD_HOUR];
	cron->days = (uint32) values[FIELD_DAY];
	cron->months = (uint32) values[FIELD_MONTH];
	cron->weekdays = (uint32) values[FIELD_WEEKDAY];
	if (cron->weekdays & (1U << SECOND_SUNDAY))
		cron->weekdays = (cron->weekdays & ~(1U << SECOND_SUNDAY)) | 1;

	if (valid && !ever_comes(cron))
		valid = fail(&failure, NULL, "the day of month never comes in the months of \"%s\"", text);

	*error = failure.message;
	*hint = failure.hint;
	return valid ? cron : NULL;
}

/* Goes from day to day, over whole months where the month does not match, and then looks into the day. */
bool
cron_next(const CronExpression *cron, int64 from, int64 to, int64 *minute)
{
	int64		day = from / MINUTES_PER_DAY - (from % MINUTES_PER_DAY < 0 ? 1 : 0);
	int			start = (int) (from - day * MINUTES_PER_DAY);

	while (day * MINUTES_PER_DAY < to)
	{
		int			year;
		int			month;
		int			mday;
		int			found;

		j2date((int) (day + UNIX_EPOCH_JDATE), &year, &month, &mday);
		if ((cron->months & (1U << month)) == 0)
			day += last_day_of(year, month) - mday + 1;
		else if (!is_day(cron, day) || !next_minute_of_day(cron, start, &found))
			day++;
		else
		{
			*minute = day * MINUTES_PER_DAY + found;
			return *minute < to;
		}
		start = 0;
	}
	return false;
}

/* The five fields that "@daily" and its like stand for; other texts as they are; NULL and an error where there is none. */
static const char *
expand_shorthand(const char *text, CronError *error)
{
	text += strspn(text, " \t");
	if (strlen(text) > MAX_EXPRESSION_LEN)
	{
		fail(error, NULL, "the expression is longer than %d bytes", MAX_EXPRESSION_LEN);
		return NULL;
	}
	if (text[0] != '@')
		return text;

	for (int i = 0; shorthand_names[i] != NULL; i++)
	{
		if (pg_strcasecmp(text, shorthand_names[i]) == 0)
			return shorthand_expressions[i];
	}

	if (pg_strcasecmp(text, "@reboot") == 0 || pg_strcasecmp(text, "@restart") == 0)
		fail(error, pstrdup("A job that should run when something happens can be started with databite.enqueue_job."),
			 "\"%s\" names no time", text);
	else
		fail(error, problem_suggest(text, shorthand_names), "unknown cron expression \"%s\"", text);
	return NULL;
}

/* Five texts between blanks. */
static bool
split_fields(const char *text, char **fields, CronError *error)
{
	const char *rest = text;
	int			n = 0;

	for (;;)
	{
		size_t		len;

		rest += strspn(rest, " \t");
		len = strcspn(rest, " \t");
		if (len == 0)
			break;
		if (n < NFIELDS)
			fields[n] = pnstrdup(rest, len);
		n++;
		rest += len;
	}

	if (n != NFIELDS)
		return fail(error, pstrdup("The fields are minute, hour, day of month, month and day of week, as in \"0 6 * * mon-fri\"."),
					"a cron expression has %d fields, \"%s\" has %d", NFIELDS, text, n);
	return true;
}

/* A list of elements between commas; last_day: where "$" goes, NULL in fields that have none. */
static bool
parse_field(const CronField *field, char *text, uint64 *values, bool *last_day, CronError *error)
{
	char	   *rest = pstrdup(text);
	char	   *element;

	while ((element = strsep(&rest, ",")) != NULL)
	{
		if (element[0] == '\0')
			return fail(error, NULL, "%s \"%s\" has an empty element", field->name, text);
		if (strcmp(element, "$") == 0 && last_day != NULL)
			*last_day = true;
		else if (!parse_element(field, element, values, error))
			return false;
	}
	return true;
}

/* "*", "5", "1-5", "mon-fri", "*" or a range with a step. */
static bool
parse_element(const CronField *field, const char *text, uint64 *values, CronError *error)
{
	const char *rest = text;
	int			first = field->low;
	int			last = field->high;
	int			step = 1;
	bool		single = false;

	if (*rest == '*')
		rest++;
	else
	{
		if (!parse_number(field, &rest, &first))
			return fail(error,
						field->value_names == month_names         ? pstrdup("Months are 1 to 12 or jan, feb, mar and so on.")
							: field->value_names == weekday_names ? pstrdup("Days of the week are 0 to 7 or sun, mon, tue and so on.")
							: field->low == 1                     ? pstrdup("The last day of the month is \"$\".")
																  : NULL,
						"%s \"%s\" is not a number, a range or \"*\"", field->name, text);
		last = first;
		single = *rest != '-';
		if (!single)
		{
			rest++;
			if (!parse_number(field, &rest, &last))
				return fail(error, NULL, "%s \"%s\" is not a range", field->name, text);
		}
	}

	if (first < field->low || first > field->high || last < field->low || last > field->high)
		return fail(error, NULL, "%s \"%s\" is out of range, %d to %d",
					field->name, text, field->low, field->high);
	if (first > last)
		return fail(error, psprintf("Write \"%d-%d,%d-%d\".", first, field->high, field->low, last),
					"%s \"%s\" is a range that runs backwards", field->name, text);
	if (*rest == '/' && single)
		return fail(error, psprintf("Write \"%d-%d%s\".", first, field->high, rest),
					"%s \"%s\" has a step without a range", field->name, text);
	if (*rest == '/' && !parse_step(field, text, rest + 1, &step, error))
		return false;
	if (*rest != '/' && *rest != '\0')
		return fail(error, NULL, "%s \"%s\" is not a number, a range or \"*\"", field->name, text);

	for (int value = first; value <= last; value += step)
		*values |= UINT64CONST(1) << value;
	return true;
}

/* A number, or a name of the field's, at *text; moves *text behind it. */
static bool
parse_number(const CronField *field, const char **text, int *number)
{
	size_t		digits = strspn(*text, "0123456789");
	size_t		letters;

	if (digits > 0)
	{
		/* A long row of digits is out of every range, whatever its value. */
		*number = digits <= 6 ? atoi(*text) : INT_MAX;
		*text += digits;
		return true;
	}

	letters = strcspn(*text, "-/");
	for (int i = 0; field->value_names != NULL && field->value_names[i] != NULL; i++)
	{
		if (letters == strlen(field->value_names[i]) &&
			pg_strncasecmp(*text, field->value_names[i], letters) == 0)
		{
			*number = field->low + i;
			*text += letters;
			return true;
		}
	}
	return false;
}

/* A step larger than the field is the first value only, as in every cron. */
static bool
parse_step(const CronField *field, const char *element, const char *text, int *step, CronError *error)
{
	size_t		digits = strspn(text, "0123456789");

	if (digits == 0 || text[digits] != '\0' || digits > 6 || atoi(text) == 0)
		return fail(error, NULL, "the step of %s \"%s\" is not a number above 0",
					field->name, element);
	*step = atoi(text);
	return true;
}

/*
 * Is there a year that has such a day?  Any day of the week comes in every
 * month, and every date comes on every day of the week, so only days that their
 * months do not have never come.
 */
static bool
ever_comes(const CronExpression *cron)
{
	if (cron->last_day || (!cron->both_days && cron->weekdays != 0))
		return true;

	for (int month = 1; month <= 12; month++)
	{
		uint32		days_of_month = (uint32) ((UINT64CONST(2) << last_day_of(2000, month)) - 2);

		if ((cron->months & (1U << month)) != 0 && (cron->days & days_of_month) != 0)
			return true;
	}
	return false;
}

/* Does the expression name the day (from 1970-01-01)?  The month is known to match. */
static bool
is_day(const CronExpression *cron, int64 day)
{
	int			julian = (int) (day + UNIX_EPOCH_JDATE);
	int			year;
	int			month;
	int			mday;
	bool		by_date;
	bool		by_weekday;

	j2date(julian, &year, &month, &mday);
	by_date = (cron->days & (1U << mday)) != 0 ||
		(cron->last_day && mday == last_day_of(year, month));
	by_weekday = (cron->weekdays & (1U << j2day(julian))) != 0;

	return cron->both_days ? by_date && by_weekday : by_date || by_weekday;
}

static int
last_day_of(int year, int month)
{
	return day_tab[isleap(year)][month - 1];
}

/* The first minute of the day, from on, that minute and hour name. */
static bool
next_minute_of_day(const CronExpression *cron, int from, int *minute)
{
	for (int hour = from / 60; hour < 24; hour++)
	{
		int			start = hour == from / 60 ? from % 60 : 0;
		uint64		minutes = cron->minutes & (~UINT64CONST(0) << start);

		if ((cron->hours & (1U << hour)) != 0 && minutes != 0)
		{
			*minute = hour * 60 + pg_rightmost_one_pos64(minutes);
			return true;
		}
	}
	return false;
}

/* Keeps message and hint; false, so that it can be returned. */
static bool
fail(CronError *error, char *hint, const char *fmt,...)
{
	char		message[MAX_EXPRESSION_LEN + 200];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);

	error->message = pstrdup(message);
	error->hint = hint;
	return false;
}
