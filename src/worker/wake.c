/*
 * wake.c
 *	  What a session asks of workers takes effect when its transaction commits.
 *
 * A scheduler that is woken earlier would not see the new job; one that is
 * woken although the transaction was rolled back would look for nothing.  So the
 * wish is kept until the end of the transaction: on commit it comes true, on
 * abort it is forgotten.  A subtransaction that is rolled back takes the runs
 * along that it wished to cancel; a scheduler that is woken once too often does
 * no harm.
 *
 * After PREPARE TRANSACTION the scheduler finds the work when it next looks
 * around by itself.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "run/job_lock.h"
#include "utils/memutils.h"
#include "worker/scheduler.h"
#include "base/shared.h"
#include "worker/worker.h"

typedef struct Cancellation
{
	int			pid;
	SubTransactionId subtransaction;
} Cancellation;

static void listen_for_end(void);
static void at_end(XactEvent event, void *arg);
static void at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg);

static bool scheduler_wanted = false;
static int	scheduler_pid = 0;	/* found before the commit, where there is no shared memory to look in */
static List *cancellations = NIL;	/* of Cancellation *; lives in TopTransactionContext */

void
worker_wake_scheduler_at_commit(void)
{
	listen_for_end();
	scheduler_wanted = true;
}

void
worker_cancel_process_at_commit(int pid)
{
	Cancellation *cancellation;
	MemoryContext old;

	/* The pid comes from a run's row.  After a crash it may be that of anybody, whom nobody meant to cancel. */
	if (!job_lock_is_held_by(pid))
		return;

	listen_for_end();
	old = MemoryContextSwitchTo(TopTransactionContext);
	cancellation = palloc(sizeof(Cancellation));
	cancellation->pid = pid;
	cancellation->subtransaction = GetCurrentSubTransactionId();
	cancellations = lappend(cancellations, cancellation);
	MemoryContextSwitchTo(old);
}

static void
listen_for_end(void)
{
	static bool registered = false;

	if (registered)
		return;
	RegisterXactCallback(at_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
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
			foreach(cell, cancellations)
				kill(((Cancellation *) lfirst(cell))->pid, SIGINT);
			break;

		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;

		default:
			return;
	}
	scheduler_wanted = false;
	scheduler_pid = 0;
	cancellations = NIL;
}

/* Ids of subtransactions grow, so those at or above the one that is rolled back belong to it and its children. */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	ListCell   *cell;

	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	foreach(cell, cancellations)
	{
		if (((Cancellation *) lfirst(cell))->subtransaction >= mine)
			cancellations = foreach_delete_current(cancellations, cell);
	}
}
