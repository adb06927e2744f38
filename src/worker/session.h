/*
 * session.h
 *	  What all of databite's processes that run jobs set for themselves.
 */
#ifndef DATABITE_SESSION_H
#define DATABITE_SESSION_H

/* After connecting, outside of any transaction. */
extern void session_settle(void);

#endif
