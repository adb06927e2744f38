/*
 * stage_catalog.c
 *	  Tables in which a pass gathers what it publishes at its end: databite.stage_<n>.
 *
 * The table belongs to the job's owner, not to the extension's: ANALYZE runs code
 * of the columns' types (subtype_diff of a range, say) as the table's owner,
 * whoever calls it, and those types may be anybody's.  For the same reason
 * nothing is done here to a table that has rows, but to drop it.
 */
#include "postgres.h"

#include "catalog/row.h"
#include "catalog/stage_catalog.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#define STAGE_NAME "databite.stage_" INT64_FORMAT

static void run_utility(const char *sql);
static void drop_where(const char *condition, CatalogArgs *args);

char *
stage_catalog_find(const char *job_id, const char *step_id, char **columns)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	char	   *relation = NULL;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	if (catalog_run("SELECT stage_id, columns FROM databite.stage WHERE job_id = $1 AND step_id = $2 FOR KEY SHARE",
					&args, SPI_OK_SELECT) > 0)
	{
		*columns = row_text(0, 2, scope.caller);
		MemoryContextSwitchTo(scope.caller);
		relation = psprintf(STAGE_NAME, row_int8(0, 1, 0));
	}
	catalog_leave(&scope);
	return relation;
}

char *
stage_catalog_create(const char *job_id, const char *step_id, Oid owner, const char *columns)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	char	   *relation;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_text(&args, columns);
	catalog_run("INSERT INTO databite.stage (job_id, step_id, columns) VALUES ($1, $2, $3) RETURNING stage_id",
				&args, SPI_OK_INSERT_RETURNING);
	relation = MemoryContextStrdup(scope.caller, psprintf(STAGE_NAME, row_int8(0, 1, 0)));

	/* It is read once, and dropped then. */
	run_utility(psprintf("CREATE TABLE %s (%s) WITH (autovacuum_enabled = off)", relation, columns));

	/* Where a publication is of all tables, only those are updated that have one. */
	run_utility(psprintf("ALTER TABLE %s REPLICA IDENTITY FULL", relation));
	run_utility(psprintf("ALTER TABLE %s OWNER TO %s", relation, quote_identifier(GetUserNameFromId(owner, false))));
	run_utility(psprintf("ALTER EXTENSION databite ADD TABLE %s", relation));
	catalog_leave(&scope);
	return relation;
}

void
stage_catalog_set_columns(const char *relation, const char *columns)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, relation);
	arg_text(&args, columns);
	catalog_run("UPDATE databite.stage SET columns = $2 WHERE 'databite.stage_' || stage_id = $1", &args, SPI_OK_UPDATE);
	catalog_leave(&scope);
}

void
stage_catalog_drop(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	drop_where("job_id = $1 AND ($2 IS NULL OR step_id = $2)", &args);
	catalog_leave(&scope);
}

List *
stage_catalog_unfinished(void)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *stages = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	n = catalog_run("SELECT s.stage_id, s.job_id FROM databite.stage AS s"
					" WHERE NOT EXISTS (SELECT FROM databite.job AS j JOIN databite.checkpoint AS c USING (job_id)"
					" WHERE c.job_id = s.job_id AND c.step_id = s.step_id)"
					" ORDER BY s.stage_id",
					&args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		StageRecord *stage = palloc(sizeof(StageRecord));

		stage->id = row_int8(i, 1, 0);
		stage->job_id = row_text(i, 2, scope.caller);
		stages = lappend(stages, stage);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return stages;
}

void
stage_catalog_drop_leftover(int64 id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);

	/* Whoever reads it just now must not hold up who drops it; it is tried again. */
	(void) set_config_option("lock_timeout", "100ms", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	arg_int8(&args, id);
	drop_where("stage_id = $1", &args);
	catalog_leave(&scope);
}

static void
run_utility(const char *sql)
{
	CatalogArgs none = {0};

	catalog_run(sql, &none, SPI_OK_UTILITY);
}

/* What depends on one (a view, say) goes with it: it must not keep a job from its next run. */
static void
drop_where(const char *condition, CatalogArgs *args)
{
	int			n = catalog_run(psprintf("SELECT stage_id FROM databite.stage WHERE %s ORDER BY stage_id FOR UPDATE", condition),
								args, SPI_OK_SELECT);
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));

	for (int i = 0; i < n; i++)
		ids[i] = row_int8(i, 1, 0);
	for (int i = 0; i < n; i++)
	{
		char	   *relation = psprintf(STAGE_NAME, ids[i]);

		run_utility(psprintf("ALTER EXTENSION databite DROP TABLE %s", relation));
		run_utility(psprintf("DROP TABLE %s CASCADE", relation));
	}
	if (n > 0)
		catalog_run(psprintf("DELETE FROM databite.stage WHERE %s", condition), args, SPI_OK_DELETE);
}
