/*
 * control.c
 *	  databite.start() and stop(), and the workers' part of loading the module.
 *
 * Where databite is preloaded, the launcher keeps a scheduler; stop() holds it
 * back until start() or until the server restarts.  Elsewhere start() registers
 * a scheduler that the postmaster keeps alive until stop(), DROP EXTENSION or the
 * end of the server; it has to be started again after a restart of the server.
 * There stop() ends the listener, too, so that a plain DROP DATABASE can follow.
 *
 * Both act at once, whatever becomes of the transaction.  Runs that are going
 * on are left alone by stop().
 */
#include "postgres.h"

#include <signal.h>

#include "access/xlog.h"
#include "base/compat.h"
#include "base/lock_tag.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/timestamp.h"
#include "run/webhook_out.h"
#include "worker/hooks.h"
#include "worker/launcher.h"
#include "worker/scheduler.h"
#include "base/shared.h"
#include "worker/worker.h"

/* How long start() and stop() wait for the scheduler to be there, or gone. */
#define WAIT_MS 5000
#define WAIT_SLICE_MS 20

static bool start_unlaunched(void);
static bool stop_unlaunched(void);
static bool stop_holder(LockPurpose purpose);
static bool sleep_slice(TimestampTz since);

void
worker_init(void)
{
	webhook_out_wake = worker_wake_scheduler_at_commit;
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	shared_init();
	hooks_init();
	launcher_register();
}

bool
worker_scheduler_expected(void)
{
	if (RecoveryInProgress())
		return false;
	if (shared_available())
		return !shared_is_stopped(MyDatabaseId);
	return scheduler_pid_by_lock() != 0;
}

bool
worker_scheduler_start(void)
{
	bool		changed;

	if (!shared_available())
		return start_unlaunched();
	changed = shared_set_stopped(MyDatabaseId, false);
	shared_request_scheduler(MyDatabaseId);
	return changed;
}

bool
worker_scheduler_stop(void)
{
	TimestampTz since = GetCurrentTimestamp();
	bool		changed;

	if (!shared_available())
		return stop_unlaunched();
	changed = shared_set_stopped(MyDatabaseId, true);
	while (shared_scheduler_pid(MyDatabaseId) != 0 && sleep_slice(since))
		;
	return changed;
}

static bool
start_unlaunched(void)
{
	TimestampTz since = GetCurrentTimestamp();
	BackgroundWorkerHandle *handle;
	BgwHandleStatus status;
	pid_t		pid;

	if (scheduler_pid_by_lock() != 0)
		return false;

	handle = scheduler_register(MyDatabaseId, false, false, 0);
	if (handle == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start the scheduler: no background worker slot is free"),
				 errhint("You might need to increase %s.", "max_worker_processes")));

	/* Until it has the lock by which everybody finds it. */
	do
	{
		status = GetBackgroundWorkerPid(handle, &pid);
		if (status == BGWH_STARTED && scheduler_pid_by_lock() != 0)
			return true;
	} while (status != BGWH_STOPPED && sleep_slice(since));

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the scheduler did not start"),
			 errhint("More details may be available in the server log.")));
}

/* The listener last: the scheduler would start another one. */
static bool
stop_unlaunched(void)
{
	bool		scheduler = stop_holder(LOCK_SCHEDULER);
	bool		listener = stop_holder(LOCK_LISTENER);

	return scheduler || listener;
}

/* False: nobody holds the lock. */
static bool
stop_holder(LockPurpose purpose)
{
	TimestampTz since = GetCurrentTimestamp();
	LOCKTAG		tag;
	int			pid;

	lock_tag_set(&tag, purpose, 0);
	pid = lock_tag_holder(&tag);
	if (pid == 0)
		return false;

	/* Not SIGTERM: after that the postmaster would bring it back. */
	kill(pid, SIGUSR2);
	while (lock_tag_holder(&tag) == pid && sleep_slice(since))
		;
	return true;
}

/* Sleeps a little; false once WAIT_MS have gone by. */
static bool
sleep_slice(TimestampTz since)
{
	CHECK_FOR_INTERRUPTS();
	if (TimestampDifferenceExceeds(since, GetCurrentTimestamp(), WAIT_MS))
		return false;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, WAIT_SLICE_MS,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	return true;
}
