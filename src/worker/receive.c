/*
 * receive.c
 *	  A delivery of a webhook is verified and kept.
 *
 * The one function behind both doors: databite.receive_webhook and the listener.
 * It knows who sent the message before it looks at anything in it, and
 * nothing of a body, header or secret gets into a message or the log.
 *
 * What was taken is two rows in one transaction: the delivery, which the run
 * deletes that writes it, and what its sender calls it, which stays for a while.  Where no step of the job
 * reads deliveries, it is a queued run with the body as its payload instead.
 * A second delivery of the same name waits for the first one's commit, and is
 * then known.  Only where the first one rolls back does the second take its place.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/digest.h"
#include "base/errors.h"
#include "base/form.h"
#include "base/subtransaction.h"
#include "catalog/delivery_catalog.h"
#include "catalog/job_catalog.h"
#include "catalog/run_catalog.h"
#include "catalog/token_catalog.h"
#include "item/json_seek.h"
#include "job/definition.h"
#include "job/secret_name.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "worker/receive.h"
#include "worker/worker.h"

#define MAX_FORM_FIELDS 1000

/* What is known of a path that messages have come for. */
typedef struct Endpoint
{
	char	   *path;
	JobRecord  *job;
	JobTrigger *trigger;		/* NULL: it is no job's */
	bool		has_taker;		/* a step of the job reads deliveries */
} Endpoint;

struct Receiver
{
	MemoryContext memory;
	List	   *endpoints;		/* of Endpoint * */
};

typedef struct Payload
{
	const SignedMessage *message;
	bool		as_jsonb;		/* it has to be that, too */
	char	   *utf8;			/* the same before it is json */
	char	   *json;			/* in the encoding of the database */
	const char *problem;		/* of a body that is JSON, or NULL */
} Payload;

static const Endpoint *find_endpoint(Receiver *receiver, const char *url);
static void read_job(Endpoint *endpoint);
static void keep(const Endpoint *endpoint, const Payload *payload, Reception *reception);
static SignatureVerdict verify(const JobRecord *job, const JobTrigger *trigger, const SignedMessage *message);
static void refuse(Reception *reception, int status, const char *message);
static const char *verdict_text(SignatureVerdict verdict);
static void read_payload(void *arg);
static bool nests_too_deep(const char *json);
static char *form_json(const SignedMessage *message);
static int	find_field(const List *fields, const char *name, int from);
static void append_values(StringInfo json, const List *fields, int first, const char *name);
static bool is_form(const SignedMessage *message);
static bool is_new(const JobRecord *job, const JobTrigger *trigger, const Payload *payload);
static char *id_in_body(const JobTrigger *trigger, const Payload *payload);
static void commit_to_disk(void);
static char *headers_json(const SignedMessage *message);

Receiver *
receiver_create(void)
{
	Receiver   *receiver = palloc0(sizeof(Receiver));

	receiver->memory = CurrentMemoryContext;
	return receiver;
}

void
receive_delivery(Receiver *receiver, const char *endpoint, const SignedMessage *message, Reception *reception)
{
	const Endpoint *found = find_endpoint(receiver, endpoint);
	const JobRecord *job = found->job;
	const JobTrigger *trigger = found->trigger;
	Payload		payload = {.message = message, .as_jsonb = !found->has_taker};
	SignatureVerdict verdict;
	ErrorData  *error;

	if (trigger == NULL)
	{
		refuse(reception, 404, "there is no such endpoint");
		return;
	}
	if (message->body_len > RECEIVE_MAX_BODY)
	{
		refuse(reception, 413, "the body is too large");
		return;
	}
	verdict = verify(job, trigger, message);
	if (verdict != SIGNATURE_RIGHT)
	{
		refuse(reception, 401, verdict_text(verdict));
		return;
	}
	error = subtransaction_run(read_payload, &payload, SUBTRANSACTION_KEEP);
	if (error != NULL)
	{
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION &&
			ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			error_rethrow(error);
		refuse(reception, 400, payload.problem != NULL ? payload.problem : "the body is not JSON");
		return;
	}

	reception->status = 200;
	reception->message = "it has been taken before";
	if (is_new(job, trigger, &payload))
		keep(found, &payload, reception);
}

