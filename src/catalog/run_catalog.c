/*
 * run_catalog.c
 *	  Table databite.run: the queue, what runs now, and history.
 *
 * Lifecycle of a row: queued (enqueue_job, a job that is due) or running at once
 * (run_job, execute_job); progress with every committed batch; one of the end
 * states, each with a NOTIFY (run_summary.h).  A row left running by a process that is
 * gone is set to crashed by the scheduler, which can tell by the job's lock.  Whatever
 * sets an end state adds the run to the totals of its job, once.
 */
#include "postgres.h"

#include "catalog/row.h"
#include "catalog/run_catalog.h"
#include "catalog/run_summary.h"
#include "catalog/total_catalog.h"

#define RUN_COLUMNS "run_id, job_id, owner::pg_catalog.oid, status, trigger, payload::pg_catalog.text," \
	" resumes, pid, cancel_requested, event_id, COALESCE(place, run_id)"

/* RETURNING of a statement that ends runs r: what add_to_totals reads, and a NOTIFY for each of them. */
#define ENDED_COLUMNS "r.run_id, r.job_id, r.status, " RUN_ANNOUNCED

/* The row of run $1, and whether it had not ended before. */
#define END_OF_RUN "FROM (SELECT b.run_id, b.finished_at FROM databite.run AS b WHERE b.run_id = $1) AS before" \
	" WHERE r.run_id = before.run_id RETURNING " ENDED_COLUMNS ", before.finished_at IS NULL"

/* What somebody has sent is kept while the job is paused: of an event, of a webhook, or gone on with. */
#define WAITS_WHILE_PAUSED(r) "(" r ".event_id IS NOT NULL OR " r ".trigger = 'webhook'" \
	" OR " r ".payload IS NOT NULL AND " r ".trigger IN ('resume', 'retry'))"

static void add_to_totals(void);
static void arg_counters(CatalogArgs *args, const RunCounters *counters);
static RunRecord *run_from_row(int row, MemoryContext context);
static List *runs_from_result(MemoryContext context);
static RunStatus status_from_name(const char *name);

int64
run_catalog_add(const char *job_id, Oid owner, RunStatus status, const char *trigger,
				TimestampTz scheduled_for, const char *payload, int64 resumes)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int64		id;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_oid(&args, owner);
	arg_text(&args, catalog_status_name(status));
	arg_text(&args, trigger);
	arg_time(&args, scheduled_for);
	arg_jsonb(&args, payload);
	arg_int8_or_null(&args, resumes, 0);
	catalog_run("INSERT INTO databite.run (job_id, owner, status, trigger, scheduled_for, payload, resumes, finished_at, resumed,"
				" event_id, place)"
				" VALUES ($1, $2::pg_catalog.regrole, $3, $4, $5, $6, $7,"
				" CASE WHEN $3 NOT IN ('queued', 'running') THEN pg_catalog.clock_timestamp() END,"
				" CASE WHEN $7 IS NULL THEN 0"
				" ELSE COALESCE((SELECT before.resumed FROM databite.run AS before WHERE before.run_id = $7), 0) + 1 END,"
				" (SELECT before.event_id FROM databite.run AS before WHERE before.run_id = $7),"
				" (SELECT COALESCE(before.place, before.run_id) FROM databite.run AS before"
				" WHERE before.run_id = $7 AND before.event_id IS NOT NULL))"
				" RETURNING run_id, job_id, status",
				&args, SPI_OK_INSERT_RETURNING);
	id = row_int8(0, 1, 0);
	if (status != RUN_QUEUED && status != RUN_RUNNING)
		add_to_totals();
	catalog_leave(&scope);
	return id;
}

int64
run_catalog_add_for_event(const char *job_id, Oid owner, int64 event_id)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	int64		id;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_oid(&args, owner);
	arg_int8(&args, event_id);
	(void) catalog_run_prepared(&plan,
								"INSERT INTO databite.run (job_id, owner, status, trigger, event_id)"
								" VALUES ($1, $2::pg_catalog.regrole, 'queued', 'event', $3) RETURNING run_id",
								&args, SPI_OK_INSERT_RETURNING);
	id = row_int8(0, 1, 0);
	catalog_leave(&scope);
	return id;
}

