/*
 * door.h
 *	  An HTTP server for the loop of a worker: requests come out, answers go in.
 *
 * Nothing in it raises an error or waits: it uses memory of its own (malloc), and all of its work is done
 * in door_run.  It is not thread-safe.
 */
#ifndef DATABITE_DOOR_H
#define DATABITE_DOOR_H

#include "base/signature.h"

typedef struct Door Door;

/* Of more headers the rest is left out. */
#define DOOR_MAX_HEADERS	200

/* One that has come completely and waits for its answer. */
typedef struct DoorRequest
{
	const char *method;
	const char *version;		/* "HTTP/1.1" */
	const char *url;			/* path and query as they came */
	const char *client;			/* its address, without the port */
	bool		is_local;		/* by that, from this machine */
	const MessageHeader *headers;
	int			nheaders;
	const char *body;			/* not NULL */
	size_t		body_len;
} DoorRequest;

typedef struct DoorAnswer
{
	int			status;
	const char *type;			/* of the content */
	const char *content;		/* not sent to who asks by HEAD */
	size_t		len;
	const MessageHeader *headers;	/* more of them, up to one without a name; NULL: none */
} DoorAnswer;

/*
 * Listens at an address: "127.0.0.1:8480", "[::1]:8480", "*:8480".  NULL where
 * that cannot be, and why (errno in it), in the current memory context.
 */
extern Door *door_open(const char *address, char **why);

/* Readable when there is something to do for door_run, which is to be called after so many milliseconds at the latest (-1: any). */
extern int	door_descriptor(const Door *door);
extern long door_timeout(Door *door);

/* Takes what has come and sends what can be sent. */
extern void door_run(Door *door);

/* The next request that has come completely, in their order; NULL: none.  It lives until it is answered. */
extern DoorRequest *door_next(Door *door);

/* Answers it.  The request is gone. */
extern void door_answer(Door *door, DoorRequest *request, const DoorAnswer *answer);

/* Drops all connections. */
extern void door_close(Door *door);

#endif
