/*
 * state_catalog.c
 *	  Small state: cursors and checkpoints of steps, database settings.
 */
#include "postgres.h"

#include "catalog/row.h"
#include "catalog/state_catalog.h"

void
state_catalog_get(const char *job_id, const char *step_id, StepState *state)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	memset(state, 0, sizeof(StepState));
	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	if (catalog_run("SELECT last_sync_time, checkpoint::pg_catalog.text FROM databite.step_state"
					" WHERE job_id = $1 AND step_id = $2",
					&args, SPI_OK_SELECT) > 0)
	{
		state->has_last_sync_time = !row_is_null(0, 1);
		state->last_sync_time = row_time(0, 1);
		state->checkpoint = row_text(0, 2, scope.caller);
	}
	catalog_leave(&scope);
}

void
state_catalog_put(const char *job_id, const char *step_id, const StepState *state)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_time(&args, state->has_last_sync_time ? state->last_sync_time : 0);
	arg_jsonb(&args, state->checkpoint);
	catalog_run("INSERT INTO databite.step_state (job_id, step_id, last_sync_time, checkpoint)"
				" VALUES ($1, $2, $3, $4) ON CONFLICT (job_id, step_id)"
				" DO UPDATE SET last_sync_time = excluded.last_sync_time, checkpoint = excluded.checkpoint",
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
	catalog_leave(&scope);
}

void
state_catalog_forget_checkpoints(const char *job_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	catalog_run("UPDATE databite.step_state SET checkpoint = NULL WHERE job_id = $1 AND checkpoint IS NOT NULL",
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
