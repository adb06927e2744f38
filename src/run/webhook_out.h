/*
 * webhook_out.h
 *	  Failures of runs told by webhooks: queued with the failure, sent later.
 */
#ifndef DATABITE_WEBHOOK_OUT_H
#define DATABITE_WEBHOOK_OUT_H

#include "postgres.h"

/* In the transaction that records the failure; the process that sends is to be woken at its commit, by webhook_out_wake. */
extern void webhook_out_queue(const char *job_id, Oid owner, int64 run_id);

/*
 * In a process that is no transaction's, with the owner's settings: sends what is due of the owner's
 * notifications, some of them at once, and records how that ended.  False: none was due.
 */
extern bool webhook_out_send(Oid owner);

/* Who sends them sets it, above this layer. */
extern void (*webhook_out_wake) (void);

#endif
