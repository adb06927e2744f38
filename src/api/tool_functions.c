/*
 * tool_functions.c
 *	  SQL functions to try things: validate_job, evaluate, next_run, version; and
 *	  tokens, start and stop.
 */
#include "postgres.h"

#include "access/xact.h"
#include "api/standby.h"
#include "base/compat.h"
#include "base/jsonc.h"
#include "base/version.h"
#include "catalog/access_token_catalog.h"
#include "catalog/extension.h"
#include "catalog/pg_type.h"
#include "catalog/state_catalog.h"
#include "catalog/token_catalog.h"
#include "destination/batch.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "job/definition.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "run/context.h"
#include "run/inspect.h"
#include "source/fetch.h"
#include "template/template.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

#define TOKEN_NAME_MAX 63
#define TOKEN_VALUE_MAX (64 * 1024)

static ItemBatch *batch_of_item(const char *item, const List *wanted);
static Jsonb *with_run(Jsonb *scopes);
static void check_token_name(const char *name);

PG_FUNCTION_INFO_V1(databite_validate_job);
PG_FUNCTION_INFO_V1(databite_evaluate);
PG_FUNCTION_INFO_V1(databite_next_run);
PG_FUNCTION_INFO_V1(databite_version);
PG_FUNCTION_INFO_V1(databite_set_token);
PG_FUNCTION_INFO_V1(databite_delete_token);
PG_FUNCTION_INFO_V1(databite_start);
PG_FUNCTION_INFO_V1(databite_stop);

/* validate_job(job jsonb) returns setof (pointer, message, hint): all problems, no error. */
Datum
databite_validate_job(PG_FUNCTION_ARGS)
{
	Jsonb	   *definition = PG_GETARG_JSONB_P(0);
	char	   *text = JsonbToCString(NULL, &definition->root, VARSIZE(definition));
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *job;
	ListCell   *lc;

	catalog_check_extension();
	job = run_parse_job(text, setting_catalog_get("defaults"), problems);
	if (job != NULL)
		inspect_check(job, problems);

	InitMaterializedSRF(fcinfo, 0);
	foreach(lc, problems->problems)
	{
		const Problem *problem = lfirst(lc);
		Datum		values[] = {
			CStringGetTextDatum(problem->pointer),
			CStringGetTextDatum(problem->message),
			problem->hint ? CStringGetTextDatum(problem->hint) : (Datum) 0,
		};
		bool		nulls[] = {false, false, problem->hint == NULL};

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}

/*
 * evaluate(template text, item jsonb = '{}', scopes jsonb = '{}') returns jsonb:
 * the value by the same way that a job takes, from the item's text through
 * reader, conversion and SQL.
 */
Datum
databite_evaluate(PG_FUNCTION_ARGS)
{
	Jsonb	   *item = PG_GETARG_JSONB_P(1);
	JobValue	value = {.text = text_to_cstring(PG_GETARG_TEXT_PP(0)), .pointer = ""};
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	TemplateCompiler *compiler = template_compiler_create(TEMPLATE_SCOPE_ITEM | TEMPLATE_SCOPE_ANY | TEMPLATE_SCOPE_CONTROL, problems);
	TemplateExpr *expr;
	List	   *inputs;
	List	   *item_paths;
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {JSONBOID};
	Datum		values[] = {JsonbPGetDatum(with_run(PG_GETARG_JSONB_P(2)))};
	Datum		result;
	bool		isnull;

	catalog_check_extension();
	expr = template_compile(compiler, &value, JSONBOID, -1);
	inputs = compiler->inputs->inputs;
	item_paths = batch_add_paths(NIL, inputs);
	problem_raise_first(problems);
	(void) SPI_connect();
	batch_bind(batch_binding_create(inputs, item_paths, CurrentMemoryContext),
			   batch_of_item(JsonbToCString(NULL, &item->root, VARSIZE(item)), item_paths), 0, NULL);
	PG_TRY();
	{
		if (SPI_execute_with_args(psprintf("SELECT (%s)::pg_catalog.jsonb FROM %s,"
										   " (SELECT $1::pg_catalog.jsonb) AS scopes",
										   expr->sql, batch_from_clause(inputs)),
								  1, types, values, NULL, false, 1) != SPI_OK_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not evaluate the template")));
	}
	PG_FINALLY();
	{
		batch_unbind();
	}
	PG_END_TRY();
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		MemoryContext old = MemoryContextSwitchTo(caller);

		result = PointerGetDatum(PG_DETOAST_DATUM_COPY(result));
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	if (isnull)
		PG_RETURN_NULL();
	return result;
}

/* next_run(schedule jsonb, after timestamptz = now()) returns timestamptz */
Datum
databite_next_run(PG_FUNCTION_ARGS)
{
	Jsonb	   *jsonb = PG_GETARG_JSONB_P(0);
	TimestampTz after = PG_GETARG_TIMESTAMPTZ(1);
	char	   *text = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	struct json_object *value;
	JobSchedule *schedule;
	char	   *error;

	if (!jsonc_parse(text, strlen(text), 32, CurrentMemoryContext, &value, &error))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the schedule is not JSON: %s", error)));
	schedule = schedule_parse(value, "", problems);
	problem_raise_first(problems);
	PG_RETURN_TIMESTAMPTZ(schedule_next(schedule, after, after));
}

/* version() returns text: databite and the libraries it works with; and the version of its SQL objects, where that is another one. */
Datum
databite_version(PG_FUNCTION_ARGS)
{
	char	   *version = catalog_extension_version();
	char	   *objects = "";

	if (version != NULL && strcmp(version, DATABITE_VERSION) != 0)
		objects = psprintf(" (in this database %s)", version);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("databite %s%s, PostgreSQL %s, %s, json-c %s", DATABITE_VERSION, objects,
											  PG_VERSION, source_library_version(), json_c_version())));
}

