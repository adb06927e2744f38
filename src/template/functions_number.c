/*
 * functions_number.c
 *	  SQL functions of the filters for numbers and booleans.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(databite_whole);

/*
 * databite.whole(numeric) -> numeric
 *
 * The number, which must be whole: it is to be cast to an integer type, and a
 * fraction must not get lost silently.
 */
Datum
databite_whole(PG_FUNCTION_ARGS)
{
	Datum		value = PG_GETARG_DATUM(0);
	Datum		whole = DirectFunctionCall2(numeric_trunc, value, Int32GetDatum(0));

	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, value, whole)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("%s is not a whole number",
						DatumGetCString(DirectFunctionCall1(numeric_out, value))),
				 errhint("Round it: {{ (...) | round }}.")));
	PG_RETURN_DATUM(value);
}
