/*
 * json_value.h
 *	  Values inside of a jsonb: reaching, comparing and collecting them.
 */
#ifndef DATABITE_JSON_VALUE_H
#define DATABITE_JSON_VALUE_H

#include "fmgr.h"
#include "job/path.h"
#include "utils/jsonb.h"

/* The elements of an array; an array or object among them is jbvBinary. */
typedef struct JsonList
{
	int			count;
	JsonbValue *values;
} JsonList;

/* The elements, or an error that names the filter and what the value is. */
extern JsonList json_list_of(Jsonb *value, const char *filter);

/* The same of an element; false where it is no array. */
extern bool json_list_of_value(const JsonbValue *value, JsonList *list);

/* Raises the error that the filter needs another kind of value. */
extern void json_wrong_kind(const char *filter, const char *needs, const JsonbValue *value);

/* A whole jsonb as one value. */
extern JsonbValue json_value_of(Jsonb *value);

/* The value as what a filter returns: JSON null is SQL NULL. */
extern Datum json_value_datum(FunctionCallInfo fcinfo, const JsonbValue *value);

/* A path that is an argument of a filter; an error where it is none. */
extern JsonPath *json_path_argument(const char *filter, text *path);

/*
 * The value at the path, null where it leads nowhere.  With [*] in the path it
 * is an array of what was found, as in a template.
 */
extern JsonbValue json_value_at(const JsonbValue *value, const JsonPath *path);

/*
 * A total order: numbers by value, then texts by their bytes, then false and
 * true, then arrays and objects, and null as the last.  0: the same value.
 */
extern int	json_value_compare(const JsonbValue *a, const JsonbValue *b);

extern bool json_value_is_array(const JsonbValue *value);

#endif
