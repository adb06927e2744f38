/*
 * cursor_value.h
 *	  Values of a cursor: read as sources write them, compared, written as sources read them.
 *
 * A value is a text in a form of its type's own: a time ISO 8601 in UTC with
 * microseconds, a number as it was written, a text itself, in the encoding of
 * the database.
 */
#ifndef DATABITE_CURSOR_VALUE_H
#define DATABITE_CURSOR_VALUE_H

#include "datatype/timestamp.h"
#include "job/definition.h"
#include "pgtime.h"

typedef struct CursorForm
{
	CursorType	type;
	const char *format;			/* of times: that of JobIncremental, "iso" where it has none */
	pg_tz	   *zone;			/* of times that name none, and of formats */
} CursorForm;

/* "iso" in UTC where incremental says nothing else; zone is NULL where its time zone is not known. */
extern void cursor_form_set(CursorForm *form, const JobIncremental *incremental);

/*
 * initialValue or end: a value of the type, or for times "-30d" before now.
 * False where the text is none; *value is palloc'd.
 */
extern bool cursor_value_read(const CursorForm *form, const char *text, TimestampTz now, char **value);

/* A time as an item or the definition has it; false where it is none, or not of the years 1 to 9999. */
extern bool cursor_value_read_time(const CursorForm *form, const char *text, TimestampTz *time);

/* A decimal number that numeric holds; with zeros in front too. */
extern bool cursor_value_is_number(const char *text);

/* A numeric, of what cursor_value_is_number takes. */
extern Datum cursor_value_numeric(const char *text);

/* Of a time in its own form; 22023 where a saved one is not. */
extern TimestampTz cursor_value_time(const char *value);

/* To what the format can say. */
extern TimestampTz cursor_value_round_down(const CursorForm *form, TimestampTz time);

/* In the format of requests, rounded down; JSON text (a number is one), palloc'd. */
extern char *cursor_value_format(const CursorForm *form, const char *value);

/* As strcmp, by type. */
extern int	cursor_value_compare(const CursorForm *form, const char *a, const char *b);

#endif
