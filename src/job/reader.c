/*
 * reader.c
 *	  JSON objects read by tables of keys.
 */
#include "postgres.h"

#include <math.h>

#include "base/clip.h"
#include "base/jsonc.h"

#include "job/reader.h"
#include "job/units.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

/* A message quotes no more than this of a wrong value. */
#define MAX_QUOTED_LEN 60

/* Keys in one table, words in one list of choices. */
#define MAX_CANDIDATES 64

static bool in_variant(const KeyRule *rule, unsigned variant);
static const KeyRule *find_rule(const KeyRule *rules, const char *key, unsigned variant);
static void read_key(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					 const char *pointer, void *target);
static void check_required(ProblemList *problems, struct json_object *object, const char *pointer,
						   const KeyRule *rules, unsigned variant);
static void problem_unknown_key(ProblemList *problems, const KeyRule *rules, unsigned variant,
								const char *key, const char *pointer);
static char *suggest_choice(const Choice *choices, const char *word);
static char *list_choices(const Choice *choices);
static bool has_name(const List *names, const char *name);
static bool integer_value(struct json_object *value, int64 *result);
static void problem_duration(ProblemList *problems, const KeyRule *rule, const char *pointer);
static unsigned value_type(struct json_object *value);
static const char *type_name(unsigned type);
static char *describe_types(unsigned types);
static char *quoted(const char *name);

void
read_object(ProblemList *problems, struct json_object *object, const char *pointer,
			const KeyRule *rules, unsigned variant, const char *variant_label, void *target)
{
	json_object_object_foreach(object, key, value)
	{
		char	   *place = pointer_key(pointer, key);
		const KeyRule *rule = find_rule(rules, key, variant);

		if (rule == NULL)
			problem_unknown_key(problems, rules, variant, key, place);
		else if (!in_variant(rule, variant))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, place, NULL,
						"\"%s\" does not go with %s", key, variant_label);
		else if (variant != 0)
			read_key(problems, rule, value, place, target);
	}

	check_required(problems, object, pointer, rules, variant);
}

bool
read_type(ProblemList *problems, struct json_object *object, const char *pointer,
		  const Choice *choices, ObjectType *type)
{
	struct json_object *value;
	const char *place = pointer_key(pointer, "type");
	const Choice *choice;

	memset(type, 0, sizeof(*type));

	if (!json_object_object_get_ex(object, "type", &value))
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					psprintf("Set it to one of %s.", list_choices(choices)),
					"\"type\" is missing");
		return false;
	}
	if (!check_type(problems, value, VALUE_STRING, "\"type\"", place))
		return false;

	choice = find_choice(problems, choices, "type", json_object_get_string(value), place);
	if (choice == NULL)
		return false;

	type->value = choice->value;
	type->variant = 1U << choice->value;
	type->label = psprintf("type \"%s\"", choice->name);
	return !choice->unsupported;
}

void
read_string(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	const char *string = json_object_get_string(value);
	size_t		len = strlen(string);
	char	  **field = rule_field(rule, target);

	if (len < rule->min)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must not be empty", rule->name);
	else if (rule->max > 0 && len > rule->max)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must be no longer than %d bytes", rule->name, (int) rule->max);
	else if (field != NULL)
		*field = pstrdup(string);
}

void
read_boolean(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	bool	   *field = rule_field(rule, target);

	if (field != NULL)
		*field = json_object_get_boolean(value);
}

void
read_int(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		 const char *pointer, void *target)
{
	int		   *field = rule_field(rule, target);
	int			result;

	if (read_bounded_int(problems, value, rule->min, rule->max, quoted(rule->name), pointer, &result) &&
		field != NULL)
		*field = result;
}

void
read_duration(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	int64	   *field = rule_field(rule, target);
	int64		ms;
	bool		valid;

	if (value_is(value, VALUE_STRING))
		valid = duration_parse(json_object_get_string(value), &ms);
	else
		valid = integer_value(value, &ms);

	if (!valid || ms < rule->min || ms > rule->max)
		problem_duration(problems, rule, pointer);
	else if (field != NULL)
		*field = ms;
}

