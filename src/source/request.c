/*
 * request.c
 *	  Requests, responses and URLs.
 *
 * URLs are taken apart by libcurl's own parser and by no other: two parsers
 * that disagree on where the host ends are how address checks are bypassed.
 * The query is the exception, it ends at the first "#" and begins at the first
 * "?" before that for everyone.
 *
 * libcurl's objects are malloc'd.  So they are copied with an allocation that
 * returns NULL, released, and only then is running out of memory an error.
 */
#include "postgres.h"

#include <curl/curl.h>

#include "base/compat.h"
#include "lib/stringinfo.h"
#include "source/request.h"

static char *copy_text(const char *text);
static CURLU *url_parse(const char *url);
static char *url_part(CURLU *parsed, CURLUPart part, unsigned int flags);
static char *finish_part(CURLU *parsed, char *part);
static bool copy_url(StringInfo buf, const char *url, const char *without);
static void append_encoded(StringInfo buf, const char *text);
static bool parameter_is(const char *parameter, size_t len, const char *name);
pg_noreturn static void out_of_memory(void);

/* What url_part returns instead of NULL where memory ran out, so that libcurl's objects are released first. */
static char no_memory[1];

const char *
http_header(const HttpResponse *response, const char *name)
{
	ListCell   *lc;

	foreach(lc, response->headers)
	{
		HttpHeader *header = lfirst(lc);

		if (pg_strcasecmp(header->name, name) == 0)
			return header->value;
	}
	return NULL;
}

/* CR and LF in a value would let whoever wrote it add headers or requests of their own; what frames the message is libcurl's to say. */
const char *
http_headers_problem(const HttpRequest *request)
{
	static const char token_marks[] = "!#$%&'*+-.^_`|~";
	static const char *const framing[] = {"Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Trailer"};
	ListCell   *lc;

	foreach(lc, request->headers)
	{
		const HttpHeader *header = lfirst(lc);

		if (header->name[0] == '\0')
			return "A header has an empty name.";
		for (const char *p = header->name; *p != '\0'; p++)
		{
			if (IS_HIGHBIT_SET(*p) || (!isalnum((unsigned char) *p) && strchr(token_marks, *p) == NULL))
				return "The name of a header has a character that is not allowed in it.";
		}
		for (int i = 0; i < lengthof(framing); i++)
		{
			if (pg_strcasecmp(header->name, framing[i]) == 0)
				return psprintf("The header \"%s\" cannot be set.", framing[i]);
		}
		for (const char *p = header->value; *p != '\0'; p++)
		{
			if (((unsigned char) *p < ' ' && *p != '\t') || *p == 0x7f)
				return psprintf("The value of header \"%s\" has a line break or another control character.",
								header->name);
		}
	}
	return NULL;
}

HttpRequest *
http_request_copy(const HttpRequest *request)
{
	HttpRequest *copy = palloc0(sizeof(HttpRequest));
	ListCell   *lc;

	copy->method = pstrdup(request->method);
	copy->url = pstrdup(request->url);
	foreach(lc, request->headers)
	{
		HttpHeader *header = lfirst(lc);
		HttpHeader *dup = palloc(sizeof(HttpHeader));

		dup->name = pstrdup(header->name);
		dup->value = pstrdup(header->value);
		copy->headers = lappend(copy->headers, dup);
	}
	if (request->body != NULL)
	{
		copy->body = palloc(request->body_len + 1);
		memcpy(copy->body, request->body, request->body_len);
		copy->body[request->body_len] = '\0';
		copy->body_len = request->body_len;
	}
	copy->timeout_ms = request->timeout_ms;
	if (request->signer != NULL)
	{
		copy->signer = palloc(sizeof(HttpSigner));
		copy->signer->access_key_id = pstrdup(request->signer->access_key_id);
		copy->signer->secret_access_key = pstrdup(request->signer->secret_access_key);
		copy->signer->session_token = copy_text(request->signer->session_token);
		copy->signer->region = pstrdup(request->signer->region);
		copy->signer->service = pstrdup(request->signer->service);
	}
	if (request->tls != NULL)
	{
		copy->tls = palloc(sizeof(HttpTls));
		copy->tls->certificate = copy_text(request->tls->certificate);
		copy->tls->key = copy_text(request->tls->key);
		copy->tls->ca = copy_text(request->tls->ca);
	}
	return copy;
}

