/*
 * run_log.c
 *	  What a run says of itself: to the server log, and to a table.
 *
 * A line goes to the server log at once, at the level of databite.log_level.  For the table, the user's or databite's
 * own, it waits in a buffer, which is written in transactions of its own: so it is there whatever becomes of
 * the data, and nothing waits for it while the network is awaited.  In execute_job there is one transaction, the
 * caller's, and the buffer is written at the end of the run.
 *
 * The buffer is bounded.  What does not fit is left out, warnings and errors last, and a line says how many were.
 *
 * A log that cannot be written harms nothing: the first failure is a WARNING, the lines stay in the buffer, and
 * are tried again now and then, the last time when the run ends.  So that a lock on the table does not hold
 * up the run, it is not waited for long.
 *
 * No line has a body, a header, or the query of a URL.
 */
#include "postgres.h"

#include "base/clip.h"
#include "base/settings.h"
#include "catalog/log_catalog.h"
#include "catalog/pg_type.h"
#include "destination/log_table.h"
#include "lib/stringinfo.h"
#include "run/run_log.h"
#include "run/secret_mask.h"
#include "run/shortfall.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Bytes of lines that wait; those that matter more may take as much again. */
#define BUFFER_BYTES		(256 * 1024)

/* Of one line. */
#define MAX_MESSAGE			(8 * 1024)
#define MAX_DETAIL			(32 * 1024)

/* So long a line waits for others; and after a failure. */
#define WRITE_DELAY_MS		1000
#define FAILED_DELAY_MS		10000

#define LOCK_TIMEOUT		"1s"

/* So many retries have lines of their own at level info. */
#define MAX_RETRIES			100

typedef struct RunLog
{
	MemoryContext memory;
	MemoryContext line_memory;	/* of what is put together just now */
	LogLevel	level;			/* of the table */
	const char *table;			/* the user's, or NULL */
	StringInfoData lines;		/* "[{...}, {...}" */
	int			nlines;
	int64		left_out;
	int			retries;
	TimestampTz last_time;
	TimestampTz write_at;		/* no earlier, unless the buffer is half full */
	bool		failed;			/* the last time that it was tried */
	bool		warned;			/* the server log has been told */
} RunLog;

static void observe(const FetchEvent *event, void *arg);
static void add_request(RunContext *run, const FetchEvent *event, const char *url);
static void add_retry(RunContext *run, const FetchEvent *event, const char *url);
static char *request_detail(const FetchEvent *event, const char *url);
static const char *step_of(const RunContext *run, const FetchEvent *event);
static void add_state(RunContext *run, LogLevel level, const char *state, const char *detail);
static void add_end(RunContext *run, RunStatus status, const ErrorData *error);
static void add_notices(RunContext *run);
static char *end_detail(const RunContext *run, const ErrorData *error);
static void keep(RunLog *log, LogLevel level, const char *step, const char *message, const char *detail);
static void append_line(RunLog *log, LogLevel level, const char *step, const char *message, const char *detail);
static void tell_server(const RunContext *run, LogLevel level, const char *step, const char *message, const char *detail);
static void tell_server_of_failure(const RunContext *run, RunStatus status, const ErrorData *error);
static void add_context(const RunContext *run, const char *step);
static void write_lines(RunContext *run, bool last, bool durable);
static void do_write(RunContext *run, void *arg);
static void warn(RunContext *run, const ErrorData *error);
static void forget_lines(RunLog *log);
static const char *level_name(LogLevel level);

struct RunLog *
run_log_create(MemoryContext memory)
{
	RunLog	   *log;
	MemoryContext old = MemoryContextSwitchTo(memory);

	log = palloc0(sizeof(RunLog));
	log->memory = memory;
	log->line_memory = AllocSetContextCreate(memory, "databite log", ALLOCSET_DEFAULT_SIZES);
	log->level = databite_log_level;
	initStringInfo(&log->lines);
	MemoryContextSwitchTo(old);
	return log;
}

void
run_log_begin(RunContext *run)
{
	const JobLogging *logging = &run->job->logging;
	RunLog	   *log = run->log;
	char	   *detail = NULL;

	if (logging->level != LEVEL_NOT_STATED)
		log->level = logging->level;
	log->table = logging->to_database ? logging->table : NULL;
	source_client_observe(run->client, observe, run);
	if (run->resumes != 0)
		detail = psprintf("{\"resumes\": " INT64_FORMAT "}", run->resumes);
	add_state(run, LEVEL_INFO, run->resumes != 0 ? "goes on with an earlier one" : "began", detail);
}

