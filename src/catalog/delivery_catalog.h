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

#endif
