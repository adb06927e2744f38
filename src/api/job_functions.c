/*
 * job_functions.c
 *	  SQL functions that change jobs: schedule, unschedule, pause, resume, reset,
 *	  configure; enqueue and cancel runs.
 */
#include "postgres.h"

#include "api/standby.h"
#include "catalog/delivery_catalog.h"
#include "base/compat.h"
#include "catalog/cron_entry.h"
#include "catalog/extension.h"
#include "catalog/job_catalog.h"
#include "catalog/run_catalog.h"
#include "catalog/parent_catalog.h"
#include "catalog/stage_catalog.h"
#include "catalog/state_catalog.h"
#include "destination/target.h"
#include "fmgr.h"
#include "job/definition.h"
#include "miscadmin.h"
#include "run/context.h"
#include "run/inspect.h"
#include "run/job_lock.h"
#include "run/parents.h"
#include "run/run_hooks.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

static void replace_job(const JobRecord *old, JobRecord *new, const Job *job);
static void drop_stages(const char *job_id, const char *step_id);
static void forget_other_cursors(const char *old_definition, const Job *job);
static bool same_cursor(const JobIncremental *a, const JobIncremental *b);
static bool same_path(const JsonPath *a, const JsonPath *b);
static char *jsonb_text(Jsonb *jsonb);
static void check_step(const JobRecord *record, const char *step_id);
static void check_endpoint(const Job *job);
static void check_default_logging(const JobLogging *logging, ProblemList *problems);
static JobSchedule *effective_schedule(const Job *job);
static JobSchedule *default_schedule(void);
static TimestampTz first_run(const JobSchedule *schedule);
static bool same_schedule(const char *a, const char *b);
static void tell_next_run(const Job *job, const JobSchedule *schedule, TimestampTz next_run_at);
static void tell_beginning(const Job *job, const JobSchedule *schedule, TimestampTz next_run_at);

PG_FUNCTION_INFO_V1(databite_schedule_job);
PG_FUNCTION_INFO_V1(databite_unschedule_job);
PG_FUNCTION_INFO_V1(databite_pause_job);
PG_FUNCTION_INFO_V1(databite_resume_job);
PG_FUNCTION_INFO_V1(databite_reset_job);
PG_FUNCTION_INFO_V1(databite_configure);
PG_FUNCTION_INFO_V1(databite_enqueue_job);
PG_FUNCTION_INFO_V1(databite_cancel_job);

/*
 * schedule_job(job jsonb) returns text: checks, compiles and stores the job of
 * the current user; 22023, 0A000 and others with the place of the first problem.
 * A job that is replaced keeps its last_sync_time, its cursor or sync token
 * where that is of the same field, and its next run where the schedule is the
 * same; the checkpoint of an unfinished pass is forgotten, and what says that
 * nothing has changed.
 */
Datum
databite_schedule_job(PG_FUNCTION_ARGS)
{
	char	   *definition = jsonb_text(PG_GETARG_JSONB_P(0));
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *job;
	JobRecord	record = {0};
	JobRecord  *old;
	JobSchedule *schedule;

	standby_refuse(fcinfo);
	catalog_check_extension();
	job = run_parse_job(definition, setting_catalog_get("defaults"), problems);
	problem_raise_first(problems);
	inspect_check(job, problems);
	problem_raise_first(problems);

	check_endpoint(job);

	schedule = effective_schedule(job);
	record.id = job->id;
	record.owner = GetUserId();
	record.definition = definition;
	record.search_path = pstrdup(GetConfigOption("search_path", false, false));
	record.enabled = job->enabled;
	if (job->enabled)
		record.next_run_at = first_run(schedule);

	/* Somebody else may be about to commit a job of that id: then adding waits, and the job is his. */
	while ((old = job_catalog_get(job->id, true)) == NULL && !job_catalog_add(&record))
		CHECK_FOR_INTERRUPTS();
	if (old != NULL)
		replace_job(old, &record, job);
	delivery_catalog_take_back(job->id);	/* now they can be read, perhaps */

	worker_wake_scheduler_at_commit();
	tell_next_run(job, schedule, record.next_run_at);
	PG_RETURN_TEXT_P(cstring_to_text(job->id));
}