bool
run_log_wants(const RunContext *run, LogLevel level)
{
	const RunLog *log = run->log;

	return log != NULL && level >= Min((int) log->level, databite_log_level);
}

void
run_log_add(RunContext *run, LogLevel level, const char *step, const char *message, const char *detail)
{
	RunLog	   *log = run->log;
	MemoryContext old;

	if (!run_log_wants(run, level))
		return;
	old = MemoryContextSwitchTo(log->line_memory);
	message = secret_mask_text(pstrdup(message));
	if (detail != NULL)
		detail = secret_mask_text(pstrdup(detail));
	if (level >= databite_log_level)
		tell_server(run, level, step, message, detail);
	keep(log, level, step, message, detail);
	MemoryContextSwitchTo(old);
	MemoryContextReset(log->line_memory);
}

int64
run_log_write_due(RunContext *run)
{
	RunLog	   *log = run->log;
	TimestampTz now;

	if (log->nlines == 0 || run->mode == RUN_IN_FUNCTION)
		return -1;
	now = GetCurrentTimestamp();
	if (now < log->write_at && (log->failed || log->lines.len < BUFFER_BYTES / 2))
		return (log->write_at - now + 999) / 1000;
	write_lines(run, false, false);
	return log->nlines > 0 ? FAILED_DELAY_MS : -1;
}

void
run_log_end(RunContext *run, RunStatus status, const ErrorData *error)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	add_notices(run);
	add_end(run, status, error);
	write_lines(run, true, error != NULL);
	MemoryContextSwitchTo(old);
}

/* A request of the run's client has ended, or will be made again. */
static void
observe(const FetchEvent *event, void *arg)
{
	RunContext *run = arg;
	RunLog	   *log = run->log;
	MemoryContext memory;
	MemoryContext old;
	char	   *url;

	if (!run_log_wants(run, event->kind == FETCH_EVENT_RETRY ? LEVEL_INFO : LEVEL_DEBUG))
		return;
	memory = AllocSetContextCreate(log->memory, "databite logged request", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(memory);
	url = secret_mask_text(url_masked(event->request->url));	/* before it is quoted */
	if (event->kind == FETCH_EVENT_RETRY)
		add_retry(run, event, url);
	else
		add_request(run, event, url);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}

static void
add_request(RunContext *run, const FetchEvent *event, const char *url)
{
	const char *method = event->request->method;
	char	   *message;

	if (event->kind == FETCH_EVENT_ANSWERED)
		message = psprintf("%s %s was answered with status %d", method, url, event->status);
	else
		message = psprintf("%s %s was not answered: %s", method, url, event->code);
	run_log_add(run, LEVEL_DEBUG, step_of(run, event), message, request_detail(event, url));
}

/* A source that has each request made twice is not worth a line for each. */
static void
add_retry(RunContext *run, const FetchEvent *event, const char *url)
{
	RunLog	   *log = run->log;
	LogLevel	level = ++log->retries <= MAX_RETRIES ? LEVEL_INFO : LEVEL_DEBUG;

	run_log_add(run, level, step_of(run, event),
				psprintf("%s %s is tried again in " INT64_FORMAT " ms", event->request->method, url, event->delay_ms),
				request_detail(event, url));
}

static char *
request_detail(const FetchEvent *event, const char *url)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoString(&json, "{\"method\": ");
	escape_json(&json, event->request->method);
	appendStringInfoString(&json, ", \"url\": ");
	escape_json(&json, url);
	if (event->status > 0)
		appendStringInfo(&json, ", \"status\": %d", event->status);
	if (event->code != NULL)
	{
		appendStringInfoString(&json, ", \"code\": ");
		escape_json(&json, event->code);
	}
	appendStringInfo(&json, ", \"try\": %d", event->tries);
	if (event->kind == FETCH_EVENT_RETRY)
		appendStringInfo(&json, ", \"delay_ms\": " INT64_FORMAT "}", event->delay_ms);
	else
		appendStringInfo(&json, ", \"duration_ms\": %.1f, \"bytes\": " INT64_FORMAT "}",
						 (double) event->duration_us / 1000, event->bytes);
	return json.data;
}