void
read_size(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	int64	   *field = rule_field(rule, target);
	int64		bytes;
	bool		valid;

	if (value_is(value, VALUE_STRING))
		valid = size_parse(json_object_get_string(value), &bytes);
	else
		valid = integer_value(value, &bytes);

	if (!valid || bytes < rule->min || bytes > rule->max)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Write a size as \"512MB\" or \"2GB\"; a number alone is bytes.",
					"\"%s\" must be a size from " INT64_FORMAT "MB to " INT64_FORMAT "GB",
					rule->name, rule->min >> 20, rule->max >> 30);
	else if (field != NULL)
		*field = bytes;
}

void
read_choice(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	int		   *field = rule_field(rule, target);
	const Choice *choice = find_choice(problems, rule->choices, rule->name,
									   json_object_get_string(value), pointer);

	if (choice != NULL && field != NULL)
		*field = choice->value;
}

void
read_path(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	JsonPath  **field = rule_field(rule, target);
	char	   *error = NULL;
	JsonPath   *path = json_path_parse(json_object_get_string(value), &error);

	if (path == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Write a path as \"data.items\", \"$[1]\" or \"data[*].order\".",
					"\"%s\" is not a path: %s", rule->name, error);
	else if (field != NULL)
		*field = path;
}

void
read_members(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	read_object(problems, value, pointer, rule->members, ~0U, NULL, NULL);
}

bool
check_type(ProblemList *problems, struct json_object *value, unsigned types,
		   const char *what, const char *pointer)
{
	if (value_is(value, types))
		return true;

	problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
				"%s must be %s, not %s", what, describe_types(types), type_name(value_type(value)));
	return false;
}

bool
value_is(struct json_object *value, unsigned types)
{
	return (value_type(value) & types) != 0;
}

bool
read_bounded_int(ProblemList *problems, struct json_object *value, int64 min, int64 max,
				 const char *what, const char *pointer, int *result)
{
	int64		integer;

	if (!integer_value(value, &integer) || integer < min || integer > max)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"%s must be an integer from " INT64_FORMAT " to " INT64_FORMAT ", not %s",
					what, min, max, clip_text(json_print(value)));
		return false;
	}

	*result = (int) integer;
	return true;
}

List *
read_names(ProblemList *problems, struct json_object *array, const char *what, const char *pointer)
{
	List	   *names = NIL;

	for (int i = 0; i < json_object_array_length(array); i++)
	{
		struct json_object *element = json_object_array_get_idx(array, i);
		char	   *place = pointer_index(pointer, i);

		if (!check_type(problems, element, VALUE_STRING, what, place))
			continue;
		if (json_object_get_string_len(element) == 0)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, place, NULL,
						"%s must not be empty", what);
		else if (has_name(names, json_object_get_string(element)))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, place, NULL,
						"\"%s\" is there twice", clip_text(json_object_get_string(element)));
		else
			names = lappend(names, pstrdup(json_object_get_string(element)));
	}
	return names;
}

JobValue
job_value(struct json_object *value, const char *pointer)
{
	JobValue	result;

	result.is_json = !value_is(value, VALUE_STRING);
	result.text = result.is_json ? json_print(value) : pstrdup(json_object_get_string(value));
	result.pointer = pstrdup(pointer);
	return result;
}

void
read_condition(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer,
			   const char *example, JobValue *condition)
{
	if (strstr(json_object_get_string(value), "{{") == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					psprintf("Write a condition as \"%s\".", example),
					"\"%s\" must be a template", rule->name);
	else
		*condition = job_value(value, pointer);
}

JobNamedValue *
job_named_value(const char *name, struct json_object *value, const char *pointer)
{
	JobNamedValue *result = palloc(sizeof(JobNamedValue));

	result->name = pstrdup(name);
	result->value = job_value(value, pointer);
	return result;
}

