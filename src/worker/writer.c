/*
 * writer.c
 *	  The process of a parallel writer.
 *
 * A dynamic worker that a run starts (run/writers.c), in a session or in a
 * runner, connected as the job's owner.  It is never restarted; when the run
 * goes away it does too, and it steps aside for DROP DATABASE as runners do.
 */
#include "postgres.h"

#include "base/shared.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "run/writers.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "worker/session.h"
#include "worker/writer.h"

void
databite_writer_main(Datum arg)
{
	shm_mq_handle *parts;
	shm_mq_handle *replies;
	Oid			database;
	Oid			owner;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	/* Before connecting: see runner.c.  The run may have gone already. */
	if (!writer_attach(DatumGetUInt32(arg), &database, &owner, &parts, &replies))
		proc_exit(0);
	if (shared_available() && !shared_enter_writer(database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(database, owner, 0);
	session_settle();
	pgstat_report_activity(STATE_IDLE, NULL);
	writer_serve(parts, replies);
	proc_exit(0);
}
