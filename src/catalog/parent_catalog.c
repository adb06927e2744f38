/*
 * parent_catalog.c
 *	  Tables databite.parent_row: what a step delivered, for the requests of steps that depend on it; and
 *	  databite.parent_state: what those steps keep of each row.
 */
#include "postgres.h"

#include "catalog/parent_catalog.h"
#include "catalog/pg_type.h"
#include "catalog/row.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"

/* Of states that a statement writes: it holds them several times. */
#define MAX_STATEMENT_BYTES (64 * 1024)

static void put_some(const char *job_id, int64 epoch, const char *later_step, const List *states);
static void enter(CatalogScope *scope);
static void add_states(CatalogArgs *args, const List *states);
static Datum texts_of(const List *states, size_t place);

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
	arg_datum(&args, TEXTARRAYOID, catalog_text_array(names));
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
parent_catalog_get(const char *job_id, const char *step_id, int64 after, int max)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	List	   *rows = NIL;
	MemoryContext old;
	int			n;

	enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_int8(&args, after);
	arg_int4(&args, max);
	n = catalog_run_prepared(&plan,
							 "SELECT r.number, pg_catalog.encode(r.hash, 'hex'), r.value::pg_catalog.text,"
							 " s.hash IS NOT NULL, s.sync_token, s.cursor, s.last_sync_time FROM databite.parent_row AS r"
							 " LEFT JOIN LATERAL (SELECT * FROM databite.parent_state AS p"
							 " WHERE p.job_id = $1 AND p.step_id = $2 AND p.hash = r.hash LIMIT 1) AS s ON true"
							 " WHERE r.job_id = $1 AND r.step_id = $2 AND r.number > $3"
							 " ORDER BY r.number LIMIT $4",
							 &args, SPI_OK_SELECT);
	old = MemoryContextSwitchTo(scope.caller);
	for (int i = 0; i < n; i++)
	{
		ParentRow  *row = palloc0(sizeof(ParentRow));

		row->number = row_int8(i, 1, 0);
		row->hash = row_text(i, 2, scope.caller);
		row->json = row_text(i, 3, scope.caller);
		row->has_state = row_bool(i, 4);
		row->sync_token = row_text(i, 5, scope.caller);
		row->cursor = row_text(i, 6, scope.caller);
		row->last_sync_time = row_time(i, 7);
		rows = lappend(rows, row);
	}
	MemoryContextSwitchTo(old);
	catalog_leave(&scope);
	return rows;
}

void
parent_catalog_put(const char *job_id, int64 epoch, const char *later_step, const List *states)
{
	List	   *some = NIL;
	size_t		bytes = 0;
	ListCell   *lc;

	foreach(lc, states)
	{
		const ParentState *state = lfirst(lc);

		some = lappend(some, lfirst(lc));
		bytes += strlen(state->json) + (state->sync_token != NULL ? strlen(state->sync_token) : 0);
		if (bytes < MAX_STATEMENT_BYTES && lnext(states, lc) != NULL)
			continue;
		put_some(job_id, epoch, later_step, some);
		list_free(some);
		some = NIL;
		bytes = 0;
	}
}

/* By one statement. */
static void
put_some(const char *job_id, int64 epoch, const char *later_step, const List *states)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};

	enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, later_step);
	arg_int8(&args, epoch);
	add_states(&args, states);
	catalog_run_prepared(&plan,
						 "INSERT INTO databite.parent_state (job_id, step_id, hash, parent, sync_token, cursor, last_sync_time)"
						 " SELECT j.job_id, $2, pg_catalog.decode(n.hash, 'hex'), n.parent::pg_catalog.jsonb,"
						 " n.sync_token, n.cursor, n.last_sync_time"
						 " FROM databite.job AS j CROSS JOIN ROWS FROM (pg_catalog.unnest($4::pg_catalog.text[]),"
						 " pg_catalog.unnest($5::pg_catalog.text[]), pg_catalog.unnest($6::pg_catalog.text[]),"
						 " pg_catalog.unnest($7::pg_catalog.text[]), pg_catalog.unnest($8::pg_catalog.timestamptz[]))"
						 " AS n(hash, parent, sync_token, cursor, last_sync_time)"
						 " WHERE j.job_id = $1 AND j.state_epoch = $3 FOR KEY SHARE OF j"
						 " ON CONFLICT (job_id, step_id, hash) DO UPDATE SET sync_token = excluded.sync_token,"
						 " cursor = excluded.cursor, last_sync_time = excluded.last_sync_time",
						 &args, SPI_OK_INSERT);
	catalog_leave(&scope);
}

