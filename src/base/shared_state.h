/*
 * shared_state.h
 *	  The one struct of databite's shared memory; for base/shared*.c only.
 *
 * Each section belongs to the file that its comment names, which alone reads
 * and writes it and says how it is guarded.  The memory is made at server start
 * and again after a crash, and starts as zeros: a section for which that is not
 * yet its initial state has a function that shared.c calls at that time.
 * Nothing here is a pointer.
 */
#ifndef DATABITE_SHARED_STATE_H
#define DATABITE_SHARED_STATE_H

#include "postgres.h"

#include "base/shared.h"
#include "base/shared_progress.h"
#include "base/shared_rate.h"
#include "storage/lwlock.h"

/* shared.c, and shared_turns.c: who runs where, and whose turn it is.  Guarded by the lock "databite". */
typedef struct SharedWorkers
{
	int			launcher;		/* pid, or 0 */
	bool		scan_requested; /* the set of databases may have changed */
	int			members;		/* databases that have the extension, as far as the launcher knows */
	bool		crowded;		/* more than can keep a scheduler */
	int			waiting;		/* of them wait for one */
	SharedDatabase databases[SHARED_MAX_DATABASES];
} SharedWorkers;

/* shared_progress.c: one for each backend, written by that backend only. */
typedef struct SharedProgressSlot
{
	int			st_changecount; /* odd while the slot is being written; the name is that of pgstat's macros */
	Oid			database;
	LiveRun		run;			/* pid 0: nothing runs here */
} SharedProgressSlot;

typedef struct SharedState
{
	SharedWorkers workers;
	SharedRates rates;			/* shared_rate.c, with a lock of its own */
	SharedProgressSlot progress[FLEXIBLE_ARRAY_MEMBER]; /* progress_slot_count(); so these stay last */
} SharedState;

/* NULL where databite is not preloaded.  In shared.c. */
extern SharedState *shared_state;

/* For shared_turns.c, in shared.c: the lock; under it, the slot of a database or NULL; sees to it that a scheduler looks there. */
extern LWLock *shared_workers_lock;
extern SharedDatabase *shared_find_database(Oid database);
extern void shared_ask_for_scheduler(SharedDatabase *slot);

/* How many backends the server can have; from shmem_request_hook on.  In shared_progress.c. */
extern int	progress_slot_count(void);

#endif
