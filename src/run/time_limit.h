/*
 * time_limit.h
 *	  performance.timeout: how long a run may last.
 */
#ifndef DATABITE_TIME_LIMIT_H
#define DATABITE_TIME_LIMIT_H

#include "run/context.h"

/* The error of a run that has lasted too long: a limit that somebody has configured. */
#define TIME_LIMIT_SQLSTATE ERRCODE_CONFIGURATION_LIMIT_EXCEEDED

/* The run begins now; its source's client is made. */
extern void time_limit_begin(RunContext *run);

extern bool time_limit_is_over(const RunContext *run);

/* Raises the error where the time is over, with what has been done kept for the next run; detail may be NULL. */
extern void time_limit_check(RunContext *run, const char *detail);

/* Waits until then, or until the time is over; a cancel passes as an error. */
extern void time_limit_wait(const RunContext *run, TimestampTz until);

#endif
