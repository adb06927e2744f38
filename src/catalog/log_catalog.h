/*
 * log_catalog.h
 *	  Table databite.log: lines on the runs of jobs that name no log table of their own.
 */
#ifndef DATABITE_LOG_CATALOG_H
#define DATABITE_LOG_CATALOG_H

#include "catalog/tables.h"

/* The columns of a log, and the SELECT that fills them: from job ($1), run ($2) and a JSON array of lines ($3, as text). */
#define LOG_COLUMNS "\"time\", level, job_id, run_id, step, message, detail"
#define LOG_ROWS \
	"SELECT l.\"time\", l.level, $1::pg_catalog.text, $2::pg_catalog.int8, l.step, l.message, l.detail" \
	" FROM pg_catalog.jsonb_to_recordset($3::pg_catalog.jsonb) AS l(\"time\" pg_catalog.timestamptz, level pg_catalog.text," \
	" step pg_catalog.text, message pg_catalog.text, detail pg_catalog.jsonb)"

extern void log_catalog_add(const char *job_id, Oid owner, int64 run_id, const char *lines);

#endif
