/*
 * round.c
 *	  What a scheduler's round and a pass of run_due_jobs have in common.
 *
 * Every part is a short transaction on databite's own tables.  They differ in whose transactions
 * those are, in whose jobs they look at, and in who runs what is queued.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "worker/scheduler.h"

void
round_recover(Scheduler *scheduler)
{
	recovery_find_crashed(scheduler);
	recovery_drop_stages();
}

void
round_queue(Scheduler *scheduler, void (*start) (Scheduler *scheduler))
{
	bool		more = true;

	while (more)
	{
		scheduler->begin_part(scheduler);
		more = due_jobs_queue(scheduler);
		delivered_queue(scheduler);
		scheduler->end_part();

		/* A runner may look for its run before this part is committed, so what it takes has been queued by an earlier one. */
		if (start != NULL)
		{
			scheduler->begin_part(scheduler);
			start(scheduler);
			scheduler->end_part();
		}
		CHECK_FOR_INTERRUPTS();
	}
}
