/*
 * shared.c
 *	  The shared memory as a whole, and its section that says who runs where.
 *
 * One lightweight lock guards that section (shared_turns.c works on it too).  It is held for a walk over the slots
 * at most, never while waiting, and no ERROR can be raised under it.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "base/shared_state.h"
#include "base/shared_turns.h"

static void request_memory(void);
static void attach_memory(void);
static Size memory_size(void);
static bool enter(Oid database, int first, int end);
static void leave_launcher(int code, Datum arg);
static void leave_scheduler(int code, Datum arg);
static void leave_runner(int code, Datum arg);
static SharedDatabase *find_or_add_database(Oid database);
static bool is_blocked(const SharedDatabase *slot);
static bool has_runner(const SharedDatabase *slot);
static void wake_launcher(void);

SharedState *shared_state = NULL;
LWLock	   *shared_workers_lock = NULL;

static SharedWorkers *state = NULL;
static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;

void
shared_init(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_memory;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = attach_memory;
}

bool
shared_available(void)
{
	return state != NULL;
}

void
shared_enter_launcher(void)
{
	before_shmem_exit(leave_launcher, (Datum) 0);
	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	state->launcher = MyProcPid;
	LWLockRelease(shared_workers_lock);
}

bool
shared_enter_scheduler(Oid database)
{
	SharedDatabase *slot;
	bool		entered = false;

	before_shmem_exit(leave_scheduler, ObjectIdGetDatum(database));
	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = find_or_add_database(database);
	if (slot && slot->scheduler == 0)
	{
		slot->end = ENDED_AS_TOLD;
		entered = !slot->stopped && !is_blocked(slot);
	}
	if (entered)
	{
		slot->scheduler = MyProcPid;
		slot->ready = false;
		slot->end = ENDED_BY_ERROR;
	}
	LWLockRelease(shared_workers_lock);
	return entered;
}

bool
shared_enter_runner(Oid database)
{
	return enter(database, 0, SHARED_MAX_RUNNERS);
}

bool
shared_enter_writer(Oid database)
{
	return enter(database, SHARED_MAX_RUNNERS, SHARED_MAX_RUNNERS + SHARED_MAX_WRITERS);
}

/* Takes one of those places among the runners. */
static bool
enter(Oid database, int first, int end)
{
	SharedDatabase *slot;
	bool		entered = false;

	before_shmem_exit(leave_runner, ObjectIdGetDatum(database));
	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = find_or_add_database(database);
	if (slot && !is_blocked(slot))
	{
		for (int i = first; i < end && !entered; i++)
		{
			if (slot->runners[i] == 0)
			{
				slot->runners[i] = MyProcPid;
				entered = true;
			}
		}
	}
	LWLockRelease(shared_workers_lock);
	return entered;
}

void
shared_scheduler_looks(Oid database)
{
	SharedDatabase *slot;

	if (state == NULL)
		return;
	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = shared_find_database(database);
	if (slot)
		slot->requested = false;
	LWLockRelease(shared_workers_lock);
}

bool
shared_scheduler_is_asked(Oid database)
{
	SharedDatabase *slot;
	bool		asked;

	if (state == NULL)
		return false;
	LWLockAcquire(shared_workers_lock, LW_SHARED);
	slot = shared_find_database(database);
	asked = slot && slot->requested;
	LWLockRelease(shared_workers_lock);
	return asked;
}

void
shared_scheduler_is_ready(Oid database)
{
	SharedDatabase *slot;

	if (state == NULL)
		return;
	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = shared_find_database(database);
	if (slot)
		slot->ready = true;
	wake_launcher();
	LWLockRelease(shared_workers_lock);
}

void
shared_scheduler_ends(Oid database, SchedulerEnd end)
{
	SharedDatabase *slot;

	if (state == NULL)
		return;
	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = shared_find_database(database);
	if (slot)
	{
		slot->end = end;
		if (end != ENDED_RESTING)
			slot->hungry_since = 0;
	}
	LWLockRelease(shared_workers_lock);
}

int
shared_read(SharedDatabase *databases, bool *scan_requested)
{
	int			count = 0;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	for (int i = 0; i < SHARED_MAX_DATABASES; i++)
	{
		if (OidIsValid(state->databases[i].oid))
			databases[count++] = state->databases[i];
	}
	*scan_requested = state->scan_requested;
	state->scan_requested = false;
	LWLockRelease(shared_workers_lock);
	return count;
}

