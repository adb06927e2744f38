/*
 * response_definition.c
 *	  What responses mean: errorWhen, errorMessage, onStatus.
 *
 * All of it becomes one list of rules, of which the first that fits a response
 * speaks: errorWhen for successes, then onStatus by exact status, then by class
 * ("4xx"), and last, where there is an errorMessage, one for all other errors
 * that gives them their message and leaves the action as it is.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define MAX_RULES 100

static const Choice actions[] = {
	{"fail", ACTION_FAIL},
	{"retry", ACTION_RETRY},
	{"empty", ACTION_EMPTY},
	{"skip", ACTION_SKIP},
	{"refresh_token", ACTION_REFRESH_TOKEN},
	{"restart", ACTION_RESTART},
	{"halve_page", ACTION_HALVE_PAGE},
	{NULL}
};

static void read_when(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					  const char *pointer, void *target);
static void read_message(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						 const char *pointer, void *target);
static void read_error_when(ProblemList *problems, struct json_object *value, const char *pointer, JobSource *source);
static void read_on_status(ProblemList *problems, struct json_object *value, const char *pointer,
						   bool classes, JobSource *source);
static void read_status_rule(ProblemList *problems, struct json_object *value, const char *pointer,
							 int status, JobSource *source);
static JobResponseRule *add_rule(JobSource *source, int status, const char *pointer);
static int	parse_status(const char *text);

static const KeyRule error_rules[] = {
	{.name = "when", .types = VALUE_STRING, .parse = read_when, .flags = KEY_REQUIRED},
	{.name = "action", .types = VALUE_STRING, .parse = read_choice, FIELD(JobResponseRule, action), .choices = actions},
	{.name = "message", .types = VALUE_STRING, .parse = read_message},
	{NULL}
};

static const KeyRule status_rules[] = {
	{.name = "when", .types = VALUE_STRING, .parse = read_when},
	{.name = "action", .types = VALUE_STRING, .parse = read_choice, FIELD(JobResponseRule, action),
	.flags = KEY_REQUIRED, .choices = actions},
	{.name = "message", .types = VALUE_STRING, .parse = read_message},
	{NULL}
};

/* After the keys have been read, by their own rules, as to their types. */
void
response_definition_parse(ProblemList *problems, struct json_object *object, const char *pointer, JobSource *source)
{
	struct json_object *value;
	JobValue	message = {0};
	ListCell   *lc;

	if (jsonc_get(object, "errorMessage", &value) && value_is(value, VALUE_STRING))
		message = job_value(value, pointer_key(pointer, "errorMessage"));
	if (jsonc_get(object, "errorWhen", &value))
		read_error_when(problems, value, pointer_key(pointer, "errorWhen"), source);
	if (jsonc_get(object, "onStatus", &value) && value_is(value, VALUE_OBJECT))
	{
		read_on_status(problems, value, pointer_key(pointer, "onStatus"), false, source);
		read_on_status(problems, value, pointer_key(pointer, "onStatus"), true, source);
	}
	if (message.text == NULL)
		return;

	add_rule(source, RULE_ANY_ERROR, message.pointer)->action = ACTION_DEFAULT;
	foreach(lc, source->response_rules)
	{
		JobResponseRule *rule = lfirst(lc);

		if (rule->message.text == NULL)
			rule->message = message;
	}
}

/* A template, or a list of {when, action, message}. */
static void
read_error_when(ProblemList *problems, struct json_object *value, const char *pointer, JobSource *source)
{
	KeyRule		when = {.name = "errorWhen"};

	if (value_is(value, VALUE_STRING))
		read_when(problems, &when, value, pointer, add_rule(source, 0, pointer));
	else if (value_is(value, VALUE_ARRAY))
	{
		for (int i = 0; i < json_object_array_length(value); i++)
		{
			struct json_object *element = json_object_array_get_idx(value, i);
			char	   *place = pointer_index(pointer, i);

			if (check_type(problems, element, VALUE_OBJECT, "a rule", place))
				read_object(problems, element, place, error_rules, ~0U, NULL, add_rule(source, 0, place));
		}
	}
}

/* {"404": "empty", "4xx": [{"when", "action"}, "fail"]}; either the classes or the others. */
static void
read_on_status(ProblemList *problems, struct json_object *object, const char *pointer,
			   bool classes, JobSource *source)
{
	json_object_object_foreach(object, key, value)
	{
		int			status = parse_status(key);
		char	   *place = pointer_key(pointer, key);

		if (classes != (status > 0 && status < 10))
			continue;
		if (status < 0)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, place,
						"Write a status as \"404\" or all of a class as \"5xx\".",
						"\"%s\" is not a status", clip_text(key));
		else if (!check_type(problems, value, VALUE_STRING | VALUE_OBJECT | VALUE_ARRAY, "an action", place))
			continue;
		else if (!value_is(value, VALUE_ARRAY))
			read_status_rule(problems, value, place, status, source);
		else
		{
			for (int i = 0; i < json_object_array_length(value); i++)
				read_status_rule(problems, json_object_array_get_idx(value, i), pointer_index(place, i), status, source);
		}
	}
}

/* An action, or {when, action, message}. */
static void
read_status_rule(ProblemList *problems, struct json_object *value, const char *pointer,
				 int status, JobSource *source)
{
	const Choice *choice;
	JobResponseRule *rule;

	if (!check_type(problems, value, VALUE_STRING | VALUE_OBJECT, "an action", pointer))
		return;
	rule = add_rule(source, status, pointer);
	if (value_is(value, VALUE_OBJECT))
		read_object(problems, value, pointer, status_rules, ~0U, NULL, rule);
	else if ((choice = find_choice(problems, actions, "action", json_object_get_string(value), pointer)) != NULL)
		rule->action = choice->value;

	if (list_length(source->response_rules) == MAX_RULES + 1)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"there are more than %d rules for responses", MAX_RULES);
}

static JobResponseRule *
add_rule(JobSource *source, int status, const char *pointer)
{
	JobResponseRule *rule = palloc0(sizeof(JobResponseRule));

	rule->status = status;
	rule->action = ACTION_FAIL;
	rule->pointer = pstrdup(pointer);
	source->response_rules = lappend(source->response_rules, rule);
	return rule;
}

/* "404" is 404, "4xx" is 4, anything else is -1. */
static int
parse_status(const char *text)
{
	if (strlen(text) != 3 || text[0] < '1' || text[0] > '5')
		return -1;
	if (strcmp(text + 1, "xx") == 0)
		return text[0] - '0';
	return strspn(text, "0123456789") == 3 ? atoi(text) : -1;
}

static void
read_when(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	read_condition(problems, rule, value, pointer, "{{ response.ok == false }}", &((JobResponseRule *) target)->when);
}

static void
read_message(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	((JobResponseRule *) target)->message = job_value(value, pointer);
}
