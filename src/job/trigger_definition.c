/*
 * trigger_definition.c
 *	  What has a job run beside its schedule: {type: "webhook", endpoint, secret, signature}, {type: "event", event, source}.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define MAX_ENDPOINT_LEN	200
#define MAX_EVENT_LEN		200
#define MAX_PREFIX_LEN		100
#define MAX_SECRETS			10
#define DEFAULT_AGE_MS		300000

#define WEBHOOK				(1U << TRIGGER_WEBHOOK)
#define EVENT				(1U << TRIGGER_EVENT)

static void read_endpoint(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						  const char *pointer, void *target);
static bool is_reserved(const char *endpoint);
static void read_secret(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						const char *pointer, void *target);
static JobSecret *make_secret(ProblemList *problems, const char *text, const char *pointer);
static void read_signature(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						   const char *pointer, void *target);
static void read_header(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						const char *pointer, void *target);
static void read_signed_payload(ProblemList *problems, const KeyRule *rule, struct json_object *value,
								const char *pointer, void *target);
static void check_signature(ProblemList *problems, struct json_object *object, const char *pointer, const SignatureRule *signature);
static void check_taker(ProblemList *problems, const JobStep *step);
static void check_named(ProblemList *problems, struct json_object *object, const char *pointer, bool signs_url);

static const Choice trigger_types[] = {
	{"webhook", TRIGGER_WEBHOOK},
	{"event", TRIGGER_EVENT},
	{NULL}
};

static const Choice schemes[] = {
	{"github", SIGNATURE_GITHUB},
	{"stripe", SIGNATURE_STRIPE},
	{"shopify", SIGNATURE_SHOPIFY},
	{"slack", SIGNATURE_SLACK},
	{"standard", SIGNATURE_STANDARD},
	{"twilio", SIGNATURE_TWILIO},
	{NULL}
};

static const Choice digests[] = {
	{"sha256", SIGNATURE_SHA256},
	{"sha1", SIGNATURE_SHA1},
	{"sha512", SIGNATURE_SHA512},
	{NULL}
};

static const Choice encodings[] = {
	{"hex", SIGNATURE_HEX},
	{"base64", SIGNATURE_BASE64},
	{NULL}
};

static const KeyRule trigger_rules[] = {
	{.name = "type", .types = VALUE_STRING},
	{.name = "endpoint", .types = VALUE_STRING, .parse = read_endpoint, .flags = KEY_REQUIRED, .variants = WEBHOOK,
	FIELD(JobTrigger, endpoint)},
	{.name = "secret", .types = VALUE_STRING | VALUE_ARRAY, .parse = read_secret, .variants = WEBHOOK, FIELD(JobTrigger, secrets)},
	{.name = "signature", .types = VALUE_STRING | VALUE_OBJECT, .parse = read_signature, .variants = WEBHOOK,
	FIELD(JobTrigger, signature)},
	{.name = "event", .types = VALUE_STRING, .parse = read_string, .flags = KEY_REQUIRED, .variants = EVENT,
	FIELD(JobTrigger, event), .min = 1, .max = MAX_EVENT_LEN},
	{.name = "source", .types = VALUE_STRING, .parse = read_string, .variants = EVENT,
	FIELD(JobTrigger, source), .min = 1, .max = MAX_EVENT_LEN},
	{NULL}
};

static const KeyRule signature_rules[] = {
	{.name = "scheme", .types = VALUE_STRING, .parse = read_choice, FIELD(SignatureRule, scheme), .choices = schemes},
	{.name = "header", .types = VALUE_STRING, .parse = read_header, FIELD(SignatureRule, header)},
	{.name = "algorithm", .types = VALUE_STRING, .parse = read_choice, FIELD(SignatureRule, digest), .choices = digests},
	{.name = "encoding", .types = VALUE_STRING, .parse = read_choice, FIELD(SignatureRule, encoding), .choices = encodings},
	{.name = "prefix", .types = VALUE_STRING, .parse = read_string, FIELD(SignatureRule, prefix), .min = 1, .max = MAX_PREFIX_LEN},
	{.name = "signedPayload", .types = VALUE_STRING, .parse = read_signed_payload, FIELD(SignatureRule, signed_payload)},
	{.name = "timestampHeader", .types = VALUE_STRING, .parse = read_header, FIELD(SignatureRule, timestamp_header)},
	{.name = "idHeader", .types = VALUE_STRING, .parse = read_header, FIELD(SignatureRule, id_header)},
	{.name = "url", .types = VALUE_STRING, .parse = read_string, FIELD(SignatureRule, url), .min = 1},
	{.name = "maxAge", .types = VALUE_TIME, .parse = read_duration, FIELD(SignatureRule, max_age_ms), .min = 0, .max = MAX_TIME_MS},
	{NULL}
};

void
read_trigger(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	JobTrigger **field = rule_field(rule, target);
	JobTrigger *trigger = palloc0(sizeof(JobTrigger));
	ObjectType	type;

	trigger->signature.max_age_ms = DEFAULT_AGE_MS;
	read_type(problems, value, pointer, trigger_types, &type);
	read_object(problems, value, pointer, trigger_rules, type.variant, type.label, trigger);
	trigger->type = type.value;
	if (trigger->secrets == NIL && json_object_object_get_ex(value, "signature", NULL))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "signature"),
					"Add \"secret\".",
					"a signature cannot be checked without a secret");
	*field = trigger;
}

/* The path of a URL, so it is written as one. */
static void
read_endpoint(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	const char *endpoint = json_object_get_string(value);
	size_t		len = strspn(endpoint, "abcdefghijklmnopqrstuvwxyz"
							 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							 "0123456789_-.~/");

	if (endpoint[0] != '/' || endpoint[len] != '\0' || len > MAX_ENDPOINT_LEN)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					psprintf("It is a path as \"/webhook/orders\": \"/\", letters, digits and \"_-.~\", at most %d bytes.",
							 MAX_ENDPOINT_LEN),
					"\"%s\" is not an endpoint", clip_text(endpoint));
	else if (is_reserved(endpoint))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Use another path, as \"/webhook/orders\".",
					"\"%s\" is where the listener itself is watched", endpoint);
	else
		*(char **) rule_field(rule, target) = pstrdup(endpoint);
}

