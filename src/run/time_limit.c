/*
 * time_limit.c
 *	  performance.timeout: how long a run may last.
 *
 * The time counts from the begin of the run (of each try, where a run is tried again).
 * When it is over, the waits for the source end, what has been read is
 * written, and the run fails at this batch boundary.  Its checkpoint stays, so that the
 * next run goes on there.  A statement that is under way is not interrupted.
 */
#include "postgres.h"

#include "base/compat.h"
#include "miscadmin.h"
#include "run/time_limit.h"
#include "storage/latch.h"
#include "utils/timestamp.h"

static char *seconds_text(int64 milliseconds);

void
time_limit_begin(RunContext *run)
{
	if (run->job->timeout_ms == 0)
		return;
	run->ends_at = TimestampTzPlusMilliseconds(run->started_at, run->job->timeout_ms);
	source_client_set_deadline(run->client, run->ends_at);
}

bool
time_limit_is_over(const RunContext *run)
{
	return run->ends_at != 0 && source_client_is_over(run->client);
}

void
time_limit_check(RunContext *run, const char *detail)
{
	if (!time_limit_is_over(run))
		return;
	run->keep_checkpoint = true;
	ereport(ERROR,
			(errcode(TIME_LIMIT_SQLSTATE),
			 errmsg("the run took longer than performance.timeout (%s)", seconds_text(run->job->timeout_ms)),
			 detail ? errdetail_internal("%s", detail) : 0,
			 run->mode == RUN_IN_FUNCTION ? 0 : errhint("What it has read is written, and the next run goes on there.")));
}

void
time_limit_wait(const RunContext *run, TimestampTz until)
{
	static uint32 wait_event = 0;
	TimestampTz now;

	if (wait_event == 0)
		wait_event = compat_wait_event("DatabiteRetry");
	if (run->ends_at != 0)
		until = Min(until, run->ends_at);
	while ((now = GetCurrentTimestamp()) < until)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 TimestampDifferenceMilliseconds(now, until), wait_event);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* "300 s", "0.5 s" */
static char *
seconds_text(int64 milliseconds)
{
	if (milliseconds % 1000 == 0)
		return psprintf(INT64_FORMAT " s", milliseconds / 1000);
	return psprintf("%g s", milliseconds / 1000.0);
}
