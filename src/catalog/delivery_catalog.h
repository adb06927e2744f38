/*
 * delivery_catalog.h
 *	  Tables databite.delivery and delivery_seen: what webhooks have brought.
 */
#ifndef DATABITE_DELIVERY_CATALOG_H
#define DATABITE_DELIVERY_CATALOG_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

/* No payload that is kept nests deeper; what reads items takes a little more. */
#define DELIVERY_MAX_DEPTH	500

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
	char	   *headers;		/* a JSON object */
	char	   *payload;		/* JSON */
	TimestampTz received_at;
} Delivery;

/*
 * The next deliveries of the job (of Delivery *) that are not set aside, the oldest first: at most max, and no more once
 * they have max_bytes together.
 */
extern List *delivery_catalog_next(const char *job_id, int64 after, int max, int64 max_bytes);

/* A job with deliveries that no run has taken. */
typedef struct WaitingJob
{
	char	   *id;
	TimestampTz since;			/* the oldest of them came */
} WaitingJob;

/* Enabled jobs that take webhooks, have deliveries, and of which no run is going on or queued (of WaitingJob *). */
extern List *delivery_catalog_waiting(void);

/* They have been written. */
extern void delivery_catalog_remove(const char *job_id, const int64 *ids, int nids);

/* They cannot be read: no run gets them until delivery_catalog_take_back, which gives back all of the job. */
extern void delivery_catalog_set_aside(const char *job_id, const int64 *ids, int nids);
extern void delivery_catalog_take_back(const char *job_id);

#endif
