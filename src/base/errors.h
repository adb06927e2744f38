/*
 * errors.h
 *	  What went wrong in a run, as history keeps it.
 */
#ifndef DATABITE_ERRORS_H
#define DATABITE_ERRORS_H

#include "postgres.h"

typedef struct RunError
{
	char		code[32];		/* SQLSTATE, or a source error's code such as "http_status" */
	int			sqlstate;
	char	   *message;
	char	   *detail;			/* or NULL */
	char	   *hint;			/* or NULL */
	char	   *context;		/* or NULL */
	char	   *step;			/* or NULL */
	char	   *method;			/* of the request, or NULL */
	char	   *url;			/* masked, or NULL */
	int			status;			/* HTTP status, or 0 */
} RunError;

#endif
