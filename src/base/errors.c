/*
 * errors.c
 *	  What a caught error is, and raising it again.
 */
#include "postgres.h"

#include "base/errors.h"
#include "utils/memutils.h"

static void keep_location(ErrorData *error);

void
error_rethrow(ErrorData *error)
{
	keep_location(error);
	ReThrowError(error);
}

void
error_throw(ErrorData *error)
{
	keep_location(error);
	ThrowErrorData(error);
	pg_unreachable();
}

/* Moves it to where the error itself lives until it has been reported. */
static void
keep_location(ErrorData *error)
{
	if (error->filename)
		error->filename = MemoryContextStrdup(ErrorContext, error->filename);
	if (error->funcname)
		error->funcname = MemoryContextStrdup(ErrorContext, error->funcname);
}

bool
error_is_of_value(const ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_INTERNAL_ERROR)
		return true;
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_TRANSACTION_ROLLBACK:	/* a deadlock, in a domain's check that reads tables */
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INTERNAL_ERROR:	/* the rest of its class is corruption */
			return false;
		default:
			return true;
	}
}
