/*
 * watch_access.c
 *	  Who may see the page and the metrics of the listener.
 *
 * Where databite.watch_token is set, whoever gives it, from anywhere: as a bearer token, or, in a browser, as the password of any user.
 * That this machine is asked for it as well is on purpose: a proxy here may pass on requests of the world in a way that
 * makes them look like our own.
 *
 * Where it is not set, who is on this machine.  That is more than an address of the loopback network:
 * - A proxy on this machine comes from there, too.  Most say for whom they ask; nginx, as it comes, does not, but speaks
 *   HTTP/1.0, at least up to 1.29.  None of ours has a reason to do either.
 * - So does a browser on this machine that shows the page of a stranger, whose name has begun to mean 127.0.0.1 ("DNS
 *   rebinding"): for the browser we are that stranger's, and his page may read our answer.  But then the browser asks for that name.
 */
#include "postgres.h"

#include <arpa/inet.h>

#include "base/bytes.h"
#include "base/compat.h"
#include "base/digest.h"
#include "base/settings.h"
#include "utils/formatting.h"
#include "worker/watch_access.h"

#define FORWARDED_PREFIX "X-Forwarded-"

static bool has_token(const DoorRequest *request);
static const char *after_scheme(const char *credentials, const char *scheme);
static bool is_token(const char *text, size_t len);
static bool is_password(const char *text);
static bool is_forwarded(const DoorRequest *request);
static bool names_this_machine(const DoorRequest *request);
static bool is_address(const char *host, size_t len);

/* What proxies and the networks before them add, beside X-Forwarded-... */
static const char *const forwarding_headers[] = {
	"Forwarded",
	"Via",
	"X-Real-IP",
	"X-Client-IP",
	"X-Cluster-Client-IP",
	"X-Original-Forwarded-For",
	"X-Original-Host",
	"X-Original-URL",
	"X-ProxyUser-Ip",
	"True-Client-IP",
	"Client-IP",
	"CF-Connecting-IP",
	"Fastly-Client-IP",
	"CDN-Loop",
	"Proxy-Connection",
	NULL
};

int
watch_access_status(const DoorRequest *request)
{
	if (databite_watch_token[0] != '\0')
		return has_token(request) ? 200 : 401;
	if (!request->is_local || is_forwarded(request))
		return 403;
	return names_this_machine(request) ? 200 : 421;
}

static bool
has_token(const DoorRequest *request)
{
	SignedMessage message = {.headers = request->headers, .nheaders = request->nheaders};
	const char *credentials = message_header(&message, "Authorization");
	const char *text;

	if (credentials == NULL)
		return false;
	if ((text = after_scheme(credentials, "Bearer")) != NULL)
		return is_token(text, strlen(text));
	if ((text = after_scheme(credentials, "Basic")) != NULL)
		return is_password(text);
	return false;
}

/* What follows a scheme of RFC 9110, in any case; NULL: it is another one. */
static const char *
after_scheme(const char *credentials, const char *scheme)
{
	size_t		len = strlen(scheme);

	if (pg_strncasecmp(credentials, scheme, len) != 0 || credentials[len] != ' ')
		return NULL;
	return credentials + len + strspn(credentials + len, " ");
}

/* By their hashes, so that how long it takes tells nothing, not even how long the token is. */
static bool
is_token(const char *text, size_t len)
{
	size_t		prefix = strlen(WATCH_TOKEN_HASH);
	uint8		hash[DIGEST_BYTES];
	char	   *given;
	char	   *wanted;

	digest_sha256(text, len, hash);
	given = digest_hex(hash);
	if (strncmp(databite_watch_token, WATCH_TOKEN_HASH, prefix) == 0)
		wanted = asc_tolower(databite_watch_token + prefix, WATCH_TOKEN_DIGITS);
	else
	{
		digest_sha256(databite_watch_token, strlen(databite_watch_token), hash);
		wanted = digest_hex(hash);
	}
	return bytes_are_same((uint8 *) given, (uint8 *) wanted, WATCH_TOKEN_DIGITS);
}

/* "user:password" in base64, RFC 7617. */
static bool
is_password(const char *text)
{
	bytea	   *decoded = bytes_from_base64(text, strlen(text));
	const char *pair = decoded != NULL ? VARDATA_ANY(decoded) : NULL;
	const char *colon = decoded != NULL ? memchr(pair, ':', VARSIZE_ANY_EXHDR(decoded)) : NULL;

	return colon != NULL && is_token(colon + 1, VARSIZE_ANY_EXHDR(decoded) - (colon + 1 - pair));
}

/* Or may be: behind more headers than are read there could be any. */
static bool
is_forwarded(const DoorRequest *request)
{
	SignedMessage message = {.headers = request->headers, .nheaders = request->nheaders};

	if (strcmp(request->version, "HTTP/1.1") != 0 || request->nheaders >= DOOR_MAX_HEADERS)
		return true;
	for (int i = 0; forwarding_headers[i] != NULL; i++)
	{
		if (message_header(&message, forwarding_headers[i]) != NULL)
			return true;
	}
	for (int i = 0; i < request->nheaders; i++)
	{
		if (pg_strncasecmp(request->headers[i].name, FORWARDED_PREFIX, strlen(FORWARDED_PREFIX)) == 0)
			return true;
	}
	return false;
}

/* "localhost" or the number of an address, which nobody can make mean something else; and only one of them. */
static bool
names_this_machine(const DoorRequest *request)
{
	const char *host = NULL;
	size_t		len;

	for (int i = 0; i < request->nheaders; i++)
	{
		if (pg_strcasecmp(request->headers[i].name, "Host") != 0)
			continue;
		if (host != NULL)
			return false;
		host = request->headers[i].value;
	}
	if (host == NULL)
		return false;
	len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	if (len > strlen(host) || (host[len] != '\0' && host[len] != ':') ||
		strspn(host + len, ":0123456789") != strlen(host + len))
		return false;
	return (len == strlen("localhost") && pg_strncasecmp(host, "localhost", len) == 0) || is_address(host, len);
}

static bool
is_address(const char *host, size_t len)
{
	char		text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	bool		in_brackets = host[0] == '[';

	if (in_brackets)
	{
		host++;
		len -= 2;
	}
	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	return inet_pton(in_brackets ? AF_INET6 : AF_INET, text, &address) == 1;
}
