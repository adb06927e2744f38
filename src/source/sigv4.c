/*
 * sigv4.c
 *	  AWS Signature Version 4, as "Create a signed AWS API request" of the AWS
 *	  General Reference describes it.
 *
 * libcurl's own signs the query as it is written, neither sorted nor encoded
 * anew, in the versions that are still in use.  Signed are the host,
 * Content-Type and all x-amz- headers: what a proxy may change is left out.
 */
#include "postgres.h"

#include <time.h>

#include "base/digest.h"
#include "lib/stringinfo.h"
#include "source/sigv4.h"

typedef struct Parameter
{
	char	   *name;			/* encoded */
	char	   *value;
} Parameter;

static char *canonical_request(const HttpRequest *request, List *added, const char *payload, char **signed_names);
static void append_path(StringInfo buf, const char *url, bool encode);
static void append_query(StringInfo buf, const char *url);
static Parameter read_parameter(const char *text, size_t len);
static int	compare_parameters(const void *a, const void *b);
static void append_encoded(StringInfo buf, const char *text, size_t len, bool decode);
static char *host_of(const char *url);
static bool is_signed(const char *name);
static const char *find_header(const List *headers, const char *name);
static void add_header(List **headers, const char *name, char *value);
static char *lower_case(const char *name);
static char *trimmed(const char *value);
static int	compare_names(const void *a, const void *b);
static char *sha256_hex(const void *data, size_t len);

List *
sigv4_headers(const HttpRequest *request, int64 now)
{
	const HttpSigner *signer = request->signer;
	time_t		seconds = (time_t) now;
	struct tm	utc;
	char		stamp[32];
	char		date[16];
	List	   *headers = NIL;
	char	   *payload = sha256_hex(request->body != NULL ? request->body : "", request->body_len);
	char	   *scope;
	char	   *names;
	char	   *canonical;
	char	   *to_sign;
	char	   *secret = psprintf("AWS4%s", signer->secret_access_key);
	uint8		key[DIGEST_BYTES];
	uint8		signature[DIGEST_BYTES];

	gmtime_r(&seconds, &utc);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
	strftime(date, sizeof(date), "%Y%m%d", &utc);

	add_header(&headers, "X-Amz-Date", pstrdup(stamp));
	if (signer->session_token != NULL)
		add_header(&headers, "X-Amz-Security-Token", pstrdup(signer->session_token));
	if (strcmp(signer->service, "s3") == 0)
		add_header(&headers, "X-Amz-Content-Sha256", payload);

	canonical = canonical_request(request, headers, payload, &names);
	scope = psprintf("%s/%s/%s/aws4_request", date, signer->region, signer->service);
	to_sign = psprintf("AWS4-HMAC-SHA256\n%s\n%s\n%s", stamp, scope, sha256_hex(canonical, strlen(canonical)));

	digest_hmac(secret, strlen(secret), date, strlen(date), key);
	digest_hmac(key, sizeof(key), signer->region, strlen(signer->region), signature);
	digest_hmac(signature, sizeof(signature), signer->service, strlen(signer->service), key);
	digest_hmac(key, sizeof(key), "aws4_request", strlen("aws4_request"), signature);
	digest_hmac(signature, sizeof(signature), to_sign, strlen(to_sign), key);

	add_header(&headers, "Authorization",
			   psprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
						signer->access_key_id, scope, names, digest_hex(key)));
	return headers;
}

/* Method, path, query, headers, their names, payload, as a text whose digest is signed. */
static char *
canonical_request(const HttpRequest *request, List *added, const char *payload, char **signed_names)
{
	StringInfoData buf;
	StringInfoData names;
	char	  **sorted = palloc((list_length(request->headers) + list_length(added) + 1) * sizeof(char *));
	int			n = 0;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s\n", request->method);
	append_path(&buf, request->url, strcmp(request->signer->service, "s3") != 0);
	appendStringInfoChar(&buf, '\n');
	append_query(&buf, request->url);
	appendStringInfoChar(&buf, '\n');

	/* what is added here stands for a header of that name that the user has given */
	sorted[n++] = pstrdup("host");
	foreach(lc, request->headers)
	{
		const HttpHeader *header = lfirst(lc);

		if (is_signed(header->name) && find_header(added, header->name) == NULL)
			sorted[n++] = lower_case(header->name);
	}
	foreach(lc, added)
		sorted[n++] = lower_case(((const HttpHeader *) lfirst(lc))->name);
	qsort(sorted, n, sizeof(char *), compare_names);

	initStringInfo(&names);
	for (int i = 0; i < n; i++)
	{
		const char *value = find_header(added, sorted[i]);

		if (i > 0 && strcmp(sorted[i], sorted[i - 1]) == 0)
			continue;
		if (value == NULL)
			value = find_header(request->headers, sorted[i]);
		if (value == NULL)
			value = host_of(request->url);
		appendStringInfo(&buf, "%s:%s\n", sorted[i], trimmed(value));
		appendStringInfo(&names, "%s%s", i > 0 ? ";" : "", sorted[i]);
	}
	appendStringInfo(&buf, "\n%s\n%s", names.data, payload);
	*signed_names = names.data;
	return buf.data;
}

