/*
 * writers.h
 *	  The parallel writers of a step, seen from the run.
 */
#ifndef DATABITE_WRITERS_H
#define DATABITE_WRITERS_H

#include "run/writer_message.h"

typedef struct Writers Writers;
typedef struct Writer Writer;

/* A part, and what has become of it. */
typedef struct SentPart
{
	WriterPart	part;
	Writer	   *writer;			/* that has it; NULL: none (any more) */
	WriterReplyKind outcome;	/* REPLY_DONE, REPLY_FAILED; REPLY_READY: open */
	WriteCounts counts;			/* of REPLY_DONE */
	char	   *first_reason;	/* of an item that was rejected, or NULL */
	char	   *first;			/* RunShortfall.first, or NULL */
	int64		batches;		/* given up */
	ErrorData  *error;			/* of REPLY_FAILED */
} SentPart;

/*
 * At least min stay, up to max there may be; those above min end when they have
 * had nothing to do for idle_timeout_ms.  None is started yet.  In a context that
 * outlives transactions; order must stay, too.
 */
extern Writers *writers_create(const WriterOrder *order, int min, int max, int64 idle_timeout_ms, MemoryContext context);

/* Starts one more, without waiting for it, where there may be more. */
extern void writers_add(Writers *writers);

/*
 * Waits until there is one that takes parts, and starts it if there is none;
 * returns how many do.  0: none can be had.  No transaction should be open.
 */
extern int	writers_await_ready(Writers *writers);

/* Why there are fewer than there might be, told once; else NULL. */
extern char *writers_shortage(Writers *writers);

/* Hands out the parts, of which there are not more than writers that take parts. */
extern void writers_send(Writers *writers, SentPart *parts, int nparts);

/* Is there no answer yet for some of them? */
extern bool writers_are_busy(Writers *writers, SentPart *parts, int nparts);

/* Waits until all of them have been answered. */
extern void writers_await(Writers *writers, SentPart *parts, int nparts);

/* Ends all of them, and waits for that; who is writing has a second for it. */
extern void writers_end(Writers *writers);

/* In the process of a writer. */

/* Its end of the queues; handle: of the segment.  False where the run is gone. */
extern bool writer_attach(uint32 handle, Oid *database, Oid *owner, shm_mq_handle **parts, shm_mq_handle **replies);

/* writer_serve.c: writes what it is sent until the run has no more, when connected. */
extern void writer_serve(shm_mq_handle *parts, shm_mq_handle *replies);

#endif
