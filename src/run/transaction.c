/*
 * transaction.c
 *	  The commit policy: what differs between the worker, CALL and execute_job.
 *
 * The work itself always runs in a subtransaction, so that an error inside of
 * it (in a user's trigger, three SPI levels down) is cleaned up the one way that
 * is right everywhere.  Around it:
 *
 * worker: a top-level transaction is begun before and committed after, and
 * between two of them there is none at all.
 *
 * procedure: SPI_commit after the work.  PostgreSQL begins the next transaction
 * at once, but it has no snapshot, no transaction id and no lock until the next
 * piece of work.
 *
 * run_due_jobs: as a procedure.  What a job's statements have to say is not for the client, who did not
 * ask for that job: pg_cron would write it into the server log and into its history.
 *
 * function: nothing; all of it belongs to the caller's transaction.
 *
 * The commit of a batch does not wait for the disk (or a standby) while there
 * is more to come.  Its rows, counters and checkpoint are lost together or not at
 * all, so a crash costs a batch that is then read again, never one that is
 * counted.  The last commit of a run, and the one that records a failure, do wait,
 * and WAL is flushed in order.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/errors.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "run/context.h"
#include "run/secret_mask.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static void begin(RunContext *run);
static void commit(RunContext *run);
static void commit_in_worker(RunContext *run);
static void become_owner(RunContext *run, Oid *user, int *security_context);

void
run_in_transaction(RunContext *run, void (*work) (RunContext *run, void *arg), void *arg)
{
	MemoryContext old_memory = CurrentMemoryContext;
	ResourceOwner old_owner;
	int			level;
	ErrorData  *volatile error = NULL;

	begin(run);
	level = GetCurrentTransactionNestLevel();
	old_owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(old_memory);

	PG_TRY();
	{
		Oid			user;
		int			security_context;
		int			guc_level = NewGUCNestLevel();

		become_owner(run, &user, &security_context);
		(void) set_config_option("search_path", run->record->search_path, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		if (run->queued && run->mode == RUN_IN_PROCEDURE)
			(void) set_config_option("client_min_messages", "error", PGC_USERSET, PGC_S_SESSION,
									 GUC_ACTION_SAVE, true, 0, false);
		work(run, arg);
		AtEOXact_GUC(true, guc_level);
		SetUserIdAndSecContext(user, security_context);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old_memory);
		error = CopyErrorData();
		FlushErrorState();
		secret_mask_error(error);
		/* The work may have been stopped in one of its own. */
		while (GetCurrentTransactionNestLevel() > level)
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();

	MemoryContextSwitchTo(old_memory);
	CurrentResourceOwner = old_owner;

	/* After an error the transaction around is sound but empty; end it the same way. */
	commit(run);
	MemoryContextSwitchTo(old_memory);
	if (error)
		error_rethrow(error);
}

static void
begin(RunContext *run)
{
	MemoryContext old_memory = CurrentMemoryContext;

	if (run->mode == RUN_IN_WORKER)
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
	}
	if (run->mode != RUN_IN_PROCEDURE)
		(void) SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(old_memory);
}

static void
commit(RunContext *run)
{
	PopActiveSnapshot();
	if (run->more_to_come && run->mode != RUN_IN_FUNCTION)
		(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
	switch (run->mode)
	{
		case RUN_IN_WORKER:
			SPI_finish();
			commit_in_worker(run);
			pgstat_report_stat(false);
			break;
		case RUN_IN_PROCEDURE:
			SPI_commit();
			break;
		case RUN_IN_FUNCTION:
			SPI_finish();
			break;
	}
}

/*
 * Deferred constraints are checked in the commit and may fail.  Nobody above
 * would end the transaction then, as SPI_commit does in a procedure.
 */
static void
commit_in_worker(RunContext *run)
{
	PG_TRY();
	{
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(run->memory);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(run->memory);
		error_rethrow(error);
	}
	PG_END_TRY();
}

/*
 * Somebody else may run a job (a superuser, a member of the owner's role).  What
 * the job then does must neither have more rights than its owner nor reach
 * back into the session, through a trigger say.
 */
static void
become_owner(RunContext *run, Oid *user, int *security_context)
{
	GetUserIdAndSecContext(user, security_context);
	if (*user == run->record->owner)
		return;
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(run->record->owner)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role with OID %u, which owns the job, does not exist", run->record->owner),
				 errhint("Schedule the job again as a role that exists, or remove it with databite.unschedule_job.")));
	SetUserIdAndSecContext(run->record->owner, *security_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
}