/* Whose it is instead is not for everybody to know. */
static void
check_endpoint(const Job *job)
{
	JobRecord  *other;

	if (job->trigger == NULL || job->trigger->type != TRIGGER_WEBHOOK)
		return;
	other = job_catalog_of_endpoint(job->trigger->endpoint);
	if (other != NULL && strcmp(other->id, job->id) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("endpoint \"%s\" is that of another job", job->trigger->endpoint)));
	if (job->trigger->secrets == NIL)
		ereport(NOTICE,
				(errmsg("endpoint \"%s\" takes what anybody sends", job->trigger->endpoint),
				 errhint("Add \"secret\" to the trigger.")));
}

/* unschedule_job(job_id text) returns boolean: false where there is no such job.  A run of it is cancelled. */
Datum
databite_unschedule_job(PG_FUNCTION_ARGS)
{
	char	   *id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	JobRecord  *job;
	int			pid;

	standby_refuse(fcinfo);
	job = job_catalog_get(id, true);
	if (job == NULL)
		PG_RETURN_BOOL(false);
	catalog_check_owner(id, job->owner);
	(void) run_catalog_request_cancel(id, &pid);
	if (pid != 0)
		worker_cancel_process_at_commit(pid);
	drop_stages(id, NULL);
	PG_RETURN_BOOL(job_catalog_delete(id));
}

/*
 * pause_job(job_id text): its schedule stands still, and what it has queued does
 * not begin; nor does a run that would go on after a crash.  A run that is going on
 * goes on, and so does one that somebody has enqueued.
 */
Datum
databite_pause_job(PG_FUNCTION_ARGS)
{
	JobRecord  *job;

	standby_refuse(fcinfo);
	job = job_catalog_get_own(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	job_catalog_set_enabled(job->id, false, 0);
	run_catalog_cancel_automatic(job->id);
	PG_RETURN_VOID();
}

/* resume_job(job_id text): runs next when its schedule says so from now. */
Datum
databite_resume_job(PG_FUNCTION_ARGS)
{
	JobRecord  *job;
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *parsed;

	standby_refuse(fcinfo);
	job = job_catalog_get_own(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	parsed = job_parse(job->definition, strlen(job->definition), problems);
	problem_raise_first(problems);
	if (!job->enabled)
	{
		job_catalog_set_enabled(job->id, true, first_run(effective_schedule(parsed)));
		worker_wake_scheduler_at_commit();
	}
	PG_RETURN_VOID();
}

/* reset_job(job_id text, step_id text = null): the next run is a full one. */
Datum
databite_reset_job(PG_FUNCTION_ARGS)
{
	JobRecord  *job;
	char	   *step_id = NULL;

	standby_refuse(fcinfo);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("job_id must not be null")));
	job = job_catalog_get_own(text_to_cstring(PG_GETARG_TEXT_PP(0)), true);
	if (!PG_ARGISNULL(1))
	{
		step_id = text_to_cstring(PG_GETARG_TEXT_PP(1));
		check_step(job, step_id);
	}
	job_catalog_begin_epoch(job->id);
	state_catalog_reset(job->id, step_id);
	parent_catalog_forget(job->id, step_id);
	drop_stages(job->id, step_id);
	PG_RETURN_VOID();
}

/*
 * configure(settings jsonb): defaults of this database, for its owner (and
 * superusers).  Jobs without a schedule of their own follow the new one from now.
 */
