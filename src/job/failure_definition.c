/*
 * failure_definition.c
 *	  Who hears of a run that has failed for good: onFailure, "notify_admin" or {type: "webhook", url, secret, headers} or both.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"
#include "job/secret_name.h"
#include "job/secret_text.h"

#define MAX_HEADERS	50

typedef enum FailureAction
{
	FAILURE_NOTIFY,
	FAILURE_WEBHOOK
} FailureAction;

#define WEBHOOK	(1U << FAILURE_WEBHOOK)

static const Choice actions[] = {
	{"notify_admin", FAILURE_NOTIFY},
	{NULL}
};

static const Choice action_types[] = {
	{"notify_admin", FAILURE_NOTIFY},
	{"webhook", FAILURE_WEBHOOK},
	{NULL}
};

static void read_action(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer,
						JobOnFailure *actions);
static void read_webhook_url(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							 const char *pointer, void *target);
static void read_webhook_secret(ProblemList *problems, const KeyRule *rule, struct json_object *value,
								const char *pointer, void *target);
static void read_webhook_headers(ProblemList *problems, const KeyRule *rule, struct json_object *value,
								 const char *pointer, void *target);
static void read_webhook_header(ProblemList *problems, const char *name, struct json_object *value, const char *pointer,
								JobWebhook *webhook);
static bool check_secrets(ProblemList *problems, const char *name, const char *text, bool is_secret, const char *pointer);

static const KeyRule webhook_rules[] = {
	{.name = "type", .types = VALUE_STRING},
	{.name = "url", .types = VALUE_STRING, .parse = read_webhook_url, .flags = KEY_REQUIRED, .variants = WEBHOOK},
	{.name = "secret", .types = VALUE_STRING, .parse = read_webhook_secret, .variants = WEBHOOK},
	{.name = "headers", .types = VALUE_OBJECT, .parse = read_webhook_headers, .variants = WEBHOOK},
	{NULL}
};

void
read_on_failure(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				const char *pointer, void *target)
{
	JobOnFailure *on_failure = rule_field(rule, target);

	if (!json_object_is_type(value, json_type_array))
	{
		read_action(problems, rule, value, pointer, on_failure);
		return;
	}
	for (int i = 0; i < json_object_array_length(value); i++)
	{
		struct json_object *element = json_object_array_get_idx(value, i);
		char	   *place = pointer_index(pointer, i);

		if (check_type(problems, element, VALUE_STRING | VALUE_OBJECT, "what is done on failure", place))
			read_action(problems, rule, element, place, on_failure);
	}
}

static void
read_action(ProblemList *problems, const KeyRule *rule, struct json_object *value, const char *pointer,
			JobOnFailure *on_failure)
{
	JobWebhook *webhook = palloc0(sizeof(JobWebhook));
	ObjectType	type;

	if (json_object_is_type(value, json_type_string))
	{
		if (find_choice(problems, actions, rule->name, json_object_get_string(value), pointer) != NULL)
			on_failure->notify_admin = true;
		return;
	}
	read_type(problems, value, pointer, action_types, &type);
	read_object(problems, value, pointer, webhook_rules, type.variant, type.label, webhook);
	if (type.variant == 0)
		return;
	if (type.value == FAILURE_NOTIFY)
		on_failure->notify_admin = true;
	else if (on_failure->webhook != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL, "there can be one webhook only");
	else
		on_failure->webhook = webhook;
}

static void
read_webhook_url(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				 const char *pointer, void *target)
{
	JobWebhook *webhook = target;
	const char *url = json_object_get_string(value);

	if (!check_secrets(problems, rule->name, url, false, pointer))
		return;
	if (strncmp(url, "{{", 2) != 0 &&
		pg_strncasecmp(url, "http://", 7) != 0 && pg_strncasecmp(url, "https://", 8) != 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must begin with \"https://\" or \"http://\"", rule->name);
	webhook->url = pstrdup(url);
}

static void
read_webhook_secret(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					const char *pointer, void *target)
{
	JobWebhook *webhook = target;

	if (check_secrets(problems, rule->name, json_object_get_string(value), true, pointer))
		webhook->secret = pstrdup(json_object_get_string(value));
}

static void
read_webhook_headers(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					 const char *pointer, void *target)
{
	json_object_object_foreach(value, name, header)
	{
		read_webhook_header(problems, name, header, pointer_key(pointer, name), target);
	}
	if (json_object_object_length(value) > MAX_HEADERS)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must have at most %d keys", rule->name, MAX_HEADERS);
}

/* Those that make the message and its signature are ours. */
static void
read_webhook_header(ProblemList *problems, const char *name, struct json_object *value, const char *pointer,
					JobWebhook *webhook)
{
	JobWebhookHeader *header = palloc(sizeof(JobWebhookHeader));

	if (!is_header_name(name))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" cannot be the name of a header", clip_text(name));
	else if (pg_strncasecmp(name, "webhook-", 8) == 0 || pg_strcasecmp(name, "content-type") == 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"header \"%s\" is set by databite", name);
	else if (check_type(problems, value, VALUE_STRING, psprintf("header \"%s\"", name), pointer) &&
			 check_secrets(problems, name, json_object_get_string(value), is_secret_name(name), pointer))
	{
		header->name = pstrdup(name);
		header->value = pstrdup(json_object_get_string(value));
		webhook->headers = lappend(webhook->headers, header);
	}
}

/* Is it a text in which tokens may stand, and where it is to be secret, do they? */
static bool
check_secrets(ProblemList *problems, const char *name, const char *text, bool is_secret, const char *pointer)
{
	bool		has_secret;
	const char *problem = secret_text_problem(text, &has_secret);

	if (problem != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL, "\"%s\" %s", name, problem);
	else if (is_secret && !has_secret)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Store it with databite.set_token('name', '...') and write \"{{secrets.name}}\" here.",
					"\"%s\" is a secret and must not stand in the definition", clip_text(name));
	return problem == NULL && (has_secret || !is_secret);
}
