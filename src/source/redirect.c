/*
 * redirect.c
 *	  Where a response points to, and what may go there.
 */
#include "postgres.h"

#include "source/redirect.h"

#define MAX_REDIRECTS 5

static List *without_content_headers(List *headers);

bool
redirect_is(const HttpResponse *response)
{
	int			status = response->status;

	return (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) &&
		http_header(response, "Location") != NULL;
}

HttpRequest *
redirect_request(const HttpRequest *from, const HttpResponse *response, int redirects, char **problem)
{
	int			status = response->status;
	char	   *url = url_resolve(from->url, http_header(response, "Location"));
	bool		same_origin;
	HttpRequest *next;

	if (redirects >= MAX_REDIRECTS)
		*problem = psprintf("There were more than %d redirects.", MAX_REDIRECTS);
	else if (url == NULL || url_problem(url) != NULL)
		*problem = psprintf("The %s.", url == NULL ? "URL it points to is malformed" : url_problem(url));
	else if (pg_strncasecmp(from->url, "https:", 6) == 0 && pg_strncasecmp(url, "https:", 6) != 0)
		*problem = pstrdup("It leads from https to http.");
	if (*problem != NULL)
		return NULL;

	same_origin = url_same_origin(from->url, url);
	next = palloc0(sizeof(HttpRequest));
	next->url = pnstrdup(url, strcspn(url, "#"));
	next->method = from->method;
	next->timeout_ms = from->timeout_ms;
	next->body = from->body;
	next->body_len = from->body_len;
	next->headers = same_origin ? from->headers : NIL;
	next->signer = same_origin ? from->signer : NULL;
	next->tls = same_origin ? from->tls : NULL;

	/* RFC 9110 section 15.4: these turn the request into a GET, as all browsers do */
	if ((status == 303 && strcmp(from->method, "HEAD") != 0) ||
		((status == 301 || status == 302) && strcmp(from->method, "POST") == 0))
	{
		next->method = pstrdup("GET");
		next->body = NULL;
		next->body_len = 0;
		next->headers = without_content_headers(next->headers);
	}
	else if (!same_origin && strcmp(from->method, "GET") != 0 && strcmp(from->method, "HEAD") != 0)
	{
		*problem = psprintf("It leads a %s to another origin, %s.", from->method, url_masked(url));
		return NULL;
	}
	else if (!same_origin)
	{
		next->body = NULL;
		next->body_len = 0;
	}
	return next;
}

/* The headers that say nothing about a body. */
static List *
without_content_headers(List *headers)
{
	List	   *kept = NIL;
	ListCell   *lc;

	foreach(lc, headers)
	{
		HttpHeader *header = lfirst(lc);

		if (pg_strncasecmp(header->name, "Content-", 8) != 0)
			kept = lappend(kept, header);
	}
	return kept;
}
