/*
 * shared_turns.h
 *	  Who may have a worker slot, where there are not enough for all databases.
 *
 * max_worker_processes is the cluster's, and two of its slots are taken by
 * PostgreSQL's launcher of logical replication and ours.  Half of the rest, but one
 * at least, is for schedulers.  While no more databases than that have the extension,
 * each keeps its scheduler.  Beyond that it is crowded: a scheduler with nothing to
 * do soon, or with others waiting, ends after its round and says when it is needed
 * again, and the launcher lets the databases take turns, the longest-waiting first.
 *
 * Runs: a database that wants to start one and cannot is hungry.  One that has more
 * runs going than a hungry one does not start another, and of two alike the
 * one comes first that has been hungry for longer, or whose last run ended longer ago.  Where there are several
 * databases, one that has a run already leaves the last slot to the others.
 */
#ifndef DATABITE_SHARED_TURNS_H
#define DATABITE_SHARED_TURNS_H

#include "postgres.h"

#include "base/shared.h"
#include "datatype/timestamp.h"

/* How many schedulers there may be for good. */
extern int	shared_scheduler_places(void);

/* For the launcher: how many databases have the extension, whether that is too many, how many wait for a scheduler. */
extern void shared_set_crowd(int members, bool crowded, int waiting);

/* For a scheduler after its round; busy: its runs go on.  Is it to end for now? */
extern bool shared_must_rest(Oid database, TimestampTz wake_at, bool busy);

/* It is needed again at that time, or when somebody asks; and has old rows to delete from expire_at on. */
extern void shared_scheduler_rests(Oid database, TimestampTz look_at, TimestampTz expire_at);

/* May the database, with that many runs, start another one? */
extern bool shared_may_run(Oid database, int runs);

/* Notes whether it would start a run and cannot.  Returns since when; 0: it is not hungry. */
extern TimestampTz shared_set_hungry(Oid database, bool hungry);

/* A run there has ended: wakes the database that comes next.  The lock of the workers is held. */
extern void shared_feed_hungry(SharedDatabase *ended);

#endif
