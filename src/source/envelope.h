/*
 * envelope.h
 *	  What a response says beside its items: cursors, totals, "has more".
 */
#ifndef DATABITE_ENVELOPE_H
#define DATABITE_ENVELOPE_H

#include "job/path.h"

struct json_object;
struct JobPagination;

/* What a path of the definition leads to. */
typedef enum Found
{
	FOUND_NOTHING,				/* missing, null or "" */
	FOUND_TEXT,					/* a string or a number */
	FOUND_OTHER					/* true, false, object, array, or [*] in the path */
} Found;

/* What a path leads to; *value is NULL for a missing value and for null. */
extern Found envelope_find(struct json_object *envelope, const JsonPath *path, struct json_object **value);

/* A total: a number, or a number in a string.  Leaves *count alone where there is none. */
extern bool envelope_count(struct json_object *envelope, const JsonPath *path, int64 *count);

/* false, 0, "false" and "0" say no; anything else says yes. */
extern bool envelope_is_false(struct json_object *value);

/* The text of a string, or a number as it was written, palloc'd; NULL where a NUL character is in it. */
extern char *envelope_text(struct json_object *value);

/*
 * Which key of a pagination ("nextUrlPath", ...) leads into the list of items at
 * list, or NULL.  The envelope has the list emptied, so what is there would
 * never be found, and the listing would end after its first page.
 */
extern const char *envelope_path_into_list(const struct JobPagination *pagination, const JsonPath *list);

#endif