Datum
databite_configure(PG_FUNCTION_ARGS)
{
	char	   *settings = jsonb_text(PG_GETARG_JSONB_P(0));
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	JobSettings *parsed;
	ListCell   *lc;

	standby_refuse(fcinfo);
	if (!compat_database_ownercheck(MyDatabaseId, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of the database to set its defaults")));

	parsed = job_parse_settings(settings, problems);
	check_default_logging(&parsed->logging, problems);
	problem_raise_first(problems);
	run_hooks_check(&parsed->hooks, problems);
	problem_raise_first(problems);
	setting_catalog_set("defaults", settings);
	foreach(lc, job_catalog_without_schedule())
	{
		JobRecord  *job = lfirst(lc);

		job_catalog_set_next_run(job->id, first_run(parsed->schedule));
	}
	worker_wake_scheduler_at_commit();
	PG_RETURN_VOID();
}

/*
 * Whose jobs it will be for is not known, so the table is looked at when jobs are scheduled and run: only its name
 * must be one.
 */
static void
check_default_logging(const JobLogging *logging, ProblemList *problems)
{
	char	   *schema;
	char	   *name;
	char	   *error;

	if (logging->table != NULL && !target_parse_name(logging->table, &schema, &name, &error))
		problem_add(problems, ERRCODE_INVALID_NAME, logging->pointer, NULL, "%s", error);
}

/* enqueue_job(job_id text, payload jsonb = null) returns bigint: the run that the worker starts at once. */
Datum
databite_enqueue_job(PG_FUNCTION_ARGS)
{
	JobRecord  *job;
	int64		run_id;

	standby_refuse(fcinfo);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("job_id must not be null")));
	job = job_catalog_get_own(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	run_id = run_catalog_add(job->id, job->owner, RUN_QUEUED, "enqueue", 0,
							 PG_ARGISNULL(1) ? NULL : jsonb_text(PG_GETARG_JSONB_P(1)), 0);
	worker_wake_scheduler_at_commit();
	PG_RETURN_INT64(run_id);
}

/* cancel_job(job_id text) returns boolean: false where nothing of it runs or waits. */
Datum
databite_cancel_job(PG_FUNCTION_ARGS)
{
	JobRecord  *job;
	int			pid;
	int			runs;

	standby_refuse(fcinfo);
	job = job_catalog_get_own(text_to_cstring(PG_GETARG_TEXT_PP(0)), false);
	runs = run_catalog_request_cancel(job->id, &pid);
	if (pid != 0)
		worker_cancel_process_at_commit(pid);
	PG_RETURN_BOOL(runs > 0);
}

/* old is locked. */
static void
replace_job(const JobRecord *old, JobRecord *new, const Job *job)
{
	catalog_check_owner(old->id, old->owner);
	if (new->enabled && old->next_run_at != 0 && same_schedule(old->definition, new->definition))
		new->next_run_at = old->next_run_at;
	job_catalog_replace(new);
	if (strcmp(old->definition, new->definition) != 0 || strcmp(old->search_path, new->search_path) != 0)
	{
		job_catalog_begin_epoch(new->id);
		state_catalog_forget_checkpoints(new->id);
		state_catalog_forget_validators(new->id);
		forget_other_cursors(old->definition, job);
		drop_stages(new->id, NULL);
	}
}

/* What an unfinished pass has gathered; a run that is going on drops it itself when it ends. */
static void
drop_stages(const char *job_id, const char *step_id)
{
	if (!job_lock_is_held(job_id))
		stage_catalog_drop(job_id, step_id);
}

/* A value that was seen says nothing of another field, nor a token of another list, nor either of other parents. */
static void
forget_other_cursors(const char *old_definition, const Job *job)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *old = job_parse(old_definition, strlen(old_definition), problems);
	ListCell   *lc;

	foreach(lc, job->steps)
	{
		const JobStep *step = lfirst(lc);
		const JobStep *before = old != NULL ? job_step_find(old->steps, step->id) : NULL;

		if (before == NULL || !same_cursor(before->source.incremental, step->source.incremental))
		{
			state_catalog_forget_cursor(job->id, step->id);
			parent_catalog_forget(job->id, step->id);
		}
		else if (step->source.incremental != NULL && !parents_are_same(old, job, step) &&
				 parent_catalog_forget(job->id, step->id) > 0)
			ereport(NOTICE,
					(errmsg("step \"%s\" begins anew for each row that its requests are made of", step->id),
					 errdetail("What was kept of them belongs to the columns of the rows that templates named before.")));
	}
	foreach(lc, old != NULL ? old->steps : NIL)
	{
		const JobStep *before = lfirst(lc);

		if (job_step_find(job->steps, before->id) == NULL)
			parent_catalog_forget(job->id, before->id);
	}
}

/* Is a saved cursor or token of the one good for the other?  NULL: the clock. */
static bool
same_cursor(const JobIncremental *a, const JobIncremental *b)
{
	static const JobIncremental clock = {.type = CURSOR_TIME};

	a = a != NULL ? a : &clock;
	b = b != NULL ? b : &clock;
	return a->type == b->type && a->per_parent_state == b->per_parent_state && same_path(a->cursor_field, b->cursor_field) &&
		same_path(a->sync_token_path, b->sync_token_path);
}

