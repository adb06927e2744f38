/*
 * run.c
 *	  One run of one job, from the lock to the last line of history.
 *
 * Lifecycle.  The job's lock is taken before its run row says running and given
 * back after the row says how it ended, so a row that says running while nobody
 * holds the lock is a run that crashed.
 *
 * worker, procedure: row queued -> running in one transaction; the steps in
 * theirs, the last of which records that the run is completed.  An error in a step has been rolled back by then
 * and is recorded, and is in the log (run_log.c); the
 * procedure raises it.
 *
 * function: the steps are in one subtransaction, so that a failed or a dry run
 * leaves nothing behind but its row (a dry run not even that).  The caller gets
 * the failure as a result, not as an error: it is his transaction.
 *
 * run_due_jobs: a run that is queued already, as in the worker, but in a session and its
 * transactions, as in a procedure.  Its failure is no error of the session.
 *
 * A process that ends without a word (FATAL, kill) leaves its row running; the
 * scheduler finds it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "base/shared_progress.h"
#include "catalog/event_catalog.h"
#include "catalog/extension.h"
#include "catalog/state_catalog.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "run/context.h"
#include "run/job_lock.h"
#include "run/parents.h"
#include "run/replay.h"
#include "run/run_end.h"
#include "run/run_error.h"
#include "run/run_hooks.h"
#include "run/run_log.h"
#include "run/run_retry.h"
#include "run/secret_mask.h"
#include "run/step_loop.h"
#include "run/time_limit.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Twice as much is kept of what was freed: see keep_freed_memory. */
#define LARGEST_KEPT_PIECE (2 * 1024 * 1024)

static RunContext *context_create(const JobRecord *record, RunMode mode);
static void run_here(const JobRecord *job, RunContext *begun, RunResult *result);
static RunContext *try_again(const JobRecord *job, RunContext *failed);
static RunStatus run_claimed(RunContext *run);
static bool session_was_cancelled(const RunContext *run, const ErrorData *error);
static RunContext *claim(int64 run_id, RunMode mode);
static RunContext *take_queued(int64 run_id, RunMode mode, char *locked);
static char *event_of(const RunContext *run, const RunRecord *record);
static JobRecord *copy_record(const JobRecord *record);
static RunStatus run_steps_and_record(RunContext *run, ErrorData **error);
static void run_in_function(RunContext *run, RunResult *result);
static void run_in_procedure(RunContext *run, RunResult *result);
static void run_steps(RunContext *run);
static void keep_freed_memory(void);
static void open_run(RunContext *run, void *arg);
static void read_definition(RunContext *run);
static void note_pools(RunContext *run);
static void lock_or_fail(const char *job_id, bool session);
static void run_error_context(void *arg);

/* What this process runs just now, the innermost first. */
static RunContext *current_run = NULL;

RunStatus
run_queued(int64 run_id, RunMode mode, bool read_only)
{
	RunContext *run = claim(run_id, mode);
	RunStatus	status = RUN_CANCELLED;

	if (run == NULL)
		return RUN_CANCELLED;

	run->read_only = read_only;
	run->outer = current_run;
	current_run = run;
	progress_begin(run->record->id, run->record->owner, run->started_at);
	PG_TRY();
	{
		status = run_claimed(run);
	}
	PG_FINALLY();
	{
		progress_end();
		current_run = run->outer;
		job_lock_release(run->record->id);
		MemoryContextDelete(run->memory);
	}
	PG_END_TRY();
	return status;
}

/* What a session's query is is not for us to say. */
static RunStatus
run_claimed(RunContext *run)
{
	bool		worker = run->mode == RUN_IN_WORKER;
	ErrorData  *error = NULL;
	RunStatus	status;

	if (worker)
		pgstat_report_activity(STATE_RUNNING, psprintf("databite: job %s", run->record->id));
	status = run_steps_and_record(run, &error);
	run_end_tell(run, status, error);
	if (worker)
		pgstat_report_activity(STATE_IDLE, NULL);
	else if (session_was_cancelled(run, error))
		error_rethrow(error);
	return status;
}

/* databite.cancel_job cancels the run alone, and says so in its row. */
static bool
session_was_cancelled(const RunContext *run, const ErrorData *error)
{
	const RunRecord *record;

	if (error == NULL || error->sqlerrcode != ERRCODE_QUERY_CANCELED)
		return false;
	record = run_catalog_get(run->run_id);
	return record == NULL || !record->cancel_requested;
}

