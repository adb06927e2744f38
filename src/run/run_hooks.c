/*
 * run_hooks.c
 *	  Functions of users that are called when runs begin and end: hooks {onJobStart, onJobComplete, onJobError}.
 *
 * Each call is a transaction of its own (in execute_job, a subtransaction of the caller's), as the job's owner
 * and with the job's search_path.  The call begins after what it tells of is recorded, and nothing of it
 * is kept where it fails: so a hook is called at most once, and harms neither data nor state nor the
 * end of the run.  It holds the job's lock, so the next run of the job begins after it.
 *
 * Cases:
 * - The hook fails, or is not there any more: a WARNING, and a line in the run's notices.
 * - It takes longer than databite.hook_timeout: the same.
 * - The run is cancelled while onJobStart is called: it ends as cancelled.  While a later one is: that hook
 *   fails, and in a session the statement is cancelled, too; how the run ended stays.
 * - The run's process went away, or it never had one: the run has hook_owed, and the next run of the job calls
 *   onJobError for it.
 * - A dry run is in no history, and calls nothing.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/settings.h"
#include "base/subtransaction.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "catalog/run_summary.h"
#include "catalog/state_catalog.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "run/run_hooks.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

typedef struct HookCall
{
	const char *hook;			/* "onJobStart" */
	const char *function;		/* as written */
	const char *job_id;
	int64		run_id;			/* that is told of */
} HookCall;

typedef struct HookTimer
{
	TimestampTz ends_at;
	TimestampTz outer;			/* when the session's own statement_timeout is over; 0: it has none */
} HookTimer;

static void call_hook(RunContext *run, const char *hook, const char *function, int64 run_id);
static ErrorData *try_call(RunContext *run, HookCall *call, bool *timed_out);
static void call_function(RunContext *run, void *arg);
static char *detail_json(const RunContext *run, int64 run_id);
static void hook_context(void *arg);
static void begin_timer(HookTimer *timer);
static void end_timer(const HookTimer *timer);
static void note_failure(RunContext *run, void *arg);
static char *call_sql(const char *function);
static void prepare_call(void *arg);

void
run_hooks_prepare(RunContext *run)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	run->hooks = job_parse_settings(setting_catalog_get("defaults"), problems)->hooks;
	run->owed_hooks = run_catalog_take_owed_hooks(run->record->id);
	MemoryContextSwitchTo(old);
}

void
run_hooks_begin(RunContext *run)
{
	ListCell   *lc;

	job_hooks_complete(&run->job->hooks, &run->hooks);
	run->hooks = run->job->hooks;
	foreach(lc, run->owed_hooks)
		call_hook(run, "onJobError", run->hooks.on_error, *(int64 *) lfirst(lc));
	call_hook(run, "onJobStart", run->hooks.on_start, run->run_id);
}

void
run_hooks_end(RunContext *run, RunStatus status)
{
	if (status == RUN_COMPLETED || status == RUN_PARTIAL)
		call_hook(run, "onJobComplete", run->hooks.on_complete, run->run_id);
	else
		call_hook(run, "onJobError", run->hooks.on_error, run->run_id);
}

static void
call_hook(RunContext *run, const char *hook, const char *function, int64 run_id)
{
	HookCall	call = {.hook = hook, .function = function, .job_id = run->record->id, .run_id = run_id};
	ErrorContextCallback *outer = error_context_stack;
	bool		is_end = run_id == run->run_id && strcmp(hook, "onJobStart") != 0;
	bool		timed_out;
	ErrorData  *error;

	if (function == NULL || run->run_id == 0)
		return;
	error = try_call(run, &call, &timed_out);
	if (error == NULL)
		return;

	/* Somebody wants the run to end, or the session's statement; in a worker a run that has ended is all there is. */
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && !timed_out && !(run->mode == RUN_IN_WORKER && is_end))
		error_rethrow(error);
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && timed_out)
		error->message = psprintf("it took longer than databite.hook_timeout (%d ms)", databite_hook_timeout);

	/* The error has its context already. */
	error_context_stack = NULL;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("hook \"%s\" of job \"%s\" failed: %s", hook, run->record->id, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0,
			 error->context ? errcontext("%s", error->context) : 0));
	error_context_stack = outer;
	run_in_transaction(run, note_failure, psprintf("hook \"%s\" failed: %s", hook, error->message));
}

