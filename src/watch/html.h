/*
 * html.h
 *	  Texts, numbers and times as a page shows them.
 */
#ifndef DATABITE_HTML_H
#define DATABITE_HTML_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"

/* What is said of something long ends with "..." then. */
#define HTML_MAX_TEXT 300

/* Escaped for an element's content and for an attribute in double quotes; at most HTML_MAX_TEXT bytes of it.  NULL: nothing. */
extern void html_text(StringInfo html, const char *text);

extern void html_number(StringInfo html, int64 number); /* 1,234,567 */
extern void html_count(StringInfo html, int64 number, const char *one, const char *many);	/* 1 job, 2 jobs */
extern void html_seconds(StringInfo html, double seconds);	/* 0.25 s, 3 min 20 s */

/* "3 min ago", "in 3 min", with the time itself to be seen at a second look. */
extern void html_time(StringInfo html, TimestampTz when, TimestampTz now);

#endif
