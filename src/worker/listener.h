/*
 * listener.h
 *	  The worker that takes webhooks over HTTP.
 */
#ifndef DATABITE_LISTENER_H
#define DATABITE_LISTENER_H

#include "postgres.h"

/* For the scheduler: sees to it that its database has a listener, if it is to have one. */
extern void listener_keep(Oid database);

PGDLLEXPORT extern void databite_listener_main(Datum arg);

#endif
