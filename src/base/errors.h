/*
 * errors.h
 *	  Raising a caught error again.
 */
#ifndef DATABITE_ERRORS_H
#define DATABITE_ERRORS_H

#include "base/compat.h"

/*
 * As ReThrowError, which copies all of an error but the names of file and
 * function: the context that CopyErrorData put those into may be gone when the
 * error is reported.
 */
pg_noreturn extern void error_rethrow(ErrorData *error);

#endif
