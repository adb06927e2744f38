/*
 * iso_time.h
 *	  Dates and times as ISO 8601 writes them.
 */
#ifndef DATABITE_ISO_TIME_H
#define DATABITE_ISO_TIME_H

/* A date, or date and time, as it was read from a text. */
typedef struct TimeValue
{
	int32		days;			/* since 2000-01-01, as it is written */
	int64		microseconds;	/* since 2000-01-01 00:00 UTC; without a zone it is UTC */
	bool		has_zone;		/* the text says which */
} TimeValue;

/* False where the text is not of that form, or is no valid time. */
extern bool iso_time_parse(const char *text, size_t len, TimeValue *result);

#endif