/* NULL stays NULL. */
static char *
copy_text(const char *text)
{
	return text != NULL ? pstrdup(text) : NULL;
}

char *
url_add_parameter(const char *url, const char *name, const char *value, bool replace)
{
	StringInfoData buf;
	bool		has_query = copy_url(&buf, url, replace ? name : NULL);

	appendStringInfoChar(&buf, has_query ? '&' : '?');
	append_encoded(&buf, name);
	appendStringInfoChar(&buf, '=');
	append_encoded(&buf, value);
	appendStringInfoString(&buf, url + strcspn(url, "#"));
	return buf.data;
}

char *
url_remove_parameter(const char *url, const char *name)
{
	StringInfoData buf;

	(void) copy_url(&buf, url, name);
	appendStringInfoString(&buf, url + strcspn(url, "#"));
	return buf.data;
}

/* Begins buf with the URL, without its fragment and the parameters of that name (NULL: none); true where a query is left. */
static bool
copy_url(StringInfo buf, const char *url, const char *without)
{
	size_t		end = strcspn(url, "#");
	size_t		path = strcspn(url, "?#");
	bool		has_query = false;

	initStringInfo(buf);
	appendBinaryStringInfo(buf, url, path);

	/* the parameters that stay, as they were written */
	while (path < end)
	{
		const char *parameter = url + path + 1;
		size_t		len = strcspn(parameter, "&#");

		if (len > 0 && !(without != NULL && parameter_is(parameter, len, without)))
		{
			appendStringInfoChar(buf, has_query ? '&' : '?');
			appendBinaryStringInfo(buf, parameter, len);
			has_query = true;
		}
		path += 1 + len;
	}
	return has_query;
}

char *
url_without_query(const char *url)
{
	size_t		path = strcspn(url, "?#");

	return psprintf("%.*s%s", (int) path, url, url + strcspn(url, "#"));
}

char *
url_masked(const char *url)
{
	CURLU	   *parsed = url_parse(url);
	char	   *base = no_memory;
	bool		has_user,
				has_query,
				has_fragment;
	char	   *query,
			   *fragment,
			   *user,
			   *password;

	if (parsed == NULL)
		return pstrdup("(not a URL)");

	/* a part that cannot be read is masked as one that is there */
	has_user = curl_url_get(parsed, CURLUPART_USER, &user, 0) != CURLUE_NO_USER;
	if (has_user)
		curl_free(user);
	if (curl_url_get(parsed, CURLUPART_PASSWORD, &password, 0) != CURLUE_NO_PASSWORD)
	{
		has_user = true;
		curl_free(password);
	}
	has_query = curl_url_get(parsed, CURLUPART_QUERY, &query, 0) != CURLUE_NO_QUERY;
	if (has_query)
		curl_free(query);
	has_fragment = curl_url_get(parsed, CURLUPART_FRAGMENT, &fragment, 0) != CURLUE_NO_FRAGMENT;
	if (has_fragment)
		curl_free(fragment);

	if (curl_url_set(parsed, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
		curl_url_set(parsed, CURLUPART_OPTIONS, NULL, 0) == CURLUE_OK &&
		curl_url_set(parsed, CURLUPART_USER, has_user ? "***" : NULL, 0) == CURLUE_OK &&
		curl_url_set(parsed, CURLUPART_QUERY, NULL, 0) == CURLUE_OK &&
		curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK)
		base = url_part(parsed, CURLUPART_URL, 0);
	base = finish_part(parsed, base);
	if (base == NULL)
		return pstrdup("(not a URL)");
	return psprintf("%s%s%s", base, has_query ? "?***" : "", has_fragment ? "#***" : "");
}

bool
url_same_origin(const char *a, const char *b)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU	   *pa = url_parse(a);
	CURLU	   *pb = url_parse(b);
	bool		same = pa != NULL && pb != NULL;

	for (int i = 0; same && i < lengthof(parts); i++)
	{
		char	   *va = NULL;
		char	   *vb = NULL;

		same = curl_url_get(pa, parts[i], &va, CURLU_DEFAULT_PORT) == CURLUE_OK &&
			curl_url_get(pb, parts[i], &vb, CURLU_DEFAULT_PORT) == CURLUE_OK &&
			pg_strcasecmp(va, vb) == 0;
		curl_free(va);
		curl_free(vb);
	}
	curl_url_cleanup(pa);
	curl_url_cleanup(pb);
	return same;
}

