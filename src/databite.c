/*
 * databite.c
 *	  Entry of the module.
 */
#include "postgres.h"

#include "base/settings.h"
#include "fmgr.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

/* Called when the module is loaded: with the server (shared_preload_libraries) or by a session that needs it. */
void
_PG_init(void)
{
	settings_define();
	worker_init();
}