void
run_now(const JobRecord *job, RunMode mode, bool dry_run, RunResult *result)
{
	RunContext *run;

	/* First: what is made after it is freed by run_here. */
	lock_or_fail(job->id, mode == RUN_IN_PROCEDURE);
	run = context_create(job, mode);
	run->dry_run = dry_run;
	run_here(job, run, result);
}

void
run_replay(const JobRecord *job, int64 run_id, RunResult *result)
{
	RunContext *run;

	lock_or_fail(job->id, false);
	run = context_create(job, RUN_IN_FUNCTION);
	run->replays = true;
	run->replay_of = run_id;
	run_here(job, run, result);
}

/* Runs it in this session, again as the definition says, and frees it. */
static void
run_here(const JobRecord *job, RunContext *begun, RunResult *result)
{
	RunContext *volatile run = begun;
	RunMode		mode = begun->mode;

	run->outer = current_run;
	current_run = run;
	progress_begin(job->id, job->owner, run->started_at);
	PG_TRY();
	{
		for (;;)
		{
			if (mode == RUN_IN_PROCEDURE)
				run_in_procedure(run, result);
			else
				run_in_function(run, result);
			if (run->retry_at == 0)
				break;
			run = try_again(job, run);
		}
	}
	PG_FINALLY();
	{
		progress_end();
		current_run = run->outer;
		if (mode == RUN_IN_PROCEDURE)
			job_lock_release(job->id);
		MemoryContextDelete(run->memory);
	}
	PG_END_TRY();
}

/* The run that follows a failed one, which is given up. */
static RunContext *
try_again(const JobRecord *job, RunContext *failed)
{
	RunContext *run = context_create(job, failed->mode);

	run->outer = failed->outer;
	run->resumes = failed->run_id;
	run->begin_at = failed->retry_at;
	run->keep_checkpoint = failed->keep_checkpoint; /* as long as it has not begun */
	current_run = run;
	MemoryContextDelete(failed->memory);
	return run;
}

/* The run's memory is no child of the caller's: it must outlive transactions and errors. */
static RunContext *
context_create(const JobRecord *record, RunMode mode)
{
	char	   *defaults = setting_catalog_get("defaults");
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "databite run", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	RunContext *run = palloc0(sizeof(RunContext));

	run->memory = memory;
	run->mode = mode;
	run->record = copy_record(record);
	run->started_at = GetCurrentTimestamp();
	run->defaults = defaults != NULL ? pstrdup(defaults) : NULL;
	run->log = run_log_create(memory);
	MemoryContextSwitchTo(old);
	return run;
}

/*
 * Takes the lock and the queued run, in a transaction of its own.  NULL where there is nothing
 * to do (any more): the run was cancelled, its job was removed, or the job is
 * running elsewhere, in which case the run stays queued.
 */
