/*
 * request.h
 *	  A request as it goes out, and what the answer said of itself.
 */
#ifndef DATABITE_REQUEST_H
#define DATABITE_REQUEST_H

#include "nodes/pg_list.h"

typedef struct HttpHeader
{
	char	   *name;
	char	   *value;
} HttpHeader;

/* What a request is signed with when it is sent (AWS Signature Version 4). */
typedef struct HttpSigner
{
	char	   *access_key_id;
	char	   *secret_access_key;
	char	   *session_token;	/* NULL: none */
	char	   *region;
	char	   *service;
} HttpSigner;

/* PEM texts; NULL: none. */
typedef struct HttpTls
{
	char	   *certificate;	/* ours */
	char	   *key;
	char	   *ca;				/* in place of the system's authorities and databite.ca_bundle */
} HttpTls;

typedef struct HttpRequest
{
	char	   *method;			/* "GET", "POST", ... */
	char	   *url;			/* absolute, http or https, encoded */
	List	   *headers;		/* of HttpHeader *; what the user named: dropped at another origin */
	char	   *body;			/* NULL: none */
	size_t		body_len;
	int64		timeout_ms;		/* whole request */
	HttpSigner *signer;			/* NULL: not signed; dropped at another origin, as tls is */
	HttpTls    *tls;			/* NULL: as for all */
} HttpRequest;

typedef struct HttpResponse
{
	int			status;			/* 0 before the header has come */
	List	   *headers;		/* of HttpHeader *, in order, of the last response (redirects are followed) */
	char	   *url;			/* where the response came from */
} HttpResponse;

/* Value of the first header of that name (case does not count), or NULL. */
extern const char *http_header(const HttpResponse *response, const char *name);

/* Why the headers may not be sent, naming no value: NULL, or a sentence. */
extern const char *http_headers_problem(const HttpRequest *request);

/* Deep copy into the current memory context. */
extern HttpRequest *http_request_copy(const HttpRequest *request);

/*
 * Adds "name=value", both percent-encoded (RFC 3986), to the query of url and
 * returns the new URL.  With replace, parameters of that name are removed
 * first.
 */
extern char *url_add_parameter(const char *url, const char *name, const char *value, bool replace);

/* Takes the parameters of that name out of the query. */
extern char *url_remove_parameter(const char *url, const char *name);

/* The URL without its query. */
extern char *url_without_query(const char *url);

/* For messages and history: scheme, host, port and path; user info, query and fragment are masked. */
extern char *url_masked(const char *url);

/* Same scheme, host and port (RFC 6454)? */
extern bool url_same_origin(const char *a, const char *b);

/*
 * Why url cannot be fetched: NULL, or errmsg style without the URL's text.
 * It must be absolute, http or https, have a host and no user info (which
 * would show up where URLs do).
 */
extern const char *url_problem(const char *url);

/* The host of url as libcurl will connect to it, in the current memory context; NULL where it has none. */
extern char *url_host(const char *url);

/* Resolves a reference against a base (RFC 3986 section 5); NULL where either is not a URL. */
extern char *url_resolve(const char *base, const char *reference);

#endif
