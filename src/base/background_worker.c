/*
 * background_worker.c
 *	  What all background workers of databite have in common.
 */
#include "postgres.h"

#include "base/background_worker.h"
#include "miscadmin.h"

void
background_worker_init(BackgroundWorker *worker, const char *kind, const char *function)
{
	memset(worker, 0, sizeof(BackgroundWorker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	worker->bgw_notify_pid = MyProcPid;
	snprintf(worker->bgw_name, BGW_MAXLEN, "databite %s", kind);
	strlcpy(worker->bgw_type, worker->bgw_name, BGW_MAXLEN);
	strlcpy(worker->bgw_library_name, "databite", BGW_MAXLEN);
	snprintf(worker->bgw_function_name, BGW_MAXLEN, "databite_%s_main", function);
}
