/*
 * errors.h
 *	  What a caught error is, and raising it again.
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

/* As ThrowErrorData, likewise: for an error that was made, or has come from another process. */
pg_noreturn extern void error_throw(ErrorData *error);

/*
 * May a value be to blame for the error, rather than the machine, the catalogs
 * or somebody who cancels?  Input functions of some extensions (hstore) call what
 * they do not understand an internal error.
 */
extern bool error_is_of_value(const ErrorData *error);

#endif
