/*
 * notifier.h
 *	  The worker that sends what webhooks are to tell of failures.
 */
#ifndef DATABITE_NOTIFIER_H
#define DATABITE_NOTIFIER_H

#include "worker/scheduler.h"

/* A part of the scheduler's round, in a transaction: has what is due sent, and looks again when more is. */
extern void notifier_keep(Scheduler *scheduler);

PGDLLEXPORT extern void databite_notifier_main(Datum arg);

#endif
