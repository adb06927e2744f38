/*
 * time_format.c
 *	  The formats and units of the filters for times: their names.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "template/time_format.h"
#include "utils/datetime.h"

/* Bytes of the longest "(+|-)HH:MM". */
#define OFFSET_LEN	6

static const struct
{
	const char *name;
	TimeFormatKind kind;
	int			scale;
}			named_formats[] = {
	{"epoch", TIME_UNIX, USECS_PER_SEC},
	{"epoch_ms", TIME_UNIX, 1000},
	{"epoch_us", TIME_UNIX, 1},
	{"unix", TIME_UNIX, USECS_PER_SEC},
	{"unix_ms", TIME_UNIX, 1000},
	{"unix_us", TIME_UNIX, 1},
	{"iso", TIME_ISO},
	{"rfc2822", TIME_RFC2822},
	{"http", TIME_HTTP},
};

static const TimeUnit units[] = {
	{"microsecond", 0, 1},
	{"millisecond", 0, 1000},
	{"second", 0, USECS_PER_SEC},
	{"minute", 0, USECS_PER_MINUTE},
	{"hour", 0, USECS_PER_HOUR},
	{"day", 0, USECS_PER_DAY},
	{"week", 0, 7 * USECS_PER_DAY},
	{"month", 1, 0},
	{"quarter", 3, 0},
	{"year", 12, 0},
};

const char *const time_unit_names[] = {
	"microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year", NULL
};

const char *const time_trunc_unit_names[] = {
	"microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year",
	"decade", "century", "millennium", NULL
};

const char *const time_unix_unit_names[] = {"s", "ms", "us", NULL};

static bool is_directive(char c);
static pg_tz *offset_zone(const char *name);

TimeFormatKind
time_format_kind(const char *format, int *scale)
{
	if (strchr(format, '%') != NULL)
		return TIME_STRFTIME;
	for (int i = 0; i < lengthof(named_formats); i++)
	{
		if (strcmp(named_formats[i].name, format) == 0)
		{
			*scale = named_formats[i].scale;
			return named_formats[i].kind;
		}
	}
	return TIME_PATTERN;
}

char *
time_format_mistake(const char *format, bool read)
{
	bool		has_year = false;

	if (strchr(format, '%') == NULL)
		return read && strpbrk(format, "YyJj") == NULL ? pstrdup("a format without a year") : NULL;
	for (const char *p = format; *p; p++)
	{
		if (*p != '%')
			continue;
		p++;
		if (*p == '-')
			p++;
		if (*p == '\0')
			return pstrdup("a \"%\" at the end of a format");
		if (!is_directive(*p))
			return psprintf("unknown directive \"%%%.*s\" in a format", pg_mblen(p), p);
		if (strchr("YyDFs", *p) != NULL)
			has_year = true;
	}
	if (read && !has_year)
		return pstrdup("a format without a year");
	return NULL;
}

const char *
time_format_expand(char directive)
{
	switch (directive)
	{
		case 'D':
			return "%m/%d/%y";
		case 'F':
			return "%Y-%m-%d";
		case 'R':
			return "%H:%M";
		case 'T':
			return "%H:%M:%S";
		default:
			return NULL;
	}
}

pg_tz *
time_zone_find(const char *name)
{
	pg_tz	   *zone;

	if (*name == '+' || *name == '-')
		return offset_zone(name);
	zone = strlen(name) <= TZ_STRLEN_MAX ? pg_tzset(name) : NULL;
	return zone != NULL && pg_tz_acceptable(zone) ? zone : NULL;
}

const TimeUnit *
time_unit_find(const char *name)
{
	for (int i = 0; i < lengthof(units); i++)
	{
		size_t		len = strlen(units[i].name);

		if (strncmp(units[i].name, name, len) == 0 &&
			(name[len] == '\0' || strcmp(name + len, "s") == 0))
			return &units[i];
	}
	return NULL;
}

int
time_unix_scale(const char *unit)
{
	if (strcmp(unit, "s") == 0)
		return USECS_PER_SEC;
	if (strcmp(unit, "ms") == 0)
		return 1000;
	return strcmp(unit, "us") == 0 ? 1 : 0;
}

bool
time_trunc_unit_known(const char *unit)
{
	for (int i = 0; time_trunc_unit_names[i] != NULL; i++)
	{
		if (strcmp(time_trunc_unit_names[i], unit) == 0)
			return true;
	}
	return false;
}

static bool
is_directive(char c)
{
	return c != '\0' && strchr("YmdHMSfzZybhBaAjpIeTDFRsnt%", c) != NULL;
}

/*
 * The zone of (+|-)HH[[:]MM].
 */
static pg_tz *
offset_zone(const char *name)
{
	size_t		len = strlen(name);
	const char *minutes = name + (len == OFFSET_LEN ? 4 : 3);
	int			seconds;

	if ((len != 3 && len != OFFSET_LEN - 1 && len != OFFSET_LEN) || (len == OFFSET_LEN && name[3] != ':') ||
		strspn(name + 1, "0123456789") < 2 || strspn(minutes, "0123456789") != strlen(minutes))
		return NULL;
	seconds = (atoi(pnstrdup(name + 1, 2)) * MINS_PER_HOUR + atoi(minutes)) * SECS_PER_MINUTE;
	if (atoi(minutes) >= MINS_PER_HOUR || seconds > MAX_TZDISP_HOUR * SECS_PER_HOUR)
		return NULL;
	/* PostgreSQL counts west of UTC here. */
	return pg_tzset_offset(*name == '+' ? -seconds : seconds);
}
