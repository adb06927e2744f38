/*
 * tables.c
 *	  Entry into databite's own tables.
 *
 * Every statement on schema databite runs between catalog_enter and
 * catalog_leave: as the extension's owner, because users have no privilege on
 * the tables, and with search_path pinned, because a user's operators must
 * never be picked up by a statement that runs with the owner's rights.  An
 * error in between needs no clean-up here: the end of the (sub)transaction restores
 * user, settings and SPI.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/extension.h"
#include "catalog/tables.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"

static const char *const status_names[] = {
	[RUN_QUEUED] = "queued",
	[RUN_RUNNING] = "running",
	[RUN_COMPLETED] = "completed",
	[RUN_PARTIAL] = "partial",
	[RUN_FAILED] = "failed",
	[RUN_CANCELLED] = "cancelled",
	[RUN_CRASHED] = "crashed",
	[RUN_SKIPPED] = "skipped",
};

const char *
catalog_status_name(RunStatus status)
{
	return status_names[status];
}

void
catalog_check_owner(const char *job_id, Oid owner)
{
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for job \"%s\"", job_id),
				 errdetail("The job belongs to another role.")));
}

void
catalog_enter(CatalogScope *scope)
{
	Oid			owner = catalog_extension_owner();

	scope->caller = CurrentMemoryContext;
	GetUserIdAndSecContext(&scope->user, &scope->security_context);
	SetUserIdAndSecContext(owner, scope->security_context | SECURITY_LOCAL_USERID_CHANGE);

	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	/* A user's row_security = off must not turn a filter into an error here. */
	(void) set_config_option("row_security", "on", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);

	(void) SPI_connect();
}

void
catalog_leave(CatalogScope *scope)
{
	SPI_finish();
	AtEOXact_GUC(false, scope->guc_level);
	SetUserIdAndSecContext(scope->user, scope->security_context);
	MemoryContextSwitchTo(scope->caller);
}

int
catalog_execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls,
				int expected)
{
	/*
	 * Never read-only in SPI's sense: that would use the caller's snapshot,
	 * and what this transaction has just written would not be seen.
	 */
	return catalog_check_code(SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0), expected);
}

int
catalog_check_code(int code, int expected)
{
	if (code != expected)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("a statement on the tables of databite ended with %s instead of %s",
						SPI_result_code_string(code), SPI_result_code_string(expected))));
	return (int) SPI_processed;
}
