/*
 * connect.c
 *	  How a worker that the postmaster brings back enters its database.
 *
 * One whose database is not there any more would fail every few seconds for as
 * long as the server runs.  Exit code 0 unregisters it.
 */
#include "postgres.h"

#include "postmaster/bgworker.h"
#include "storage/ipc.h"
#include "worker/connect.h"

static void unregister_unless_connected(int code, Datum arg);

static bool connected = false;

void
connect_or_unregister(Oid database)
{
	on_proc_exit(unregister_unless_connected, (Datum) 0);
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
	connected = true;
}

/* At exit. */
static void
unregister_unless_connected(int code, Datum arg)
{
	if (!connected && code == 1)
		proc_exit(0);
}
