/*
 * response_rules.c
 *	  What the definition says of responses: errorWhen, onStatus, stopWhen, and {{response}} in a transform.
 *
 * All rules are one SELECT: a CASE finds the first rule that fits, and only its
 * message is evaluated.  The response is its parameter ($1), never a part of its
 * text, and the plan is a generic one, so that the response is no part of that
 * either.
 *
 * Lifecycle: rules live as long as their memory context; the statements, which
 * are prepared at their first use, are freed with it.
 */
#include "postgres.h"

#include "base/clip.h"
#include "base/jsonc.h"
#include "catalog/pg_type.h"
#include "destination/prepared.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "run/response_rules.h"
#include "run/secret_mask.h"
#include "run/step.h"
#include "template/template.h"
#include "utils/json.h"
#include "utils/memutils.h"

/* What a message may be of a server's own words. */
#define MAX_MESSAGE_BYTES 500

#define MAX_DEPTH 512

/* A number that is longer, or has a longer exponent, is beyond what jsonb holds. */
#define MAX_NUMBER_LEN 1000
#define MAX_EXPONENT_LEN 4

struct ResponseRules
{
	MemoryContextCallback callback;
	List	   *rules;			/* of JobResponseRule * */
	char	   *sql;			/* number of the rule that fits, from 1, and its message; NULL: no rules */
	char	   *stop_sql;		/* pagination.stopWhen; NULL: none */
	bool		uses_run;		/* last_sync_time or run are asked for */
	Jsonb	   *run_scopes;		/* what is known of them; NULL: nothing */
	SPIPlanPtr	statement;
	SPIPlanPtr	stop_statement;
};

/* One evaluation, in a transaction. */
typedef struct Judgement
{
	ResponseRules *rules;
	bool		stop;			/* stopWhen rather than the rules */
	const char *scopes;			/* response_scope_json */
	MemoryContext caller;
	int			rule;			/* from 1; 0: none fits.  stopWhen: 1, it is true */
	char	   *message;		/* or NULL */
} Judgement;

static void release_rules(void *arg);
static char *rules_statement(TemplateCompiler *compiler, List *rules);
static char *status_condition(int status);
static char *stop_statement(TemplateCompiler *compiler, const JobValue *stop_when);
static void evaluate(ResponseRules *rules, RunContext *run, const HttpResponse *response,
					 const char *body, size_t len, Judgement *judgement);
static void evaluate_in_transaction(RunContext *run, void *arg);
static Jsonb *scopes_of(const Judgement *judgement);
static void append_headers(StringInfo json, const HttpResponse *response);
static void append_text(StringInfo json, const char *text, size_t len);
static char *text_here(const char *text, size_t len);
static bool fits_jsonb(struct json_object *value);
static bool members_fit_jsonb(struct json_object *object);

ResponseRules *
response_rules_create(const JobSource *source, ProblemList *problems, MemoryContext context)
{
	MemoryContext old;
	ResponseRules *rules;
	int			before = list_length(problems->problems);
	TemplateCompiler *compiler;

	if (source->response_rules == NIL && source->pagination.stop_when.text == NULL)
		return NULL;

	old = MemoryContextSwitchTo(context);
	rules = palloc0(sizeof(ResponseRules));
	rules->rules = source->response_rules;
	rules->callback.func = release_rules;
	rules->callback.arg = rules;
	MemoryContextRegisterResetCallback(context, &rules->callback);

	compiler = template_compiler_create(TEMPLATE_SCOPE_RESPONSE | TEMPLATE_SCOPE_SYNC, problems);
	if (source->response_rules != NIL)
		rules->sql = rules_statement(compiler, source->response_rules);
	if (source->pagination.stop_when.text != NULL)
		rules->stop_sql = stop_statement(compiler, &source->pagination.stop_when);
	rules->uses_run = (compiler->inputs->used & TEMPLATE_SCOPE_SYNC) != 0;
	MemoryContextSwitchTo(old);
	return list_length(problems->problems) > before ? NULL : rules;
}

void
response_rules_set_run(ResponseRules *rules, Jsonb *scopes)
{
	rules->run_scopes = scopes;
}

bool
response_rules_for_errors(const ResponseRules *rules)
{
	ListCell   *lc;

	if (rules == NULL)
		return false;
	foreach(lc, rules->rules)
	{
		int			status = ((const JobResponseRule *) lfirst(lc))->status;

		if (status != 0 && status != 2 && (status < 200 || status > 299))
			return true;
	}
	return false;
}

bool
response_rules_for_successes(const ResponseRules *rules)
{
	ListCell   *lc;

	if (rules == NULL)
		return false;
	foreach(lc, rules->rules)
	{
		int			status = ((const JobResponseRule *) lfirst(lc))->status;

		if (status == 0 || status == 2 || (status >= 200 && status <= 299))
			return true;
	}
	return false;
}

