/*
 * delivery_catalog.h
 *	  Tables databite.delivery and delivery_seen: what webhooks have brought.
 */
#ifndef DATABITE_DELIVERY_CATALOG_H
#define DATABITE_DELIVERY_CATALOG_H

#include "catalog/job_catalog.h"

/* The job whose trigger has that endpoint, or NULL. */
extern JobRecord *delivery_catalog_job(const char *endpoint);

/*
 * Remembers that the job has taken a message of that name.  False where it had
 * before; waits for a transaction that is just taking it.
 */
extern bool delivery_catalog_see(const char *job_id, const uint8 *hash, size_t len);

/* Keeps a delivery until a run has written it; its id.  Both are JSON texts. */
extern int64 delivery_catalog_add(const char *job_id, const char *headers, const char *payload);

typedef struct Delivery
{
	int64		id;
	char	   *items;			/* the part of the payload that was asked for, JSON; NULL: it has none */
	char	   *headers;		/* a JSON object */
	char	   *payload;		/* JSON */
	TimestampTz received_at;
} Delivery;

/*
 * The next deliveries of the job (of Delivery *), the oldest first: at most max, and no more once they have max_bytes
 * together.  path: of char *, to the items in the payload; NIL: all of it.
 */
extern List *delivery_catalog_next(const char *job_id, int64 after, const List *path, int max, int64 max_bytes);

/* Ids (char *) of enabled jobs with deliveries of which no run is going on or queued. */
extern List *delivery_catalog_waiting(void);

/* They have been written. */
extern void delivery_catalog_remove(const char *job_id, const int64 *ids, int nids);

#endif
