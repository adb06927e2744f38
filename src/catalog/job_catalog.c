/*
 * job_catalog.c
 *	  Table databite.job: definitions, owners, and when each runs next.
 */
#include "postgres.h"

#include "catalog/job_catalog.h"
#include "catalog/row.h"

#define JOB_COLUMNS "job_id, owner::pg_catalog.oid, definition::pg_catalog.text, search_path, enabled, next_run_at, state_epoch"

static void delete_state(CatalogArgs *args);
static void arg_job(CatalogArgs *args, const JobRecord *job);
static JobRecord *job_from_row(int row, MemoryContext context);
static List *jobs_from_result(MemoryContext context);

JobRecord *
job_catalog_get(const char *id, bool lock)
{
	static SPIPlanPtr plans[2] = {NULL, NULL};
	CatalogScope scope;
	CatalogArgs args = {0};
	JobRecord  *job = NULL;

	catalog_enter(&scope);
	arg_text(&args, id);
	if (catalog_run_prepared(&plans[lock],
							 lock ? "SELECT " JOB_COLUMNS " FROM databite.job WHERE job_id = $1 FOR UPDATE"
							 : "SELECT " JOB_COLUMNS " FROM databite.job WHERE job_id = $1",
							 &args, SPI_OK_SELECT) > 0)
		job = job_from_row(0, scope.caller);
	catalog_leave(&scope);
	return job;
}

JobRecord *
job_catalog_of_endpoint(const char *endpoint)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	JobRecord  *job = NULL;

	catalog_enter(&scope);
	arg_text(&args, endpoint);
	if (catalog_run_prepared(&plan,
							 "SELECT " JOB_COLUMNS " FROM databite.job"
							 " WHERE (definition OPERATOR(pg_catalog.->) 'trigger' OPERATOR(pg_catalog.->>) 'endpoint') = $1",
							 &args, SPI_OK_SELECT) > 0)
		job = job_from_row(0, scope.caller);
	catalog_leave(&scope);
	return job;
}

List *
job_catalog_of_event(const char *name, const char *source)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *jobs;

	catalog_enter(&scope);
	arg_text(&args, name);
	arg_text(&args, source);
	(void) catalog_run_prepared(&plan,
								"SELECT " JOB_COLUMNS " FROM databite.job"
								" WHERE (definition OPERATOR(pg_catalog.->) 'trigger' OPERATOR(pg_catalog.->>) 'event') = $1"
								" AND COALESCE(definition OPERATOR(pg_catalog.->) 'trigger' OPERATOR(pg_catalog.->>) 'source', $2, '')"
								" = COALESCE($2, '')"
								" ORDER BY job_id",
								&args, SPI_OK_SELECT);
	jobs = jobs_from_result(scope.caller);
	catalog_leave(&scope);
	return jobs;
}

JobRecord *
job_catalog_get_own(const char *id, bool lock)
{
	JobRecord  *job = job_catalog_get(id, lock);

	if (job == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job \"%s\" does not exist", id),
				 errhint("The view databite.jobs lists your jobs.")));
	catalog_check_owner(id, job->owner);
	return job;
}

bool
job_catalog_add(const JobRecord *job)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		added;

	catalog_enter(&scope);
	arg_job(&args, job);
	added = catalog_run("INSERT INTO databite.job (job_id, owner, definition, search_path, enabled, next_run_at)"
						" VALUES ($1, $2::pg_catalog.regrole, $3, $4, $5, $6) ON CONFLICT (job_id) DO NOTHING",
						&args, SPI_OK_INSERT) > 0;

	/* A dump of which the jobs could not be restored has left cursors of jobs that are not there: this one begins anew. */
	args.count = 1;
	if (added)
		delete_state(&args);
	catalog_leave(&scope);
	return added;
}

