/*
 * scheduler.h
 *	  The scheduler of one database, and what its files share.
 */
#ifndef DATABITE_SCHEDULER_H
#define DATABITE_SCHEDULER_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "postmaster/bgworker.h"

typedef struct Scheduler
{
	Oid			database;
	bool		launched;		/* by the launcher */
	MemoryContext memory;		/* what lives as long as the process */
	List	   *children;		/* of Child *: runners that this process started and that live (children.c) */
	List	   *refusals;		/* of Refusal *: runs whose runner could not take them (children.c) */
	int			strangers;		/* runs in workers that an earlier scheduler started (recovery.c) */
	TimestampTz no_slot_logged_at;
	TimestampTz expire_at;		/* history is looked through then */
	TimestampTz wake_at;		/* the next round, at the latest; every part of a round lowers it */
} Scheduler;

/*
 * Registers a scheduler as a dynamic worker.  launched: by the launcher, which
 * keeps it alive; else the postmaster does.  NULL where no worker slot is free.
 */
extern BackgroundWorkerHandle *scheduler_register(Oid database, bool launched);

/* The scheduler of this database, found by its lock; 0: none. */
extern int	scheduler_pid_by_lock(void);

/* Entry point of the process. */
extern PGDLLEXPORT void databite_scheduler_main(Datum arg);

/* The parts of a round.  Each is called in a transaction of its own that holds the lock on the extension. */

/* scheduler.c: the next round comes at "when" at the latest. */
extern void scheduler_wake_by(Scheduler *scheduler, TimestampTz when);

/* due.c: turns jobs that are due into queued runs; true if there may be more of them. */
extern bool due_jobs_queue(Scheduler *scheduler);

/* recovery.c: finds runs whose process is gone. */
extern void recovery_find_crashed(Scheduler *scheduler);

/* The same: drops what runs have gathered and nobody goes on with. */
extern void recovery_drop_stages(void);

/* children.c: forgets runners that ended; starts queued runs; is it a run of ours? */
extern void children_reap(Scheduler *scheduler);
extern void children_start(Scheduler *scheduler);
extern bool children_have(const Scheduler *scheduler, int64 run_id);

#endif
