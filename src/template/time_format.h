/*
 * time_format.h
 *	  The formats and units of the filters for times.
 */
#ifndef DATABITE_TIME_FORMAT_H
#define DATABITE_TIME_FORMAT_H

#include "base/time_text.h"
#include "lib/stringinfo.h"

typedef enum TimeFormatKind
{
	TIME_STRFTIME,				/* has a "%" */
	TIME_UNIX,					/* "epoch", "epoch_ms", "unix", ... */
	TIME_ISO,					/* "iso" */
	TIME_RFC2822,				/* "rfc2822" */
	TIME_HTTP,					/* "http": RFC 9110 */
	TIME_PATTERN				/* of PostgreSQL's to_timestamp() and to_char() */
} TimeFormatKind;

/* *scale: of TIME_UNIX, the microseconds of its unit. */
extern TimeFormatKind time_format_kind(const char *format, int *scale);

/*
 * What is wrong with a format for strftime or a pattern, where read is set to read a time with it; NULL: nothing.
 * Without a year PostgreSQL would read one before Christ.
 */
extern char *time_format_mistake(const char *format, bool read);

/* A directive that is short for others, such as %T; NULL for any other. */
extern const char *time_format_expand(char directive);

/*
 * Reads a time by a format of strptime, in the given zone where the text has
 * none; false where the text is not of that format.
 */
extern bool time_format_read(const char *text, const char *format, pg_tz *zone, TimeValue *result);

/* Writes a finite time by a format of strftime. */
extern void time_format_write(StringInfo out, TimestampTz time, const char *format, pg_tz *zone);

/* ISO 8601 with the zone's offset, Z where that is none; infinity too. */
extern char *time_format_iso(TimestampTz time, pg_tz *zone);

/* A name that PostgreSQL knows, or an offset such as +02:00, which is east of UTC; NULL: unknown. */
extern pg_tz *time_zone_find(const char *name);

/* What a unit of date_add is made of; one of the two is 0. */
typedef struct TimeUnit
{
	const char *name;
	int			months;
	int64		microseconds;
} TimeUnit;

/* "day" or "days"; NULL: unknown. */
extern const TimeUnit *time_unit_find(const char *name);

/* Microseconds of "s", "ms" or "us"; 0: unknown. */
extern int	time_unix_scale(const char *unit);

/* Is it a unit of date_trunc? */
extern bool time_trunc_unit_known(const char *unit);

/* For suggestions; NULL-terminated. */
extern const char *const time_unit_names[];
extern const char *const time_trunc_unit_names[];
extern const char *const time_unix_unit_names[];

#endif