RunRecord *
run_catalog_get(int64 id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	RunRecord  *run = NULL;

	catalog_enter(&scope);
	arg_int8(&args, id);
	if (catalog_run("SELECT " RUN_COLUMNS " FROM databite.run WHERE run_id = $1", &args, SPI_OK_SELECT) > 0)
		run = run_from_row(0, scope.caller);
	catalog_leave(&scope);
	return run;
}

bool
run_catalog_start(int64 id, int pid)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		started;

	catalog_enter(&scope);
	arg_int8(&args, id);
	arg_int4(&args, pid);
	started = catalog_run("UPDATE databite.run SET status = 'running', pid = $2,"
						  " started_at = pg_catalog.clock_timestamp(), updated_at = pg_catalog.clock_timestamp()"
						  " WHERE run_id = $1 AND status = 'queued'",
						  &args, SPI_OK_UPDATE) > 0;
	catalog_leave(&scope);
	return started;
}

bool
run_catalog_progress(int64 id, const char *step, const RunCounters *counters, int64 total_items)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		cancelled;

	catalog_enter(&scope);
	arg_int8(&args, id);
	arg_text(&args, step);
	arg_int8_or_null(&args, total_items, -1);
	arg_counters(&args, counters);
	catalog_run_prepared(&plan,
						 "UPDATE databite.run SET step = $2, total_items = $3, updated_at = pg_catalog.clock_timestamp(),"
						 " records_processed = $4, records_inserted = $5, records_updated = $6, records_unchanged = $7,"
						 " records_deleted = $8, records_rejected = $9, records_skipped = $10, pages = $11, requests = $12,"
						 " retries = $13, bytes_received = $14 WHERE run_id = $1 RETURNING cancel_requested",
						 &args, SPI_OK_UPDATE_RETURNING);
	cancelled = SPI_processed > 0 && row_bool(0, 1);
	catalog_leave(&scope);
	return cancelled;
}

void
run_catalog_notice(int64 id, const char *notice)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_int8(&args, id);
	arg_text(&args, notice);
	catalog_run("UPDATE databite.run SET notices = pg_catalog.array_append(notices, $2) WHERE run_id = $1",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

void
run_catalog_finish(int64 id, RunStatus status, const RunCounters *counters, const char *error)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int			ended;

	catalog_enter(&scope);
	arg_int8(&args, id);
	arg_text(&args, catalog_status_name(status));
	arg_jsonb(&args, error);
	if (counters)
		arg_counters(&args, counters);
	ended = catalog_run(counters ? "UPDATE databite.run AS r SET status = $2, error = $3, finished_at = pg_catalog.clock_timestamp(),"
						" updated_at = pg_catalog.clock_timestamp(), pid = NULL, records_processed = $4,"
						" records_inserted = $5, records_updated = $6, records_unchanged = $7, records_deleted = $8,"
						" records_rejected = $9, records_skipped = $10, pages = $11, requests = $12, retries = $13,"
						" bytes_received = $14 " END_OF_RUN
						: "UPDATE databite.run AS r SET status = $2, error = $3, finished_at = pg_catalog.clock_timestamp(),"
						" updated_at = pg_catalog.clock_timestamp(), pid = NULL " END_OF_RUN,
						&args, SPI_OK_UPDATE_RETURNING);
	if (ended > 0 && row_bool(0, 5))
		add_to_totals();
	catalog_leave(&scope);
}

