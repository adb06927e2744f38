/*
 * time_text.h
 *	  Texts that mean a date or a time.
 *
 * They are read the same wherever they come from, whatever the session's
 * TimeZone, DateStyle and IntervalStyle are: a time without a zone is UTC, and
 * 02/03/2024 is the 3rd of February.
 */
#ifndef DATABITE_TIME_TEXT_H
#define DATABITE_TIME_TEXT_H

#include "base/iso_time.h"
#include "pgtime.h"
#include "utils/date.h"
#include "utils/timestamp.h"

/* More bytes than any text that means a time or an interval; an error of PostgreSQL's would show a longer one whole. */
#define TIME_TEXT_MAX	1000

/* English, in full; the first three letters are the abbreviation. */
extern const char *const time_month_names[12];
extern const char *const time_day_names[7]; /* from Sunday */

/*
 * ISO 8601, RFC 2822, /Date(ms+hhmm)/, and what PostgreSQL reads otherwise; a
 * bare number is an error.  typmod is the precision, -1 for all digits.
 */
extern TimestampTz time_text_to_timestamptz(const char *text, int32 typmod);

/*
 * ISO 8601, RFC 2822 or /Date(ms+hhmm)/, which PostgreSQL does not read, or not in every session
 * alike; false for any other text.  Blanks around do not count.
 */
extern bool time_text_parse(const char *text, TimeValue *result);

/* The same as a date: the day as it is written, in whatever zone. */
extern DateADT time_text_to_date(const char *text);

/* "Fri, 01 Nov 2024 10:00:00 +0000" and RFC 9110's older forms with a zone; false for any other text. */
extern bool time_text_parse_rfc2822(const char *text, size_t len, TimeValue *result);

/*
 * Reads a name at *p, in full or abbreviated, in any case, and moves *p behind
 * it; -1 where there is none.
 */
extern int	time_text_take_name(const char **p, const char *end, const char *const *names, int count);

/* Seconds east of UTC of one of RFC 2822's zone names, which *p is moved behind; false where there is none. */
extern bool time_text_take_zone_name(const char **p, const char *end, int *seconds);

/* What PostgreSQL's own functions for times look at, beside their arguments. */
typedef struct TimeSession
{
	pg_tz	   *zone;
	int			date_style;
	int			date_order;
	int			interval_style;
} TimeSession;

/* Does the notation of the type's values hold dates, times or intervals, so that it depends on these? */
extern bool time_type_holds_time(Oid type);

/* Sets them to what is the same in every session, with the given zone; to be put back whatever happens. */
extern void time_session_neutral(TimeSession *saved, pg_tz *zone);
extern void time_session_restore(const TimeSession *saved);

#endif
