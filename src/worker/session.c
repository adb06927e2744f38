/*
 * session.c
 *	  What all of databite's processes that run jobs set for themselves.
 */
#include "postgres.h"

#include "access/xact.h"
#include "postmaster/bgworker.h"
#include "utils/guc.h"
#include "worker/session.h"

static void take_utf8(void);

void
session_settle(void)
{
	/* Every batch is a transaction of its own; a cancel that comes meanwhile is no serialization failure. */
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	/* Parallel workers would come out of the same pool of worker slots as other runs. */
	SetConfigOption("max_parallel_workers_per_gather", "0", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name, PGC_USERSET, PGC_S_SESSION);
	/* What history says of the run is written all the same. */
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	take_utf8();
}

/*
 * Sources speak UTF-8, and what they say is converted between transactions, too:
 * PostgreSQL looks up a conversion in the middle of one only, and keeps that of
 * the client's encoding.  Where there is none it is an error when it is needed.
 */
static void
take_utf8(void)
{
	StartTransactionCommand();
	(void) set_config_option("client_encoding", "UTF8", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET, true, DEBUG1, false);
	CommitTransactionCommand();
}
