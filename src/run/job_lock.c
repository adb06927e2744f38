/*
 * job_lock.c
 *	  One run of a job at a time, whatever process it runs in.
 *
 * The lock is what tells a run that goes on from one whose process is gone: it
 * is taken before a run is marked running and released after its end is
 * recorded, and PostgreSQL itself releases it however the process ends.
 */
#include "postgres.h"

#include "base/lock_tag.h"
#include "common/hashfn.h"
#include "run/job_lock.h"

static void job_tag(LOCKTAG *tag, LockPurpose purpose, const char *job_id);

bool
job_lock_acquire(const char *job_id, bool session)
{
	LOCKTAG		tag;
	LockAcquireResult result;

	job_tag(&tag, LOCK_JOB, job_id);
	result = LockAcquire(&tag, ExclusiveLock, session, true);

	/*
	 * A transaction may run one job several times, one after the other.  A
	 * session lock that this process has already means that a run of the job
	 * is going on further up in it.
	 */
	if (session && result == LOCKACQUIRE_ALREADY_HELD)
	{
		LockRelease(&tag, ExclusiveLock, true);
		return false;
	}
	return result != LOCKACQUIRE_NOT_AVAIL;
}

void
job_lock_release(const char *job_id)
{
	LOCKTAG		tag;

	job_tag(&tag, LOCK_JOB, job_id);
	LockRelease(&tag, ExclusiveLock, true);
}

void
job_writers_enter(const char *job_id)
{
	LOCKTAG		tag;

	job_tag(&tag, LOCK_WRITERS, job_id);
	(void) LockAcquire(&tag, ShareLock, true, false);
}

void
job_writers_await(const char *job_id)
{
	LOCKTAG		tag;

	job_tag(&tag, LOCK_WRITERS, job_id);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	LockRelease(&tag, ExclusiveLock, false);
}

bool
job_lock_is_held(const char *job_id)
{
	LOCKTAG		tag;

	/* Nobody ever waits for it, so whoever is counted holds it (or is being refused this very moment). */
	job_tag(&tag, LOCK_JOB, job_id);
	return LockWaiterCount(&tag) > 0;
}

bool
job_lock_is_held_by(int pid)
{
	return lock_tag_is_held_by(pid, LOCK_JOB);
}

/* 64 bits of hash: two jobs of a database that share a tag are not a practical concern. */
static void
job_tag(LOCKTAG *tag, LockPurpose purpose, const char *job_id)
{
	lock_tag_set(tag, purpose,
				 hash_bytes_extended((const unsigned char *) job_id, (int) strlen(job_id), 0));
}
