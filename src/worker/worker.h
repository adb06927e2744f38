/*
 * worker.h
 *	  What the rest of databite may ask of its background workers.
 */
#ifndef DATABITE_WORKER_H
#define DATABITE_WORKER_H

/* From _PG_init: registers the launcher, shared memory and hooks where databite is preloaded. */
extern void worker_init(void);

/*
 * Wakes this database's scheduler when the transaction commits (and has the
 * launcher start one where there is none yet); nothing on ROLLBACK.
 */
extern void worker_wake_scheduler_at_commit(void);

/* Is a scheduler alive in this database, or will the launcher keep one? */
extern bool worker_scheduler_expected(void);

/* databite.start() and stop(): true if something changed.  Raise 55000 where it cannot be. */
extern bool worker_scheduler_start(void);
extern bool worker_scheduler_stop(void);

/* CALL databite.run_due_jobs(), connected with SPI_OPT_NONATOMIC. */
extern void worker_run_due_jobs(void);

/* Cancels what a process of this cluster does (SIGINT), at commit: it runs a job that was cancelled. */
extern void worker_cancel_process_at_commit(int pid);

#endif