void
response_rules_judge(ResponseRules *rules, RunContext *run, const HttpResponse *response,
					 const char *body, size_t len, ResponseVerdict *verdict)
{
	Judgement	judgement = {.rules = rules};

	verdict->action = ACTION_DEFAULT;
	verdict->message = NULL;
	if (rules == NULL || rules->sql == NULL)
		return;
	evaluate(rules, run, response, body, len, &judgement);
	if (judgement.rule == 0)
		return;
	verdict->action = ((const JobResponseRule *) list_nth(rules->rules, judgement.rule - 1))->action;
	if (judgement.message != NULL)
		verdict->message = text_clip(secret_mask_text(judgement.message), MAX_MESSAGE_BYTES);
}

bool
response_rules_stop(ResponseRules *rules, RunContext *run, const HttpResponse *response,
					const char *body, size_t len)
{
	Judgement	judgement = {.rules = rules, .stop = true};

	if (rules == NULL || rules->stop_sql == NULL)
		return false;
	evaluate(rules, run, response, body, len, &judgement);
	return judgement.rule == 1;
}

/* The body as JSON, where it is that and jsonb can hold it; else as a text; null where there is none. */
char *
response_scope_json(const HttpResponse *response, const char *body, size_t len)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "databite response", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	char	   *text = body != NULL ? text_here(body, len) : NULL;
	struct json_object *root;
	char	   *error;
	StringInfoData json;

	MemoryContextSwitchTo(old);
	initStringInfo(&json);
	MemoryContextSwitchTo(scratch);

	appendStringInfoString(&json, "{\"response\": ");
	if (text == NULL)
		appendStringInfoString(&json, "null");
	else if (jsonc_parse(text, strlen(text), MAX_DEPTH, scratch, &root, &error) && fits_jsonb(root))
		appendStringInfoString(&json, text);
	else
		escape_json(&json, text);
	appendStringInfo(&json, ", \"http\": {\"status\": %d, \"url\": ", response->status);
	if (response->url != NULL)
		append_text(&json, url_without_query(response->url), 0);
	else
		appendStringInfoString(&json, "null");
	append_headers(&json, response);
	appendStringInfoString(&json, "}}");

	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return json.data;
}

static void
release_rules(void *arg)
{
	ResponseRules *rules = arg;

	if (rules->statement != NULL)
		SPI_freeplan(rules->statement);
	if (rules->stop_statement != NULL)
		SPI_freeplan(rules->stop_statement);
	rules->statement = rules->stop_statement = NULL;
}

/* NULL where a problem was added. */
static char *
rules_statement(TemplateCompiler *compiler, List *rules)
{
	StringInfoData which;
	StringInfoData messages;
	bool		complete = true;
	int			n = 0;
	const char *shared_text = NULL; /* errorMessage, the message of all rules without one */
	TemplateExpr *message = NULL;
	ListCell   *lc;

	initStringInfo(&which);
	initStringInfo(&messages);
	foreach(lc, rules)
	{
		const JobResponseRule *rule = lfirst(lc);
		TemplateExpr *when = NULL;

		n++;
		if (rule->when.text != NULL)
		{
			when = template_compile(compiler, &rule->when, BOOLOID, -1);
			complete = complete && when != NULL;
		}
		if (rule->message.text == NULL)
			message = NULL;
		else if (rule->message.text != shared_text)
		{
			shared_text = rule->message.text;
			message = template_compile(compiler, &rule->message, TEXTOID, -1);
			complete = complete && message != NULL;
		}

		/* a condition that is NULL does not fit */
		appendStringInfo(&which, " WHEN (%s)", status_condition(rule->status));
		if (when != NULL)
			appendStringInfo(&which, " AND (%s)", when->sql);
		appendStringInfo(&which, " THEN %d", n);
		if (message != NULL)
			appendStringInfo(&messages, " WHEN f.rule OPERATOR(pg_catalog.=) %d THEN (%s)::pg_catalog.text", n, message->sql);
	}
	if (!complete)
		return NULL;
	return psprintf("SELECT f.rule, %s FROM (SELECT CASE%s ELSE 0 END AS rule FROM (SELECT $1::pg_catalog.jsonb) AS scopes OFFSET 0) AS f",
					messages.len > 0 ? psprintf("CASE%s END", messages.data) : "NULL::pg_catalog.text", which.data);
}

/* SQL that says whether a rule is for the status of the response. */
static char *
status_condition(int status)
{
	const char *actual = "pg_catalog.jsonb_extract_path_text($1, 'http', 'status')::pg_catalog.int4";
	int			from = status;
	int			to = status;

	if (status == RULE_ANY_ERROR)
		return psprintf("%s OPERATOR(pg_catalog.>=) 300", actual);
	if (status < 10)
	{
		from = status == 0 ? 200 : status * 100;
		to = from + 99;
	}
	return psprintf("%s OPERATOR(pg_catalog.>=) %d AND %s OPERATOR(pg_catalog.<=) %d", actual, from, actual, to);
}

