/*
 * client.h
 *	  The inside of a SourceClient, for transfer.c and fetch.c.
 */
#ifndef DATABITE_CLIENT_H
#define DATABITE_CLIENT_H

#include <curl/curl.h>

#include "lib/ilist.h"
#include "source/address.h"
#include "source/fetch.h"
#include "source/poller.h"
#include "storage/latch.h"
#include "utils/palloc.h"

struct SourceClient
{
	MemoryContext context;		/* contexts of fetches are children of it */
	MemoryContextCallback cleanup;
	CURLM	   *multi;
	Poller		poller;
	WaitEventSet *wait_set;		/* latch, postmaster death, poller */
	int64		timer_at;		/* when libcurl wants to be called (client_now), or NO_TIMER */
	bool		watch_failed;	/* a socket could not be watched */
	dlist_head	tasks;
	SourceCounters counters;
	int64		served_at;		/* client_now */
	int64		deadline;		/* client_now, or NO_TIMER */

	/* the settings as they were when the client was made */
	AddressGuard *guard;
	char	   *proxy;			/* "": none */
	char	   *ca_bundle;		/* "": the system's */
	char	   *user_agent;

	SourceMemory memory;

	FetchObserver observer;		/* or NULL */
	void	   *observer_arg;
};

#define NO_TIMER PG_INT64_MAX

/* Something that moves on as sockets and time do: a fetch. */
typedef struct ClientTask
{
	dlist_node	node;

	/* called after sockets have moved; waited: microseconds that were spent waiting for the network */
	void		(*advance) (struct ClientTask *task, int64 waited);

	/* the longest wait until it has to be advanced again, in microseconds, or NO_TIMER */
	int64		(*longest_wait) (const struct ClientTask *task);
} ClientTask;

/* How an easy handle's transfer ended; its CURLOPT_PRIVATE. */
typedef struct ClientResult
{
	bool		finished;
	CURLcode	code;
} ClientResult;

/* Microseconds of a clock that only goes forward. */
extern int64 client_now(void);

extern void client_add_task(SourceClient *client, ClientTask *task);
extern void client_remove_task(ClientTask *task);

/* Hands an easy handle to the multi handle and lets it begin, without waiting. */
extern void client_begin(SourceClient *client, CURL *easy);

/* Takes it back, whatever its state.  Raises no error. */
extern void client_end(SourceClient *client, CURL *easy);

/* Lets a transfer go on that its write callback has paused. */
extern void client_unpause(SourceClient *client, CURL *easy);

/* Serves all transfers without waiting, unless that was done just now: for who has bytes to work on for long. */
extern void client_serve(SourceClient *client);

/*
 * Waits until something moves, or for so many milliseconds (-1: as long as it
 * takes), serves all transfers, and handles interrupts.
 */
extern void client_wait(SourceClient *client, int64 longest_ms);

#endif
