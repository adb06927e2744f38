/*
 * job_lock.h
 *	  One run of a job at a time, whatever process it runs in.
 *
 * A run holds a lock of the lock manager, so it goes away with its process,
 * however that ends, and anybody can see whether a job is really running.
 * The lock tag is of the advisory kind but outside of what pg_advisory_lock can
 * name.
 */
#ifndef DATABITE_JOB_LOCK_H
#define DATABITE_JOB_LOCK_H

/* For the session (worker, CALL) or the transaction (execute_job).  False at once where another run has it. */
extern bool job_lock_acquire(const char *job_id, bool session);

/* Session lock only. */
extern void job_lock_release(const char *job_id);

/* For a parallel writer, for the session: see job_writers_await. */
extern void job_writers_enter(const char *job_id);

/*
 * Waits, in a transaction, for writers whose run has gone away: what they are still about to
 * commit must be seen by the run that goes on.
 */
extern void job_writers_await(const char *job_id);

/* Does some process run the job now? */
extern bool job_lock_is_held(const char *job_id);

/* Does this very process run a job?  (A pid that was written down may be another process's by now.) */
extern bool job_lock_is_held_by(int pid);

#endif
