/*
 * watching_definition.c
 *	  Who hears of a job's runs: logging {level, destination, table}, hooks {onJobStart, onJobComplete, onJobError}.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

static const Choice log_levels[] = {
	{"debug", LEVEL_DEBUG},
	{"info", LEVEL_INFO},
	{"warning", LEVEL_WARNING},
	{"error", LEVEL_ERROR},
	{NULL}
};

static const Choice log_destinations[] = {
	{"database", true},
	{NULL}
};

static void read_destination(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							 const char *pointer, void *target);

static const KeyRule logging_rules[] = {
	{.name = "level", .types = VALUE_STRING, .parse = read_choice, FIELD(JobLogging, level), .choices = log_levels},
	{.name = "destination", .types = VALUE_STRING, .parse = read_destination, FIELD(JobLogging, to_database), .choices = log_destinations},
	{.name = "table", .types = VALUE_STRING, .parse = read_string, FIELD(JobLogging, table), .min = 1},
	{NULL}
};

static const KeyRule hooks_rules[] = {
	{.name = "onJobStart", .types = VALUE_STRING, .parse = read_string, FIELD(JobHooks, on_start), .min = 1},
	{.name = "onJobComplete", .types = VALUE_STRING, .parse = read_string, FIELD(JobHooks, on_complete), .min = 1},
	{.name = "onJobError", .types = VALUE_STRING, .parse = read_string, FIELD(JobHooks, on_error), .min = 1},
	{NULL}
};

void
read_logging(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	JobLogging *logging = rule_field(rule, target);

	read_object(problems, value, pointer, logging_rules, ~0U, NULL, logging);
	logging->stated = true;
	logging->pointer = pointer_key(pointer, "table");
	if (logging->table != NULL && !json_object_object_get_ex(value, "destination", NULL))
		logging->to_database = true;
}

void
read_hooks(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	read_object(problems, value, pointer, hooks_rules, ~0U, NULL, rule_field(rule, target));
}

void
job_hooks_complete(JobHooks *hooks, const JobHooks *defaults)
{
	if (hooks->on_start == NULL)
		hooks->on_start = defaults->on_start;
	if (hooks->on_complete == NULL)
		hooks->on_complete = defaults->on_complete;
	if (hooks->on_error == NULL)
		hooks->on_error = defaults->on_error;
}

static void
read_destination(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				 const char *pointer, void *target)
{
	const Choice *choice = find_choice(problems, rule->choices, rule->name, json_object_get_string(value), pointer);
	bool	   *field = rule_field(rule, target);

	*field = choice != NULL && choice->value;
}
