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

#endif
