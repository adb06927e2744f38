/*
 * run_error.h
 *	  What went wrong in a run: from an ERROR or a source's error to history.
 */
#ifndef DATABITE_RUN_ERROR_H
#define DATABITE_RUN_ERROR_H

#include "base/compat.h"
#include "source/fetch.h"

/*
 * Raises what the source reported.  The request's place is kept aside, so that
 * run_error_json finds it again when the error is caught.
 */
pg_noreturn extern void run_raise_source_error(const SourceError *error);

/*
 * Raises what is wrong with what the source said, rather than with how it was
 * fetched: the code is the SQLSTATE.  response may be NULL (inline items); hint too.
 */
pg_noreturn extern void run_raise_content_error(int sqlstate, const char *message, const char *hint,
												const char *method, const HttpResponse *response);

/*
 * Takes databite's own statement, which SPI adds, out of the context of a caught
 * error: it says nothing that item, column and value do not.
 */
extern void run_error_trim(ErrorData *error);

/* How long the server of the last run_raise_source_error asked us to stay away, in ms, beyond what a run waits; or 0. */
extern int64 run_error_retry_after(void);

/* Was it run_raise_source_error that raised the last error? */
extern bool run_error_is_of_source(void);

/* Forgets the place that run_raise_source_error kept. */
extern void run_error_forget(void);

/*
 * {"code", "message", "detail", "hint", "column", "constraint", "context", "step", "request": {"method", "url", "status"}} in the current
 * memory context; step may be NULL.
 */
extern char *run_error_json(const ErrorData *error, const char *step);

/* The same for an end that was no ERROR. */
extern char *run_error_json_simple(const char *code, const char *message, const char *hint);

#endif