bool
shared_prepare_start(Oid database)
{
	SharedDatabase *slot;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = find_or_add_database(database);
	if (slot)
	{
		/* A request from now on asks for another look, whatever the new scheduler finds. */
		slot->requested = false;
		slot->end = ENDED_BY_ERROR;
	}
	LWLockRelease(shared_workers_lock);
	return slot != NULL;
}

void
shared_release(Oid database, bool exists)
{
	SharedDatabase *slot;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = shared_find_database(database);
	if (slot && slot->scheduler == 0 && !is_blocked(slot) && !has_runner(slot) &&
		(!exists || (!slot->requested && !slot->stopped && slot->hungry_since == 0)))
		slot->oid = InvalidOid;
	LWLockRelease(shared_workers_lock);
}

void
shared_request_scheduler(Oid database)
{
	SharedDatabase *slot;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = find_or_add_database(database);
	if (slot)
		shared_ask_for_scheduler(slot);
	else
		wake_launcher();
	LWLockRelease(shared_workers_lock);
}

void
shared_ask_for_scheduler(SharedDatabase *slot)
{
	slot->requested = true;
	if (slot->scheduler != 0)
		shared_wake_process(slot->scheduler);
	else
		wake_launcher();
}

bool
shared_set_stopped(Oid database, bool stopped)
{
	SharedDatabase *slot;
	bool		changed = false;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = find_or_add_database(database);
	if (slot && slot->stopped != stopped)
	{
		slot->stopped = stopped;
		changed = true;
		if (stopped && slot->scheduler != 0)
			kill(slot->scheduler, SIGTERM);
	}
	LWLockRelease(shared_workers_lock);
	return changed;
}

bool
shared_is_stopped(Oid database)
{
	SharedDatabase *slot;
	bool		stopped;

	LWLockAcquire(shared_workers_lock, LW_SHARED);
	slot = shared_find_database(database);
	stopped = slot && slot->stopped;
	LWLockRelease(shared_workers_lock);
	return stopped;
}

int
shared_scheduler_pid(Oid database)
{
	SharedDatabase *slot;
	int			pid;

	LWLockAcquire(shared_workers_lock, LW_SHARED);
	slot = shared_find_database(database);
	pid = slot ? slot->scheduler : 0;
	LWLockRelease(shared_workers_lock);
	return pid;
}

bool
shared_scheduler_is_there(Oid database)
{
	SharedDatabase *slot;
	bool		is_there;

	LWLockAcquire(shared_workers_lock, LW_SHARED);
	slot = shared_find_database(database);
	is_there = slot != NULL && (slot->scheduler != 0 || slot->end == ENDED_RESTING);
	LWLockRelease(shared_workers_lock);
	return is_there;
}

void
shared_terminate_runners(Oid database)
{
	SharedDatabase *slot;

	LWLockAcquire(shared_workers_lock, LW_SHARED);
	slot = shared_find_database(database);
	for (int i = 0; slot && i < lengthof(slot->runners); i++)
	{
		if (slot->runners[i] != 0)
			kill(slot->runners[i], SIGTERM);
	}
	LWLockRelease(shared_workers_lock);
}

void
shared_block(Oid database)
{
	SharedDatabase *slot;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = find_or_add_database(database);
	if (slot)
	{
		slot->blocked_by = MyProcPid;
		if (slot->scheduler != 0)
			kill(slot->scheduler, SIGTERM);
		for (int i = 0; i < lengthof(slot->runners); i++)
		{
			if (slot->runners[i] != 0)
				kill(slot->runners[i], SIGTERM);
		}
	}
	LWLockRelease(shared_workers_lock);
}

bool
shared_is_blocked(Oid database)
{
	SharedDatabase *slot;
	bool		blocked;

	LWLockAcquire(shared_workers_lock, LW_SHARED);
	slot = shared_find_database(database);
	blocked = slot != NULL && is_blocked(slot);
	LWLockRelease(shared_workers_lock);
	return blocked;
}

bool
shared_is_empty(Oid database)
{
	SharedDatabase *slot;
	bool		empty;

	LWLockAcquire(shared_workers_lock, LW_SHARED);
	slot = shared_find_database(database);
	empty = slot == NULL || (slot->scheduler == 0 && !has_runner(slot));
	LWLockRelease(shared_workers_lock);
	return empty;
}

void
shared_unblock(void)
{
	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	for (int i = 0; i < SHARED_MAX_DATABASES; i++)
	{
		if (OidIsValid(state->databases[i].oid) && state->databases[i].blocked_by == MyProcPid)
			state->databases[i].blocked_by = 0;
	}
	state->scan_requested = true;
	wake_launcher();
	LWLockRelease(shared_workers_lock);
}

