/*
 * behaviour_definition.c
 *	  Keys of a definition whose behaviour is that of later versions.
 *
 * They are known, so that a mistyped one is told from one that is not there
 * yet, and what is wrong inside of them is found.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define MAX_CONCURRENCY		100

/* logging and hooks */

static const Choice log_levels[] = {{"debug"}, {"info"}, {"warning"}, {"error"}, {NULL}};
static const Choice log_destinations[] = {{"database"}, {NULL}};

const KeyRule logging_rules[] = {
	{.name = "level", .types = VALUE_STRING, .parse = read_choice, .choices = log_levels},
	{.name = "destination", .types = VALUE_STRING, .parse = read_choice, .choices = log_destinations},
	{.name = "table", .types = VALUE_STRING, .parse = read_string, .min = 1},
	{NULL}
};

const KeyRule hooks_rules[] = {
	{.name = "onJobStart", .types = VALUE_STRING, .parse = read_string, .min = 1},
	{.name = "onJobComplete", .types = VALUE_STRING, .parse = read_string, .min = 1},
	{.name = "onJobError", .types = VALUE_STRING, .parse = read_string, .min = 1},
	{NULL}
};

/* trigger */

#define TRIGGER_WEBHOOK 0
#define TRIGGER_EVENT	1

static const Choice trigger_types[] = {
	{"webhook", TRIGGER_WEBHOOK},
	{"event", TRIGGER_EVENT},
	{NULL}
};

static const KeyRule trigger_rules[] = {
	{.name = "type", .types = VALUE_STRING},
	{.name = "endpoint", .types = VALUE_STRING, .parse = read_string, .flags = KEY_REQUIRED, .variants = 1 << TRIGGER_WEBHOOK, .min = 1},
	{.name = "secret", .types = VALUE_STRING, .parse = read_string, .variants = 1 << TRIGGER_WEBHOOK, .min = 1},
	{.name = "signature", .types = VALUE_STRING | VALUE_OBJECT, .variants = 1 << TRIGGER_WEBHOOK},
	{.name = "event", .types = VALUE_STRING, .parse = read_string, .flags = KEY_REQUIRED, .variants = 1 << TRIGGER_EVENT, .min = 1},
	{.name = "source", .types = VALUE_STRING, .parse = read_string, .variants = 1 << TRIGGER_EVENT, .min = 1},
	{NULL}
};

/* {type: "webhook", ...} or {type: "event", ...} */
void
check_trigger(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	ObjectType	type;

	read_type(problems, value, pointer, trigger_types, &type);
	read_object(problems, value, pointer, trigger_rules, type.variant, type.label, NULL);
}