static bool
same_path(const JsonPath *a, const JsonPath *b)
{
	return a == b || (a != NULL && b != NULL && json_path_equal(a, b));
}

static char *
jsonb_text(Jsonb *jsonb)
{
	return JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
}

/* Raises 42704 where the job has no such step. */
static void
check_step(const JobRecord *record, const char *step_id)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *job = job_parse(record->definition, strlen(record->definition), problems);
	ListCell   *lc;

	problem_raise_first(problems);
	foreach(lc, job->steps)
	{
		if (strcmp(((const JobStep *) lfirst(lc))->id, step_id) == 0)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("job \"%s\" has no step \"%s\"", record->id, step_id),
			 errhint("The only step of a job without \"steps\" is \"main\".")));
}

/* The job's own schedule, else the database's default, else none. */
static JobSchedule *
effective_schedule(const Job *job)
{
	return job->schedule ? job->schedule : default_schedule();
}

static JobSchedule *
default_schedule(void)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	JobSettings *settings = job_parse_settings(setting_catalog_get("defaults"), problems);

	problem_raise_first(problems);
	return settings->schedule;
}

static TimestampTz
first_run(const JobSchedule *schedule)
{
	TimestampTz now = GetCurrentTimestamp();

	return schedule ? schedule_next(schedule, now, now) : 0;
}

/* Do two definitions say the same about when to run? */
static bool
same_schedule(const char *a, const char *b)
{
	Datum		schedules[2];
	const char *texts[] = {a, b};

	for (int i = 0; i < 2; i++)
	{
		Datum		definition = DirectFunctionCall1(jsonb_in, CStringGetDatum(texts[i]));
		JsonbValue	key = {.type = jbvString, .val.string = {.len = 8, .val = "schedule"}};
		JsonbValue *value = findJsonbValueFromContainer(&DatumGetJsonbP(definition)->root, JB_FOBJECT, &key);

		schedules[i] = value ? JsonbPGetDatum(JsonbValueToJsonb(value)) : (Datum) 0;
	}
	if (schedules[0] == (Datum) 0 || schedules[1] == (Datum) 0)
		return schedules[0] == schedules[1];
	return DatumGetBool(DirectFunctionCall2(jsonb_eq, schedules[0], schedules[1]));
}

static void
tell_next_run(const Job *job, const JobSchedule *schedule, TimestampTz next_run_at)
{
	const JobDestination *destination = &((const JobStep *) linitial(job->steps))->destination;

	if (destination->implied)
		ereport(NOTICE,
				(errmsg("job \"%s\" names no destination, so it writes to the table \"%s\"", job->id, destination->table)));
	if (!job->enabled)
		ereport(NOTICE,
				(errmsg("job \"%s\" is not enabled", job->id),
				 errhint("Start its schedule with databite.resume_job.")));
	else if (next_run_at == 0 && job->trigger == NULL)
		ereport(NOTICE,
				(errmsg("job \"%s\" has no schedule", job->id),
				 errhint("Run it with databite.execute_job, CALL databite.run_job or databite.enqueue_job.")));
	else
		tell_beginning(job, schedule, next_run_at);
}

/* When it begins by itself, and whether there is anybody to see to that. */
static void
tell_beginning(const Job *job, const JobSchedule *schedule, TimestampTz next_run_at)
{
	bool		unattended = !worker_scheduler_expected() && !cron_entry_exists();
	const char *when;

	if (next_run_at == 0 && !unattended)
		return;
	if (next_run_at == 0)
		when = psprintf("job \"%s\" waits for its trigger", job->id);
	else
		when = psprintf("job \"%s\" runs next at %s", job->id, timestamptz_to_str(next_run_at));
	ereport(NOTICE,
			(errmsg(unattended ? "%s, but no scheduler runs in this database" : "%s", when),
			 next_run_at != 0 ? errdetail("Its schedule is %s.", schedule_describe(schedule)) : 0,
			 unattended
				 ? errhint("Start one with SELECT databite.start(), or have pg_cron run jobs with SELECT databite.use_pg_cron(),"
						   " or add databite to shared_preload_libraries.")
				 : 0));
}
