/*
 * shared_progress.c
 *	  What each run is doing right now, in shared memory, readable without locks.
 *
 * There is a slot for each backend that the server can have, found by the
 * backend's number, so that none has to be looked for or can be wanting.  The
 * protocol is that of PgBackendStatus (utils/backend_status.h), by the same
 * macros.  A process that ends empties its slot; after one that was killed the
 * postmaster makes the memory anew.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/shared_state.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"

static void leave_slot(int code, Datum arg);
static bool read_slot(volatile SharedProgressSlot *slot, LiveRun *run);
static bool is_alive(int pid);

/* This process's slot, from its first run on. */
static volatile SharedProgressSlot *my_slot = NULL;

/* How many runs of this process are going on, one inside the other. */
static int	depth = 0;

int
progress_slot_count(void)
{
	return MaxBackends;
}

void
progress_begin(const char *job_id, Oid owner, TimestampTz started_at)
{
	int			number = compat_backend_number();

	if (depth++ > 0 || shared_state == NULL || number < 0 || number >= progress_slot_count())
		return;
	if (my_slot == NULL)
	{
		before_shmem_exit(leave_slot, (Datum) 0);
		my_slot = &shared_state->progress[number];
	}
	PGSTAT_BEGIN_WRITE_ACTIVITY(my_slot);
	my_slot->database = MyDatabaseId;
	memset((char *) &my_slot->run, 0, sizeof(LiveRun));
	strlcpy((char *) my_slot->run.job_id, job_id, PROGRESS_JOB_LEN);
	my_slot->run.owner = owner;
	my_slot->run.started_at = started_at;
	my_slot->run.pid = MyProcPid;
	PGSTAT_END_WRITE_ACTIVITY(my_slot);
}

void
progress_end(void)
{
	if (--depth == 0)
		leave_slot(0, (Datum) 0);
}

void
progress_report(const RunProgress *progress)
{
	TimestampTz now;

	if (depth != 1 || my_slot == NULL)
		return;
	now = GetCurrentTimestamp();
	PGSTAT_BEGIN_WRITE_ACTIVITY(my_slot);
	memcpy((char *) &my_slot->run.progress, progress, sizeof(RunProgress));
	my_slot->run.progress.updated_at = now;
	PGSTAT_END_WRITE_ACTIVITY(my_slot);
}

int
progress_read(LiveRun **all)
{
	int			count = 0;

	*all = NULL;
	if (shared_state == NULL)
		return 0;
	for (int i = 0; i < progress_slot_count(); i++)
	{
		LiveRun		run;

		if (!read_slot(&shared_state->progress[i], &run) || run.progress.updated_at == 0 || !is_alive(run.pid))
			continue;
		if (*all == NULL)
			*all = palloc(sizeof(LiveRun) * progress_slot_count());
		(*all)[count++] = run;
	}
	return count;
}

/* At the end of a run, and at exit of a process that has ever had one. */
static void
leave_slot(int code, Datum arg)
{
	if (my_slot == NULL)
		return;
	PGSTAT_BEGIN_WRITE_ACTIVITY(my_slot);
	my_slot->run.pid = 0;
	PGSTAT_END_WRITE_ACTIVITY(my_slot);
}

/* Copies a slot as it is between two writes; false where nothing runs there, or in another database. */
static bool
read_slot(volatile SharedProgressSlot *slot, LiveRun *run)
{
	int			before;
	int			after;
	Oid			database;

	for (;;)
	{
		pgstat_begin_read_activity(slot, before);
		database = slot->database;
		run->pid = slot->run.pid;
		if (run->pid != 0 && database == MyDatabaseId)
			memcpy(run, (const char *) &slot->run, sizeof(LiveRun));
		pgstat_end_read_activity(slot, after);
		if (pgstat_read_activity_complete(before, after))
			return run->pid != 0 && database == MyDatabaseId;

		/* A writer that is stopped in the middle must not keep the reader for ever. */
		CHECK_FOR_INTERRUPTS();
	}
}

/* Is there a process of this database with that pid? */
static bool
is_alive(int pid)
{
	PGPROC	   *process = BackendPidGetProc(pid);

	return process != NULL && process->databaseId == MyDatabaseId;
}