/* set_token(name text, value text): a secret of the current user; replaces one of that name. */
Datum
databite_set_token(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(1));

	standby_refuse(fcinfo);
	/* No statement writes it, so no statement is refused. */
	PreventCommandIfReadOnly("databite.set_token()");
	check_token_name(name);
	if (strlen(value) > TOKEN_VALUE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the value of token \"%s\" is longer than %d bytes", name, TOKEN_VALUE_MAX)));
	token_catalog_set(GetUserId(), name, value);
	/* What was got with the old one may be another account's. */
	access_token_catalog_forget(GetUserId());
	PG_RETURN_VOID();
}

/* delete_token(name text) returns boolean: false where the current user has none of that name. */
Datum
databite_delete_token(PG_FUNCTION_ARGS)
{
	bool		deleted;

	standby_refuse(fcinfo);
	deleted = token_catalog_delete(GetUserId(), text_to_cstring(PG_GETARG_TEXT_PP(0)));
	access_token_catalog_forget(GetUserId());
	PG_RETURN_BOOL(deleted);
}

/* start() returns boolean: false where a scheduler is running already. */
Datum
databite_start(PG_FUNCTION_ARGS)
{
	standby_refuse(fcinfo);
	catalog_check_extension();
	PG_RETURN_BOOL(worker_scheduler_start());
}

/* stop() returns boolean: false where none was running. */
Datum
databite_stop(PG_FUNCTION_ARGS)
{
	standby_refuse(fcinfo);
	PG_RETURN_BOOL(worker_scheduler_stop());
}

/* The item as a page of one. */
static ItemBatch *
batch_of_item(const char *item, const List *wanted)
{
	const JsonPath *const *paths;
	int			npaths = batch_paths(wanted, &paths);
	ItemReaderOptions options = {
		.npaths = npaths,
		.paths = paths,
		.max_item_bytes = MaxAllocSize,
		.max_depth = 512,
	};
	ItemReader *reader = item_reader_create(&options, CurrentMemoryContext);
	ItemBatch  *batch = item_batch_create(npaths, 1, MaxAllocHugeSize, CurrentMemoryContext);
	char	   *utf8 = pg_server_to_any(item, strlen(item), PG_UTF8);
	size_t		taken;

	item_reader_begin(reader, 0);
	(void) item_reader_push(reader, "[", 1, &taken, batch);
	if (item_reader_push(reader, utf8, strlen(utf8), &taken, batch) == ITEMS_ERROR ||
		item_reader_push(reader, "]", 1, &taken, batch) == ITEMS_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg_internal("%s", item_reader_error(reader, &(const char *){NULL}))));
	return batch;
}

/* The scopes with a run that begins now, where they have none. */
static Jsonb *
with_run(Jsonb *scopes)
{
	char	   *run;

	if (!JB_ROOT_IS_OBJECT(scopes) ||
		getKeyJsonValueFromContainer(&scopes->root, "run", strlen("run"), NULL) != NULL)
		return scopes;
	run = psprintf("{\"run\": {\"id\": 0, \"started_at\": \"%s\"}}",
				   run_time_text(GetCurrentTransactionStartTimestamp()));
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(scopes),
											  DirectFunctionCall1(jsonb_in, CStringGetDatum(run))));
}

/* What {{tokens.name}} can name. */
static void
check_token_name(const char *name)
{
	size_t		len = strlen(name);

	if (len == 0 || len > TOKEN_NAME_MAX ||
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != len)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid token name \"%s\"", name),
				 errdetail("A name has 1 to %d letters, digits and underscores.", TOKEN_NAME_MAX)));
}
