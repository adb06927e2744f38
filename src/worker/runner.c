/*
 * runner.c
 *	  The process of one run.
 *
 * A dynamic worker that a scheduler starts for one queued run, connected as
 * the job's owner, so that it can do nothing the owner could not.  It is never
 * restarted: how the run ended is in databite.run, and where the process went
 * away without a word (an error outside of the engine, pg_terminate_backend, a
 * crash) the scheduler finds the run without its lock.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "run/run.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "worker/runner.h"
#include "worker/session.h"
#include "base/background_worker.h"
#include "base/shared.h"

/* What a runner is told, in bgw_extra. */
typedef struct RunnerOrder
{
	Oid			database;
	Oid			owner;
	int64		run_id;
} RunnerOrder;

StaticAssertDecl(sizeof(RunnerOrder) <= BGW_EXTRALEN, "a runner's order must fit into bgw_extra");

BackgroundWorkerHandle *
runner_register(Oid database, Oid owner, int64 run_id, const char *job_id)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;
	RunnerOrder order = {.database = database, .owner = owner, .run_id = run_id};

	background_worker_init(&worker, "runner", "runner");
	snprintf(worker.bgw_name, BGW_MAXLEN, "databite job %s", job_id);
	memcpy(worker.bgw_extra, &order, sizeof(order));
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

void
databite_runner_main(Datum arg)
{
	RunnerOrder order;
	bool		read_only;

	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	/* Before connecting: callbacks run in reverse order, so we leave shared memory after leaving the database. */
	if (shared_available() && !shared_enter_runner(order.database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(order.database, order.owner, 0);
	read_only = DefaultXactReadOnly;

	session_settle();
	pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_name);

	(void) run_queued(order.run_id, RUN_IN_WORKER, read_only);
	proc_exit(0);
}