char *
json_print(struct json_object *value)
{
	const char *text = json_object_to_json_string_ext(value,
													  JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("A JSON value could not be printed.")));
	return pstrdup(text);
}

bool
check_column_name(ProblemList *problems, const char *name, const char *pointer)
{
	if (name[0] == '\0')
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"a column name must not be empty");
		return false;
	}
	if (strlen(name) >= NAMEDATALEN)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"column name \"%s\" is longer than %d bytes", clip_text(name), NAMEDATALEN - 1);
		return false;
	}
	return true;
}

bool
check_column_count(ProblemList *problems, const KeyRule *rule, int ncolumns, int max,
				   const char *hint, const char *pointer)
{
	if (ncolumns >= 1 && ncolumns <= max)
		return true;

	problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, hint,
				"\"%s\" must name between 1 and %d columns", rule->name, max);
	return false;
}

char *
pointer_key(const char *pointer, const char *key)
{
	StringInfoData result;

	initStringInfo(&result);
	appendStringInfo(&result, "%s/", pointer);
	for (; *key != '\0'; key++)
	{
		if (*key == '~')
			appendStringInfoString(&result, "~0");
		else if (*key == '/')
			appendStringInfoString(&result, "~1");
		else
			appendStringInfoChar(&result, *key);
	}
	return result.data;
}

char *
pointer_index(const char *pointer, int index)
{
	return psprintf("%s/%d", pointer, index);
}

const Choice *
find_choice(ProblemList *problems, const Choice *choices, const char *what,
			const char *word, const char *pointer)
{
	for (const Choice *choice = choices; choice->name != NULL; choice++)
	{
		if (strcmp(choice->name, word) != 0)
			continue;
		if (choice->unsupported)
			problem_add(problems, ERRCODE_FEATURE_NOT_SUPPORTED, pointer,
						psprintf("This version supports %s.", list_choices(choices)),
						"%s \"%s\" is not supported yet", what, word);
		return choice;
	}

	problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
				suggest_choice(choices, word),
				"unknown value \"%s\" of \"%s\"", clip_text(word), what);
	return NULL;
}

void *
rule_field(const KeyRule *rule, void *target)
{
	return rule->stored && target != NULL ? (char *) target + rule->offset : NULL;
}

char *
clip_text(const char *text)
{
	return text_clip(text, MAX_QUOTED_LEN);
}

/* An object of unknown type takes the keys of every variant. */
static bool
in_variant(const KeyRule *rule, unsigned variant)
{
	return variant == 0 || rule->variants == 0 || (rule->variants & variant) != 0;
}

/* The rule of a key: that of the variant where there are several, NULL where there is none. */
static const KeyRule *
find_rule(const KeyRule *rules, const char *key, unsigned variant)
{
	const KeyRule *other = NULL;

	for (const KeyRule *rule = rules; rule->name != NULL; rule++)
	{
		if (strcmp(rule->name, key) != 0)
			continue;
		if (in_variant(rule, variant))
			return rule;
		other = rule;
	}
	return other;
}

/* A key that this version does not support is a problem, and so is what is wrong with its value. */
static void
read_key(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		 const char *pointer, void *target)
{
	if (rule->flags & KEY_UNSUPPORTED)
		problem_add(problems, ERRCODE_FEATURE_NOT_SUPPORTED, pointer, NULL,
					"\"%s\" is not supported yet", rule->name);

	if (check_type(problems, value, rule->types, quoted(rule->name), pointer) && rule->parse != NULL)
		rule->parse(problems, rule, value, pointer, target);
}

static void
check_required(ProblemList *problems, struct json_object *object, const char *pointer,
			   const KeyRule *rules, unsigned variant)
{
	if (variant == 0)
		return;

	for (const KeyRule *rule = rules; rule->name != NULL; rule++)
	{
		if ((rule->flags & KEY_REQUIRED) && in_variant(rule, variant) &&
			!json_object_object_get_ex(object, rule->name, NULL))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
						"\"%s\" is missing", rule->name);
	}
}

