/*
 * atomic.c
 *	  Procedures that commit, where they cannot.
 */
#include "postgres.h"

#include "api/atomic.h"
#include "nodes/parsenodes.h"
#include "utils/lsyscache.h"

void
atomic_refuse(FunctionCallInfo fcinfo, const char *detail, const char *hint)
{
	if (IsA(fcinfo->context, CallContext) && !castNode(CallContext, fcinfo->context)->atomic)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
			 errmsg("databite.%s cannot run inside a transaction block", get_func_name(fcinfo->flinfo->fn_oid)),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}
