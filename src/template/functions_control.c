/*
 * functions_control.c
 *	  The functions behind the filters for dropping and rejecting items, as far as they need no batch.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(databite_missing);

/*
 * missing(name text) returns text: always an error, of a required value that is
 * not there.
 */
Datum
databite_missing(PG_FUNCTION_ARGS)
{
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("\"%s\" is required but has no value", text_to_cstring(PG_GETARG_TEXT_PP(0)))));
}