/* What worker/watch.c answers. */
static bool
is_reserved(const char *endpoint)
{
	return strcmp(endpoint, "/") == 0 || strcmp(endpoint, "/metrics") == 0 || strcmp(endpoint, "/health") == 0;
}

/* One, or several while they are exchanged. */
static void
read_secret(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	List	  **secrets = rule_field(rule, target);
	bool		several = json_object_is_type(value, json_type_array);
	int			n = several ? json_object_array_length(value) : 1;

	if (n == 0 || n > MAX_SECRETS)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must have between 1 and %d elements", rule->name, MAX_SECRETS);
	for (int i = 0; i < n && n <= MAX_SECRETS; i++)
	{
		struct json_object *secret = several ? json_object_array_get_idx(value, i) : value;
		const char *place = several ? pointer_index(pointer, i) : pointer;

		if (check_type(problems, secret, VALUE_STRING, "a secret", place))
			*secrets = lappend(*secrets, make_secret(problems, json_object_get_string(secret), place));
	}
}

static JobSecret *
make_secret(ProblemList *problems, const char *text, const char *pointer)
{
	JobSecret  *secret = palloc0(sizeof(JobSecret));

	secret->name = lone_token(text);
	if (secret->name == NULL)
		secret->value = pstrdup(text);
	if (text[0] == '\0')
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL, "a secret must not be empty");
	else if (secret->name == NULL && strstr(text, "{{") != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"a secret must be one token as {{secrets.name}} and nothing else");
	return secret;
}

