/*
 * expiry_catalog.h
 *	  Deletes rows of databite's tables that are old or left over, a few at a time.
 *
 * A pass goes through a table in the order of an index and begins where the
 * last call ended, so no row is looked at twice in it, deleted or not.
 */
#ifndef DATABITE_EXPIRY_CATALOG_H
#define DATABITE_EXPIRY_CATALOG_H

#include "postgres.h"

#include "datatype/timestamp.h"

#define EXPIRY_KEY_MAX 64

/* How far a pass has come; all zeros: it begins. */
typedef struct ExpiryPosition
{
	int			table;			/* of several, by number */
	TimestampTz time;
	int64		id;
	char		key[EXPIRY_KEY_MAX + 1];	/* of a job */
} ExpiryPosition;

/*
 * Deletes runs that ended more than "minutes" ago, and before them the items that
 * they rejected.  Kept is of each job that there is the run that get_job_status shows as its
 * last one.  True if the pass has more to look at.
 */
extern bool expiry_catalog_history(int minutes, ExpiryPosition *position);

/* Deletes events that no run waits for or goes on with; the same of the names of deliveries. */
extern bool expiry_catalog_events(int minutes, ExpiryPosition *position);
extern bool expiry_catalog_notifications(int minutes, ExpiryPosition *position);
extern bool expiry_catalog_deliveries(int minutes, ExpiryPosition *position);

/* Deletes lines of databite's own log. */
extern bool expiry_catalog_log(int minutes, ExpiryPosition *position);

/* Deletes what runs have left behind of jobs that are gone.  True if the pass has more to look at. */
extern bool expiry_catalog_leftovers(int minutes, ExpiryPosition *position);

#endif
