/*
 * wake.c
 *	  What a session asks of workers takes effect when its transaction commits.
 *
 * A scheduler that is woken earlier would not see the new job; one that is
 * woken although the transaction was rolled back would look for nothing.  So the
 * wish is kept until the end of the transaction: on commit latches are set
 * and signals sent, on abort it is forgotten.  A subtransaction that is rolled back does not take
 * its wish along; a wake-up too many does no harm.
 *
 * After PREPARE TRANSACTION the scheduler finds the work when it next looks
 * around by itself.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"
#include "worker/scheduler.h"
#include "worker/shared.h"
#include "worker/worker.h"

static void listen_for_end(void);
static void at_end(XactEvent event, void *arg);

static bool scheduler_wanted = false;
static int	scheduler_pid = 0;	/* found before the commit, where there is no shared memory to look in */
static List *cancelled_processes = NIL;	/* of pids; lives in TopTransactionContext */

void
worker_wake_scheduler_at_commit(void)
{
	listen_for_end();
	scheduler_wanted = true;
}

void
worker_cancel_process_at_commit(int pid)
{
	MemoryContext old = MemoryContextSwitchTo(TopTransactionContext);

	listen_for_end();
	cancelled_processes = list_append_unique_int(cancelled_processes, pid);
	MemoryContextSwitchTo(old);
}

static void
listen_for_end(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(at_end, NULL);
	registered = true;
}

static void
at_end(XactEvent event, void *arg)
{
	ListCell   *cell;

	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			/* Needs memory, and that may fail: not possible any more once the transaction has committed. */
			if (scheduler_wanted && !shared_available())
				scheduler_pid = scheduler_pid_by_lock();
			return;

		case XACT_EVENT_COMMIT:
			if (scheduler_wanted && shared_available())
				shared_request_scheduler(MyDatabaseId);
			else if (scheduler_pid != 0)
				shared_wake_process(scheduler_pid);
			foreach(cell, cancelled_processes)
				(void) kill(lfirst_int(cell), SIGINT);
			break;

		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;

		default:
			return;
	}
	scheduler_wanted = false;
	scheduler_pid = 0;
	cancelled_processes = NIL;
}
