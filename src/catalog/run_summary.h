/*
 * run_summary.h
 *	  What is told of a run: to hooks, to who listens, to the administrator.
 */
#ifndef DATABITE_RUN_SUMMARY_H
#define DATABITE_RUN_SUMMARY_H

#include "postgres.h"

/* The run as JSON text, with its whole error: for its owner. */
extern char *run_summary_json(int64 run_id);

/*
 * The same without what of the error may show a row (detail and context), in less bytes than a notification holds:
 * for whoever listens.
 */
extern char *run_summary_public_json(int64 run_id);

/* For files of catalog/ only: SQL over a row r of databite.run. */

#define RUN_SUMMARY \
	"pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(" \
	"'job_id', r.job_id, 'run_id', r.run_id, 'status', r.status, 'trigger', r.trigger, 'resumes', r.resumes," \
	" 'started_at', r.started_at, 'finished_at', r.finished_at, 'duration_ms'," \
	" (EXTRACT(epoch FROM r.finished_at - r.started_at) * 1000)::pg_catalog.int8," \
	" 'records_processed', r.records_processed, 'records_inserted', r.records_inserted, 'records_updated', r.records_updated," \
	" 'records_unchanged', r.records_unchanged, 'records_deleted', r.records_deleted, 'records_rejected', r.records_rejected," \
	" 'records_skipped', r.records_skipped, 'pages', r.pages, 'requests', r.requests, 'retries', r.retries," \
	" 'bytes_received', r.bytes_received))"

/* In RETURNING of a statement that ends runs r: NOTIFY databite_run for each of them. */
#define RUN_ANNOUNCED \
	"pg_catalog.pg_notify('databite_run', (" RUN_SUMMARY " ||" \
	" pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(" \
	"'error_code', pg_catalog.\"left\"(r.error ->> 'code', 100))))::pg_catalog.text)"

#endif
