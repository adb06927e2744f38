/*
 * owner.h
 *	  Whether the owner of a job can still run it.
 */
#ifndef DATABITE_OWNER_H
#define DATABITE_OWNER_H

#include "postgres.h"

/* What keeps him from connecting to this database, with a hint; NULL: nothing. */
extern char *owner_cannot_run(Oid owner, char **hint);

#endif
