/*
 * scheduler.h
 *	  The scheduler of one database, and what its files share.
 *
 * A pass of run_due_jobs (pass.c) is a scheduler for one round: it calls the same parts, but has
 * the transactions of a session and runs the jobs itself.
 */
#ifndef DATABITE_SCHEDULER_H
#define DATABITE_SCHEDULER_H

#include "postgres.h"

#include "catalog/expiry_catalog.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "postmaster/bgworker.h"

/* What of databite's tables gets old: expiry.c has the table. */
typedef enum ExpiryKind
{
	EXPIRY_HISTORY,
	EXPIRY_EVENTS,
	EXPIRY_NOTIFICATIONS,		/* those that were sent or given up */
	EXPIRY_DELIVERIES,			/* the names of those that were taken */
	EXPIRY_LOG,
	EXPIRY_LEFTOVERS,
	EXPIRY_TOTALS,
	EXPIRY_KINDS
} ExpiryKind;

typedef struct Expiry
{
	TimestampTz due_at[EXPIRY_KINDS];	/* 0: at once */
	TimestampTz began_at[EXPIRY_KINDS];	/* the pass that is going on; 0: none */
	int			minutes[EXPIRY_KINDS];	/* the retention by which that was set */
	ExpiryPosition position[EXPIRY_KINDS];
} Expiry;

typedef struct Scheduler
{
	Oid			database;
	bool		launched;		/* by the launcher */
	MemoryContext memory;		/* what lives as long as the process */
	List	   *children;		/* of Child *: runners that this process started and that live (children.c) */
	List	   *refusals;		/* of Refusal *: runs whose runner could not take them (children.c) */
	int			strangers;		/* runs in workers that an earlier scheduler started (recovery.c) */
	TimestampTz no_slot_logged_at;
	int			no_slot_tries;	/* in a row for which there was no worker slot (children.c) */
	bool		has_waited;		/* for one, ever */
	bool		no_slot;		/* PostgreSQL had none, as the last one was asked for */
	bool		rested;			/* it is back from a rest */
	Expiry		expiry;			/* how far old rows have been deleted (expiry.c) */
	Oid			role;			/* only jobs of owners whose privileges it has; InvalidOid: all */
	void		(*begin_part) (struct Scheduler *scheduler);	/* the transaction of a part of a round */
	void		(*end_part) (void);
	TimestampTz wake_at;		/* the next round, at the latest; every part of a round lowers it */
} Scheduler;

/*
 * Registers a scheduler as a dynamic worker.  launched: by the launcher, which
 * keeps it alive; else the postmaster does.  rested: its predecessor only made
 * room for others, and old rows are to be deleted from expire_at on.  NULL where no
 * worker slot is free.
 */
extern BackgroundWorkerHandle *scheduler_register(Oid database, bool launched, bool rested, TimestampTz expire_at);

/* The scheduler of this database, found by its lock; 0: none. */
extern int	scheduler_pid_by_lock(void);

/* Entry point of the process. */
extern PGDLLEXPORT void databite_scheduler_main(Datum arg);

/* The parts of a round.  Each is called in a transaction of its own that holds the lock on the extension. */

/*
 * round.c: turns all that is due, and what webhooks have brought, into queued runs.  Needs no transaction around it.  start,
 * or NULL, is called in one after each lot: where thousands are due at once, the first do not wait until the last are queued.
 */
extern void round_queue(Scheduler *scheduler, void (*start) (Scheduler *scheduler));

/* The same, in a transaction: takes up the runs whose process is gone, and drops what they have left over. */
extern void round_recover(Scheduler *scheduler);

/* scheduler.c: the next round comes at "when" at the latest. */
extern void scheduler_wake_by(Scheduler *scheduler, TimestampTz when);

/* due.c: turns jobs that are due into queued runs; true if there may be more of them. */
extern bool due_jobs_queue(Scheduler *scheduler);

/* delivered.c: queues runs for what webhooks have brought. */
extern void delivered_queue(Scheduler *scheduler);

/* unheard.c: a run ends, and no process of its own could say so.  json: the error for history. */
extern void unheard_failure(int64 run_id, const char *job_id, const ErrorData *error, const char *json);
extern void unheard_failure_simple(int64 run_id, const char *job_id, int sqlstate, const char *code, char *message, char *hint);
extern void unheard_crash(int64 run_id);

/* recovery.c: finds runs whose process is gone. */
extern void recovery_find_crashed(Scheduler *scheduler);

/* The same: drops what runs have gathered and nobody goes on with. */
extern void recovery_drop_stages(void);

/* children.c: forgets runners that ended; starts queued runs; is it a run of ours? */
extern void children_reap(Scheduler *scheduler);
extern void children_start(Scheduler *scheduler);
extern bool children_have(const Scheduler *scheduler, int64 run_id);

/* The same: has each runner taken its run, so that the next scheduler knows what became of it?  Else there is another round soon. */
extern bool children_are_settled(Scheduler *scheduler);

/* expiry.c: deletes what has got old, a little of it; needs no transaction around it. */
extern void expiry_do(Scheduler *scheduler);

/* The same, until all is done or it has taken a while: for those who come by only now and then. */
extern void expiry_do_all(Scheduler *scheduler);

/* The same, for schedulers that rest: the first pass begins then; is no pass going on that should end first, and when is the next? */
extern void expiry_begin_at(Scheduler *scheduler, TimestampTz due_at);
extern bool expiry_can_rest(const Scheduler *scheduler, TimestampTz *due_at);

/* scheduler.c: a transaction for a part of a round; it ends the process where there is nothing to do for it. */
extern void scheduler_begin_part(Scheduler *scheduler);
extern void scheduler_end_part(void);

#endif
