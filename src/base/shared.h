/*
 * shared.h
 *	  All of databite's shared memory: who runs where.
 *
 * It exists only where databite is in shared_preload_libraries.  It holds
 * process ids, OIDs and flags, never pointers.  Whatever stands here can be
 * lost: a crash of the server empties it, and the launcher finds the databases
 * again.
 *
 * A process enters before it connects to its database and leaves after it has
 * disconnected, so that who waits for a database to be free need only look
 * here.
 */
#ifndef DATABITE_SHARED_H
#define DATABITE_SHARED_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Databases with a scheduler, a run, a request or a block.  One costs 600 bytes. */
#define SHARED_MAX_DATABASES 256

/* The upper bound of databite.max_workers, which limits the runs of a database. */
#define SHARED_MAX_RUNNERS 64

/* Parallel writers of all runs of a database. */
#define SHARED_MAX_WRITERS 64

/* Why a scheduler went away. */
typedef enum SchedulerEnd
{
	ENDED_BY_ERROR,				/* or pg_terminate_backend: start it again, after a while */
	ENDED_IDLE,					/* nothing to do there until somebody asks: no extension, or read-only */
	ENDED_RESTING,				/* others need its worker slot; look_at says when it is needed again */
	ENDED_AS_TOLD				/* the database is blocked or its scheduler was stopped */
} SchedulerEnd;

typedef struct SharedDatabase
{
	Oid			oid;			/* InvalidOid: the slot is free */
	int			scheduler;		/* pid, or 0 */
	bool		ready;			/* the scheduler has seen that the extension is there */
	SchedulerEnd end;			/* of the last scheduler */
	TimestampTz look_at;		/* where that was ENDED_RESTING; */
	TimestampTz expire_at;		/* and when old rows are to be deleted */
	bool		requested;		/* somebody has work for a scheduler since it last looked */
	bool		stopped;		/* databite.stop(): none until databite.start() or the server restarts */
	int			blocked_by;		/* pid of the session that needs the database free, or 0 */
	TimestampTz hungry_since;	/* it has runs that cannot start for want of a worker slot; 0: none (shared_turns.c) */
	TimestampTz hungry_seen;	/* when its scheduler last said so */
	int			runners[SHARED_MAX_RUNNERS + SHARED_MAX_WRITERS];	/* pids, 0: unused; behind the runners their writers */
} SharedDatabase;

/* From _PG_init while shared_preload_libraries is processed. */
extern void shared_init(void);

/* Is databite preloaded? */
extern bool shared_available(void);

/* For workers; they leave by themselves when the process exits.  False: not now, exit quietly. */
extern void shared_enter_launcher(void);
extern bool shared_enter_scheduler(Oid database);
extern bool shared_enter_runner(Oid database);
extern bool shared_enter_writer(Oid database);

/*
 * For the scheduler, which may also run without shared memory: it looks for
 * work now; somebody has asked for it since; it has seen the extension; why it is about to exit.
 */
extern void shared_scheduler_looks(Oid database);
extern bool shared_scheduler_is_asked(Oid database);
extern void shared_scheduler_is_ready(Oid database);
extern void shared_scheduler_ends(Oid database, SchedulerEnd end);

/* For the launcher.  Copies the slots that are in use; room for SHARED_MAX_DATABASES. */
extern int	shared_read(SharedDatabase *databases, bool *scan_requested);
extern bool shared_prepare_start(Oid database); /* false: no room */
extern void shared_release(Oid database, bool exists);	/* frees the slot if nothing in it matters */

/* For sessions. */
extern void shared_request_scheduler(Oid database);
extern bool shared_set_stopped(Oid database, bool stopped); /* true if that changed something */
extern bool shared_is_stopped(Oid database);
extern int	shared_scheduler_pid(Oid database);
extern bool shared_scheduler_is_there(Oid database);	/* or rests until its turn */
extern void shared_terminate_runners(Oid database);

/* Keeps databite's workers out of the database until shared_unblock, and tells those in it to go. */
extern void shared_block(Oid database);
extern bool shared_is_blocked(Oid database);
extern bool shared_is_empty(Oid database);
extern void shared_unblock(void);	/* all that this process has blocked */

/* Sets the latch of a process, if it is there. */
extern void shared_wake_process(int pid);

#endif
