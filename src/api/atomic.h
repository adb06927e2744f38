/*
 * atomic.h
 *	  Procedures that commit, where they cannot.
 */
#ifndef DATABITE_ATOMIC_H
#define DATABITE_ATOMIC_H

#include "postgres.h"

#include "fmgr.h"

/* 2D000 where the procedure that is called cannot commit.  detail, hint: texts. */
extern void atomic_refuse(FunctionCallInfo fcinfo, const char *detail, const char *hint);

#endif
