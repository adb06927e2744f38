/*
 * failure.h
 *	  What went wrong with a request, in words for the user.
 *
 * Nothing in here holds a secret: URLs are masked, header values and bodies
 * are not shown.  Everything is allocated in the current memory context.
 */
#ifndef DATABITE_FAILURE_H
#define DATABITE_FAILURE_H

#include "source/fetch.h"
#include "source/transfer.h"

/* One line of the table of failures. */
typedef struct FailureKind
{
	const char *code;			/* SourceError.code */
	int			sqlstate;
	bool		transient;		/* may be gone at the next try */
	const char *message;
	const char *hint;			/* or NULL */
} FailureKind;

extern const FailureKind failure_bad_url;
extern const FailureKind failure_bad_header;
extern const FailureKind failure_address_refused;
extern const FailureKind failure_redirect;
extern const FailureKind failure_rate_limit;
extern const FailureKind failure_out_of_time;

/* The kind of a transfer that did not complete. */
extern const FailureKind *failure_kind(const Transfer *transfer, TransferOutcome outcome);

/* detail may be NULL. */
extern SourceError *failure_create(const FailureKind *kind, const HttpRequest *request, char *detail);

/*
 * For a response that is no success, or was judged to be none.  wait_ms: what
 * the server asks to wait, or -1.  message: in place of the standard one, or NULL.
 */
extern SourceError *failure_of_response(const HttpRequest *request, int status, int64 wait_ms, const char *message);

/* What libcurl said of a transfer that did not complete, fit to be shown; NULL where it said nothing. */
extern char *failure_detail(const Transfer *transfer, TransferOutcome outcome);

#endif
