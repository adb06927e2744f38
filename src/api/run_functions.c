/*
 * run_functions.c
 *	  SQL functions that run a job here and now, and those that show what it would do.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "api/atomic.h"
#include "api/standby.h"
#include "base/compat.h"
#include "catalog/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "run/inspect.h"
#include "run/run.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

/* Columns of type databite.job_result, in order. */
#define JOB_RESULT_COLUMNS 16

static Datum result_tuple(FunctionCallInfo fcinfo, const char *job_id, const RunResult *result);
static JobRecord *record_of_text(const char *job);
static JobRecord *record_of_definition(Jsonb *definition);
static Datum explain(FunctionCallInfo fcinfo, JobRecord *record);
static Datum preview(FunctionCallInfo fcinfo, JobRecord *record);
static void put_preview_row(void *arg, const char *step_id, Jsonb *item, Jsonb *row, const char *error);

PG_FUNCTION_INFO_V1(databite_execute_job);
PG_FUNCTION_INFO_V1(databite_run_job);
PG_FUNCTION_INFO_V1(databite_run_due_jobs);
PG_FUNCTION_INFO_V1(databite_replay_rejected);
PG_FUNCTION_INFO_V1(databite_explain_job_definition);
PG_FUNCTION_INFO_V1(databite_explain_job);
PG_FUNCTION_INFO_V1(databite_preview_job_definition);
PG_FUNCTION_INFO_V1(databite_preview_job);

/*
 * execute_job(job_id text, dry_run boolean = false) returns job_result: the whole
 * run inside the caller's transaction.  A run that fails is a result with
 * success false and nothing written; 55006 where the job is running already.
 */
Datum
databite_execute_job(PG_FUNCTION_ARGS)
{
	JobRecord  *job = job_catalog_get_own(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	RunResult	result = {0};

	standby_refuse(fcinfo);
	run_now(job, RUN_IN_FUNCTION, PG_GETARG_BOOL(1), &result);
	return result_tuple(fcinfo, job->id, &result);
}

/*
 * CALL run_job(job_id text): runs here and commits every batch; the error of a
 * failed run is raised after it has been recorded.  2D000 inside a transaction
 * block.
 */
Datum
databite_run_job(PG_FUNCTION_ARGS)
{
	char	   *id;
	RunResult	result = {0};

	standby_refuse(fcinfo);

	/* A procedure cannot be STRICT. */
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("job_id must not be null")));
	atomic_refuse(fcinfo, "It commits after every batch.", "Use databite.execute_job to run a job inside a transaction.");

	id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	(void) SPI_connect_ext(SPI_OPT_NONATOMIC);
	run_now(job_catalog_get_own(id, false), RUN_IN_PROCEDURE, false, &result);
	worker_wake_scheduler_at_commit();	/* a run of the same job may have been waiting for this one */
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * CALL run_due_jobs(): queues what is due and runs it here, committing every batch; nothing where a
 * scheduler does so.  2D000 inside a transaction block.
 */
Datum
databite_run_due_jobs(PG_FUNCTION_ARGS)
{
	standby_refuse(fcinfo);
	atomic_refuse(fcinfo, "It commits after every batch of every job.", "CALL it as a statement of its own.");
	(void) SPI_connect_ext(SPI_OPT_NONATOMIC);
	worker_run_due_jobs();
	SPI_finish();
	PG_RETURN_VOID();
}

/*
 * replay_rejected(job_id text, run_id bigint = null) returns job_result: tries rejected items again, of that run or
 * of all, inside the caller's transaction; 55006 where the job is running.
 */
Datum
databite_replay_rejected(PG_FUNCTION_ARGS)
{
	JobRecord  *job;
	int64		run_id = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1);
	RunResult	result = {0};

	standby_refuse(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1) && run_id < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a run_id is greater than 0"),
				 errhint("Leave it out to try the items of all runs again.")));
	job = job_catalog_get_own(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	run_replay(job, run_id, &result);
	return result_tuple(fcinfo, job->id, &result);
}

/* explain_job(job jsonb, costs bool) returns setof text */
Datum
databite_explain_job_definition(PG_FUNCTION_ARGS)
{
	return explain(fcinfo, record_of_definition(PG_GETARG_JSONB_P(0)));
}

