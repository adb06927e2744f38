/*
 * error_definition.c
 *	  What becomes of errors: {strategy, maxRetries, retryDelay, backoff, onFailure, onItemError, onBatchError}.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define DEFAULT_RETRIES		3
#define DEFAULT_DELAY_MS	5000
#define MAX_RETRIES			100

static const Choice strategies[] = {
	{"fail_fast", STRATEGY_FAIL_FAST},
	{"retry_with_backoff", STRATEGY_RETRY_WITH_BACKOFF},
	{"partial_success", STRATEGY_PARTIAL_SUCCESS},
	{NULL}
};

static const Choice item_error_actions[] = {
	{"fail", false},
	{"log_and_continue", true},
	{NULL}
};

static const Choice batch_error_actions[] = {
	{"fail", BATCH_ERROR_FAIL},
	{"retry_batch", BATCH_ERROR_RETRY},
	{"log_and_continue", BATCH_ERROR_LOG},
	{NULL}
};

static void read_flag(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					  const char *pointer, void *target);
static void finish_batch_error(struct json_object *value, JobErrorHandling *handling);
static void check_retry_keys(ProblemList *problems, struct json_object *value, const char *pointer,
							 const JobErrorHandling *handling);

static const KeyRule error_handling_rules[] = {
	{.name = "strategy", .types = VALUE_STRING, .parse = read_choice, FIELD(JobErrorHandling, strategy), .choices = strategies},
	{.name = "maxRetries", .types = VALUE_NUMBER, .parse = read_int, FIELD(JobErrorHandling, max_retries), .min = 0, .max = MAX_RETRIES},
	{.name = "retryDelay", .types = VALUE_TIME, .parse = read_duration,
	FIELD(JobErrorHandling, retry_delay_ms), .min = 0, .max = MAX_TIME_MS},
	{.name = "backoff", .types = VALUE_STRING, .parse = read_choice, FIELD(JobErrorHandling, backoff), .choices = backoff_choices},
	{.name = "onFailure", .types = VALUE_STRING | VALUE_OBJECT | VALUE_ARRAY, .parse = read_on_failure,
	FIELD(JobErrorHandling, on_failure)},
	{.name = "onItemError", .types = VALUE_STRING, .parse = read_flag,
	FIELD(JobErrorHandling, rejects_bad_items), .choices = item_error_actions},
	{.name = "onBatchError", .types = VALUE_STRING, .parse = read_choice,
	FIELD(JobErrorHandling, batch_error), .choices = batch_error_actions},
	{NULL}
};

/* What a job does that says nothing of errors. */
void
error_definition_default(JobErrorHandling *handling)
{
	handling->strategy = STRATEGY_FAIL_FAST;
	handling->max_retries = DEFAULT_RETRIES;
	handling->retry_delay_ms = DEFAULT_DELAY_MS;
	handling->backoff = BACKOFF_EXPONENTIAL;
}

void
read_error_handling(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					const char *pointer, void *target)
{
	JobErrorHandling *handling = rule_field(rule, target);

	read_object(problems, value, pointer, error_handling_rules, ~0U, NULL, handling);
	finish_batch_error(value, handling);
	check_retry_keys(problems, value, pointer, handling);
}

/* Who wants what can be had loses no more than he must, unless he says otherwise. */
static void
finish_batch_error(struct json_object *value, JobErrorHandling *handling)
{
	bool		partial = handling->strategy == STRATEGY_PARTIAL_SUCCESS;

	if (partial && !json_object_object_get_ex(value, "onItemError", NULL))
		handling->rejects_bad_items = true;
	if (partial && !json_object_object_get_ex(value, "onBatchError", NULL))
		handling->batch_error = BATCH_ERROR_LOG;
	handling->rejects_failed_batches = handling->batch_error == BATCH_ERROR_LOG ||
		(partial && handling->batch_error == BATCH_ERROR_RETRY);
}

/* How often and when something is tried again says nothing where nothing is. */
static void
check_retry_keys(ProblemList *problems, struct json_object *value, const char *pointer,
				 const JobErrorHandling *handling)
{
	static const char *const retry_keys[] = {"maxRetries", "retryDelay", "backoff"};

	if (handling->strategy == STRATEGY_RETRY_WITH_BACKOFF || handling->batch_error == BATCH_ERROR_RETRY)
		return;
	for (int i = 0; i < lengthof(retry_keys); i++)
	{
		if (json_object_object_get_ex(value, retry_keys[i], NULL))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, retry_keys[i]),
						"Set \"strategy\" to \"retry_with_backoff\", or \"onBatchError\" to \"retry_batch\".",
						"\"%s\" is for runs or batches that are tried again", retry_keys[i]);
	}
}

/* A word that stands for true or false. */
static void
read_flag(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	const Choice *choice = find_choice(problems, rule->choices, rule->name, json_object_get_string(value), pointer);
	bool	   *field = rule_field(rule, target);

	if (choice != NULL && field != NULL)
		*field = choice->value;
}

/* onError of a destination, which wins over the job's onItemError. */
void
read_on_error(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	JobDestination *destination = target;
	const Choice *choice = find_choice(problems, item_error_actions, rule->name, json_object_get_string(value), pointer);

	destination->states_on_error = true;
	destination->rejects_bad_items = choice != NULL && choice->value;
}