static char *
stop_statement(TemplateCompiler *compiler, const JobValue *stop_when)
{
	TemplateExpr *when = template_compile(compiler, stop_when, BOOLOID, -1);

	if (when == NULL)
		return NULL;
	return psprintf("SELECT CASE WHEN (%s) THEN 1 ELSE 0 END, NULL::pg_catalog.text FROM (SELECT $1::pg_catalog.jsonb) AS scopes",
					when->sql);
}

static void
evaluate(ResponseRules *rules, RunContext *run, const HttpResponse *response,
		 const char *body, size_t len, Judgement *judgement)
{
	judgement->caller = CurrentMemoryContext;
	judgement->scopes = response_scope_json(response, body, len);
	run_in_transaction(run, evaluate_in_transaction, judgement);
}

static void
evaluate_in_transaction(RunContext *run, void *arg)
{
	Judgement  *judgement = arg;
	ResponseRules *rules = judgement->rules;
	const char *sql = judgement->stop ? rules->stop_sql : rules->sql;
	SPIPlanPtr *statement = judgement->stop ? &rules->stop_statement : &rules->statement;
	Jsonb	   *scopes = scopes_of(judgement);
	bool		isnull;
	char	   *message;

	(void) SPI_connect();
	prepared_run(statement, sql, scopes);
	judgement->rule = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	message = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	if (message != NULL)
		judgement->message = MemoryContextStrdup(judgement->caller, message);
	SPI_finish();
}

/* $1: the response; and what is known of the run, where it is asked for. */
static Jsonb *
scopes_of(const Judgement *judgement)
{
	Datum		scopes = DirectFunctionCall1(jsonb_in, CStringGetDatum(judgement->scopes));

	if (judgement->rules->run_scopes == NULL || !judgement->rules->uses_run)
		return DatumGetJsonbP(scopes);
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(judgement->rules->run_scopes), scopes));
}

/* "headers": {lower-case name: value}; the values of headers that come more than once are one list (RFC 9110 section 5.3). */
static void
append_headers(StringInfo json, const HttpResponse *response)
{
	ListCell   *lc;
	bool		first = true;

	appendStringInfoString(json, ", \"headers\": {");
	foreach(lc, response->headers)
	{
		const HttpHeader *header = lfirst(lc);
		StringInfoData value;
		char	   *name;
		ListCell   *other;
		bool		seen = false;

		initStringInfo(&value);
		foreach(other, response->headers)
		{
			const HttpHeader *same = lfirst(other);

			if (pg_strcasecmp(same->name, header->name) != 0)
				continue;
			if (value.len == 0 && same != header)
				seen = true;
			appendStringInfo(&value, "%s%s", value.len > 0 ? ", " : "", same->value);
		}
		if (seen)
			continue;
		name = pstrdup(header->name);
		for (char *p = name; *p != '\0'; p++)
			*p = pg_ascii_tolower((unsigned char) *p);
		if (!first)
			appendStringInfoString(json, ", ");
		append_text(json, name, 0);
		appendStringInfoString(json, ": ");
		append_text(json, value.data, 0);
		first = false;
	}
	appendStringInfoChar(json, '}');
}

/* A text of the source as a JSON string; len 0: to its end. */
static void
append_text(StringInfo json, const char *text, size_t len)
{
	escape_json(json, text_here(text, len > 0 ? len : strlen(text)));
}

/* A text of the source in the database's encoding; what is no UTF-8 becomes question marks, and so does NUL. */
static char *
text_here(const char *text, size_t len)
{
	char	   *copy = palloc(len + 1);

	memcpy(copy, text, len);
	copy[len] = '\0';
	for (size_t i = 0; i < len; i++)
	{
		if (copy[i] == '\0')
			copy[i] = '?';
	}
	if (!pg_verify_mbstr(PG_UTF8, copy, len, true))
	{
		for (size_t i = 0; i < len; i++)
		{
			if (IS_HIGHBIT_SET(copy[i]))
				copy[i] = '?';
		}
	}
	return pg_any_to_server(copy, len, PG_UTF8);
}

/* No number in it is beyond what jsonb holds; all else has been found by the parser. */
static bool
fits_jsonb(struct json_object *value)
{
	const char *number;
	const char *exponent;

	switch (json_object_get_type(value))
	{
		case json_type_double:
			number = json_object_get_string(value);
			exponent = strpbrk(number, "eE");
			return strlen(number) <= MAX_NUMBER_LEN && (exponent == NULL || strlen(exponent + 1) <= MAX_EXPONENT_LEN);
		case json_type_object:
			return members_fit_jsonb(value);
		case json_type_array:
			for (size_t i = 0; i < json_object_array_length(value); i++)
			{
				if (!fits_jsonb(json_object_array_get_idx(value, i)))
					return false;
			}
			return true;
		default:
			return true;
	}
}

static bool
members_fit_jsonb(struct json_object *object)
{
	json_object_object_foreach(object, key, member)
	{
		(void) key;
		if (!fits_jsonb(member))
			return false;
	}
	return true;
}
