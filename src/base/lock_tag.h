/*
 * lock_tag.h
 *	  databite's own locks in PostgreSQL's lock manager.
 *
 * They are of the advisory kind, so that a session can hold one over many
 * transactions and it goes away with its process, but carry a number in the
 * last field that pg_advisory_lock cannot produce (it uses 1 and 2).
 */
#ifndef DATABITE_LOCK_TAG_H
#define DATABITE_LOCK_TAG_H

#include "postgres.h"

#include "storage/lock.h"

typedef enum LockPurpose
{
	LOCK_JOB = 0xDB01,			/* a run of one job; key: hash of its id */
	LOCK_SCHEDULER = 0xDB02,	/* the scheduler of this database; key: 0 */
	LOCK_ACCESS_TOKEN = 0xDB03, /* getting an access token; key: hash of owner and what it is got with */
	LOCK_WRITERS = 0xDB04,		/* the parallel writers of a job; key: hash of its id */
	LOCK_LISTENER = 0xDB05,		/* the listener of this database; key: 0 */
	LOCK_PASS = 0xDB06,			/* run_due_jobs while it queues what is due; key: 0 */
	LOCK_NOTIFIER = 0xDB07		/* the notifier of this database; key: 0 */
} LockPurpose;

/* The tag of a lock in this database. */
extern void lock_tag_set(LOCKTAG *tag, LockPurpose purpose, uint64 key);

/* Both copy the whole lock table: not for hot paths. */

/* The process that holds the lock, or 0. */
extern int	lock_tag_holder(const LOCKTAG *tag);

/* Does the process hold any lock of the kind in this database? */
extern bool lock_tag_is_held_by(int pid, LockPurpose purpose);

#endif