static void
keep(const Endpoint *endpoint, const Payload *payload, Reception *reception)
{
	const JobRecord *job = endpoint->job;

	reception->message = "taken";
	if (endpoint->has_taker)
		reception->delivery_id = delivery_catalog_add(job->id, headers_json(payload->message), payload->json);
	else
		reception->run_id = run_catalog_add(job->id, job->owner, RUN_QUEUED, "webhook", 0, payload->json, 0);
	commit_to_disk();
	worker_wake_scheduler_at_commit();
}

/* By its path; what is not there is remembered, too. */
static const Endpoint *
find_endpoint(Receiver *receiver, const char *url)
{
	size_t		len = strcspn(url, "?");
	Endpoint   *endpoint;
	ListCell   *lc;
	MemoryContext old;

	foreach(lc, receiver->endpoints)
	{
		endpoint = lfirst(lc);
		if (strlen(endpoint->path) == len && strncmp(endpoint->path, url, len) == 0)
			return endpoint;
	}
	old = MemoryContextSwitchTo(receiver->memory);
	endpoint = palloc0(sizeof(Endpoint));
	endpoint->path = pnstrdup(url, len);
	endpoint->job = job_catalog_of_endpoint(endpoint->path);
	if (endpoint->job != NULL)
		read_job(endpoint);
	receiver->endpoints = lappend(receiver->endpoints, endpoint);
	MemoryContextSwitchTo(old);
	return endpoint;
}

/* Its definition was right when the job was scheduled. */
static void
read_job(Endpoint *endpoint)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *job = job_parse(endpoint->job->definition, strlen(endpoint->job->definition), problems);

	problem_raise_first(problems);
	if (job->trigger == NULL || job->trigger->type != TRIGGER_WEBHOOK)
		return;
	endpoint->trigger = job->trigger;
	endpoint->has_taker = job_takes_deliveries(job);
}

/* By any of the secrets: there are several while they are exchanged.  What comes nearest to right is the answer. */
static SignatureVerdict
verify(const JobRecord *job, const JobTrigger *trigger, const SignedMessage *message)
{
	SignatureVerdict best = trigger->secrets == NIL ? SIGNATURE_RIGHT : SIGNATURE_MISSING;
	ListCell   *lc;

	foreach(lc, trigger->secrets)
	{
		const JobSecret *secret = lfirst(lc);
		const char *value = secret->name != NULL ? token_catalog_get(job->owner, secret->name) : secret->value;
		SignatureVerdict verdict = value != NULL && value[0] != '\0'
			? signature_verify(&trigger->signature, value, message)
			: SIGNATURE_WRONG;

		if (verdict == SIGNATURE_RIGHT)
			return SIGNATURE_RIGHT;
		best = Max(best, verdict);
	}
	return best;
}

static void
refuse(Reception *reception, int status, const char *message)
{
	reception->status = status;
	reception->message = message;
}

static const char *
verdict_text(SignatureVerdict verdict)
{
	switch (verdict)
	{
		case SIGNATURE_MISSING:
			return "the signature is missing";
		case SIGNATURE_OUT_OF_TIME:
			return "the message is too old, or of the future";
		default:
			return "the signature is wrong";
	}
}

/* Raises a data exception where the body is neither JSON nor a form. */
static void
read_payload(void *arg)
{
	Payload    *payload = arg;
	const SignedMessage *message = payload->message;
	const char *text = message->body;
	size_t		len = message->body_len;

	if (is_form(message))
	{
		text = form_json(message);
		len = strlen(text);
	}
	if (memchr(text, '\0', len) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
				 errmsg("the body has a zero byte")));
	(void) pg_verify_mbstr(PG_UTF8, text, len, false);
	payload->utf8 = pnstrdup(text, len);
	if (nests_too_deep(payload->utf8))
	{
		payload->problem = "the body is nested too deep";
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the body is nested deeper than %d levels", DELIVERY_MAX_DEPTH)));
	}
	payload->json = pg_any_to_server(payload->utf8, len, PG_UTF8);
	(void) DirectFunctionCall1(payload->as_jsonb ? jsonb_in : json_in, CStringGetDatum(payload->json));
}

