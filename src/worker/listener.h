/*
 * listener.h
 *	  The worker that takes webhooks over HTTP.
 */
#ifndef DATABITE_LISTENER_H
#define DATABITE_LISTENER_H

#include "postgres.h"

#include "worker/scheduler.h"

/* For the scheduler: sees to it that its database has a listener, if it is to have one, and that it looks again in time. */
extern void listener_keep(Scheduler *scheduler);

PGDLLEXPORT extern void databite_listener_main(Datum arg);

#endif
