/*
 * poller.h
 *	  All sockets of libcurl as one descriptor.
 *
 * libcurl says which sockets it waits for; a wait event set of PostgreSQL
 * cannot be given sockets that come and go.  So they are held by an epoll
 * descriptor of their own, which is readable whenever one of them is ready, and
 * that one descriptor is what the wait event set holds.
 */
#ifndef DATABITE_POLLER_H
#define DATABITE_POLLER_H

#include <curl/curl.h>

typedef struct Poller
{
	int			fd;				/* readable when a socket is ready; -1 when closed */
} Poller;

typedef struct PollerEvent
{
	curl_socket_t socket;
	int			events;			/* CURL_CSELECT_* */
} PollerEvent;

extern void poller_open(Poller *poller);
extern void poller_close(Poller *poller);

/* Watches a socket as CURL_POLL_* says.  Called by libcurl, so it raises no error: false on failure. */
extern bool poller_watch(Poller *poller, curl_socket_t socket, int what);

/* Fills events with sockets that are ready, without waiting; returns how many. */
extern int	poller_take(Poller *poller, PollerEvent *events, int max);

#endif
