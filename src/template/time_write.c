/*
 * time_write.c
 *	  Writes a time by a format of strftime, and as ISO 8601.
 *
 * Names are English.  %-d and its like are written without zeros at the front.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "template/time_format.h"
#include "utils/datetime.h"

/* A time as it is in a zone. */
typedef struct TimeWriter
{
	StringInfo	out;
	TimestampTz time;
	struct pg_tm tm;
	fsec_t		microsecond;
	int			west;			/* seconds */
	const char *zone_name;
} TimeWriter;

static void in_zone(TimeWriter *writer, TimestampTz time, pg_tz *zone);
static void write_format(TimeWriter *writer, const char *format);
static void write_directive(TimeWriter *writer, char directive, bool bare);
static void write_number(TimeWriter *writer, int value, int digits, bool bare);
static void write_offset(TimeWriter *writer);
static int64 unix_seconds(TimestampTz time);

void
time_format_write(StringInfo out, TimestampTz time, const char *format, pg_tz *zone)
{
	TimeWriter	writer = {.out = out};

	in_zone(&writer, time, zone);
	write_format(&writer, format);
}

char *
time_format_iso(TimestampTz time, pg_tz *zone)
{
	char		out[MAXDATELEN + 2];
	TimeWriter	writer;
	bool		utc;

	if (TIMESTAMP_NOT_FINITE(time))
	{
		EncodeSpecialTimestamp(time, out);
		return pstrdup(out);
	}
	in_zone(&writer, time, zone);
	utc = writer.west == 0;
	EncodeDateTime(&writer.tm, writer.microsecond, !utc, writer.west, NULL, USE_XSD_DATES, out);
	if (!utc)
		return pstrdup(out);
	if (writer.tm.tm_year > 0)
		return psprintf("%sZ", out);
	/* The zone stands before the era. */
	out[strlen(out) - strlen(" BC")] = '\0';
	return psprintf("%sZ BC", out);
}

static void
in_zone(TimeWriter *writer, TimestampTz time, pg_tz *zone)
{
	writer->time = time;
	if (timestamp2tm(time, &writer->west, &writer->tm, &writer->microsecond, &writer->zone_name, zone) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
}

/*
 * Writes what the format says.  It may hold another format, but that holds none.
 */
static void
write_format(TimeWriter *writer, const char *format)
{
	for (const char *f = format; *f; f++)
	{
		bool		bare = false;

		if (*f != '%')
		{
			appendStringInfoChar(writer->out, *f);
			continue;
		}
		f++;
		if (*f == '-')
		{
			bare = true;
			f++;
		}
		if (*f == '\0')
			return;
		write_directive(writer, *f, bare);
	}
}

static void
write_directive(TimeWriter *writer, char directive, bool bare)
{
	const struct pg_tm *tm = &writer->tm;
	const char *expanded = time_format_expand(directive);
	int			julian = date2j(tm->tm_year, tm->tm_mon, tm->tm_mday);

	if (expanded != NULL)
	{
		write_format(writer, expanded);
		return;
	}
	switch (directive)
	{
		case 'Y':
			write_number(writer, tm->tm_year, 4, bare);
			break;
		case 'y':
			write_number(writer, ((tm->tm_year % 100) + 100) % 100, 2, bare);
			break;
		case 'm':
			write_number(writer, tm->tm_mon, 2, bare);
			break;
		case 'b':
		case 'h':
			appendBinaryStringInfo(writer->out, time_month_names[tm->tm_mon - 1], 3);
			break;
		case 'B':
			appendStringInfoString(writer->out, time_month_names[tm->tm_mon - 1]);
			break;
		case 'd':
			write_number(writer, tm->tm_mday, 2, bare);
			break;
		case 'e':
			appendStringInfo(writer->out, bare ? "%d" : "%2d", tm->tm_mday);
			break;
		case 'j':
			write_number(writer, julian - date2j(tm->tm_year, 1, 1) + 1, 3, bare);
			break;
		case 'a':
			appendBinaryStringInfo(writer->out, time_day_names[j2day(julian)], 3);
			break;
		case 'A':
			appendStringInfoString(writer->out, time_day_names[j2day(julian)]);
			break;
		case 'H':
			write_number(writer, tm->tm_hour, 2, bare);
			break;
		case 'I':
			write_number(writer, (tm->tm_hour + 11) % 12 + 1, 2, bare);
			break;
		case 'p':
			appendStringInfoString(writer->out, tm->tm_hour < 12 ? "AM" : "PM");
			break;
		case 'M':
			write_number(writer, tm->tm_min, 2, bare);
			break;
		case 'S':
			write_number(writer, tm->tm_sec, 2, bare);
			break;
		case 'f':
			write_number(writer, writer->microsecond, 6, bare);
			break;
		case 'z':
			write_offset(writer);
			break;
		case 'Z':
			appendStringInfoString(writer->out, writer->zone_name);
			break;
		case 's':
			appendStringInfo(writer->out, INT64_FORMAT, unix_seconds(writer->time));
			break;
		case 'n':
			appendStringInfoChar(writer->out, '\n');
			break;
		case 't':
			appendStringInfoChar(writer->out, '\t');
			break;
		case '%':
			appendStringInfoChar(writer->out, '%');
			break;
	}
}

static void
write_number(TimeWriter *writer, int value, int digits, bool bare)
{
	appendStringInfo(writer->out, "%0*d", bare ? 1 : digits, value);
}

/* +HHMM */
static void
write_offset(TimeWriter *writer)
{
	int			minutes = abs(writer->west) / SECS_PER_MINUTE;

	appendStringInfo(writer->out, "%c%02d%02d", writer->west > 0 ? '-' : '+',
					 minutes / MINS_PER_HOUR, minutes % MINS_PER_HOUR);
}

/* Rounded down. */
static int64
unix_seconds(TimestampTz time)
{
	int64		seconds = time / USECS_PER_SEC - (time % USECS_PER_SEC < 0 ? 1 : 0);

	return seconds + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY;
}