static RunContext *
claim(int64 run_id, RunMode mode)
{
	RunContext *volatile run = NULL;
	char		locked[NAMEDATALEN] = "";

	/* A session lives on after an error, and would keep the lock. */
	PG_TRY();
	{
		if (mode == RUN_IN_WORKER)
		{
			SetCurrentStatementStartTimestamp();
			StartTransactionCommand();
		}
		PushActiveSnapshot(GetTransactionSnapshot());
		run = take_queued(run_id, mode, locked);
		PopActiveSnapshot();
		if (mode == RUN_IN_WORKER)
			CommitTransactionCommand();
		else
			SPI_commit();
	}
	PG_CATCH();
	{
		if (locked[0] != '\0')
			job_lock_release(locked);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return run;
}

/* locked: the job's id as long as its lock is ours. */
static RunContext *
take_queued(int64 run_id, RunMode mode, char *locked)
{
	RunContext *run = NULL;
	RunRecord  *record;
	JobRecord  *job;

	if (!OidIsValid(catalog_lock_extension()) ||
		(record = run_catalog_get(run_id)) == NULL || record->status != RUN_QUEUED)
		return NULL;

	job = job_catalog_get(record->job_id, false);
	if (job == NULL)
		run_catalog_finish(run_id, RUN_CANCELLED, NULL,
						   run_error_json_simple("job_removed", "the job was removed before the run began", NULL));
	else if (strcmp(record->trigger, "retry") == 0 && record->payload == NULL && record->event_id == 0 &&
			 run_catalog_was_done(record))
		run_catalog_finish(run_id, RUN_CANCELLED, NULL,
						   run_error_json_simple("superseded", "another run of the job was completed before the retry began", NULL));
	else if (job_lock_acquire(job->id, true))
	{
		strlcpy(locked, job->id, NAMEDATALEN);
		if (!run_catalog_start(run_id, MyProcPid))
		{
			locked[0] = '\0';
			job_lock_release(job->id);
			return NULL;
		}
		run = context_create(job, mode);
		run->queued = true;
		run->run_id = run_id;
		run->resumes = record->resumes;
		run->payload = record->payload ? MemoryContextStrdup(run->memory, record->payload) : NULL;
		run->event = event_of(run, record);
		run_hooks_prepare(run);
	}
	return run;
}

static char *
event_of(const RunContext *run, const RunRecord *record)
{
	char	   *event = record->event_id != 0 ? event_catalog_json(record->event_id) : NULL;

	return event != NULL ? MemoryContextStrdup(run->memory, event) : NULL;
}

static JobRecord *
copy_record(const JobRecord *record)
{
	JobRecord  *copy = palloc(sizeof(JobRecord));

	*copy = *record;
	copy->id = pstrdup(record->id);
	copy->definition = pstrdup(record->definition);
	copy->search_path = pstrdup(record->search_path);
	return copy;
}

/*
 * Worker and procedure: runs the steps, and records how that ended.  What went
 * wrong is in *error, in the run's memory.
 */
static RunStatus
run_steps_and_record(RunContext *run, ErrorData **error)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	ErrorData  *volatile caught = NULL;

	run_error_forget();
	PG_TRY();
	{
		run_steps(run);			/* the last one also records that the run is completed */
	}
	PG_CATCH();
	{
		/* Whatever it was has been rolled back already, or happened between two transactions. */
		MemoryContextSwitchTo(run->memory);
		run->more_to_come = false;
		caught = CopyErrorData();
		run_error_trim(caught);
		FlushErrorState();
		secret_mask_error(caught);
	}
	PG_END_TRY();

	if (caught)
	{
		/* Whoever cancels twice has been heard: the run must not look like one that crashed. */
		HOLD_CANCEL_INTERRUPTS();
		run_in_transaction(run, run_end_failed, caught);
		RESUME_CANCEL_INTERRUPTS();
		if (run->completed)
			caught = NULL;
	}
	else if (run->failure == NULL && list_length(run->job->steps) > 1)
	{
		run->more_to_come = true;	/* nothing of the run is lost with it */
		parents_clear(run, NULL);
		run->more_to_come = false;
	}
	MemoryContextSwitchTo(old);
	*error = caught ? caught : run->failure;
	return run_end_status(run, *error);
}

/* A failed run that is not tried again is an error of the CALL, so that whoever schedules the CALL hears of it. */
static void
run_in_procedure(RunContext *run, RunResult *result)
{
	ErrorData  *error = NULL;
	RunStatus	status;

	run_in_transaction(run, open_run, NULL);
	status = run_steps_and_record(run, &error);
	run_end_tell(run, status, error);
	if (run->retry_at != 0)
		return;
	if (run->failure != NULL)
		error_throw(run->failure);	/* it was never thrown, so it cannot be again */
	if (error != NULL)
		error_rethrow(error);
	run_end_result(run, status, NULL, result);
}

