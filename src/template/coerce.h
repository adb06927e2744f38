/*
 * coerce.h
 *	  From the type of an expression to the type of its place.
 *
 * Expressions have mostly types of few kinds: text, numeric, boolean,
 * timestamptz, jsonb and json.  A filter may have any, and so may the place.
 */
#ifndef DATABITE_COERCE_H
#define DATABITE_COERCE_H

/* What is written around an expression to change its type; both may be "". */
typedef struct Coercion
{
	char	   *before;
	char	   *after;
} Coercion;

/* False where no value of the one type could be one of the other. */
extern bool template_coercion(Oid from, Oid to, Coercion *coercion);

/* A type's name for SQL text, qualified, so that no search_path can change what it means. */
extern char *template_type_name(Oid type, int32 typmod);

/* Would an explicit cast to the type with its length cut the value silently? */
extern bool template_cast_truncates(Oid type);

/* The type takes JSON as JSON: json, jsonb, an array or a composite type, or a domain over one. */
extern bool template_type_is_json_like(Oid type);

/* smallint, integer, bigint, or a domain over one. */
extern bool template_type_is_whole(Oid type);

/* The type for a person: "a boolean", "integer". */
extern const char *template_describe_type(Oid type);

#endif
