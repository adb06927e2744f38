/*
 * standby.c
 *	  What cannot be done on a standby says so.
 *
 * PostgreSQL would refuse it as well, but at the first of databite's own statements that
 * writes, whose text tells nobody anything.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "api/standby.h"
#include "utils/lsyscache.h"

void
standby_refuse(FunctionCallInfo fcinfo)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute databite.%s() during recovery", get_func_name(fcinfo->flinfo->fn_oid)),
				 errhint("Jobs run on the primary only, and are changed there.")));
}
