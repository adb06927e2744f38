/*
 * rate_definition.c
 *	  How fast a source may be asked: {requestsPerMinute, burstLimit, key, remainingHeader, ...}.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "base/pattern.h"

#include "job/definition_parts.h"

#define MAX_RATE		1000000
#define MAX_KEY_LEN		200
#define MAX_PATTERN_LEN 200

static void read_rate(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					  const char *pointer, void *target);
static void read_header_name(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							 const char *pointer, void *target);
static void read_wait_pattern(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							  const char *pointer, void *target);
static void check_together(ProblemList *problems, struct json_object *object, const char *pointer,
						   const JobRateLimit *limit);
static bool has(struct json_object *object, const char *key);

static const Choice reset_choices[] = {
	{"time", RATE_RESET_IS_TIME},
	{"delay", RATE_RESET_IS_DELAY},
	{NULL}
};

/* The unit of a rate is in min: seconds. */
static const KeyRule rate_limit_rules[] = {
	{.name = "requestsPerMinute", .types = VALUE_NUMBER, .parse = read_rate, FIELD(JobRateLimit, per_second), .min = 60, .max = MAX_RATE},
	{.name = "requestsPerSecond", .types = VALUE_NUMBER, .parse = read_rate, FIELD(JobRateLimit, per_second), .min = 1, .max = MAX_RATE},
	{.name = "burstLimit", .types = VALUE_NUMBER, .parse = read_int, FIELD(JobRateLimit, burst), .min = 1, .max = MAX_RATE},
	{.name = "key", .types = VALUE_STRING, .parse = read_string, FIELD(JobRateLimit, key), .min = 1, .max = MAX_KEY_LEN},
	{.name = "remainingHeader", .types = VALUE_STRING, .parse = read_header_name, FIELD(JobRateLimit, remaining_header)},
	{.name = "resetHeader", .types = VALUE_STRING, .parse = read_header_name, FIELD(JobRateLimit, reset_header)},
	{.name = "resetIs", .types = VALUE_STRING, .parse = read_choice, FIELD(JobRateLimit, reset_is), .choices = reset_choices},
	{.name = "ratioHeader", .types = VALUE_STRING, .parse = read_header_name, FIELD(JobRateLimit, ratio_header)},
	{.name = "retryAfterHeader", .types = VALUE_STRING, .parse = read_header_name, FIELD(JobRateLimit, retry_after_header)},
	{.name = "waitPattern", .types = VALUE_STRING, .parse = read_wait_pattern, FIELD(JobRateLimit, wait_pattern)},
	{.name = "wait", .types = VALUE_TIME, .parse = read_duration, FIELD(JobRateLimit, wait_ms), .min = 1, .max = MAX_TIME_MS},
	{NULL}
};

/* A KeyParser; target is the JobSource. */
void
read_rate_limit(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				const char *pointer, void *target)
{
	JobSource  *source = target;
	JobRateLimit *limit = palloc0(sizeof(JobRateLimit));

	limit->burst = 1;
	read_object(problems, value, pointer, rate_limit_rules, ~0U, NULL, limit);
	check_together(problems, value, pointer, limit);
	source->rate_limit = limit;
	source->states_rate_limit = true;
}

/* What one key needs of another. */
static void
check_together(ProblemList *problems, struct json_object *object, const char *pointer, const JobRateLimit *limit)
{
	bool		has_rate = has(object, "requestsPerMinute") || has(object, "requestsPerSecond");

	if (has(object, "requestsPerMinute") && has(object, "requestsPerSecond"))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "requestsPerSecond"), NULL,
					"\"requestsPerSecond\" does not go with \"requestsPerMinute\"");
	if (has(object, "burstLimit") && !has_rate)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "burstLimit"), NULL,
					"\"burstLimit\" needs \"requestsPerMinute\" or \"requestsPerSecond\"");
	if (has(object, "resetIs") && !has(object, "resetHeader"))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "resetIs"), NULL,
					"\"resetIs\" needs \"resetHeader\"");
	if (has(object, "remainingHeader") && !has(object, "resetHeader") && !has(object, "wait"))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "remainingHeader"),
					"Say by one of them how long to wait when no request is left.",
					"\"remainingHeader\" needs \"resetHeader\" or \"wait\"");
}

static bool
has(struct json_object *object, const char *key)
{
	return json_object_object_get_ex(object, key, NULL);
}

/* A rate, as requests a second; no less than one a minute, as a request is not held for longer than minutes. */
static void
read_rate(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	double	   *field = rule_field(rule, target);
	double		rate = json_object_get_double(value);
	double		per_second = rate / rule->min;

	if (!(per_second >= 1.0 / 60) || rate > rule->max)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must be a number from %s to %d, not %s", rule->name,
					rule->min == 60 ? "1" : "1/60", MAX_RATE, clip_text(json_print(value)));
	else if (field != NULL)
		*field = per_second;
}

static void
read_header_name(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				 const char *pointer, void *target)
{
	char	  **field = rule_field(rule, target);
	const char *name = json_object_get_string(value);

	if (!is_header_name(name))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" is not the name of a header", clip_text(name));
	else if (field != NULL)
		*field = pstrdup(name);
}

/* A regular expression whose first group is a number of seconds. */
static void
read_wait_pattern(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				  const char *pointer, void *target)
{
	char	  **field = rule_field(rule, target);
	const char *text = json_object_get_string(value);
	char	   *error = NULL;
	Pattern    *pattern;

	if (strlen(text) > MAX_PATTERN_LEN)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must be no longer than %d bytes", rule->name, MAX_PATTERN_LEN);
		return;
	}
	pattern = pattern_create(text, CurrentMemoryContext, &error);
	if (pattern == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" is not a regular expression: %s", rule->name, error);
	else if (pattern_groups(pattern) < 1)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Write it as \"retry after ([0-9]+) seconds\".",
					"\"%s\" has no group in parentheses that would be the seconds", rule->name);
	else if (field != NULL)
		*field = pstrdup(text);
}
