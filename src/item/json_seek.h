/*
 * json_seek.h
 *	  Single values inside of JSON that lies in memory and is known to be right.
 *
 * For what is looked at once, such as names beside the list; the wanted leaves
 * of items are the projector's.  At least one byte after the text can be read.
 */
#ifndef DATABITE_JSON_SEEK_H
#define DATABITE_JSON_SEEK_H

#include "item/json_text.h"
#include "job/path.h"

/* The elements of an array, one after the other. */
typedef struct JsonElements
{
	const char *p;
	const char *end;
	JsonNesting *nesting;
} JsonElements;

/*
 * The value to which keys and indexes lead from the value at p, and its end;
 * NULL where there is none.  Of equal keys the last one counts, as in jsonb.
 */
extern const char *json_seek(const char *p, const char *end, const JsonPathStep *steps, int nsteps,
							 JsonNesting *nesting, const char **value_end);

/* Begins with the array at p; false where that is no array. */
extern bool json_elements_begin(JsonElements *elements, const char *p, const char *end, JsonNesting *nesting);

/* The next element and its end, or NULL. */
extern const char *json_elements_next(JsonElements *elements, const char **value_end);

#endif
