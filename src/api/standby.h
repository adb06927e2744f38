/*
 * standby.h
 *	  What cannot be done on a standby says so.
 */
#ifndef DATABITE_STANDBY_H
#define DATABITE_STANDBY_H

#include "postgres.h"

#include "fmgr.h"

/* Raises 25006 while the server is in recovery: for SQL functions that write or run a job, before they do anything. */
extern void standby_refuse(FunctionCallInfo fcinfo);

#endif