/* Others than those of a step, for its access token, are made while it is the step's turn. */
static const char *
step_of(const RunContext *run, const FetchEvent *event)
{
	if (event->label != NULL)
		return event->label;
	return run->step != NULL ? run->step->id : NULL;
}

/*
 * "run began" in the table, full as the buffer may be; the server log, where there are many, has its number and job in the
 * line.
 */
static void
add_state(RunContext *run, LogLevel level, const char *state, const char *detail)
{
	if (level >= databite_log_level)
		tell_server(run, level, NULL, psprintf("run " INT64_FORMAT " of job \"%s\" %s", run->run_id, run->record->id, state), detail);
	if (level >= run->log->level)
		append_line(run->log, level, NULL, psprintf("run %s", state), detail);
}

static void
add_end(RunContext *run, RunStatus status, const ErrorData *error)
{
	const char *step = run->step != NULL ? run->step->id : NULL;
	char	   *detail = end_detail(run, error);

	if (error != NULL)
	{
		bool		cancelled = status == RUN_CANCELLED;
		LogLevel	level = cancelled ? LEVEL_WARNING : LEVEL_ERROR;

		/* What a CALL fails with the server logs itself. */
		if (level >= databite_log_level && (run->mode != RUN_IN_PROCEDURE || run->queued || run->retry_at != 0))
			tell_server_of_failure(run, status, error);
		if (level >= run->log->level)
			append_line(run->log, level, step, cancelled ? "run was cancelled" : psprintf("run failed: %s", error->message), detail);
		if (run->retry_at != 0)
			add_state(run, LEVEL_INFO, "will be tried again", psprintf("{\"at\": \"%s\"}", run_time_text(run->retry_at)));
	}
	else if (status == RUN_PARTIAL)
		add_state(run, LEVEL_WARNING, "was partial", detail);
	else
		add_state(run, LEVEL_INFO, "completed", detail);
}

/* Those of the last transaction, and those that came to no transaction any more. */
static void
add_notices(RunContext *run)
{
	ListCell   *lc;

	foreach(lc, run->noted)
		run_log_add(run, LEVEL_WARNING, NULL, lfirst(lc), NULL);
	foreach(lc, run->notices)
		run_log_add(run, LEVEL_WARNING, NULL, lfirst(lc), NULL);
	run->noted = run->notices = NIL;
}

