/*
 * retry_definition.c
 *	  How often a request is sent again: {attempts, delay, backoff, maxDelay, statuses, budget, idempotent}.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define DEFAULT_ATTEMPTS		5
#define DEFAULT_DELAY_MS		1000
#define DEFAULT_MAX_DELAY_MS	60000
#define MAX_ATTEMPTS			100
#define MAX_STATUSES			100

/* What is worth a second try: too early, too many, or trouble on the server's side. */
static const int default_statuses[] = {408, 425, 429, 500, 502, 503, 504};

const Choice backoff_choices[] = {
	{"exponential", BACKOFF_EXPONENTIAL},
	{"linear", BACKOFF_LINEAR},
	{"fixed", BACKOFF_FIXED},
	{NULL}
};

static void read_statuses(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						  const char *pointer, void *target);

static const KeyRule retry_rules[] = {
	{.name = "attempts", .types = VALUE_NUMBER, .parse = read_int, FIELD(JobRetry, attempts), .min = 1, .max = MAX_ATTEMPTS},
	{.name = "delay", .types = VALUE_TIME, .parse = read_duration, FIELD(JobRetry, delay_ms), .min = 0, .max = MAX_TIME_MS},
	{.name = "backoff", .types = VALUE_STRING, .parse = read_choice, FIELD(JobRetry, backoff), .choices = backoff_choices},
	{.name = "maxDelay", .types = VALUE_TIME, .parse = read_duration, FIELD(JobRetry, max_delay_ms), .min = 0, .max = MAX_TIME_MS},
	{.name = "statuses", .types = VALUE_ARRAY, .parse = read_statuses},
	{.name = "budget", .types = VALUE_TIME, .parse = read_duration, FIELD(JobRetry, budget_ms), .min = 1, .max = MAX_TIME_MS},
	{.name = "idempotent", .types = VALUE_BOOLEAN, .parse = read_boolean, FIELD(JobRetry, idempotent)},
	{NULL}
};

/* The retries of a source that says nothing of them. */
void
retry_definition_default(JobRetry *retry)
{
	retry->attempts = DEFAULT_ATTEMPTS;
	retry->delay_ms = DEFAULT_DELAY_MS;
	retry->backoff = BACKOFF_EXPONENTIAL;
	retry->max_delay_ms = DEFAULT_MAX_DELAY_MS;
	retry->nstatuses = lengthof(default_statuses);
	retry->statuses = palloc(sizeof(default_statuses));
	memcpy(retry->statuses, default_statuses, sizeof(default_statuses));
}

/* A stated delay above the default cap lifts the cap; above a stated cap it is a mistake. */
void
retry_definition_parse(ProblemList *problems, struct json_object *object,
					   const char *pointer, JobRetry *retry)
{
	retry_definition_default(retry);
	read_object(problems, object, pointer, retry_rules, ~0U, NULL, retry);

	if (retry->delay_ms <= retry->max_delay_ms)
		return;
	if (json_object_object_get_ex(object, "maxDelay", NULL))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "maxDelay"), NULL,
					"\"maxDelay\" must not be less than \"delay\"");
	else
		retry->max_delay_ms = retry->delay_ms;
}

/* An empty list is fine: only what never reached an answer is tried again. */
static void
read_statuses(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	JobRetry   *retry = target;
	int			n = json_object_array_length(value);

	if (n > MAX_STATUSES)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must have no more than %d elements", rule->name, MAX_STATUSES);
		return;
	}

	retry->nstatuses = 0;
	retry->statuses = palloc(Max(n, 1) * sizeof(int));
	for (int i = 0; i < n; i++)
	{
		if (read_bounded_int(problems, json_object_array_get_idx(value, i), 100, 599,
							 "a status", pointer_index(pointer, i),
							 &retry->statuses[retry->nstatuses]))
			retry->nstatuses++;
	}
}
