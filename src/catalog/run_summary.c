/*
 * run_summary.c
 *	  What is told of a run: to hooks, to who listens, to the administrator.
 *
 * All of it is made of the run's row, in the transaction that records how the run
 * ended, so everybody hears the same, and only of what is committed.
 */
#include "postgres.h"

#include "catalog/row.h"
#include "catalog/run_summary.h"

/* A notification holds less than 8000 bytes. */
#define MAX_PUBLIC	7900

/* Characters of each text of the error, at first; halved until all of it fits. */
#define MAX_TEXT	2000
#define MIN_TEXT	32

static char *public_json(int64 run_id, int max_text, bool with_request);

char *
run_summary_json(int64 run_id)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	char	   *json = NULL;

	catalog_enter(&scope);
	arg_int8(&args, run_id);
	if (catalog_run("SELECT (" RUN_SUMMARY " || CASE WHEN r.error IS NULL THEN '{}'"
					" ELSE pg_catalog.jsonb_build_object('error', r.error) END)::pg_catalog.text"
					" FROM databite.run AS r WHERE r.run_id = $1",
					&args, SPI_OK_SELECT) > 0)
		json = row_text(0, 1, scope.caller);
	catalog_leave(&scope);
	return json;
}

char *
run_summary_public_json(int64 run_id)
{
	for (int max = MAX_TEXT; max >= MIN_TEXT; max /= 2)
	{
		char	   *json = public_json(run_id, max, true);

		if (json == NULL || strlen(json) < MAX_PUBLIC)
			return json;
	}

	/* The URL of the request is what is long: it is in databite.runs. */
	return public_json(run_id, MIN_TEXT, false);
}

static char *
public_json(int64 run_id, int max_text, bool with_request)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	char	   *json = NULL;

	catalog_enter(&scope);
	arg_int8(&args, run_id);
	arg_int4(&args, max_text);
	arg_bool(&args, with_request);
	if (catalog_run("SELECT (" RUN_SUMMARY " || pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('error',"
					" r.error - 'detail' - 'context' - CASE WHEN $3 THEN '' ELSE 'request' END"
					" || pg_catalog.jsonb_build_object('code', pg_catalog.\"left\"(r.error ->> 'code', 100),"
					" 'message', pg_catalog.\"left\"(r.error ->> 'message', $2),"
					" 'hint', pg_catalog.\"left\"(r.error ->> 'hint', $2)))))::pg_catalog.text"
					" FROM databite.run AS r WHERE r.run_id = $1",
					&args, SPI_OK_SELECT) > 0)
		json = row_text(0, 1, scope.caller);
	catalog_leave(&scope);
	return json;
}