int
parent_catalog_forget(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	int			forgotten;

	catalog_enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	forgotten = catalog_run("DELETE FROM databite.parent_state WHERE job_id = $1 AND ($2 IS NULL OR step_id = $2)",
							&args, SPI_OK_DELETE);
	catalog_leave(&scope);
	return forgotten;
}

char *
parent_catalog_next_step(const char *job_id, const char *step_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	char	   *next = NULL;

	enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	if (catalog_run("SELECT step_id FROM databite.parent_row WHERE job_id = $1 AND step_id > $2 ORDER BY step_id LIMIT 1",
					&args, SPI_OK_SELECT) > 0)
		next = row_text(0, 1, scope.caller);
	catalog_leave(&scope);
	return next;
}

/* Behind a number: rows that were deleted just before are not passed over again. */
int
parent_catalog_clear(const char *job_id, const char *step_id, int64 *number, int most)
{
	static SPIPlanPtr plan = NULL;
	CatalogScope scope;
	CatalogArgs args = {0};
	int			cleared;

	enter(&scope);
	arg_text(&args, job_id);
	arg_text(&args, step_id);
	arg_int8(&args, *number);
	arg_int8(&args, most);
	cleared = catalog_run_prepared(&plan,
								   "DELETE FROM databite.parent_row WHERE ctid = ANY (ARRAY(SELECT r.ctid FROM databite.parent_row AS r"
								   " WHERE r.job_id = $1 AND r.step_id = $2 AND r.number > $3 ORDER BY r.number LIMIT $4))"
								   " RETURNING number",
								   &args, SPI_OK_DELETE_RETURNING);
	for (int i = 0; i < cleared; i++)
		*number = Max(*number, row_int8(i, 1, 0));
	catalog_leave(&scope);
	return cleared;
}

/*
 * Tables that are empty at one time and have a million rows at another: a plan must not depend on which of them the
 * planner has seen, nor on its guess, where it has seen none, that a condition on the job alone leaves one row.
 */
static void
enter(CatalogScope *scope)
{
	static const char *const ways[] = {"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"};

	catalog_enter(scope);
	for (int i = 0; i < lengthof(ways); i++)
		(void) set_config_option(ways[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Four arrays of texts and one of times. */
static void
add_states(CatalogArgs *args, const List *states)
{
	int			n = list_length(states);
	int			lower = 1;
	Datum	   *times = palloc(sizeof(Datum) * Max(n, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(n, 1));
	ListCell   *lc;

	arg_datum(args, TEXTARRAYOID, texts_of(states, offsetof(ParentState, hash)));
	arg_datum(args, TEXTARRAYOID, texts_of(states, offsetof(ParentState, json)));
	arg_datum(args, TEXTARRAYOID, texts_of(states, offsetof(ParentState, sync_token)));
	arg_datum(args, TEXTARRAYOID, texts_of(states, offsetof(ParentState, cursor)));
	foreach(lc, states)
	{
		const ParentState *state = lfirst(lc);

		times[foreach_current_index(lc)] = TimestampTzGetDatum(state->last_sync_time);
		nulls[foreach_current_index(lc)] = state->last_sync_time == 0;
	}
	arg_datum(args, TIMESTAMPTZARRAYOID,
			  PointerGetDatum(construct_md_array(times, nulls, 1, &n, &lower, TIMESTAMPTZOID, sizeof(TimestampTz),
												 FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)));
}

/* An array of the texts at that place of each state; NULL is NULL. */
static Datum
texts_of(const List *states, size_t place)
{
	int			n = list_length(states);
	int			lower = 1;
	Datum	   *values = palloc0(sizeof(Datum) * Max(n, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(n, 1));
	ListCell   *lc;

	foreach(lc, states)
	{
		const char *text = *(const char *const *) ((const char *) lfirst(lc) + place);

		nulls[foreach_current_index(lc)] = text == NULL;
		if (text != NULL)
			values[foreach_current_index(lc)] = CStringGetTextDatum(text);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &n, &lower, TEXTOID, -1, false, TYPALIGN_INT));
}
