/*
 * incremental_definition.c
 *	  What is not asked for again: {cursorField, initialValue, step, ...} or
 *	  {syncToken}, and {conditional} of a cache.
 *
 * initialValue and end are kept as they are written.  What they say as a time
 * or a number is read where cursors are (run/cursor.c), which also knows time zones
 * and formats of strftime.
 */
#include "postgres.h"

#include <math.h>

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define MIN_STEP_MS			1000
#define MAX_SPAN_MS			(3650 * MAX_TIME_MS)
#define MAX_FORMAT_LEN		100
#define DEFAULT_EXPIRED		410 /* Gone, as Google's and Microsoft's APIs answer */

#define TIME		(1U << CURSOR_TIME)
#define NUMBER		(1U << CURSOR_NUMBER)
#define TEXT		(1U << CURSOR_TEXT)
#define FIELDS		(TIME | NUMBER | TEXT)

/* With a sync token the clock is all that is left of a cursor; after those of CursorType. */
#define SYNC_TOKEN	(1U << (CURSOR_TEXT + 1))

static const Choice cursor_types[] = {
	{"time", CURSOR_TIME},
	{"number", CURSOR_NUMBER},
	{"text", CURSOR_TEXT},
	{NULL}
};

static const Choice missing_choices[] = {
	{"include", MISSING_INCLUDE},
	{"fail", MISSING_FAIL},
	{"skip", MISSING_SKIP},
	{NULL}
};

/* Beside those of strftime. */
static const char *const formats[] = {"iso", "epoch", "epoch_ms", "epoch_float", "date", "http"};

static void read_one_path(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						  const char *pointer, void *target);
static void read_format(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						const char *pointer, void *target);
static void read_value(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					   const char *pointer, void *target);
static void read_difference(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							const char *pointer, void *target);
static void read_sync_token(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							const char *pointer, void *target);
static void read_drop(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					  const char *pointer, void *target);

static const KeyRule incremental_rules[] = {
	{.name = "cursorField", .types = VALUE_STRING, .parse = read_one_path, .variants = FIELDS,
	FIELD(JobIncremental, cursor_field)},
	{.name = "type", .types = VALUE_STRING},
	{.name = "format", .types = VALUE_STRING, .parse = read_format, .variants = TIME | SYNC_TOKEN},
	{.name = "timezone", .types = VALUE_STRING, .parse = read_string, .variants = TIME | SYNC_TOKEN,
	FIELD(JobIncremental, timezone), .min = 1, .max = MAX_FORMAT_LEN},
	{.name = "initialValue", .types = VALUE_NUMBER | VALUE_STRING, .parse = read_value,
	FIELD(JobIncremental, initial_value)},
	{.name = "end", .types = VALUE_NUMBER | VALUE_STRING, .parse = read_value,
	FIELD(JobIncremental, end)},
	{.name = "lookback", .types = VALUE_TIME, .parse = read_duration, .variants = TIME | SYNC_TOKEN,
	FIELD(JobIncremental, lookback_ms), .min = 0, .max = MAX_SPAN_MS},
	{.name = "lookback", .types = VALUE_NUMBER, .parse = read_difference, .variants = NUMBER},
	{.name = "lag", .types = VALUE_TIME, .parse = read_duration, .variants = TIME | SYNC_TOKEN,
	FIELD(JobIncremental, lag_ms), .min = 0, .max = MAX_SPAN_MS},
	{.name = "step", .types = VALUE_TIME, .parse = read_duration, .variants = TIME,
	FIELD(JobIncremental, step_ms), .min = MIN_STEP_MS, .max = MAX_SPAN_MS},
	{.name = "filter", .types = VALUE_BOOLEAN, .parse = read_boolean, .variants = FIELDS,
	FIELD(JobIncremental, filter)},
	{.name = "missing", .types = VALUE_STRING, .parse = read_choice, .variants = FIELDS,
	FIELD(JobIncremental, missing), .choices = missing_choices},
	{.name = "syncToken", .types = VALUE_OBJECT, .parse = read_sync_token, .variants = SYNC_TOKEN},
	{.name = "perParentState", .types = VALUE_BOOLEAN, .parse = read_boolean, FIELD(JobIncremental, per_parent_state)},
	{NULL}
};

static const KeyRule sync_token_rules[] = {
	{.name = "path", .types = VALUE_STRING, .parse = read_one_path, .flags = KEY_REQUIRED,
	FIELD(JobIncremental, sync_token_path)},
	{.name = "param", .types = VALUE_STRING, .parse = read_string, .flags = KEY_REQUIRED,
	FIELD(JobIncremental, sync_token_param), .min = 1},
	{.name = "drop", .types = VALUE_ARRAY, .parse = read_drop},
	{.name = "expiredStatus", .types = VALUE_NUMBER, .parse = read_int,
	FIELD(JobIncremental, sync_token_expired), .min = 100, .max = 599},
	{NULL}
};

static const KeyRule cache_rules[] = {
	{.name = "conditional", .types = VALUE_BOOLEAN, .parse = read_boolean, FIELD(JobSource, conditional)},
	{NULL}
};

static void check_field(ProblemList *problems, struct json_object *object, const char *pointer, const ObjectType *type);

