/*
 * receive.h
 *	  A delivery of a webhook is verified and kept.
 */
#ifndef DATABITE_RECEIVE_H
#define DATABITE_RECEIVE_H

#include "base/signature.h"

/* A larger body is refused. */
#define RECEIVE_MAX_BODY	(16 * 1024 * 1024)

typedef struct Reception
{
	int			status;			/* of the HTTP answer; a 2xx holds when the transaction has committed */
	const char *message;		/* for the sender: nothing that he does not know */
	int64		delivery_id;	/* 0: it was not kept, or it is */
	int64		run_id;			/* this run's payload */
} Reception;

/* For the deliveries of one transaction: each endpoint is looked up once.  In the current memory context, with which it goes. */
typedef struct Receiver Receiver;
extern Receiver *receiver_create(void);

/*
 * In the current transaction: verifies the message, which has come for the
 * endpoint (a path, with or without a query), and keeps it for a run of its
 * job, which begins after commit.
 *
 * 200: it is kept, or had come before; 400: not JSON; 401: not signed as it should be, or too old; 404: no such
 * endpoint; 413: too large.  Raises errors of the database only.
 */
extern void receive_delivery(Receiver *receiver, const char *endpoint, const SignedMessage *message, Reception *reception);

#endif
