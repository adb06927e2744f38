/*
 * connect.h
 *	  How a worker that the postmaster brings back enters its database.
 */
#ifndef DATABITE_CONNECT_H
#define DATABITE_CONNECT_H

#include "postgres.h"

/* Connects.  Where that cannot be, the process ends, and its worker is unregistered. */
extern void connect_or_unregister(Oid database);

#endif
