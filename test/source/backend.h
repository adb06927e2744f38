/*
 * backend.h
 *	  What the tested sources use of the server, in its simplest form.
 */
#ifndef SOURCE_TEST_BACKEND_H
#define SOURCE_TEST_BACKEND_H

#include <setjmp.h>

extern sigjmp_buf error_jump;	/* where an ERROR goes */
extern int	warnings;			/* raised so far */

#endif