void
shared_wake_process(int pid)
{
	PGPROC	   *process = BackendPidGetProc(pid);

	/* Should the process end just now, its latch belongs to nobody or to another one, which is not harmed. */
	if (process)
		SetLatch(&process->procLatch);
}

/* shmem_request_hook: memory and lock can only be asked for here. */
static void
request_memory(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(memory_size());
	RequestNamedLWLockTranche("databite", 1);
	shared_rate_request();
}

/* shmem_startup_hook: at server start and after a crash. */
static void
attach_memory(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared_state = ShmemInitStruct("databite", memory_size(), &found);
	if (!found)
		memset(shared_state, 0, memory_size());
	state = &shared_state->workers;
	shared_workers_lock = &GetNamedLWLockTranche("databite")->lock;
	shared_rate_attach(&shared_state->rates);
	LWLockRelease(AddinShmemInitLock);
}

static Size
memory_size(void)
{
	return add_size(offsetof(SharedState, progress), mul_size(progress_slot_count(), sizeof(SharedProgressSlot)));
}

/* At exit of the launcher. */
static void
leave_launcher(int code, Datum arg)
{
	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	if (state->launcher == MyProcPid)
		state->launcher = 0;
	LWLockRelease(shared_workers_lock);
}

/* At exit of a scheduler; also of one that was not let in, so that only "if it is me". */
static void
leave_scheduler(int code, Datum arg)
{
	SharedDatabase *slot;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = shared_find_database(DatumGetObjectId(arg));
	if (slot && slot->scheduler == MyProcPid)
	{
		slot->scheduler = 0;
		slot->ready = false;
		if (slot->stopped || is_blocked(slot))
			slot->end = ENDED_AS_TOLD;
		if (slot->blocked_by != 0)
			shared_wake_process(slot->blocked_by);
	}
	wake_launcher();
	LWLockRelease(shared_workers_lock);
}

/*
 * At exit of a runner or writer.  Who has started a runner is told by the
 * postmaster; another scheduler, or none, has to hear of it here.
 */
static void
leave_runner(int code, Datum arg)
{
	SharedDatabase *slot;
	bool		left = false;

	LWLockAcquire(shared_workers_lock, LW_EXCLUSIVE);
	slot = shared_find_database(DatumGetObjectId(arg));
	for (int i = 0; slot && i < lengthof(slot->runners); i++)
	{
		if (slot->runners[i] == MyProcPid)
		{
			slot->runners[i] = 0;
			left = true;
			if (i >= SHARED_MAX_RUNNERS)
				continue;
			/* Who is told may be about to rest, and not look any more: its successor hears of it by this. */
			if (slot->scheduler == MyBgworkerEntry->bgw_notify_pid)
				slot->requested = true;
			else
				shared_ask_for_scheduler(slot);
		}
	}
	if (slot && slot->blocked_by != 0)
		shared_wake_process(slot->blocked_by);
	if (left)
		shared_feed_hungry(slot);
	LWLockRelease(shared_workers_lock);
}

/* The slot of a database, or NULL.  The lock is held. */
SharedDatabase *
shared_find_database(Oid database)
{
	for (int i = 0; i < SHARED_MAX_DATABASES; i++)
	{
		if (state->databases[i].oid == database)
			return &state->databases[i];
	}
	return NULL;
}

/* The same, made where there is none; NULL where there is no room.  The lock is held exclusively. */
static SharedDatabase *
find_or_add_database(Oid database)
{
	SharedDatabase *slot = shared_find_database(database);

	if (slot == NULL)
	{
		slot = shared_find_database(InvalidOid);
		if (slot)
		{
			memset(slot, 0, sizeof(SharedDatabase));
			slot->oid = database;
		}
	}
	return slot;
}

/* Is the database blocked by a process that is still there?  The lock is held. */
static bool
is_blocked(const SharedDatabase *slot)
{
	return slot->blocked_by != 0 && BackendPidGetProc(slot->blocked_by) != NULL;
}

static bool
has_runner(const SharedDatabase *slot)
{
	for (int i = 0; i < lengthof(slot->runners); i++)
	{
		if (slot->runners[i] != 0)
			return true;
	}
	return false;
}

/* The lock is held. */
static void
wake_launcher(void)
{
	if (state->launcher != 0)
		shared_wake_process(state->launcher);
}
