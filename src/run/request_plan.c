/*
 * request_plan.c
 *	  The request of a step: its templates compiled, then rendered.
 *
 * All templates of a request are columns of one SELECT, so a request costs one
 * statement, and its values are what SQL says they are.  Secrets are no part of
 * that statement's text or parameters, where a log could show them:
 * databite.secret() fetches them, and answers only while a request is
 * rendered here.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "catalog/pg_type.h"
#include "catalog/token_catalog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "run/request_plan.h"
#include "run/secret_mask.h"
#include "template/template.h"
#include "utils/builtins.h"

/* What a column of the SELECT is for. */
typedef enum RequestPart
{
	PART_URL,
	PART_HEADER,
	PART_QUERY,
	PART_QUERY_LIST,			/* a JSON array: the parameter is repeated */
	PART_BODY,
	PART_FORM
} RequestPart;

typedef struct RequestColumn
{
	RequestPart part;
	char	   *name;			/* of the header, parameter or form field */
	char	   *sql;
} RequestColumn;

struct RequestPlan
{
	const JobSource *source;
	List	   *columns;		/* of RequestColumn * */
	char	   *sql;
};

static void add_column(RequestPlan *plan, RequestPart part, char *name, TemplateExpr *expr);
static void add_values(RequestPlan *plan, TemplateCompiler *compiler, RequestPart part, List *values);
static void add_body(RequestPlan *plan, TemplateCompiler *compiler, const JobSource *source);
static char *select_statement(List *columns);
static void apply_column(HttpRequest *request, const RequestColumn *column, char *value, StringInfo form);
static void add_query_list(HttpRequest *request, const char *name, const char *json);
static void add_form_field(StringInfo form, const char *name, const char *value);
static void add_header(HttpRequest *request, const char *name, const char *value);
static void add_content_type(HttpRequest *request, BodyKind kind);

PG_FUNCTION_INFO_V1(databite_secret);

/* Whose secrets the statement that runs now may ask for; InvalidOid outside of rendering. */
static Oid	secret_owner = InvalidOid;
static bool secrets_masked = false;

RequestPlan *
request_plan_create(const JobSource *source, ProblemList *problems, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	RequestPlan *plan = palloc0(sizeof(RequestPlan));
	int			before = list_length(problems->problems);
	TemplateCompiler *compiler = template_compiler_create(TEMPLATE_SCOPE_SECRETS | TEMPLATE_SCOPE_SYNC |
														  TEMPLATE_SCOPE_PAYLOAD,
														  problems);

	plan->source = source;
	add_column(plan, PART_URL, "url", template_compile_url(compiler, &source->url));
	add_values(plan, compiler, PART_HEADER, source->headers);
	add_values(plan, compiler, PART_QUERY, source->query);
	add_body(plan, compiler, source);
	if (list_length(problems->problems) > before)
		plan = NULL;
	else
		plan->sql = select_statement(plan->columns);
	MemoryContextSwitchTo(old);
	return plan;
}

HttpRequest *
request_plan_render(RequestPlan *plan, Oid owner, Jsonb *scopes, bool masked)
{
	HttpRequest *request = palloc0(sizeof(HttpRequest));
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {JSONBOID};
	Datum		values[] = {JsonbPGetDatum(scopes)};
	StringInfoData form;
	ListCell   *lc;
	int			column = 0;

	initStringInfo(&form);
	request->method = pstrdup(plan->source->method);
	request->timeout_ms = plan->source->timeout_ms;

	(void) SPI_connect();
	PG_TRY();
	{
		secret_owner = owner;
		secrets_masked = masked;
		if (SPI_execute_with_args(plan->sql, 1, types, values, NULL, false, 1) != SPI_OK_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not render the request")));
	}
	PG_FINALLY();
	{
		secret_owner = InvalidOid;
	}
	PG_END_TRY();

	foreach(lc, plan->columns)
	{
		char	   *value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, ++column);
		MemoryContext old = MemoryContextSwitchTo(caller);

		apply_column(request, lfirst(lc), value, &form);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();

	if (plan->source->body_kind == BODY_FORM)
		request->body = form.data;
	if (request->body)
	{
		request->body_len = strlen(request->body);
		add_content_type(request, plan->source->body_kind);
	}
	return request;
}

/*
 * databite.secret(name) returns text: a secret of the job's owner, while a
 * request is rendered.  55000 at any other time, 42704 for an unknown name.
 */
Datum
databite_secret(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *value;

	if (!OidIsValid(secret_owner))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a secret can be used only in a request of a job")));
	if (secrets_masked)
		PG_RETURN_TEXT_P(cstring_to_text("***"));

	value = token_catalog_get(secret_owner, name);
	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("token \"%s\" does not exist", name),
				 errhint("Store it as the job's owner: SELECT databite.set_token(%s, '...').",
						 quote_literal_cstr(name))));
	secret_mask_remember(value);
	PG_RETURN_TEXT_P(cstring_to_text(value));
}