void
run_catalog_owe_hook(int64 id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_int8(&args, id);
	catalog_run("UPDATE databite.run SET hook_owed = true WHERE run_id = $1", &args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

List *
run_catalog_take_owed_hooks(const char *job_id)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *ids = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	n = catalog_run_prepared(&plan,
							 "WITH taken AS (UPDATE databite.run SET hook_owed = false WHERE job_id = $1 AND hook_owed RETURNING run_id),"
							 " newest AS (SELECT run_id FROM taken ORDER BY run_id DESC LIMIT 20)"
							 " SELECT run_id FROM newest ORDER BY run_id",
							 &args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		int64	   *id = palloc(sizeof(int64));

		*id = row_int8(i, 1, 0);
		ids = lappend(ids, id);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return ids;
}

int
run_catalog_request_cancel(const char *job_id, int *pid)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int			count;
	int64		newest = 0;

	*pid = 0;
	catalog_enter(&scope);
	arg_text(&args, job_id);
	count = catalog_run("UPDATE databite.run AS r SET status = 'cancelled', cancel_requested = true,"
						" finished_at = pg_catalog.clock_timestamp()"
						" WHERE r.job_id = $1 AND r.status = 'queued' RETURNING " ENDED_COLUMNS,
						&args, SPI_OK_UPDATE_RETURNING);
	add_to_totals();
	count += catalog_run("UPDATE databite.run SET cancel_requested = true"
						 " WHERE job_id = $1 AND status = 'running' RETURNING run_id, pid",
						 &args, SPI_OK_UPDATE_RETURNING);

	/* Of several, all but the newest have crashed and nobody has noticed yet. */
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		if (row_int8((int) row, 1, 0) > newest)
		{
			newest = row_int8((int) row, 1, 0);
			*pid = row_int4((int) row, 2, 0);
		}
	}
	catalog_leave(&scope);
	return count;
}

void
run_catalog_cancel_automatic(const char *job_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	catalog_run("UPDATE databite.run AS r SET status = 'cancelled', cancel_requested = true,"
				" finished_at = pg_catalog.clock_timestamp()"
				" WHERE r.job_id = $1 AND r.status = 'queued' AND r.trigger IN ('schedule', 'resume', 'retry', 'webhook')"
				" AND r.event_id IS NULL AND r.payload IS NULL"
				" RETURNING " ENDED_COLUMNS,
				&args, SPI_OK_UPDATE_RETURNING);
	add_to_totals();
	catalog_leave(&scope);
}

void
run_catalog_note_start(int64 id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_int8(&args, id);
	catalog_run("UPDATE databite.run SET started_at = pg_catalog.clock_timestamp() WHERE run_id = $1",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

int
run_catalog_retries(int64 id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int			retries;

	catalog_enter(&scope);
	arg_int8(&args, id);
	catalog_run("WITH RECURSIVE chain AS (SELECT run_id, resumes, trigger FROM databite.run WHERE run_id = $1"
				" UNION ALL SELECT r.run_id, r.resumes, r.trigger FROM chain AS c"
				" JOIN databite.run AS r ON r.run_id = c.resumes"
				" WHERE c.resumes < c.run_id AND c.trigger IN ('retry', 'resume'))"
				" SELECT pg_catalog.count(*)::pg_catalog.int4 FROM chain WHERE trigger = 'retry'",
				&args, SPI_OK_SELECT);
	retries = row_int4(0, 1, 0);
	catalog_leave(&scope);
	return retries;
}

int64
run_catalog_take_up(int64 id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int64		resumes = 0;

	catalog_enter(&scope);
	arg_int8(&args, id);
	if (catalog_run("UPDATE databite.run AS r SET resumes = before.run_id, resumed = before.resumed + 1"
					" FROM databite.run AS this CROSS JOIN LATERAL (SELECT b.run_id, b.resumed FROM databite.run AS b"
					" WHERE b.job_id = this.job_id AND b.run_id < this.run_id AND b.started_at IS NOT NULL"
					" AND b.status IN ('failed', 'cancelled', 'crashed') AND b.trigger NOT IN ('execute', 'replay')"
					" ORDER BY b.run_id DESC LIMIT 1) AS before"
					" WHERE r.run_id = $1 AND this.run_id = $1 RETURNING r.resumes",
					&args, SPI_OK_UPDATE_RETURNING) > 0)
		resumes = row_int8(0, 1, 0);
	catalog_leave(&scope);
	return resumes;
}

void
run_catalog_cancel_waiting_retry(const char *job_id, const char *error)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_jsonb(&args, error);
	catalog_run("UPDATE databite.run AS r SET status = 'cancelled', error = $2, finished_at = pg_catalog.clock_timestamp()"
				" WHERE r.job_id = $1 AND r.status = 'queued' AND r.trigger = 'retry' AND r.payload IS NULL AND r.event_id IS NULL"
				" RETURNING " ENDED_COLUMNS,
				&args, SPI_OK_UPDATE_RETURNING);
	add_to_totals();
	catalog_leave(&scope);
}

bool
run_catalog_was_done(const RunRecord *run)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		done;

	catalog_enter(&scope);
	arg_text(&args, run->job_id);
	arg_int8(&args, run->resumes);
	done = catalog_run("SELECT 1 FROM databite.run"
					   " WHERE job_id = $1 AND run_id > $2 AND status IN ('completed', 'partial') AND trigger <> 'replay' LIMIT 1",
					   &args, SPI_OK_SELECT) > 0;
	catalog_leave(&scope);
	return done;
}