/* The path as it is sent; all services but S3 want it encoded once more. */
static void
append_path(StringInfo buf, const char *url, bool encode)
{
	const char *host = strstr(url, "://");
	const char *path = host != NULL ? host + 3 + strcspn(host + 3, "/?#") : url;
	size_t		len = strcspn(path, "?#");

	if (len == 0)
		appendStringInfoChar(buf, '/');
	else if (!encode)
		appendBinaryStringInfo(buf, path, len);
	else
	{
		for (size_t i = 0; i < len;)
		{
			size_t		segment = 0;

			while (i + segment < len && path[i + segment] != '/')
				segment++;
			append_encoded(buf, path + i, segment, false);
			i += segment;
			if (i < len)
				appendStringInfoChar(buf, '/');
			while (i < len && path[i] == '/')	/* empty segments count for nothing */
				i++;
		}
	}
}

/* The parameters, encoded in the one right way and sorted. */
static void
append_query(StringInfo buf, const char *url)
{
	size_t		at = strcspn(url, "?#");
	size_t		end = strcspn(url, "#");
	Parameter  *parameters = palloc((end - at + 1) * sizeof(Parameter));
	int			n = 0;

	while (at < end)
	{
		size_t		len = strcspn(url + at + 1, "&#");

		if (len > 0)
			parameters[n++] = read_parameter(url + at + 1, len);
		at += 1 + len;
	}
	qsort(parameters, n, sizeof(Parameter), compare_parameters);
	for (int i = 0; i < n; i++)
		appendStringInfo(buf, "%s%s=%s", i > 0 ? "&" : "", parameters[i].name, parameters[i].value);
}

/* "name=value" or "name". */
static Parameter
read_parameter(const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	size_t		name_len = equals != NULL ? equals - text : len;
	StringInfoData name;
	StringInfoData value;

	initStringInfo(&name);
	initStringInfo(&value);
	append_encoded(&name, text, name_len, true);
	if (equals != NULL)
		append_encoded(&value, equals + 1, len - name_len - 1, true);
	return (Parameter){name.data, value.data};
}

static int
compare_parameters(const void *a, const void *b)
{
	const Parameter *pa = a;
	const Parameter *pb = b;
	int			order = strcmp(pa->name, pb->name);

	return order != 0 ? order : strcmp(pa->value, pb->value);
}

/* Percent-encodes all but the unreserved characters of RFC 3986; decode: what is encoded already is not encoded again. */
static void
append_encoded(StringInfo buf, const char *text, size_t len, bool decode)
{
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = text[i];
		unsigned int decoded;

		if (decode && c == '+')
			c = ' ';
		else if (decode && c == '%' && i + 2 < len && isxdigit((unsigned char) text[i + 1]) &&
				 sscanf(text + i + 1, "%2x", &decoded) == 1)
		{
			c = decoded;
			i += 2;
		}
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '.' || c == '_' || c == '~')
			appendStringInfoChar(buf, c);
		else
			appendStringInfo(buf, "%%%02X", c);
	}
}

/* The value of the Host header that libcurl will send: the port is in it where it is not the scheme's. */
static char *
host_of(const char *url)
{
	const char *begin = strstr(url, "://");
	size_t		len;
	char	   *host;
	bool		https = pg_strncasecmp(url, "https:", 6) == 0;

	begin = begin != NULL ? begin + 3 : url;
	len = strcspn(begin, "/?#");
	host = pnstrdup(begin, len);
	if (https && len > 4 && strcmp(host + len - 4, ":443") == 0)
		host[len - 4] = '\0';
	else if (!https && len > 3 && strcmp(host + len - 3, ":80") == 0)
		host[len - 3] = '\0';
	return host;
}

static bool
is_signed(const char *name)
{
	return pg_strcasecmp(name, "Content-Type") == 0 || pg_strncasecmp(name, "x-amz-", 6) == 0;
}

static const char *
find_header(const List *headers, const char *name)
{
	ListCell   *lc;

	foreach(lc, headers)
	{
		const HttpHeader *header = lfirst(lc);

		if (pg_strcasecmp(header->name, name) == 0)
			return header->value;
	}
	return NULL;
}

static void
add_header(List **headers, const char *name, char *value)
{
	HttpHeader *header = palloc(sizeof(HttpHeader));

	header->name = pstrdup(name);
	header->value = value;
	*headers = lappend(*headers, header);
}

static char *
lower_case(const char *name)
{
	char	   *copy = pstrdup(name);

	for (char *c = copy; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	return copy;
}

/* Without blanks at both ends, and with one for several in between. */
static char *
trimmed(const char *value)
{
	char	   *copy = palloc(strlen(value) + 1);
	size_t		len = 0;

	for (; *value != '\0'; value++)
	{
		bool		blank = *value == ' ' || *value == '\t';

		if (!blank || (len > 0 && copy[len - 1] != ' '))
			copy[len++] = blank ? ' ' : *value;
	}
	while (len > 0 && copy[len - 1] == ' ')
		len--;
	copy[len] = '\0';
	return copy;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static char *
sha256_hex(const void *data, size_t len)
{
	uint8		digest[DIGEST_BYTES];

	digest_sha256(data, len, digest);
	return digest_hex(digest);
}
