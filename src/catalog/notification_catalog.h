/*
 * notification_catalog.h
 *	  Table databite.notification: what is to be told by webhooks, and was.
 */
#ifndef DATABITE_NOTIFICATION_CATALOG_H
#define DATABITE_NOTIFICATION_CATALOG_H

#include "catalog/tables.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

typedef struct Notification
{
	int64		id;
	char	   *webhook_id;		/* "msg_...": the same with every try */
	char	   *job_id;
	char	   *body;			/* JSON text */
	int			tries;			/* this one included */
} Notification;

/* Adds one about a run, to be sent at once. */
extern void notification_catalog_add(const char *job_id, Oid owner, int64 run_id, const char *body);

/* When the first of those that wait is to be tried, and whose it is; 0: none waits. */
extern TimestampTz notification_catalog_next(Oid *owner);

/*
 * Takes those of the owner whose time has come, at most max: counts a try, after which the next one is due at
 * now + pauses_ms[tries - 1], whatever becomes of this one.  List of Notification *.
 */
extern List *notification_catalog_take(Oid owner, const int64 *pauses_ms, int npauses, int max);

/* How a try ended.  status 0: there was no answer; error may be NULL.  next_try_at 0: as notification_catalog_take has set it. */
extern void notification_catalog_sent(int64 id, int status);
extern void notification_catalog_failed(int64 id, int status, const char *error, bool for_good, TimestampTz next_try_at);

#endif