/* explain_job(job_id text, costs bool) returns setof text; a definition given as an untyped literal comes here too. */
Datum
databite_explain_job(PG_FUNCTION_ARGS)
{
	return explain(fcinfo, record_of_text(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

/* preview_job(job jsonb, max_items int) returns setof (step_id, item, target_row, error) */
Datum
databite_preview_job_definition(PG_FUNCTION_ARGS)
{
	return preview(fcinfo, record_of_definition(PG_GETARG_JSONB_P(0)));
}

/* preview_job(job_id text, max_items int); a definition given as an untyped literal comes here too. */
Datum
databite_preview_job(PG_FUNCTION_ARGS)
{
	return preview(fcinfo, record_of_text(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

static Datum
result_tuple(FunctionCallInfo fcinfo, const char *job_id, const RunResult *result)
{
	Datum		values[JOB_RESULT_COLUMNS];
	bool		nulls[JOB_RESULT_COLUMNS] = {false};
	const RunCounters *counters = &result->counters;
	Interval   *duration = palloc0(sizeof(Interval));
	TupleDesc	tupdesc;
	int			i = 0;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE || tupdesc->natts != JOB_RESULT_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("type databite.job_result does not fit this library"),
				 errhint("Run ALTER EXTENSION databite UPDATE.")));

	duration->time = result->duration_us;
	nulls[i] = result->run_id == 0;
	values[i++] = Int64GetDatum(result->run_id);
	values[i++] = CStringGetTextDatum(job_id);
	values[i++] = CStringGetTextDatum(catalog_status_name(result->status));
	values[i++] = BoolGetDatum(result->status == RUN_COMPLETED);
	values[i++] = Int64GetDatum(counters->processed);
	values[i++] = Int64GetDatum(counters->inserted);
	values[i++] = Int64GetDatum(counters->updated);
	values[i++] = Int64GetDatum(counters->unchanged);
	values[i++] = Int64GetDatum(counters->deleted);
	values[i++] = Int64GetDatum(counters->rejected);
	values[i++] = Int64GetDatum(counters->pages);
	values[i++] = Int64GetDatum(counters->requests);
	values[i++] = Int64GetDatum(counters->retries);
	values[i++] = Int64GetDatum(counters->bytes_received);
	values[i++] = IntervalPGetDatum(duration);
	nulls[i] = result->error == NULL;
	values[i] = result->error ? DirectFunctionCall1(jsonb_in, CStringGetDatum(result->error)) : (Datum) 0;
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls));
}

/* A job id, or a definition: PostgreSQL takes a literal without a type as text. */
static JobRecord *
record_of_text(const char *job)
{
	if (job[strspn(job, " \t\r\n")] == '{')
		return record_of_definition(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(job))));
	return job_catalog_get_own(job, false);
}

/* As if the current user had scheduled the definition just now. */
static JobRecord *
record_of_definition(Jsonb *definition)
{
	JobRecord  *record = palloc0(sizeof(JobRecord));
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *job;

	catalog_check_extension();
	record->definition = JsonbToCString(NULL, &definition->root, VARSIZE(definition));
	record->owner = GetUserId();
	record->search_path = pstrdup(GetConfigOption("search_path", false, false));
	job = job_parse(record->definition, strlen(record->definition), problems);
	problem_raise_first(problems);
	record->id = job->id;
	return record;
}

static Datum
explain(FunctionCallInfo fcinfo, JobRecord *record)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	foreach(lc, inspect_explain(record, PG_GETARG_BOOL(1)))
	{
		Datum		value = CStringGetTextDatum(lfirst(lc));
		bool		isnull = false;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
	}
	PG_RETURN_NULL();
}

static Datum
preview(FunctionCallInfo fcinfo, JobRecord *record)
{
	int			max_items = PG_GETARG_INT32(1);

	if (max_items < 1 || max_items > 1000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_items must be between 1 and 1000")));
	InitMaterializedSRF(fcinfo, 0);
	inspect_preview(record, max_items, put_preview_row, fcinfo->resultinfo);
	PG_RETURN_NULL();
}

static void
put_preview_row(void *arg, const char *step_id, Jsonb *item, Jsonb *row, const char *error)
{
	ReturnSetInfo *rsinfo = arg;
	Datum		values[] = {
		CStringGetTextDatum(step_id),
		JsonbPGetDatum(item),
		JsonbPGetDatum(row),
		error ? CStringGetTextDatum(error) : (Datum) 0,
	};
	bool		nulls[] = {false, item == NULL, row == NULL, error == NULL};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}
