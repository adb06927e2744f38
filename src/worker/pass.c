/*
 * pass.c
 *	  CALL databite.run_due_jobs(): one round of a scheduler in the session that calls it.
 *
 * For servers where nothing but pg_cron, or a cron outside, starts anything.  Takes up runs
 * that crashed, queues what is due and what webhooks have brought, and then runs what is queued, one
 * after the other, as the owners of the jobs; at the end it has failures told by webhooks and deletes what has got old.
 *
 * Whose jobs: those that the caller might run with run_job, that is of the roles
 * whose privileges he has; a superuser's pass runs all.  What crashed and what has got old is nobody's.
 *
 * Cases:
 * - A scheduler lives here, or the launcher keeps one: the pass leaves, as all of this is done already.
 *   Where one is started meanwhile, the locks of the jobs keep them apart.
 * - Two passes at once: one of them queues.  Both run; a job that runs elsewhere is left out.
 * - A run fails: history and the server log say so, the next one has its turn.  Where it is to be
 *   tried again, that is queued, for a later pass.
 * - What is queued after the pass began to run is left to the next one, so that each pass ends.
 * - The statement is cancelled: so is the run, and no other begins.  databite.cancel_job stops a run alone.
 */
#include "postgres.h"

#include "base/lock_tag.h"
#include "base/settings.h"
#include "catalog/extension.h"
#include "catalog/run_catalog.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "run/run.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/notifier.h"
#include "worker/owner.h"
#include "worker/scheduler.h"
#include "worker/worker.h"

static void begin_part(Scheduler *pass);
static void end_part(void);
static void queue_due(Scheduler *pass);
static void send_notifications(Scheduler *pass);
static void run_queue(Scheduler *pass);
static int64 last_queued(Scheduler *pass);
static int64 next_queued(Scheduler *pass, int64 *place, bool *can_run);

void
worker_run_due_jobs(void)
{
	Scheduler	pass = {0};
	MemoryContext old;

	catalog_check_extension();
	if (worker_scheduler_expected())
	{
		ereport(DEBUG1,
				(errmsg("the scheduler of this database runs the jobs")));
		return;
	}
	if (databite_max_workers == 0)
	{
		ereport(NOTICE,
				(errmsg("no job is run, as \"databite.max_workers\" is 0")));
		return;
	}

	/* That of the procedure lives over its commits, and would grow with each run. */
	pass.memory = AllocSetContextCreate(CurrentMemoryContext, "databite pass", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(pass.memory);
	pass.database = MyDatabaseId;
	pass.role = superuser() ? InvalidOid : GetUserId();
	pass.begin_part = begin_part;
	pass.end_part = end_part;

	queue_due(&pass);
	run_queue(&pass);
	send_notifications(&pass);
	expiry_do_all(&pass);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(pass.memory);
}

/* The transaction is there: PostgreSQL has begun one after the last commit. */
static void
begin_part(Scheduler *pass)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	(void) catalog_extension_owner();
}

static void
end_part(void)
{
	PopActiveSnapshot();
	SPI_commit();
}

static void
queue_due(Scheduler *pass)
{
	LOCKTAG		tag;

	lock_tag_set(&tag, LOCK_PASS, 0);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return;
	PG_TRY();
	{
		begin_part(pass);
		round_recover(pass);
		end_part();
		round_queue(pass, NULL);
	}
	PG_FINALLY();
	{
		LockRelease(&tag, ExclusiveLock, true);
	}
	PG_END_TRY();
}

/* They wait for a network, which is a worker's business here too; it outlives the pass. */
static void
send_notifications(Scheduler *pass)
{
	begin_part(pass);
	notifier_keep(pass);
	end_part();
}

/* Each once, in the order in which they were queued, whatever becomes of it. */
static void
run_queue(Scheduler *pass)
{
	int64		last = last_queued(pass);
	int64		place = 0;
	int64		run_id;
	bool		can_run;

	while ((run_id = next_queued(pass, &place, &can_run)) != 0 && place <= last)
	{
		if (can_run)
			(void) run_queued(run_id, RUN_IN_PROCEDURE, false);
		MemoryContextReset(pass->memory);
		CHECK_FOR_INTERRUPTS();
	}
}

static int64
last_queued(Scheduler *pass)
{
	int64		last;

	begin_part(pass);
	last = run_catalog_last_queued();
	end_part();
	return last;
}

/* The next one behind that place, or 0, and its place.  Where its owner is shut out it fails, and can not run. */
static int64
next_queued(Scheduler *pass, int64 *place, bool *can_run)
{
	List	   *runs;
	int64		run_id = 0;

	begin_part(pass);
	runs = run_catalog_startable(1, *place, pass->role);
	if (runs != NIL)
	{
		const RunRecord *run = linitial(runs);
		char	   *hint = NULL;
		char	   *reason = owner_cannot_run(run->owner, &hint);

		*can_run = reason == NULL;
		if (reason != NULL)
			unheard_failure_simple(run->id, run->job_id, ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION, "28000", reason, hint);
		run_id = run->id;
		*place = run->place;
	}
	end_part();
	return run_id;
}