bool
run_catalog_active(const char *job_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		active;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	active = catalog_run("SELECT 1 FROM databite.run"
						 " WHERE job_id = $1 AND status IN ('queued', 'running') LIMIT 1",
						 &args, SPI_OK_SELECT) > 0;
	catalog_leave(&scope);
	return active;
}

bool
run_catalog_was_continued(const RunRecord *run)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		continued;

	catalog_enter(&scope);
	arg_text(&args, run->job_id);
	arg_int8(&args, run->id);
	continued = catalog_run("SELECT 1 FROM databite.run"
							" WHERE job_id = $1 AND run_id > $2 AND status <> 'skipped' AND trigger <> 'replay' LIMIT 1",
							&args, SPI_OK_SELECT) > 0;
	catalog_leave(&scope);
	return continued;
}

List *
run_catalog_startable(int max, int64 after, Oid role)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *runs;

	/* The job's row is asked for as a value, as EXISTS beside OR would read the whole table. */
	catalog_enter(&scope);
	arg_int4(&args, max);
	arg_int8(&args, after);
	arg_oid(&args, role);
	catalog_run("SELECT " RUN_COLUMNS " FROM databite.run AS r"
				" WHERE status = 'queued' AND COALESCE(place, run_id) > $2"
				" AND ($3 = 0 OR pg_catalog.pg_has_role($3, owner, 'USAGE'))"
				" AND (scheduled_for IS NULL OR scheduled_for <= pg_catalog.clock_timestamp())"
				" AND (NOT " WAITS_WHILE_PAUSED("r") " OR (SELECT j.enabled FROM databite.job AS j WHERE j.job_id = r.job_id))"
				" AND NOT EXISTS (SELECT 1 FROM databite.run AS other"
				" WHERE other.status IN ('queued', 'running') AND other.job_id = r.job_id"
				" AND (other.status = 'running' OR COALESCE(other.place, other.run_id) < COALESCE(r.place, r.run_id)"
				" AND (other.trigger NOT IN ('retry', 'webhook') OR other.event_id IS NOT NULL AND r.event_id IS NOT NULL"
				" OR COALESCE(other.scheduled_for <= pg_catalog.clock_timestamp(), true))"
				" AND (NOT " WAITS_WHILE_PAUSED("other") " OR (SELECT j.enabled FROM databite.job AS j WHERE j.job_id = r.job_id))"
				" AND (other.event_id IS NULL OR r.event_id IS NOT NULL"
				" OR (SELECT first.run_id FROM databite.run AS first WHERE first.status IN ('queued', 'running')"
				" AND first.status = 'queued' AND first.job_id = r.job_id AND first.event_id IS NOT NULL"
				" AND first.scheduled_for > pg_catalog.clock_timestamp() LIMIT 1) IS NULL)))"
				" ORDER BY COALESCE(place, run_id) LIMIT $1",
				&args, SPI_OK_SELECT);
	runs = runs_from_result(scope.caller);
	catalog_leave(&scope);
	return runs;
}

int64
run_catalog_last_queued(void)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int64		last = 0;

	catalog_enter(&scope);
	if (catalog_run("SELECT pg_catalog.max(run_id) FROM databite.run WHERE status = 'queued'", &args, SPI_OK_SELECT) > 0)
		last = row_int8(0, 1, 0);
	catalog_leave(&scope);
	return last;
}