static void
problem_unknown_key(ProblemList *problems, const KeyRule *rules, unsigned variant,
					const char *key, const char *pointer)
{
	const char *candidates[MAX_CANDIDATES + 1];
	int			n = 0;

	for (; rules->name != NULL; rules++)
	{
		if (in_variant(rules, variant) && n < MAX_CANDIDATES)
			candidates[n++] = rules->name;
	}
	candidates[n] = NULL;

	problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
				problem_suggest(key, candidates),
				"unknown key \"%s\"", clip_text(key));
}

/* The nearest choice, or those that are supported. */
static char *
suggest_choice(const Choice *choices, const char *word)
{
	const char *candidates[MAX_CANDIDATES + 1];
	int			n = 0;
	char	   *suggestion;

	for (const Choice *choice = choices; choice->name != NULL && n < MAX_CANDIDATES; choice++)
		candidates[n++] = choice->name;
	candidates[n] = NULL;

	suggestion = problem_suggest(word, candidates);
	return suggestion ? suggestion : psprintf("This version supports %s.", list_choices(choices));
}

/* Those that are supported: "insert", "upsert". */
static char *
list_choices(const Choice *choices)
{
	StringInfoData list;

	initStringInfo(&list);
	for (; choices->name != NULL; choices++)
	{
		if (choices->unsupported)
			continue;
		appendStringInfo(&list, "%s\"%s\"", list.len > 0 ? ", " : "", choices->name);
	}
	return list.data;
}

static bool
has_name(const List *names, const char *name)
{
	const ListCell *cell;

	foreach(cell, names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

/* An integer however it is written: 100, 100.0, 1e2. */
static bool
integer_value(struct json_object *value, int64 *result)
{
	double		number;

	if (json_object_is_type(value, json_type_int))
	{
		*result = json_object_get_int64(value);
		return true;
	}
	if (!json_object_is_type(value, json_type_double))
		return false;

	number = json_object_get_double(value);
	if (rint(number) != number || !FLOAT8_FITS_IN_INT64(number))
		return false;
	*result = (int64) number;
	return true;
}

static void
problem_duration(ProblemList *problems, const KeyRule *rule, const char *pointer)
{
	problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
				"Write a time as \"250ms\", \"30s\", \"5m\", \"1h\" or \"7d\"; a number alone is milliseconds.",
				"\"%s\" must be a time from %s to %s",
				rule->name, duration_print(rule->min), duration_print(rule->max));
}

static unsigned
value_type(struct json_object *value)
{
	switch (json_object_get_type(value))
	{
		case json_type_null:
			return VALUE_NULL;
		case json_type_boolean:
			return VALUE_BOOLEAN;
		case json_type_double:
		case json_type_int:
			return VALUE_NUMBER;
		case json_type_string:
			return VALUE_STRING;
		case json_type_array:
			return VALUE_ARRAY;
		case json_type_object:
			return VALUE_OBJECT;
	}
	return VALUE_NULL;
}

static const char *
type_name(unsigned type)
{
	switch (type)
	{
		case VALUE_BOOLEAN:
			return "true or false";
		case VALUE_NUMBER:
			return "a number";
		case VALUE_STRING:
			return "a string";
		case VALUE_ARRAY:
			return "an array";
		case VALUE_OBJECT:
			return "an object";
		default:
			return "null";
	}
}

/* "a number or a string" */
static char *
describe_types(unsigned types)
{
	StringInfoData text;

	initStringInfo(&text);
	for (unsigned type = VALUE_NULL; type <= VALUE_OBJECT; type <<= 1)
	{
		if ((types & type) == 0)
			continue;
		types &= ~type;
		appendStringInfo(&text, "%s%s",
						 text.len == 0 ? "" : types == 0 ? " or "
														 : ", ",
						 type_name(type));
	}
	return text.data;
}

static char *
quoted(const char *name)
{
	return psprintf("\"%s\"", name);
}
