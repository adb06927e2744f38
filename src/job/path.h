/*
 * path.h
 *	  A path into a JSON value: "data.items", "$[1]", "a.b[0].c", a["odd key"], data[*].order, rates.*.
 *
 * Used for dataPath, cursorPath and the like, and for the paths in templates.
 */
#ifndef DATABITE_PATH_H
#define DATABITE_PATH_H

/* No item is deeper than this, so no longer path leads anywhere. */
#define JSON_PATH_MAX_STEPS 512

typedef enum JsonPathStepKind
{
	PATH_KEY,					/* member of an object */
	PATH_INDEX,					/* element of an array; negative counts from the end */
	PATH_ALL,					/* [*], every element */
	PATH_MEMBERS,				/* .*, every member of an object; see json_path_parse_items */
	PATH_REST					/* first in a path that nobody writes: an object of the members but those that the steps after it name */
} JsonPathStepKind;

typedef struct JsonPathStep
{
	JsonPathStepKind kind;
	char	   *key;			/* PATH_KEY: unescaped, NUL-terminated */
	int			keylen;
	int			index;			/* PATH_INDEX */
} JsonPathStep;

typedef struct JsonPath
{
	int			nsteps;			/* 0: the value itself */
	JsonPathStep *steps;
} JsonPath;

/*
 * Parses a path; a leading "$" or "$." is allowed and means the root.
 * Returns NULL with *error set (palloc'd, lower case, says the position).
 */
extern JsonPath *json_path_parse(const char *text, char **error);

/* As above, a path to items: it may have steps to all members of an object, which no other path has. */
extern JsonPath *json_path_parse_items(const char *text, char **error);

/* The path has a step of that kind. */
extern bool json_path_has(const JsonPath *path, JsonPathStepKind kind);

/* The path in its shortest written form, palloc'd; "$" for the root. */
extern char *json_path_print(const JsonPath *path);

extern bool json_path_equal(const JsonPath *a, const JsonPath *b);

#endif
