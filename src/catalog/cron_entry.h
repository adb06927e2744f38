/*
 * cron_entry.h
 *	  The entries of this database in pg_cron's table.
 *
 * The one table that is not databite's own.  pg_cron decides who may write there, so all of this but
 * cron_entry_exists is done as the current user.
 */
#ifndef DATABITE_CRON_ENTRY_H
#define DATABITE_CRON_ENTRY_H

#include "postgres.h"

/* What there is of pg_cron; texts are palloc'd. */
typedef struct CronServer
{
	char	   *database;		/* in which it keeps its table; NULL: its library is not preloaded */
	bool		is_available;	/* CREATE EXTENSION would find it; asked only where the library is not preloaded */
	char	   *version;		/* of its extension in this database, or NULL */
	int			major;
	int			minor;
} CronServer;

extern void cron_server_look(CronServer *server);

/* The name of a user's entry for this database. */
extern char *cron_entry_name(void);

/* May the current user call the routine ("databite.start()")? */
extern bool cron_entry_may_call(const char *routine);

/* Adds the current user's entry or puts it in the place of what he had; its id. */
extern int64 cron_entry_put(const char *name, const char *schedule, const char *command);

/* False where the current user has none. */
extern bool cron_entry_remove(const char *name);

/* Does anybody have pg_cron call one of databite's commands in this database? */
extern bool cron_entry_exists(void);

#endif
