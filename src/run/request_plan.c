/*
 * request_plan.c
 *	  The request of a step: its templates compiled, then rendered.
 *
 * All templates of a request are columns of one SELECT, so a request costs one
 * statement, prepared once, and its values are what SQL says they are.  Secrets are no part of
 * that statement's text or parameters, where a log could show them:
 * databite.secret() fetches them, and answers only the statement that a request
 * is rendered with.  A function of the user's may be called by that statement, so
 * the statement proves what it is: by a key that is made for this rendering and
 * given to this statement only.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "catalog/pg_type.h"
#include "catalog/token_catalog.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "nodes/params.h"
#include "run/parents.h"
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
	PART_FORM,
	PART_FORM_LIST				/* likewise the field */
} RequestPart;

typedef struct RequestColumn
{
	RequestPart part;
	char	   *name;			/* of the header, parameter or form field */
	char	   *sql;
} RequestColumn;

struct RequestPlan
{
	MemoryContextCallback callback;
	const JobSource *source;
	List	   *columns;		/* of RequestColumn * */
	char	   *sql;
	SPIPlanPtr	statement;		/* NULL before the first request */
	int			uses;
	const JobStep *parent;		/* or NULL */
	List	   *parent_columns; /* of char * */
};

static void release_plan(void *arg);
static void prepare_statement(RequestPlan *plan);
static void make_key(char *key);
static ParamListInfo render_parameters(Jsonb *scopes, const char *key);
static void add_column(RequestPlan *plan, RequestPart part, char *name, TemplateExpr *expr);
static void add_values(RequestPlan *plan, TemplateCompiler *compiler, RequestPart part, List *values);
static void add_batch_value(RequestPlan *plan, TemplateCompiler *compiler, RequestPart part, JobNamedValue *named);
static void add_body(RequestPlan *plan, TemplateCompiler *compiler, const JobSource *source);
static char *select_statement(List *columns);
static void apply_column(HttpRequest *request, const RequestColumn *column, char *value, StringInfo form);
static List *list_values(const char *name, const char *json);
static void add_list_values(struct json_object *value, List **values);
static void add_form_field(StringInfo form, const char *name, const char *value);
static void add_header(HttpRequest *request, const char *name, const char *value);
static void add_content_type(HttpRequest *request, BodyKind kind);

PG_FUNCTION_INFO_V1(databite_secret);

/* Of values of parameters. */
#define MAX_LIST_DEPTH		32

/* Bytes of a key. */
#define SECRET_KEY_BYTES	16

/* A rendering that is going on; the statement of another one may run inside of it. */
typedef struct Rendering
{
	Oid			owner;			/* whose secrets its statement may ask for */
	bool		masked;
	char		key[2 * SECRET_KEY_BYTES + 1];
} Rendering;

/* NULL: none. */
static const Rendering *rendering = NULL;

RequestPlan *
request_plan_create(const JobStep *step, ProblemList *problems, MemoryContext context)
{
	const JobSource *source = &step->source;
	MemoryContext old = MemoryContextSwitchTo(context);
	RequestPlan *plan = palloc0(sizeof(RequestPlan));
	int			before = list_length(problems->problems);
	TemplateCompiler *compiler = template_compiler_create(TEMPLATE_SCOPE_SECRETS | TEMPLATE_SCOPE_SYNC |
														  TEMPLATE_SCOPE_PAYLOAD | TEMPLATE_SCOPE_PAGE |
														  TEMPLATE_SCOPE_CURSOR | TEMPLATE_SCOPE_AUTH,
														  problems);
	ListCell   *lc;

	compiler->parents = step->parents;
	plan->callback.func = release_plan;
	plan->callback.arg = plan;
	MemoryContextRegisterResetCallback(context, &plan->callback);
	plan->source = source;
	add_column(plan, PART_URL, "url", template_compile_url(compiler, &source->url));
	add_values(plan, compiler, PART_HEADER, source->headers);
	add_values(plan, compiler, PART_QUERY, source->query);
	add_body(plan, compiler, source);
	plan->uses = compiler->inputs->used;
	plan->parent = parents_of_request(step, compiler->inputs->parent_fields, problems);
	foreach(lc, compiler->inputs->parent_fields)
		plan->parent_columns = lappend(plan->parent_columns, ((TemplateParentField *) lfirst(lc))->name);
	if (list_length(problems->problems) == before)
		parents_check_state(step, plan->parent, problems);
	if (list_length(problems->problems) > before)
		plan = NULL;
	else
		plan->sql = select_statement(plan->columns);
	MemoryContextSwitchTo(old);
	return plan;
}

int
request_plan_uses(const RequestPlan *plan)
{
	return plan->uses;
}

const JobStep *
request_plan_parent(const RequestPlan *plan)
{
	return plan != NULL ? plan->parent : NULL;
}

const List *
request_plan_parent_columns(const RequestPlan *plan)
{
	return plan->parent_columns;
}