/* {cursorField, type, ...}; the type decides about the other keys, and so does a sync token. */
void
read_incremental(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				 const char *pointer, void *target)
{
	JobSource  *source = target;
	JobIncremental *incremental = palloc0(sizeof(JobIncremental));
	ObjectType	type = {CURSOR_TIME, TIME, "type \"time\""};

	incremental->missing = MISSING_INCLUDE;
	incremental->sync_token_expired = DEFAULT_EXPIRED;

	if (json_object_object_get_ex(value, "type", NULL))
		read_type(problems, value, pointer, cursor_types, &type);
	incremental->type = type.value;

	if (json_object_object_get_ex(value, "syncToken", NULL))
		read_object(problems, value, pointer, incremental_rules, SYNC_TOKEN, "\"syncToken\"", incremental);
	else
		read_object(problems, value, pointer, incremental_rules, type.variant, type.label, incremental);
	check_field(problems, value, pointer, &type);

	source->incremental = incremental;
}

/* {conditional} */
void
read_cache(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	read_object(problems, value, pointer, cache_rules, ~0U, NULL, target);
}

/*
 * Rows of a query come at once, without a response that could have a token, and not
 * for each parent.  A server answers a condition on anything but GET and HEAD with 412 (RFC 9110,
 * 13.1.2).
 */
void
check_incremental(ProblemList *problems, const char *pointer, const JobSource *source)
{
	const JobIncremental *incremental = source->incremental;
	char	   *place = pointer_key(pointer, "incremental");

	if (source->type == SOURCE_SQL && incremental != NULL)
	{
		if (incremental->sync_token_path != NULL)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(place, "syncToken"), NULL,
						"\"syncToken\" does not go with type \"sql\"");
		if (incremental->step_ms > 0)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(place, "step"), NULL,
						"\"step\" does not go with type \"sql\"");
		if (incremental->per_parent_state)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(place, "perParentState"), NULL,
						"\"perParentState\" does not go with type \"sql\"");
	}

	if (source->conditional && strcmp(source->method, "GET") != 0 && strcmp(source->method, "HEAD") != 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE,
					pointer_key(pointer_key(pointer, "cache"), "conditional"), NULL,
					"a %s request cannot be conditional", clip_text(source->method));
}

/* The clock tells times only, and no item of it. */
static void
check_field(ProblemList *problems, struct json_object *object, const char *pointer, const ObjectType *type)
{
	static const char *const keys[] = {"filter", "missing"};

	if (json_object_object_get_ex(object, "cursorField", NULL))
		return;

	if (type->value != CURSOR_TIME)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "type"), NULL,
					"%s needs \"cursorField\"", type->label);
	if (json_object_object_get_ex(object, "syncToken", NULL))
		return;
	for (int i = 0; i < lengthof(keys); i++)
	{
		if (json_object_object_get_ex(object, keys[i], NULL))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, keys[i]), NULL,
						"\"%s\" needs \"cursorField\"", keys[i]);
	}
}

/* A path that leads to one value at most. */
static void
read_one_path(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	JsonPath  **field = rule_field(rule, target);

	read_path(problems, rule, value, pointer, target);
	if (*field == NULL)
		return;

	for (int i = 0; i < (*field)->nsteps; i++)
	{
		if ((*field)->steps[i].kind == PATH_KEY || (*field)->steps[i].kind == PATH_INDEX)
			continue;
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must lead to one value", rule->name);
		return;
	}
}

/* "iso" is what no format means. */
static void
read_format(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	JobIncremental *incremental = target;
	const char *format = json_object_get_string(value);
	bool		known = strchr(format, '%') != NULL;

	for (int i = 0; !known && i < lengthof(formats); i++)
		known = strcmp(format, formats[i]) == 0;

	if (!known)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"It is \"iso\", \"epoch\", \"epoch_ms\", \"epoch_float\", \"date\", \"http\", "
					"or one of strftime as \"%Y-%m-%d %H:%M:%S\".",
					"unknown value \"%s\" of \"%s\"", clip_text(format), rule->name);
	else if (strlen(format) > MAX_FORMAT_LEN)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must be no longer than %d bytes", rule->name, MAX_FORMAT_LEN);
	else if (strcmp(format, "iso") != 0)
		incremental->format = pstrdup(format);
}

/* The string, or the number with the digits that it was written with. */
static void
read_value(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	char	  **field = rule_field(rule, target);

	*field = value_is(value, VALUE_STRING) ? pstrdup(json_object_get_string(value)) : json_print(value);
}

/* lookback of numbers: what is taken off. */
static void
read_difference(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				const char *pointer, void *target)
{
	JobIncremental *incremental = target;
	double		difference = json_object_get_double(value);

	if (isfinite(difference) && difference >= 0)
		incremental->lookback_number = difference;
	else
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must be a number that is not negative, not %s", rule->name, clip_text(json_print(value)));
}

/* {path, param, drop, expiredStatus} */
static void
read_sync_token(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				const char *pointer, void *target)
{
	read_object(problems, value, pointer, sync_token_rules, ~0U, NULL, target);
}

static void
read_drop(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	JobIncremental *incremental = target;

	incremental->sync_token_drops = read_names(problems, value, "a parameter", pointer);
}
