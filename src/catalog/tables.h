/*
 * tables.h
 *	  Entry into databite's own tables.
 *
 * All SQL text about the tables of schema databite is in catalog/.  It runs
 * as the extension's owner with search_path pinned, whoever the caller is, so
 * callers check first what the user may do (catalog_check_owner).
 *
 * Everything here needs a transaction.  Texts that are returned live in the
 * memory context that was current at the call.
 */
#ifndef DATABITE_CATALOG_TABLES_H
#define DATABITE_CATALOG_TABLES_H

#include "postgres.h"

#include "executor/spi.h"

/* Lifecycle of a run; catalog_status_name gives the word of the contract. */
typedef enum RunStatus
{
	RUN_QUEUED,					/* waits for a worker; next: RUNNING, FAILED (cannot be started), CANCELLED */
	RUN_RUNNING,				/* next: any of those below */
	RUN_COMPLETED,
	RUN_PARTIAL,
	RUN_FAILED,
	RUN_CANCELLED,
	RUN_CRASHED,				/* its process went away without a word */
	RUN_SKIPPED					/* was due while the run before was still going on */
} RunStatus;

extern const char *catalog_status_name(RunStatus status);

/* Raises 42501 unless the current user has the privileges of owner. */
extern void catalog_check_owner(const char *job_id, Oid owner);

/* For the files of catalog/ only. */

typedef struct CatalogScope
{
	Oid			user;
	int			security_context;
	int			guc_level;
	MemoryContext caller;		/* where results go */
} CatalogScope;

extern void catalog_enter(CatalogScope *scope);
extern void catalog_leave(CatalogScope *scope);

/* Runs one statement; nulls[i] 'n' is NULL.  Returns the number of rows; an error unless it ends with the expected SPI code. */
extern int	catalog_execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls,
							int expected);

/* Number of rows of the statement that ended with code; an error unless that is the expected one. */
extern int	catalog_check_code(int code, int expected);

#endif