TimestampTz
run_catalog_next_delayed(void)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	TimestampTz next = 0;

	catalog_enter(&scope);
	if (catalog_run("SELECT scheduled_for FROM databite.run"
					" WHERE status IN ('queued', 'running') AND status = 'queued'"
					" AND scheduled_for > pg_catalog.clock_timestamp() ORDER BY scheduled_for LIMIT 1",
					&args, SPI_OK_SELECT) > 0)
		next = row_time(0, 1);
	catalog_leave(&scope);
	return next;
}

List *
run_catalog_running(void)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *runs;

	catalog_enter(&scope);
	catalog_run("SELECT " RUN_COLUMNS " FROM databite.run"
				" WHERE status IN ('queued', 'running') AND status = 'running' ORDER BY run_id",
				&args, SPI_OK_SELECT);
	runs = runs_from_result(scope.caller);
	catalog_leave(&scope);
	return runs;
}

int
run_catalog_crashes_in_a_row(const char *job_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int			crashes = 0;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	catalog_run("SELECT status FROM databite.run WHERE job_id = $1"
				" AND status NOT IN ('queued', 'skipped') ORDER BY run_id DESC LIMIT 20",
				&args, SPI_OK_SELECT);
	while (crashes < (int) SPI_processed &&
		   strcmp(row_text(crashes, 1, CurrentMemoryContext), "crashed") == 0)
		crashes++;
	catalog_leave(&scope);
	return crashes;
}

int
run_catalog_failures_in_a_row(const char *job_id, TimestampTz since, TimestampTz *last)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int			failures = 0;
	int			n;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_time(&args, since);
	n = catalog_run("SELECT COALESCE(status <> 'completed' AND started_at > $2, false), finished_at FROM databite.run WHERE job_id = $1"
					" AND status NOT IN ('queued', 'running', 'skipped') ORDER BY run_id DESC LIMIT 20",
					&args, SPI_OK_SELECT);
	*last = n > 0 ? row_time(0, 2) : 0;
	while (failures < n && row_bool(failures, 1))
		failures++;
	catalog_leave(&scope);
	return failures;
}

/* The runs in the result of the last statement, which has ended them. */
static void
add_to_totals(void)
{
	for (uint64 row = 0; row < SPI_processed; row++)
		total_catalog_add(row_int8((int) row, 1, 0), row_text((int) row, 2, CurrentMemoryContext),
						  row_text((int) row, 3, CurrentMemoryContext));
}

static void
arg_counters(CatalogArgs *args, const RunCounters *counters)
{
	arg_int8(args, counters->processed);
	arg_int8(args, counters->inserted);
	arg_int8(args, counters->updated);
	arg_int8(args, counters->unchanged);
	arg_int8(args, counters->deleted);
	arg_int8(args, counters->rejected);
	arg_int8(args, counters->skipped);
	arg_int8(args, counters->pages);
	arg_int8(args, counters->requests);
	arg_int8(args, counters->retries);
	arg_int8(args, counters->bytes_received);
}

static List *
runs_from_result(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *runs = NIL;

	for (uint64 row = 0; row < SPI_processed; row++)
		runs = lappend(runs, run_from_row((int) row, context));
	MemoryContextSwitchTo(old);
	return runs;
}

static RunRecord *
run_from_row(int row, MemoryContext context)
{
	RunRecord  *run = MemoryContextAllocZero(context, sizeof(RunRecord));

	run->id = row_int8(row, 1, 0);
	run->job_id = row_text(row, 2, context);
	run->owner = row_oid(row, 3);
	run->status = status_from_name(row_text(row, 4, CurrentMemoryContext));
	run->trigger = row_text(row, 5, context);
	run->payload = row_text(row, 6, context);
	run->resumes = row_int8(row, 7, 0);
	run->pid = row_int4(row, 8, 0);
	run->cancel_requested = row_bool(row, 9);
	run->event_id = row_int8(row, 10, 0);
	run->place = row_int8(row, 11, 0);
	return run;
}

static RunStatus
status_from_name(const char *name)
{
	for (int status = RUN_QUEUED; status <= RUN_SKIPPED; status++)
		if (strcmp(name, catalog_status_name(status)) == 0)
			return status;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("unknown run status \"%s\"", name)));
}