/* What is no JSON at all may come to any answer. */
static bool
nests_too_deep(const char *json)
{
	int			depth = 0;
	bool		in_string = false;

	for (; *json != '\0' && depth <= DELIVERY_MAX_DEPTH; json++)
	{
		if (*json == '"')
			in_string = !in_string;
		else if (in_string)
			json += *json == '\\' && json[1] != '\0';
		else if (*json == '[' || *json == '{')
			depth++;
		else if (*json == ']' || *json == '}')
			depth--;
	}
	return depth > DELIVERY_MAX_DEPTH;
}

/* An object of the form's fields; of one that is there several times an array. */
static char *
form_json(const SignedMessage *message)
{
	List	   *fields = form_parse(message->body, message->body_len);
	StringInfoData json;

	if (list_length(fields) > MAX_FORM_FIELDS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the form has more than %d fields", MAX_FORM_FIELDS)));
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < list_length(fields); i++)
	{
		const char *name = ((const FormField *) list_nth(fields, i))->name;

		if (find_field(fields, name, 0) < i)
			continue;
		if (json.len > 1)
			appendStringInfoString(&json, ", ");
		escape_json(&json, name);
		appendStringInfoString(&json, ": ");
		append_values(&json, fields, i, name);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* The first field of that name from a place on; as many as there are: none. */
static int
find_field(const List *fields, const char *name, int from)
{
	while (from < list_length(fields) && strcmp(((const FormField *) list_nth(fields, from))->name, name) != 0)
		from++;
	return from;
}

static void
append_values(StringInfo json, const List *fields, int first, const char *name)
{
	bool		several = find_field(fields, name, first + 1) < list_length(fields);

	if (several)
		appendStringInfoChar(json, '[');
	for (int i = first; i < list_length(fields); i = find_field(fields, name, i + 1))
	{
		if (i > first)
			appendStringInfoString(json, ", ");
		escape_json(json, ((const FormField *) list_nth(fields, i))->value);
	}
	if (several)
		appendStringInfoChar(json, ']');
}

static bool
is_form(const SignedMessage *message)
{
	const char *type = message_header(message, "Content-Type");

	return type != NULL && pg_strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
}

/* A message without a name is always new. */
static bool
is_new(const JobRecord *job, const JobTrigger *trigger, const Payload *payload)
{
	const char *id = signature_message_id(&trigger->signature, payload->message);
	uint8		hash[DIGEST_BYTES];

	if (id == NULL)
		id = id_in_body(trigger, payload);
	if (id == NULL)
		return true;
	digest_sha256(id, strlen(id), hash);
	return delivery_catalog_see(job->id, hash, sizeof(hash));
}

/* Stripe says in the body what an event is called.  Looks at the text: no tree of what a stranger may have made up. */
static char *
id_in_body(const JobTrigger *trigger, const Payload *payload)
{
	static const JsonPathStep id = {.kind = PATH_KEY, .key = "id", .keylen = 2};
	uint64		objects[DELIVERY_MAX_DEPTH / 64 + 1];
	JsonNesting nesting = {.max_depth = DELIVERY_MAX_DEPTH, .objects = objects};
	const char *value;
	const char *end;

	if (signature_scheme(&trigger->signature, payload->message) != SIGNATURE_STRIPE)
		return NULL;
	value = json_seek(payload->utf8, payload->utf8 + strlen(payload->utf8), &id, 1, &nesting, &end);
	return value != NULL && *value == '"' ? pnstrdup(value, end - value) : NULL;
}

/* A 2xx is a promise, also where the database's transactions do not wait for the disk. */
static void
commit_to_disk(void)
{
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		(void) set_config_option("synchronous_commit", "local", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

/* Names in lower case; without those that hold something secret, and what is no text in the database. */
static char *
headers_json(const SignedMessage *message)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < message->nheaders; i++)
	{
		const MessageHeader *header = &message->headers[i];
		char	   *name = pstrdup(header->name);
		char	   *value;

		/* Of several with one name the first, as message_header has it. */
		if (is_secret_name(name) || message_header(message, name) != header->value ||
			!pg_verifymbstr(name, strlen(name), true) || !pg_verifymbstr(header->value, strlen(header->value), true))
			continue;
		for (char *c = name; *c != '\0'; c++)
			*c = pg_ascii_tolower((unsigned char) *c);
		value = pstrdup(header->value);
		if (json.len > 1)
			appendStringInfoString(&json, ", ");
		escape_json(&json, name);
		appendStringInfoString(&json, ": ");
		escape_json(&json, value);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}