/* The counters of the run, how long it took, and what history says of what went wrong. */
static char *
end_detail(const RunContext *run, const ErrorData *error)
{
	StringInfoData json;
	char	   *failure = error != NULL
		? shortfall_failure_json(run, &run->counters, error, run->step != NULL ? run->step->id : NULL)
		: shortfall_json(run, &run->counters);

	initStringInfo(&json);
	appendStringInfo(&json, "{\"duration_ms\": " INT64_FORMAT, (GetCurrentTimestamp() - run->started_at) / 1000);
	run_counters_append(&json, &run->counters);
	run_traffic_append(&json, &run->counters);
	if (failure != NULL)
		appendStringInfo(&json, ", \"error\": %s", failure);
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* A line for the table, if there is room for it. */
static void
keep(RunLog *log, LogLevel level, const char *step, const char *message, const char *detail)
{
	if (level < log->level)
		return;
	if (log->lines.len > (level < LEVEL_WARNING ? BUFFER_BYTES : 2 * BUFFER_BYTES))
	{
		log->left_out++;
		return;
	}
	append_line(log, level, step, message, detail);
}

/* Two lines never have the same time: it is their order. */
static void
append_line(RunLog *log, LogLevel level, const char *step, const char *message, const char *detail)
{
	TimestampTz now = GetCurrentTimestamp();
	StringInfo	json = &log->lines;
	char		time[MAXDATELEN + 1];

	log->last_time = Max(now, log->last_time + 1);
	if (log->nlines++ == 0 && !log->failed)
		log->write_at = TimestampTzPlusMilliseconds(now, WRITE_DELAY_MS);
	JsonEncodeDateTime(time, TimestampTzGetDatum(log->last_time), TIMESTAMPTZOID, NULL);
	appendStringInfo(json, "%s{\"time\": \"%s\", \"level\": \"%s\"", json->len > 0 ? ",\n" : "[", time, level_name(level));
	if (step != NULL)
	{
		appendStringInfoString(json, ", \"step\": ");
		escape_json(json, step);
	}
	appendStringInfoString(json, ", \"message\": ");
	escape_json(json, strlen(message) > MAX_MESSAGE ? text_clip(message, MAX_MESSAGE) : message);
	if (detail != NULL && strlen(detail) <= MAX_DETAIL)
		appendStringInfo(json, ", \"detail\": %s", detail);
	appendStringInfoChar(json, '}');
}

/* As LOG whatever the level, so that databite.log_level alone decides what is there. */
static void
tell_server(const RunContext *run, LogLevel level, const char *step, const char *message, const char *detail)
{
	ErrorContextCallback *callbacks = error_context_stack;

	error_context_stack = NULL; /* what it would say is in add_context */
	ereport(LOG_SERVER_ONLY,
			(errmsg_internal("%s", message),
			 detail != NULL ? errdetail_internal("%s", detail) : 0,
			 add_context(run, step),
			 errhidestmt(true)));
	error_context_stack = callbacks;
}

static void
tell_server_of_failure(const RunContext *run, RunStatus status, const ErrorData *error)
{
	ErrorContextCallback *callbacks = error_context_stack;

	error_context_stack = NULL;
	ereport(LOG_SERVER_ONLY,
			(errcode(error->sqlerrcode),
			 errmsg("run " INT64_FORMAT " of job \"%s\" %s: %s", run->run_id, run->record->id,
					status == RUN_CANCELLED ? "was cancelled" : "failed", error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0,
			 add_context(run, run->step != NULL ? run->step->id : NULL),
			 errhidestmt(true)));
	error_context_stack = callbacks;
}

/* Part of an ereport. */
static void
add_context(const RunContext *run, const char *step)
{
	if (step != NULL)
		errcontext("job \"%s\", run " INT64_FORMAT ", step \"%s\"", run->record->id, run->run_id, step);
	else
		errcontext("job \"%s\", run " INT64_FORMAT, run->record->id, run->run_id);
}

/* Writes what waits; last: there is no other time; durable: it is waited until it is on disk. */
static void
write_lines(RunContext *run, bool last, bool durable)
{
	RunLog	   *log = run->log;
	MemoryContext old = CurrentMemoryContext;
	bool		more_to_come = run->more_to_come;

	if (run->dry_run || (log->nlines == 0 && log->left_out == 0))
		return;
	if (log->left_out > 0)
		append_line(log, LEVEL_WARNING, NULL,
					psprintf(INT64_FORMAT " lines were left out: there were too many at once", log->left_out), NULL);
	log->left_out = 0;

	run->more_to_come = !durable;
	MemoryContextSwitchTo(log->line_memory);
	PG_TRY();
	{
		run_in_transaction(run, do_write, log);
		forget_lines(log);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(log->line_memory);
		error = CopyErrorData();
		run->more_to_come = more_to_come;

		/* That was meant for the run; in a worker it comes too late, when that has ended. */
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED && !(last && run->mode == RUN_IN_WORKER))
			PG_RE_THROW();
		FlushErrorState();
		warn(run, error);
		log->failed = true;
		log->write_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), FAILED_DELAY_MS);
	}
	PG_END_TRY();
	run->more_to_come = more_to_come;
	MemoryContextSwitchTo(old);
	MemoryContextReset(log->line_memory);
}

static void
do_write(RunContext *run, void *arg)
{
	RunLog	   *log = arg;
	const JobRecord *job = run->record;
	char	   *lines = psprintf("%s]", log->lines.data);

	(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	if (log->table != NULL)
		log_table_add(log->table, job->id, run->run_id, lines);
	else
		log_catalog_add(job->id, job->owner, run->run_id, lines);
}

static void
warn(RunContext *run, const ErrorData *error)
{
	RunLog	   *log = run->log;
	ErrorContextCallback *callbacks = error_context_stack;

	if (log->warned)
		return;
	log->warned = true;
	error_context_stack = NULL;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("the log of job \"%s\" could not be written: %s", run->record->id, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0,
			 add_context(run, NULL),
			 errhidestmt(true)));
	error_context_stack = callbacks;
}

static void
forget_lines(RunLog *log)
{
	resetStringInfo(&log->lines);
	log->nlines = 0;
	log->failed = false;
}

static const char *
level_name(LogLevel level)
{
	switch (level)
	{
		case LEVEL_DEBUG:
			return "debug";
		case LEVEL_WARNING:
			return "warning";
		case LEVEL_ERROR:
			return "error";
		default:
			return "info";
	}
}
