/*
 * reader.h
 *	  JSON objects read by tables of keys.
 *
 * A table (KeyRule[], ended by an empty rule) says of every key of an object
 * which types it takes, how its value is read, where it goes and whether this
 * version supports it.  Reading goes through the whole object and adds every
 * problem it finds.
 *
 * Where an object has a "type" that decides its other keys, every type has a
 * bit and a rule says by variants which of them it belongs to.
 */
#ifndef DATABITE_READER_H
#define DATABITE_READER_H

#include "job/definition.h"

struct json_object;

/* JSON types; a mask in KeyRule.types. */
#define VALUE_NULL		(1 << 0)
#define VALUE_BOOLEAN	(1 << 1)
#define VALUE_NUMBER	(1 << 2)
#define VALUE_STRING	(1 << 3)
#define VALUE_ARRAY		(1 << 4)
#define VALUE_OBJECT	(1 << 5)
#define VALUE_SCALAR	(VALUE_BOOLEAN | VALUE_NUMBER | VALUE_STRING)
#define VALUE_TIME		(VALUE_NUMBER | VALUE_STRING)

/* KeyRule.flags */
#define KEY_REQUIRED	(1 << 0)
#define KEY_UNSUPPORTED (1 << 1)	/* a feature of a later version; its shape is checked all the same */

/* One of the words a key takes; a table ends with a NULL name. */
typedef struct Choice
{
	const char *name;
	int			value;
	bool		unsupported;	/* a feature of a later version */
} Choice;

typedef struct KeyRule KeyRule;

/* Reads a value of a type that the rule takes; target is the struct being filled, or NULL to check only. */
typedef void (*KeyParser) (ProblemList *problems, const KeyRule *rule, struct json_object *value,
						   const char *pointer, void *target);

struct KeyRule
{
	const char *name;
	unsigned	types;
	KeyParser	parse;			/* NULL: a value of the right type is fine */
	int			flags;
	unsigned	variants;		/* 0: all */
	bool		stored;			/* set by FIELD: the general parsers store at offset */
	size_t		offset;
	int64		min;			/* of numbers, times (ms); of strings the length in bytes */
	int64		max;			/* 0 for strings: any length */
	const Choice *choices;		/* read_choice */
	const KeyRule *members;		/* read_members */
};

#define FIELD(type, member) .stored = true, .offset = offsetof(type, member)

/* Bounds that several objects share. */
#define MAX_BATCH_SIZE	100000
#define MAX_COLUMNS		1600	/* PostgreSQL's, in a table */
#define MAX_TIME_MS		(INT64CONST(24) * 60 * 60 * 1000)

/*
 * Reads object by rules into target.  variant is the bit of its type, 0 where
 * the type is not known: then only the names of the keys are checked.
 * variant_label names the variant in messages, as in
 * "x" does not go with <label>; NULL where there is one only.
 */
extern void read_object(ProblemList *problems, struct json_object *object, const char *pointer,
						const KeyRule *rules, unsigned variant, const char *variant_label, void *target);

/* What the "type" of an object says. */
typedef struct ObjectType
{
	int			value;			/* of the choice */
	unsigned	variant;		/* its bit, 0 where the type is missing or not known */
	const char *label;			/* "type \"cursor\"", or NULL */
} ObjectType;

/* Reads the required key "type".  True where it is one that is supported; else a problem was added. */
extern bool read_type(ProblemList *problems, struct json_object *object, const char *pointer,
					  const Choice *choices, ObjectType *type);

/* General parsers; each says what its target is. */
#define READER(name)                                                                        \
	extern void name(ProblemList *problems, const KeyRule *rule, struct json_object *value, \
					 const char *pointer, void *target)

READER(read_string);			/* char * */
READER(read_boolean);			/* bool */
READER(read_int);				/* int */
READER(read_duration);			/* int64, ms */
READER(read_size);				/* int64, bytes */
READER(read_choice);			/* an enum */
READER(read_path);				/* JsonPath * */
READER(read_members);			/* none: an object that is only checked */

/* Adds a problem and returns false where value is none of types; what names it in the message. */
extern bool check_type(ProblemList *problems, struct json_object *value, unsigned types,
					   const char *what, const char *pointer);

/* True where value is one of types. */
extern bool value_is(struct json_object *value, unsigned types);

/* An integer from min to max, or a problem and false. */
extern bool read_bounded_int(ProblemList *problems, struct json_object *value, int64 min, int64 max,
							 const char *what, const char *pointer, int *result);

/*
 * The choice that word names; what names the key in messages.  A problem is
 * added where there is none (NULL then) or it is not supported.
 */
extern const Choice *find_choice(ProblemList *problems, const Choice *choices, const char *what,
								 const char *word, const char *pointer);

/* The names in an array of strings that are not empty, each once: of char *. */
extern List *read_names(ProblemList *problems, struct json_object *array, const char *what, const char *pointer);

/* A JSON value as the definition keeps it. */
extern JobValue job_value(struct json_object *value, const char *pointer);

/* A template that is a condition; a text without one would be the same for every response.  example: of the hint. */
extern void read_condition(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer,
						   const char *example, JobValue *condition);
extern JobNamedValue *job_named_value(const char *name, struct json_object *value, const char *pointer);

/* JSON text of a value, numbers as the source wrote them. */
extern char *json_print(struct json_object *value);

/* Name of a column: not empty and no longer than PostgreSQL keeps it, or a problem and false. */
extern bool check_column_name(ProblemList *problems, const char *name, const char *pointer);

/* Adds a problem and returns false where a list of columns is empty or has more than max; hint or NULL. */
extern bool check_column_count(ProblemList *problems, const KeyRule *rule, int ncolumns, int max,
							   const char *hint, const char *pointer);

/* Where a rule's value goes in target, or NULL where it is only checked. */
extern void *rule_field(const KeyRule *rule, void *target);

/* A text short enough to be quoted in a message. */
extern char *clip_text(const char *text);

/* The pointer of a member or element of what stands at pointer. */
extern char *pointer_key(const char *pointer, const char *key);
extern char *pointer_index(const char *pointer, int index);

#endif
