/*
 * jsonc.h
 *	  json-c, made safe to use beside PostgreSQL's headers.
 *
 * fmgrprotos.h declares a function json_object() and json-c a type of that
 * name.  A file that uses json-c includes this header first after postgres.h.
 *
 * json-c objects are malloc'd and an ERROR jumps over json_object_put(), so
 * every document parsed here is released by a reset callback of the memory
 * context it is given.
 */
#ifndef DATABITE_JSONC_H
#define DATABITE_JSONC_H

#define json_object pg_json_object
#include "utils/builtins.h"
#undef json_object

#include <json-c/json.h>

/*
 * Parses one complete JSON document, strictly (RFC 8259), at most max_depth
 * levels deep, in the database's encoding.  The object lives as long as context.
 * Returns false with *error set (palloc'd, lower case) where the text is not
 * JSON; a JSON null is true with *result NULL.  A number that is no int64 is a
 * json_type_double whose text, as json_object_get_string gives it, is that of
 * the source.
 */
extern bool jsonc_parse(const char *text, size_t len, int max_depth, MemoryContext context,
						struct json_object **result, char **error);

/* As json_object_object_get_ex, but false for a NULL or non-object. */
extern bool jsonc_get(struct json_object *object, const char *key, struct json_object **value);

#endif