/* NULL, or what went wrong, in the call or in its commit. */
static ErrorData *
try_call(RunContext *run, HookCall *call, bool *timed_out)
{
	MemoryContext old = CurrentMemoryContext;
	ErrorContextCallback callback = {.callback = hook_context, .arg = call};
	ErrorContextCallback *outer = error_context_stack;
	ErrorData  *volatile error = NULL;
	HookTimer	timer;

	error_context_stack = &callback;
	begin_timer(&timer);
	PG_TRY();
	{
		run_in_transaction(run, call_function, call);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->memory);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	*timed_out = GetCurrentTimestamp() >= timer.ends_at;
	end_timer(&timer);
	error_context_stack = outer;
	MemoryContextSwitchTo(old);
	return error;
}

/* In the hook's transaction, as the owner. */
static void
call_function(RunContext *run, void *arg)
{
	const HookCall *call = arg;
	Oid			types[] = {TEXTOID, JSONBOID};
	char	   *detail = detail_json(run, call->run_id);
	Datum		values[2];

	/* A run of long ago may be gone from history meanwhile. */
	if (detail == NULL)
		return;
	values[0] = CStringGetTextDatum(run->record->id);
	values[1] = DirectFunctionCall1(jsonb_in, CStringGetDatum(detail));
	(void) SPI_connect();
	if (SPI_execute_with_args(call_sql(call->function), 2, types, values, NULL, false, 0) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not call function %s", call->function)));
	SPI_finish();
}

/* The run as it is in history, and when it is tried again. */
static char *
detail_json(const RunContext *run, int64 run_id)
{
	char	   *json = run_summary_json(run_id);

	if (json == NULL || run->retry_at == 0 || run_id != run->run_id)
		return json;
	return psprintf("%.*s, \"retry_at\": \"%s\"}", (int) strlen(json) - 1, json, run_time_text(run->retry_at));
}

static void
hook_context(void *arg)
{
	const HookCall *call = arg;

	errcontext("job \"%s\", hook \"%s\" of run " INT64_FORMAT ", function %s", call->job_id, call->hook, call->run_id, call->function);
}

/* PostgreSQL's timer of statements ends the hook; the session's own is put back when it has ended. */
static void
begin_timer(HookTimer *timer)
{
	timer->ends_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), databite_hook_timeout);
	timer->outer = get_timeout_active(STATEMENT_TIMEOUT) ? get_timeout_finish_time(STATEMENT_TIMEOUT) : 0;
	if (timer->outer == 0 || timer->outer > timer->ends_at)
		enable_timeout_at(STATEMENT_TIMEOUT, timer->ends_at);
}

/* What came too late to end the hook must not end what follows. */
static void
end_timer(const HookTimer *timer)
{
	if (timer->outer != 0 && timer->outer <= timer->ends_at)
		return;
	disable_timeout(STATEMENT_TIMEOUT, true);
	if (get_timeout_indicator(STATEMENT_TIMEOUT, true))
		QueryCancelPending = false;
	if (timer->outer != 0)
		enable_timeout_at(STATEMENT_TIMEOUT, timer->outer);
}

static void
note_failure(RunContext *run, void *arg)
{
	run_catalog_notice(run->run_id, arg);
}

/* Found as any function in a statement is; raises 42601 or 42602 where the text is no name. */
static char *
call_sql(const char *function)
{
	return psprintf("SELECT %s($1, $2)", NameListToQuotedString(compat_qualified_names(function)));
}

void
run_hooks_check(const JobHooks *hooks, ProblemList *problems)
{
	const struct
	{
		const char *function;
		const char *pointer;
	}			all[] = {
		{hooks->on_start, "/hooks/onJobStart"},
		{hooks->on_complete, "/hooks/onJobComplete"},
		{hooks->on_error, "/hooks/onJobError"},
	};

	for (int i = 0; i < lengthof(all); i++)
	{
		ErrorData  *error = NULL;

		if (all[i].function != NULL)
			error = subtransaction_run(prepare_call, unconstify(char *, all[i].function), SUBTRANSACTION_UNDO);
		if (error != NULL)
			problem_add(problems, error->sqlerrcode, all[i].pointer,
						"A hook is the name of a function of arguments (text, jsonb), with its schema or in search_path.",
						"%s", error->message);
	}
}

/* PostgreSQL's parser knows best what it finds. */
static void
prepare_call(void *arg)
{
	Oid			types[] = {TEXTOID, JSONBOID};

	(void) SPI_connect();
	if (SPI_prepare(call_sql(arg), 2, types) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not look up function %s", (const char *) arg)));
	SPI_finish();
}