HttpRequest *
request_plan_render(RequestPlan *plan, Oid owner, Jsonb *scopes, bool masked)
{
	HttpRequest *request = palloc0(sizeof(HttpRequest));
	MemoryContext caller = CurrentMemoryContext;
	Rendering	mine = {.owner = owner, .masked = masked};
	const Rendering *outer = rendering;
	SPIExecuteOptions options = {.tcount = 1};
	StringInfoData form;
	ListCell   *lc;
	int			column = 0;

	initStringInfo(&form);
	request->method = pstrdup(plan->source->method);
	request->timeout_ms = plan->source->timeout_ms;

	make_key(mine.key);
	options.params = render_parameters(scopes, mine.key);

	(void) SPI_connect();
	prepare_statement(plan);
	PG_TRY();
	{
		rendering = &mine;
		if (SPI_execute_plan_extended(plan->statement, &options) != SPI_OK_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not render the request")));
	}
	PG_FINALLY();
	{
		rendering = outer;
	}
	PG_END_TRY();

	foreach(lc, plan->columns)
	{
		char	   *value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, ++column);
		MemoryContext old = MemoryContextSwitchTo(caller);

		/* Requests are in UTF-8, whatever the database is in. */
		if (value != NULL)
			value = pg_server_to_any(value, strlen(value), PG_UTF8);
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
 * databite.secret(name, key) returns text: a secret of the job's owner, for the
 * statement that a request is rendered with.  55000 for anybody else, 42704 for
 * an unknown name.
 */
Datum
databite_secret(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *key = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *value;

	if (rendering == NULL || strcmp(key, rendering->key) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a secret can be used only in a request of a job")));
	if (rendering->masked)
		PG_RETURN_TEXT_P(cstring_to_text("***"));

	value = token_catalog_get(rendering->owner, name);
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
release_plan(void *arg)
{
	RequestPlan *plan = arg;

	if (plan->statement != NULL)
		SPI_freeplan(plan->statement);
	plan->statement = NULL;
}

/* Once for all requests of the plan; it does not depend on their values, which are no part of it. */
static void
prepare_statement(RequestPlan *plan)
{
	Oid			types[2] = {JSONBOID, TEXTOID};
	SPIPlanPtr	statement;

	if (plan->statement != NULL)
		return;
	statement = SPI_prepare_cursor(plan->sql, lengthof(types), types, CURSOR_OPT_GENERIC_PLAN);
	if (statement == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not prepare a statement: %s", SPI_result_code_string(SPI_result))));
	SPI_keepplan(statement);
	plan->statement = statement;
}

/*
 * Fills in the key as hexadecimal digits.
 */
static void
make_key(char *key)
{
	uint8		bytes[SECRET_KEY_BYTES];

	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random bytes")));
	key[hex_encode((const char *) bytes, sizeof(bytes), key)] = '\0';
}

/*
 * $1 and $2 of the statement.  The key is not said to be a constant: a plan
 * would have it then, and whoever sets debug_print_plan can read plans.
 */
static ParamListInfo
render_parameters(Jsonb *scopes, const char *key)
{
	ParamListInfo params = makeParamList(2);

	params->params[0].value = JsonbPGetDatum(scopes);
	params->params[0].isnull = scopes == NULL;
	params->params[0].pflags = PARAM_FLAG_CONST;
	params->params[0].ptype = JSONBOID;
	params->params[1].value = CStringGetTextDatum(key);
	params->params[1].isnull = false;
	params->params[1].pflags = 0;
	params->params[1].ptype = TEXTOID;
	return params;
}

static void
add_values(RequestPlan *plan, TemplateCompiler *compiler, RequestPart part, List *values)
{
	ListCell   *lc;

	foreach(lc, values)
	{
		JobNamedValue *named = lfirst(lc);

		if (part == PART_QUERY && named->value.is_json && named->value.text[0] == '[')
			add_column(plan, PART_QUERY_LIST, named->name, template_compile_json(compiler, &named->value));
		else if (plan->source->batch_parents > 0 && part != PART_HEADER)
			add_batch_value(plan, compiler, part, named);
		else
			add_column(plan, part, named->name, template_compile(compiler, &named->value, TEXTOID, -1));
	}
}

/* Where a request is made of several rows, a value may be an array of theirs: what is JSON by nature is taken as that. */
static void
add_batch_value(RequestPlan *plan, TemplateCompiler *compiler, RequestPart part, JobNamedValue *named)
{
	TemplateExpr *expr = template_compile(compiler, &named->value, InvalidOid, -1);

	if (expr == NULL)
		return;
	if (expr->type == JSONBOID)
		add_column(plan, part == PART_FORM ? PART_FORM_LIST : PART_QUERY_LIST, named->name, expr);
	else
		add_column(plan, part, named->name, template_compile(compiler, &named->value, TEXTOID, -1));
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
	column->name = pg_server_to_any(name, strlen(name), PG_UTF8);
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
	ListCell   *lc;

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
			foreach(lc, list_values(column->name, value))
				request->url = url_add_parameter(request->url, column->name, lfirst(lc), false);
			break;
		case PART_BODY:
			request->body = pstrdup(value);
			break;
		case PART_FORM:
			add_form_field(form, column->name, value);
			break;
		case PART_FORM_LIST:
			foreach(lc, list_values(column->name, value))
				add_form_field(form, column->name, lfirst(lc));
			break;
	}
}

/* The values in a JSON array, and in arrays in it; of anything else, that. */
static List *
list_values(const char *name, const char *json)
{
	struct json_object *value;
	List	   *values = NIL;
	char	   *error;

	if (!jsonc_parse(json, strlen(json), MAX_LIST_DEPTH, CurrentMemoryContext, &value, &error))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not read the values of \"%s\": %s", name, error)));
	add_list_values(value, &values);
	return values;
}

static void
add_list_values(struct json_object *value, List **values)
{
	if (value == NULL)
		return;
	if (!json_object_is_type(value, json_type_array))
	{
		*values = lappend(*values, pstrdup(json_object_get_string(value)));
		return;
	}
	for (size_t i = 0; i < json_object_array_length(value); i++)
		add_list_values(json_object_array_get_idx(value, i), values);
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