void
job_catalog_replace(const JobRecord *job)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_job(&args, job);
	catalog_run("UPDATE databite.job SET owner = $2::pg_catalog.regrole, definition = $3, search_path = $4,"
				" enabled = $5, next_run_at = $6, updated_at = pg_catalog.now() WHERE job_id = $1",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

void
job_catalog_begin_epoch(const char *id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, id);
	catalog_run("UPDATE databite.job SET state_epoch = state_epoch + 1 WHERE job_id = $1",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

bool
job_catalog_delete(const char *id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		deleted;

	catalog_enter(&scope);
	arg_text(&args, id);
	deleted = catalog_run("DELETE FROM databite.job WHERE job_id = $1", &args, SPI_OK_DELETE) > 0;
	delete_state(&args);
	catalog_leave(&scope);
	return deleted;
}

void
job_catalog_set_enabled(const char *id, bool enabled, TimestampTz next_run_at)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, id);
	arg_bool(&args, enabled);
	arg_time(&args, next_run_at);
	catalog_run("UPDATE databite.job SET enabled = $2, next_run_at = $3 WHERE job_id = $1",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

void
job_catalog_set_next_run(const char *id, TimestampTz next_run_at)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, id);
	arg_time(&args, next_run_at);
	catalog_run("UPDATE databite.job SET next_run_at = $2 WHERE job_id = $1", &args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

List *
job_catalog_claim_due(TimestampTz now, int max, Oid role)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *jobs;

	catalog_enter(&scope);
	arg_time(&args, now);
	arg_int4(&args, max);
	arg_oid(&args, role);
	catalog_run("SELECT " JOB_COLUMNS " FROM databite.job"
				" WHERE enabled AND next_run_at IS NOT NULL AND next_run_at <= $1"
				" AND ($3 = 0 OR pg_catalog.pg_has_role($3, owner, 'USAGE'))"
				" ORDER BY next_run_at, job_id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED",
				&args, SPI_OK_SELECT);
	jobs = jobs_from_result(scope.caller);
	catalog_leave(&scope);
	return jobs;
}

TimestampTz
job_catalog_next_due(void)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	TimestampTz next = 0;

	catalog_enter(&scope);
	if (catalog_run("SELECT next_run_at FROM databite.job WHERE enabled AND next_run_at IS NOT NULL"
					" ORDER BY next_run_at LIMIT 1",
					&args, SPI_OK_SELECT) > 0)
		next = row_time(0, 1);
	catalog_leave(&scope);
	return next;
}

List *
job_catalog_without_schedule(void)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *jobs;

	catalog_enter(&scope);
	catalog_run("SELECT " JOB_COLUMNS " FROM databite.job"
				" WHERE enabled AND definition->'schedule' IS NULL AND definition->'trigger' IS NULL"
				" ORDER BY job_id FOR UPDATE",
				&args, SPI_OK_SELECT);
	jobs = jobs_from_result(scope.caller);
	catalog_leave(&scope);
	return jobs;
}

/* What is kept of a job, the only argument, but for its history. */
static void
delete_state(CatalogArgs *args)
{
	catalog_run("DELETE FROM databite.step_state WHERE job_id = $1", args, SPI_OK_DELETE);
	catalog_run("DELETE FROM databite.checkpoint WHERE job_id = $1", args, SPI_OK_DELETE);
	catalog_run("DELETE FROM databite.writer_part WHERE job_id = $1", args, SPI_OK_DELETE);
	catalog_run("DELETE FROM databite.parent_row WHERE job_id = $1", args, SPI_OK_DELETE);
	catalog_run("DELETE FROM databite.parent_state WHERE job_id = $1", args, SPI_OK_DELETE);
	catalog_run("DELETE FROM databite.job_total WHERE job_id = $1", args, SPI_OK_DELETE);
	catalog_run("DELETE FROM databite.delivery WHERE job_id = $1", args, SPI_OK_DELETE);
	catalog_run("DELETE FROM databite.delivery_seen WHERE job_id = $1", args, SPI_OK_DELETE);
}

static void
arg_job(CatalogArgs *args, const JobRecord *job)
{
	arg_text(args, job->id);
	arg_oid(args, job->owner);
	arg_jsonb(args, job->definition);
	arg_text(args, job->search_path);
	arg_bool(args, job->enabled);
	arg_time(args, job->next_run_at);
}

static List *
jobs_from_result(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *jobs = NIL;

	for (uint64 row = 0; row < SPI_processed; row++)
		jobs = lappend(jobs, job_from_row((int) row, context));
	MemoryContextSwitchTo(old);
	return jobs;
}

static JobRecord *
job_from_row(int row, MemoryContext context)
{
	JobRecord  *job = MemoryContextAllocZero(context, sizeof(JobRecord));

	job->id = row_text(row, 1, context);
	job->owner = row_oid(row, 2);
	job->definition = row_text(row, 3, context);
	job->search_path = row_text(row, 4, context);
	job->enabled = row_bool(row, 5);
	job->next_run_at = row_time(row, 6);
	job->state_epoch = row_int8(row, 7, 0);
	return job;
}
