/*
 * redirect.h
 *	  Where a response points to, and what may go there.
 */
#ifndef DATABITE_REDIRECT_H
#define DATABITE_REDIRECT_H

#include "source/request.h"

extern bool redirect_is(const HttpResponse *response);

/*
 * The request that a redirect asks for, after so many of them, in the current
 * memory context; NULL with *problem (a sentence) where it may not be made.  At
 * another origin nothing that the user has named goes along: any header may be
 * a secret, and so may the body.  Nor does it come back at a later redirect to
 * the first origin.
 */
extern HttpRequest *redirect_request(const HttpRequest *from, const HttpResponse *response,
									 int redirects, char **problem);

#endif
