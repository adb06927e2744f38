/*
 * state_catalog.c
 *	  Small state: cursors and checkpoints of steps, database settings.
 */
#include "postgres.h"

#include "catalog/part_catalog.h"
#include "catalog/row.h"
#include "catalog/state_catalog.h"

/* The job that a run is of, held until the transaction ends: who removes or resets it waits, or was first. */
#define JOB_OF_EPOCH " WHERE job_id = $1 AND state_epoch = $4 FOR KEY SHARE"

void
state_catalog_get(const char *job_id, const char *step_id, StepState *state)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	memset(state, 0, sizeof(StepState));
	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	if (catalog_run("SELECT last_sync_time, cursor, sync_token, etag, last_modified, validators_for"
					" FROM databite.step_state WHERE job_id = $1 AND step_id = $2",
					&args, SPI_OK_SELECT) > 0)
	{
		state->last_sync_time = row_time(0, 1);
		state->has_last_sync_time = state->last_sync_time != 0;
		state->cursor = row_text(0, 2, scope.caller);
		state->sync_token = row_text(0, 3, scope.caller);
		state->etag = row_text(0, 4, scope.caller);
		state->last_modified = row_text(0, 5, scope.caller);
		state->validators_for = row_text(0, 6, scope.caller);
	}
	if (catalog_run("SELECT position::pg_catalog.text FROM databite.checkpoint WHERE job_id = $1 AND step_id = $2",
					&args, SPI_OK_SELECT) > 0)
		state->checkpoint = row_text(0, 1, scope.caller);
	catalog_leave(&scope);
}

void
state_catalog_put_checkpoint(const char *job_id, int64 epoch, const char *step_id, const char *checkpoint)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_jsonb(&args, checkpoint);
	arg_int8(&args, epoch);
	catalog_run_prepared(&plan,
						 "INSERT INTO databite.checkpoint (job_id, step_id, position)"
						 " SELECT job_id, $2, $3 FROM databite.job" JOB_OF_EPOCH
						 " ON CONFLICT (job_id, step_id) DO UPDATE SET position = excluded.position",
						 &args, SPI_OK_INSERT);
	catalog_leave(&scope);
}

void
state_catalog_finish(const char *job_id, int64 epoch, const char *step_id, const StepOutcome *outcome)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	catalog_run("DELETE FROM databite.checkpoint WHERE job_id = $1 AND step_id = $2", &args, SPI_OK_DELETE);
	part_catalog_clear(job_id, step_id);
	arg_time(&args, outcome->last_sync_time);
	arg_int8(&args, epoch);
	arg_text(&args, outcome->cursor);
	arg_text(&args, outcome->sync_token);
	arg_text(&args, outcome->etag);
	arg_text(&args, outcome->last_modified);
	arg_text(&args, outcome->validators_for);
	catalog_run("INSERT INTO databite.step_state"
				" (job_id, step_id, last_sync_time, cursor, sync_token, etag, last_modified, validators_for)"
				" SELECT job_id, $2, $3, $5, $6, $7, $8, $9 FROM databite.job" JOB_OF_EPOCH
				" ON CONFLICT (job_id, step_id) DO UPDATE SET last_sync_time = excluded.last_sync_time,"
				" cursor = excluded.cursor, sync_token = excluded.sync_token, etag = excluded.etag,"
				" last_modified = excluded.last_modified, validators_for = excluded.validators_for",
				&args, SPI_OK_INSERT);
	catalog_leave(&scope);
}

void
state_catalog_save_cursor(const char *job_id, int64 epoch, const char *step_id, const char *cursor)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_text(&args, cursor);
	arg_int8(&args, epoch);
	catalog_run("INSERT INTO databite.step_state (job_id, step_id, cursor)"
				" SELECT job_id, $2, $3 FROM databite.job" JOB_OF_EPOCH
				" ON CONFLICT (job_id, step_id) DO UPDATE SET cursor = excluded.cursor",
				&args, SPI_OK_INSERT);
	catalog_leave(&scope);
}

void
state_catalog_reset(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	catalog_run("DELETE FROM databite.step_state WHERE job_id = $1 AND ($2 IS NULL OR step_id = $2)",
				&args, SPI_OK_DELETE);
	catalog_run("DELETE FROM databite.checkpoint WHERE job_id = $1 AND ($2 IS NULL OR step_id = $2)",
				&args, SPI_OK_DELETE);
	part_catalog_clear(job_id, step_id);
	catalog_leave(&scope);
}

List *
state_catalog_checkpoints(const char *job_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *steps = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	n = catalog_run("SELECT step_id FROM databite.checkpoint WHERE job_id = $1", &args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int row = 0; row < n; row++)
		steps = lappend(steps, row_text(row, 1, scope.caller));
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return steps;
}

void
state_catalog_forget_checkpoints(const char *job_id)
{
	state_catalog_forget_checkpoint(job_id, NULL);
}

void
state_catalog_forget_checkpoint(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	catalog_run("DELETE FROM databite.checkpoint WHERE job_id = $1 AND ($2 IS NULL OR step_id = $2)", &args, SPI_OK_DELETE);
	part_catalog_clear(job_id, step_id);
	catalog_leave(&scope);
}

void
state_catalog_forget_cursor(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	catalog_run("UPDATE databite.step_state SET cursor = NULL, sync_token = NULL WHERE job_id = $1 AND step_id = $2",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

void
state_catalog_forget_validators(const char *job_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	catalog_run("UPDATE databite.step_state SET etag = NULL, last_modified = NULL, validators_for = NULL WHERE job_id = $1",
				&args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

char *
setting_catalog_get(const char *name)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	char	   *value = NULL;

	catalog_enter(&scope);
	arg_text(&args, name);
	if (catalog_run("SELECT value::pg_catalog.text FROM databite.setting WHERE name = $1",
					&args, SPI_OK_SELECT) > 0)
		value = row_text(0, 1, scope.caller);
	catalog_leave(&scope);
	return value;
}

void
setting_catalog_set(const char *name, const char *value)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, name);
	arg_jsonb(&args, value);
	catalog_run("INSERT INTO databite.setting (name, value) VALUES ($1, $2)"
				" ON CONFLICT (name) DO UPDATE SET value = excluded.value",
				&args, SPI_OK_INSERT);
	catalog_leave(&scope);
}