const char *
url_problem(const char *url)
{
	CURLU	   *parsed = url_parse(url);
	const char *problem = NULL;
	char	   *scheme = NULL;
	char	   *host = NULL;
	char	   *user = NULL;

	if (parsed == NULL)
		return "URL is malformed or not absolute";

	if (curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		(strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
		problem = "URL is neither http nor https";
	else if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK || host[0] == '\0')
		problem = "URL has no host";
	else if (curl_url_get(parsed, CURLUPART_USER, &user, 0) != CURLUE_NO_USER ||
			 curl_url_get(parsed, CURLUPART_PASSWORD, &user, 0) != CURLUE_NO_PASSWORD)
		problem = "URL holds a user name or password";

	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	curl_url_cleanup(parsed);
	return problem;
}

char *
url_host(const char *url)
{
	CURLU	   *parsed = url_parse(url);

	if (parsed == NULL)
		return NULL;
	return finish_part(parsed, url_part(parsed, CURLUPART_HOST, 0));
}

char *
url_resolve(const char *base, const char *reference)
{
	CURLU	   *parsed = url_parse(base);

	if (parsed == NULL)
		return NULL;

	/* servers send spaces and raw UTF-8 where they should not: encoded, as browsers do */
	if (curl_url_set(parsed, CURLUPART_URL, reference, CURLU_URLENCODE | CURLU_ALLOW_SPACE) != CURLUE_OK)
	{
		curl_url_cleanup(parsed);
		return NULL;
	}
	return finish_part(parsed, url_part(parsed, CURLUPART_URL, 0));
}

/* Parses an absolute URL; NULL where it is none.  To be released with curl_url_cleanup. */
static CURLU *
url_parse(const char *url)
{
	CURLU	   *parsed = curl_url();

	if (parsed == NULL)
		out_of_memory();

	/* any scheme parses here, so that "which scheme" can be answered */
	if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
	{
		curl_url_cleanup(parsed);
		return NULL;
	}
	return parsed;
}

/* A palloc'd copy of a part; NULL where there is none, no_memory where memory ran out. */
static char *
url_part(CURLU *parsed, CURLUPart part, unsigned int flags)
{
	char	   *value;
	char	   *copy;
	size_t		size;
	CURLUcode	code = curl_url_get(parsed, part, &value, flags);

	if (code == CURLUE_OUT_OF_MEMORY)
		return no_memory;
	if (code != CURLUE_OK)
		return NULL;

	size = strlen(value) + 1;
	copy = palloc_extended(size, MCXT_ALLOC_NO_OOM);
	if (copy != NULL)
		memcpy(copy, value, size);
	curl_free(value);
	return copy != NULL ? copy : no_memory;
}

/* Releases a parsed URL and passes on what url_part gave. */
static char *
finish_part(CURLU *parsed, char *part)
{
	curl_url_cleanup(parsed);
	if (part == no_memory)
		out_of_memory();
	return part;
}

/* Percent-encodes all but the unreserved characters of RFC 3986. */
static void
append_encoded(StringInfo buf, const char *text)
{
	static const char hex[] = "0123456789ABCDEF";

	for (const unsigned char *p = (const unsigned char *) text; *p != '\0'; p++)
	{
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			*p == '-' || *p == '.' || *p == '_' || *p == '~')
			appendStringInfoChar(buf, *p);
		else
		{
			appendStringInfoChar(buf, '%');
			appendStringInfoChar(buf, hex[*p >> 4]);
			appendStringInfoChar(buf, hex[*p & 15]);
		}
	}
}

/* Is this "name=value" of a query the parameter of that (unencoded) name? */
static bool
parameter_is(const char *parameter, size_t len, const char *name)
{
	for (size_t i = 0; i < len && parameter[i] != '='; i++, name++)
	{
		unsigned char c = parameter[i];
		unsigned int decoded;

		if (c == '+')
			c = ' ';
		else if (c == '%' && i + 2 < len && isxdigit((unsigned char) parameter[i + 1]) &&
				 sscanf(parameter + i + 1, "%2x", &decoded) == 1)
		{
			c = decoded;
			i += 2;
		}
		if (c != (unsigned char) *name || *name == '\0')
			return false;
	}
	return *name == '\0';
}

static void
out_of_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("Failed to take a URL apart.")));
	pg_unreachable();
}