static void
run_in_function(RunContext *run, RunResult *result)
{
	MemoryContext old = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	RunStatus	status;

	run_error_forget();
	if (!run->dry_run)
		run_in_transaction(run, open_run, NULL);

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(run->memory);
	PG_TRY();
	{
		run_steps(run);
		if (run->dry_run)
			RollbackAndReleaseCurrentSubTransaction();
		else
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->memory);
		error = CopyErrorData();
		run_error_trim(error);
		FlushErrorState();
		secret_mask_error(error);
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	CurrentResourceOwner = owner;

	/* The caller's statement was cancelled, not just the run. */
	if (error && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		error_rethrow(error);

	if (error)
		memset(&run->counters, 0, offsetof(RunCounters, requests));
	else
		error = run->failure;
	if (!run->dry_run)
		run_in_transaction(run, error ? run_end_failed : run_end_completed, error);
	status = run_end_status(run, error);
	run_end_tell(run, status, error);
	if (run->retry_at != 0)
		return;
	run_end_result(run, status, error, result);
}

/* All steps.  Raises an error at the first that fails, or leaves it in run->failure. */
static void
run_steps(RunContext *run)
{
	ErrorContextCallback callback;

	callback.callback = run_error_context;
	callback.arg = run;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	if (run->read_only)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("the transactions of the job's owner are read-only"),
				 errhint("Reset default_transaction_read_only for the role or the database.")));
	keep_freed_memory();
	read_definition(run);
	run_retry_wait(run);
	run_hooks_begin(run);
	run->client = source_client_create(run->memory);
	run_log_begin(run);
	time_limit_begin(run);
	if (run->replays)
		replay_steps(run);
	else
		steps_run(run);

	/* What is deferred to the end of the transaction must be heard before a dry run is undone. */
	if (run->dry_run)
	{
		(void) SPI_connect();
		if (SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not check deferred constraints")));
		SPI_finish();
	}
	error_context_stack = callback.previous;
}

/*
 * Each page and each batch takes some hundred kilobytes and frees them again.  glibc gives
 * such memory back to the system at once and has it faulted in anew, which costs a
 * twentieth of a run, until a larger piece has been freed: from then on it keeps twice as much.
 */
static void
keep_freed_memory(void)
{
	pfree(palloc(LARGEST_KEPT_PIECE));
}

static void
read_definition(RunContext *run)
{
	ProblemList *problems = problem_list_create(run->memory);

	run->job = run_parse_job(run->record->definition, run->defaults, problems);
	problem_raise_first(problems);
	note_pools(run);
}

/* Nothing of a definition is ignored in silence. */
static void
note_pools(RunContext *run)
{
	ListCell   *lc;

	foreach(lc, run->job->steps)
	{
		const JobDestination *destination = &((JobStep *) lfirst(lc))->destination;

		if (destination->mode == WRITE_PARALLEL)
		{
			if (run->mode == RUN_IN_FUNCTION)
				run_note(run, "parallel writers are not used: execute_job writes in the caller's transaction");
			else if (destination->schema_changes == SCHEMA_ADD_COLUMNS)
				run_note(run, "parallel writers are not used: schemaChanges \"add_columns\" adds columns as the run writes");
		}
		else if (destination->has_pool)
		{
			const char *mode = write_mode_name(destination->mode);

			run_note(run, psprintf("connectionPool is not used: mode \"%s\" writes through the run's own connection", mode));
		}
	}
}

/* The row of a run that begins at once. */
static void
open_run(RunContext *run, void *arg)
{
	const char *trigger = run->mode == RUN_IN_PROCEDURE ? "call" : "execute";

	if (run->replays)
		trigger = "replay";
	else if (run->resumes != 0)
		trigger = "retry";
	run->run_id = run_catalog_add(run->record->id, run->record->owner, RUN_QUEUED,
								  trigger, run->begin_at, NULL, run->resumes);
	(void) run_catalog_start(run->run_id, MyProcPid);
	run_hooks_prepare(run);
}

static void
lock_or_fail(const char *job_id, bool session)
{
	bool		free = true;

	/* A process is not refused a lock that it has: a trigger may be about to run the job that fired it. */
	for (const RunContext *run = current_run; run != NULL; run = run->outer)
		free = free && strcmp(run->record->id, job_id) != 0;
	if (!free || !job_lock_acquire(job_id, session))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("job \"%s\" is running already", job_id),
				 errdetail("A job never overlaps itself."),
				 errhint("See databite.progress; databite.cancel_job stops the run.")));
}

/* A worker's lines in the server log say which run they are of; a session's own errors are not so many. */
static void
run_error_context(void *arg)
{
	const RunContext *run = arg;
	char		number[32] = "";

	if (run->mode == RUN_IN_WORKER)
		snprintf(number, sizeof(number), ", run " INT64_FORMAT, run->run_id);
	if (run->step == NULL)
		errcontext("job \"%s\"%s", run->record->id, number);
	else if (run->page == 0)
		errcontext("job \"%s\"%s, step \"%s\"", run->record->id, number, run->step->id);
	else
		errcontext("job \"%s\"%s, step \"%s\", page " INT64_FORMAT, run->record->id, number, run->step->id, run->page);
}