static void
add_values(RequestPlan *plan, TemplateCompiler *compiler, RequestPart part, List *values)
{
	ListCell   *lc;

	foreach(lc, values)
	{
		JobNamedValue *named = lfirst(lc);
		bool		list = part == PART_QUERY && named->value.is_json && named->value.text[0] == '[';

		add_column(plan, list ? PART_QUERY_LIST : part, named->name,
				   list ? template_compile_json(compiler, &named->value)
						: template_compile(compiler, &named->value, TEXTOID, -1));
	}
}

static void
add_body(RequestPlan *plan, TemplateCompiler *compiler, const JobSource *source)
{
	switch (source->body_kind)
	{
		case BODY_NONE:
			break;
		case BODY_JSON:
			add_column(plan, PART_BODY, "body", template_compile_json(compiler, &source->body));
			break;
		case BODY_TEXT:
			add_column(plan, PART_BODY, "body", template_compile(compiler, &source->body, TEXTOID, -1));
			break;
		case BODY_FORM:
			add_values(plan, compiler, PART_FORM, source->body_form);
			break;
	}
}

static void
add_column(RequestPlan *plan, RequestPart part, char *name, TemplateExpr *expr)
{
	RequestColumn *column = palloc0(sizeof(RequestColumn));

	if (expr == NULL)			/* a problem has been added */
		return;
	column->part = part;
	column->name = name;
	column->sql = expr->sql;
	plan->columns = lappend(plan->columns, column);
}

static char *
select_statement(List *columns)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT ");
	foreach(lc, columns)
	{
		RequestColumn *column = lfirst(lc);

		appendStringInfo(&sql, "%s(%s)::pg_catalog.text", lc == list_head(columns) ? "" : ", ", column->sql);
	}
	/* Keeps $1 a part of the statement, whether a template uses it or not. */
	appendStringInfoString(&sql, " FROM (SELECT $1::pg_catalog.jsonb) AS scopes");
	return sql.data;
}

static void
apply_column(HttpRequest *request, const RequestColumn *column, char *value, StringInfo form)
{
	if (value == NULL && column->part != PART_URL)
		return;

	switch (column->part)
	{
		case PART_URL:
			if (value == NULL)
				ereport(ERROR,
						(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
						 errmsg("the URL of the request is null"),
						 errdetail("A template in the URL has no value.")));
			request->url = pstrdup(value);
			break;
		case PART_HEADER:
			add_header(request, column->name, value);
			break;
		case PART_QUERY:
			request->url = url_add_parameter(request->url, column->name, value, false);
			break;
		case PART_QUERY_LIST:
			add_query_list(request, column->name, value);
			break;
		case PART_BODY:
			request->body = pstrdup(value);
			break;
		case PART_FORM:
			add_form_field(form, column->name, value);
			break;
	}
}

static void
add_query_list(HttpRequest *request, const char *name, const char *json)
{
	struct json_object *list;
	char	   *error;

	if (!jsonc_parse(json, strlen(json), 32, CurrentMemoryContext, &list, &error))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not read the values of query parameter \"%s\": %s", name, error)));
	for (size_t i = 0; i < json_object_array_length(list); i++)
	{
		struct json_object *item = json_object_array_get_idx(list, i);

		if (item != NULL)
			request->url = url_add_parameter(request->url, name, json_object_get_string(item), false);
	}
}

/* application/x-www-form-urlencoded, by way of the query encoder: percent-encoding is valid in both. */
static void
add_form_field(StringInfo form, const char *name, const char *value)
{
	char	   *encoded = url_add_parameter("http://form/", name, value, false);
	const char *query = strchr(encoded, '?');

	if (form->len > 0)
		appendStringInfoChar(form, '&');
	appendStringInfoString(form, query + 1);
}

static void
add_header(HttpRequest *request, const char *name, const char *value)
{
	HttpHeader *header = palloc(sizeof(HttpHeader));

	header->name = pstrdup(name);
	header->value = pstrdup(value);
	request->headers = lappend(request->headers, header);
}

/* Says what the body is, unless the user has said so. */
static void
add_content_type(HttpRequest *request, BodyKind kind)
{
	ListCell   *lc;

	foreach(lc, request->headers)
	{
		if (pg_strcasecmp(((HttpHeader *) lfirst(lc))->name, "Content-Type") == 0)
			return;
	}
	if (kind == BODY_JSON)
		add_header(request, "Content-Type", "application/json");
	else if (kind == BODY_FORM)
		add_header(request, "Content-Type", "application/x-www-form-urlencoded");
}
