/*
 * functions.h
 *	  What the files with the filters' SQL functions share.
 */
#ifndef DATABITE_FUNCTIONS_H
#define DATABITE_FUNCTIONS_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* Appends the text of a value: a string as it is, anything else as JSON. */
extern void function_append_json(StringInfo out, JsonbValue *value);

/* A string, number, boolean or null; false for an array or object. */
extern bool function_get_scalar(Jsonb *value, JsonbValue *scalar);

/* Its text, as above. */
extern text *function_scalar_text(JsonbValue *scalar);

/* A text that is a number, white space around it aside, as numeric; 0 for any other text. */
extern Datum function_text_number(const char *text, int len);

#endif