/* The name of a scheme, or an object. */
static void
read_signature(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			   const char *pointer, void *target)
{
	SignatureRule *signature = rule_field(rule, target);

	if (json_object_is_type(value, json_type_string))
	{
		const Choice *choice = find_choice(problems, schemes, rule->name, json_object_get_string(value), pointer);

		if (choice != NULL)
			signature->scheme = choice->value;
		return;
	}
	read_object(problems, value, pointer, signature_rules, ~0U, NULL, signature);
	check_signature(problems, value, pointer, signature);
	if (signature->scheme == SIGNATURE_BY_HEADERS)
		signature->scheme = SIGNATURE_GENERIC;
}

static void
read_header(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	const char *name = json_object_get_string(value);

	if (is_header_name(name))
		*(char **) rule_field(rule, target) = pstrdup(name);
	else
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" cannot be the name of a header", clip_text(name));
}

static void
read_signed_payload(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					const char *pointer, void *target)
{
	const char *problem;

	if (signature_payload_is_right(json_object_get_string(value), &problem))
		*(char **) rule_field(rule, target) = pstrdup(json_object_get_string(value));
	else
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Write it as \"{{timestamp}}.{{body}}\"; there are also {{id}} and {{headers.name}}.",
					"\"%s\" %s", rule->name, problem);
}

static void
check_signature(ProblemList *problems, struct json_object *object, const char *pointer, const SignatureRule *signature)
{
	if (signature->scheme != SIGNATURE_BY_HEADERS)
		check_named(problems, object, pointer, signature->scheme == SIGNATURE_TWILIO);
	else if (signature->url != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "url"), NULL,
					"\"url\" is for scheme \"twilio\"");
	else if (!json_object_object_get_ex(object, "header", NULL) && !json_object_object_get_ex(object, "scheme", NULL))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Say \"scheme\", or which header has the signature.",
					"\"header\" is missing");
}

/* A named scheme has all but the age settled, and the URL that is signed. */
static void
check_named(ProblemList *problems, struct json_object *object, const char *pointer, bool signs_url)
{
	json_object_object_foreach(object, key, value)
	{
		if (value != NULL && strcmp(key, "scheme") != 0 && strcmp(key, "maxAge") != 0 && !(signs_url && strcmp(key, "url") == 0))
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, key), NULL,
						"\"%s\" does not go with \"scheme\"", key);
	}
}

void
trigger_definition_check(ProblemList *problems, const Job *job)
{
	bool		is_webhook = job->trigger != NULL && job->trigger->type == TRIGGER_WEBHOOK;
	const JobStep *taker = NULL;
	ListCell   *lc;

	foreach(lc, job->steps)
	{
		const JobStep *step = lfirst(lc);
		char	   *pointer = psprintf("%s/source/type", step->pointer);

		if (step->source.type != SOURCE_WEBHOOK)
			continue;
		if (!is_webhook)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
						"Add \"trigger\": {\"type\": \"webhook\", \"endpoint\": \"/...\", \"secret\": \"{{secrets.name}}\"}.",
						"a source of type \"webhook_data\" needs a trigger that takes webhooks");
		else if (taker != NULL)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
						"steps \"%s\" and \"%s\" cannot both take what the webhook brings", taker->id, step->id);
		taker = step;
		check_taker(problems, step);
	}
}

/* A job without such a step has a run for each delivery, whose payload that is. */
bool
job_takes_deliveries(const Job *job)
{
	ListCell   *lc;

	foreach(lc, job->steps)
	{
		if (((const JobStep *) lfirst(lc))->source.type == SOURCE_WEBHOOK)
			return true;
	}
	return false;
}

/* What comes is a part of what there is, in the order in which it came. */
static void
check_taker(ProblemList *problems, const JobStep *step)
{
	const JobDestination *destination = &step->destination;

	if (destination->mode == WRITE_REPLACE || destination->mode == WRITE_PARALLEL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s/destination/mode", step->pointer),
					"Use mode \"upsert\" or \"insert\".",
					"mode \"%s\" does not go with a source of type \"webhook_data\"", write_mode_name(destination->mode));
	if (destination->deletes != NULL && destination->deletes->missing != DELETE_NONE)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(destination->deletes->pointer, "missing"), NULL,
					"what a webhook brings is a part of what there is, so nothing can be missing in it");
}
