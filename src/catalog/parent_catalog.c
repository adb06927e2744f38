/*
 * parent_catalog.c
 *	  Table databite.parent_row: what a step delivered, for the requests of steps that depend on it.
 */
#include "postgres.h"

#include "catalog/parent_catalog.h"
#include "catalog/pg_type.h"
#include "catalog/row.h"
#include "utils/array.h"
#include "utils/builtins.h"

static Datum names_array(const List *names);

void
parent_catalog_add(const char *job_id, const char *step_id, const List *names, int nrows, Jsonb **rows, bool several)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	Datum	   *values = palloc(sizeof(Datum) * Max(nrows, 1));

	for (int i = 0; i < nrows; i++)
		values[i] = JsonbPGetDatum(rows[i]);
	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_datum(&args, JSONBARRAYOID, PointerGetDatum(construct_array(values, nrows, JSONBOID, -1, false, TYPALIGN_INT)));
	arg_datum(&args, TEXTARRAYOID, names_array(names));
	arg_bool(&args, several);
	catalog_run_prepared(&plan,
						 "INSERT INTO databite.parent_row (job_id, step_id, hash, value)"
						 " SELECT $1, $2, pg_catalog.sha256(pg_catalog.convert_to(v.value::pg_catalog.text, 'UTF8')), v.value"
						 " FROM ROWS FROM (pg_catalog.unnest($3::pg_catalog.jsonb[])) WITH ORDINALITY AS r(value, number)"
						 " CROSS JOIN LATERAL (SELECT pg_catalog.jsonb_object_agg(n.name, r.value OPERATOR(pg_catalog.->) n.name) AS value"
						 " FROM pg_catalog.unnest($4::pg_catalog.text[]) AS n(name)) AS v"
						 " WHERE EXISTS (SELECT FROM databite.job WHERE job_id = $1)"
						 " ORDER BY CASE WHEN $5 THEN NULL ELSE r.number END, 3"
						 " ON CONFLICT (job_id, step_id, hash) DO NOTHING",
						 &args, SPI_OK_INSERT);
	catalog_leave(&scope);
}

List *
parent_catalog_get(const char *job_id, const char *step_id, const char *later_step, int64 after, int max)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *rows = NIL;
	MemoryContext old;
	int			n;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_int8(&args, after);
	arg_int4(&args, max);
	arg_text(&args, later_step);
	n = catalog_run_prepared(&plan,
							 "SELECT r.number, r.value::pg_catalog.text, s.sync_token FROM databite.parent_row AS r"
							 " LEFT JOIN databite.parent_state AS s"
							 " ON s.job_id = r.job_id AND s.step_id = $5 AND s.hash = r.hash"
							 " WHERE r.job_id = $1 AND r.step_id = $2 AND r.number > $3"
							 " ORDER BY r.number LIMIT $4",
							 &args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		ParentRow  *row = palloc0(sizeof(ParentRow));

		row->number = row_int8(i, 1, 0);
		row->json = row_text(i, 2, scope.caller);
		row->sync_token = row_text(i, 3, scope.caller);
		rows = lappend(rows, row);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return rows;
}

void
parent_catalog_put_tokens(const char *job_id, int64 epoch, const char *step_id, const char *later_step, const List *tokens)
{
	CatalogScope scope;
	ListCell   *lc;

	catalog_enter(&scope);
	foreach(lc, tokens)
	{
		static SPIPlanPtr plan = NULL;
		const ParentToken *token = lfirst(lc);
		CatalogArgs args = {0};

		arg_text(&args, job_id);
		arg_text(&args, step_id);
		arg_text(&args, later_step);
		arg_int8(&args, token->number);
		arg_text(&args, token->sync_token);
		arg_int8(&args, epoch);
		catalog_run_prepared(&plan,
							 "INSERT INTO databite.parent_state (job_id, step_id, hash, sync_token)"
							 " SELECT r.job_id, $3, r.hash, $5 FROM databite.parent_row AS r JOIN databite.job AS j USING (job_id)"
							 " WHERE r.job_id = $1 AND r.step_id = $2 AND r.number = $4 AND j.state_epoch = $6 FOR KEY SHARE OF j"
							 " ON CONFLICT (job_id, step_id, hash) DO UPDATE SET sync_token = excluded.sync_token",
							 &args, SPI_OK_INSERT);
	}
	catalog_leave(&scope);
}

void
parent_catalog_forget(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	catalog_run("DELETE FROM databite.parent_state WHERE job_id = $1 AND ($2 IS NULL OR step_id = $2)", &args, SPI_OK_DELETE);
	catalog_leave(&scope);
}

void
parent_catalog_clear(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	catalog_run("DELETE FROM databite.parent_row WHERE job_id = $1 AND ($2 IS NULL OR step_id = $2)", &args, SPI_OK_DELETE);
	catalog_leave(&scope);
}

static Datum
names_array(const List *names)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(names), 1));
	ListCell   *lc;

	foreach(lc, names)
		values[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(values, list_length(names), TEXTOID, -1, false, TYPALIGN_INT));
}
