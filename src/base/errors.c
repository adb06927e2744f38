/*
 * errors.c
 *	  Raising a caught error again.
 */
#include "postgres.h"

#include "base/errors.h"
#include "utils/memutils.h"

void
error_rethrow(ErrorData *error)
{
	/* Where the error itself lives until it has been reported. */
	if (error->filename)
		error->filename = MemoryContextStrdup(ErrorContext, error->filename);
	if (error->funcname)
		error->funcname = MemoryContextStrdup(ErrorContext, error->funcname);
	ReThrowError(error);
}
