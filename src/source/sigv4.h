/*
 * sigv4.h
 *	  AWS Signature Version 4.
 */
#ifndef DATABITE_SIGV4_H
#define DATABITE_SIGV4_H

#include "source/request.h"

/*
 * The headers that sign the request, which has a signer, at a time in seconds
 * since 1970: of HttpHeader *, in the current memory context.
 */
extern List *sigv4_headers(const HttpRequest *request, int64 now);

#endif
