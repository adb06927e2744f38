/*
 * cron.h
 *	  Cron expressions: which minutes of the wall clock they name.
 *
 * Time zones are schedule.c's; here a minute is that of a clock without any,
 * counted from 1970-01-01 00:00.
 */
#ifndef DATABITE_CRON_H
#define DATABITE_CRON_H

#include "postgres.h"

typedef struct CronExpression
{
	uint64		minutes;		/* bit n: minute n */
	uint32		hours;
	uint32		days;			/* of the month; bits 1 to 31 */
	uint32		months;			/* bits 1 to 12 */
	uint32		weekdays;		/* bits 0 to 6, Sunday is 0 */
	bool		last_day;		/* "$": the last day of the month too */
	bool		both_days;		/* day of month or day of week begins with "*": both must match, else either */
	bool		follows_clock;	/* minute or hour begins with "*": see schedule.c */
} CronExpression;

/*
 * Parses an expression.  NULL with *error (errmsg style, names the field) and
 * *hint (or NULL) where it is wrong or names no date that ever comes.
 */
extern CronExpression *cron_parse(const char *text, char **error, char **hint);

/* The first minute in [from, to) that the expression names; false where there is none. */
extern bool cron_next(const CronExpression *cron, int64 from, int64 to, int64 *minute);

#endif
