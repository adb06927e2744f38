/*
 * main.c
 *	  Unit tests of the parts of src/source/ that need no server.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "backend.h"
#include "check.h"
#include "source/address.h"
#include "source/link_header.h"
#include "source/pagination.h"
#include "source/rate_bucket.h"
#include "source/rate_signals.h"
#include "source/retry.h"
#include "source/sigv4.h"
#include "utils/memutils.h"

static int	passed;
static int	failed;

void
check_at(bool ok, const char *what, const char *file, int line)
{
	ok ? passed++ : failed++;
	if (!ok)
		printf("%s, line %d: failed: %s\n", file, line, what);
}

void
check_text_at(const char *actual, const char *expected, const char *what, const char *file, int line)
{
	bool		ok = actual == NULL || expected == NULL ? actual == expected : strcmp(actual, expected) == 0;

	check_at(ok, what, file, line);
	if (!ok)
		printf("    got %s\n    not %s\n", actual ? actual : "(null)", expected ? expected : "(null)");
}

static void
test_urls(void)
{
	CHECK_TEXT(url_add_parameter("http://a/b", "x", "1", true), "http://a/b?x=1");
	CHECK_TEXT(url_add_parameter("http://a/b?x=0&y=2#f", "x", "1", true), "http://a/b?y=2&x=1#f");
	CHECK_TEXT(url_add_parameter("http://a/b?x=0", "x", "1", false), "http://a/b?x=0&x=1");
	CHECK_TEXT(url_add_parameter("http://a/b?%78=0&xx=3&x&X=1", "x", "1", true), "http://a/b?xx=3&X=1&x=1");
	CHECK_TEXT(url_add_parameter("http://a/b?page%5Bsize%5D=9&p+q=1", "page[size]", "a b&c=\xc3\xa9", true),
			   "http://a/b?p+q=1&page%5Bsize%5D=a%20b%26c%3D%C3%A9");
	CHECK_TEXT(url_add_parameter("http://a/b?p+q=1", "p q", "2", true), "http://a/b?p%20q=2");
	CHECK_TEXT(url_add_parameter("http://a/b?", "x", "", true), "http://a/b?x=");
	CHECK_TEXT(url_add_parameter("http://a/b#?x=0", "x", "1", true), "http://a/b?x=1#?x=0");

	CHECK_TEXT(url_without_query("http://a/b?c=d&e#f"), "http://a/b#f");
	CHECK_TEXT(url_without_query("http://a/b"), "http://a/b");

	CHECK_TEXT(url_masked("https://u:p@a.b:8080/c?token=1#f"), "https://***@a.b:8080/c?***#***");
	CHECK_TEXT(url_masked("https://a/c"), "https://a/c");
	CHECK_TEXT(url_masked("https://u@a/c"), "https://***@a/c");
	CHECK_TEXT(url_masked("secret"), "(not a URL)");
	CHECK_TEXT(url_masked("http://a b/secret"), "(not a URL)");

	CHECK(url_same_origin("http://a/x", "HTTP://A:80/y"));
	CHECK(url_same_origin("https://a:443/x", "https://a/"));
	CHECK(!url_same_origin("http://a/", "https://a/"));
	CHECK(!url_same_origin("http://a/", "http://a:81/"));
	CHECK(!url_same_origin("http://a/", "http://b/"));
	CHECK(!url_same_origin("http://a.com/", "http://a.com@evil.com/"));
	CHECK(!url_same_origin("a", "a"));

	CHECK_TEXT(url_resolve("http://a/b/c?d=1", "e"), "http://a/b/e");
	CHECK_TEXT(url_resolve("http://a/b/c?d=1", "?page=2"), "http://a/b/c?page=2");
	CHECK_TEXT(url_resolve("http://a/b/c", "/x/../y?z"), "http://a/y?z");
	CHECK_TEXT(url_resolve("http://a/b/c", "../y"), "http://a/y");
	CHECK_TEXT(url_resolve("https://a/b", "//c/d"), "https://c/d");
	CHECK_TEXT(url_resolve("http://a/b", "https://c/d?e=f"), "https://c/d?e=f");
	CHECK_TEXT(url_resolve("http://a/b", "/x y"), "http://a/x%20y");
	CHECK_TEXT(url_resolve("nothing", "/x"), NULL);
	CHECK_TEXT(url_resolve("http://a/b", "http://"), NULL);

	CHECK(url_problem("http://a/b?c") == NULL);
	CHECK(url_problem("https://[::1]:80/") == NULL);
	CHECK(url_problem("/b") != NULL);
	CHECK(url_problem("") != NULL);
	CHECK(url_problem("file:///etc/passwd") != NULL);
	CHECK(url_problem("gopher://a/b") != NULL);
	CHECK(url_problem("http://u@a/") != NULL);
	CHECK(url_problem("http://u:p@a/") != NULL);
	CHECK(url_problem("http://a\r\nb/") != NULL);
	CHECK_TEXT(url_host("http://0x7f.1:80/"), "127.0.0.1");
}

static void
test_link_headers(void)
{
	CHECK_TEXT(link_header_find("<http://a/2>; rel=\"next\"", "next"), "http://a/2");
	CHECK_TEXT(link_header_find("<http://a/1>; rel=prev, </2?a=b,c;d>; rel=next", "next"), "/2?a=b,c;d");
	CHECK_TEXT(link_header_find("<a>;rel=\"first last\",<b>;REL=\"prev NEXT\"", "next"), "b");
	CHECK_TEXT(link_header_find("<a>; title=\"x, <c>; rel=next\"; rel=\"prev\", <b>; rel=next", "next"), "b");
	CHECK_TEXT(link_header_find("<a>; title=\"x\\\"; rel=next\"; rel=prev", "next"), NULL);
	CHECK_TEXT(link_header_find("<a>; rel=prev; rel=next", "next"), NULL);
	CHECK_TEXT(link_header_find("<a>; rel=next; anchor=\"#x\", <b>; rel=next", "next"), "b");
	CHECK_TEXT(link_header_find(",, <a> ; results ; rel = \"next\" ,", "next"), "a");
	CHECK_TEXT(link_header_find("<a>; rel=nextish", "next"), NULL);
	CHECK_TEXT(link_header_find("<a", "next"), NULL);
	CHECK_TEXT(link_header_find("a; rel=next", "next"), NULL);
	CHECK_TEXT(link_header_find("", "next"), NULL);
	CHECK_TEXT(link_header_find("<>; rel=next", "next"), "");
	CHECK_TEXT(link_header_find("<a>; rel=\"next", "next"), "a");
	CHECK_TEXT(link_header_find("<a>; =x;;; rel=\"ne\\xt\"", "next"), "a");
}

/* The signature of a request of AWS's test suite (aws-sig-v4-test-suite), at its time. */
static const char *
signature_of(const char *method, const char *url, const char *content_type, const char *body)
{
	HttpSigner signer = {
		.access_key_id = "AKIDEXAMPLE",
		.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
		.region = "us-east-1",
		.service = "service",
	};
	HttpHeader type = {"Content-Type", (char *) content_type};
	HttpRequest request = {.method = (char *) method, .url = (char *) url, .signer = &signer};
	List	   *headers;

	if (content_type != NULL)
		request.headers = lappend(NIL, &type);
	request.body = (char *) body;
	request.body_len = body != NULL ? strlen(body) : 0;
	headers = sigv4_headers(&request, INT64CONST(1440938160));
	CHECK_TEXT(((HttpHeader *) linitial(headers))->value, "20150830T123600Z");
	return ((HttpHeader *) llast(headers))->value;
}

#define SIGNED(names, signature) \
	"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" names ", Signature=" signature

static void
test_signatures(void)
{
	/* get-vanilla, get-vanilla-query-order-key-case, get-vanilla-query-unreserved's path, post-vanilla, post-x-www-form-urlencoded */
	CHECK_TEXT(signature_of("GET", "https://example.amazonaws.com/", NULL, NULL),
			   SIGNED("host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"));
	CHECK_TEXT(signature_of("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", NULL, NULL),
			   SIGNED("host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"));
	CHECK_TEXT(signature_of("POST", "https://example.amazonaws.com/", NULL, NULL),
			   SIGNED("host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"));
	CHECK_TEXT(signature_of("POST", "https://example.amazonaws.com/", "application/x-www-form-urlencoded", "Param1=value1"),
			   SIGNED("content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"));

	/* the query is sorted and encoded before it is signed, and a port that goes without saying is not said */
	CHECK_TEXT(signature_of("GET", "https://example.amazonaws.com:443?Param1=value1&Param2=value2", NULL, NULL),
			   SIGNED("host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"));
	CHECK_TEXT(signature_of("GET", "https://example.amazonaws.com/?Param1=%76alue1&Param2=value2#x", NULL, NULL),
			   SIGNED("host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"));
}

/* May host at address be reached? */
static bool
allows(AddressGuard *guard, const char *host, const char *address)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
		return address_guard_allows(guard, host, (struct sockaddr *) &v4);
	if (inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		abort();
	return address_guard_allows(guard, host, (struct sockaddr *) &v6);
}

static void
test_addresses(void)
{
	static const char *const refused[] = {
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255",
		"127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255",
		"192.0.0.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "224.0.0.1", "239.1.1.1",
		"240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1",
		"::ffff:169.254.169.254", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1",
		"fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "100::1", "2001::1",
		"2001:db8::1", "3fff::1", "5f00::1"
	};
	static const char *const public[] = {
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
		"126.255.255.255", "128.0.0.0", "169.253.255.255", "172.15.255.255", "172.32.0.0",
		"192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1", "2001:4860::1"
	};
	AddressGuard *guard = address_guard_create("", false);
	char		many[MAXPGPATH * 4] = "";

	for (int i = 0; i < lengthof(refused); i++)
	{
		check_at(!allows(guard, "h", refused[i]), refused[i], __FILE__, __LINE__);
		check_at(!allows(address_guard_create(NULL, true), "h", refused[i]), refused[i], __FILE__, __LINE__);
	}
	for (int i = 0; i < lengthof(public); i++)
	{
		check_at(allows(guard, "h", public[i]), public[i], __FILE__, __LINE__);
		check_at(!allows(address_guard_create("other", true), "h", public[i]), public[i], __FILE__, __LINE__);
	}
	CHECK(!address_guard_allows(guard, "h", &(struct sockaddr){.sa_family = AF_UNIX}));

	guard = address_guard_create(" api.Local , *.internal.example,10.1.0.0/16,::1, fd00::/8 ,192.168.1.7", false);
	CHECK(warnings == 0);
	CHECK(allows(guard, "API.local", "10.9.9.9"));
	CHECK(allows(guard, "api.local.", "10.9.9.9"));
	CHECK(!allows(guard, "xapi.local", "10.9.9.9"));
	CHECK(allows(guard, "a.b.Internal.example", "127.0.0.1"));
	CHECK(!allows(guard, "internal.example", "127.0.0.1"));
	CHECK(!allows(guard, "xinternal.example", "127.0.0.1"));
	CHECK(!allows(guard, ".internal.example", "127.0.0.1"));
	CHECK(allows(guard, "h", "10.1.2.3"));
	CHECK(!allows(guard, "h", "10.2.2.3"));
	CHECK(allows(guard, "h", "::ffff:10.1.2.3"));
	CHECK(allows(guard, "h", "::1"));
	CHECK(allows(guard, "h", "fd12::1"));
	CHECK(!allows(guard, "h", "fc12::1"));
	CHECK(allows(guard, "h", "192.168.1.7"));
	CHECK(!allows(guard, "h", "192.168.1.8"));
	CHECK(allows(guard, "h", "8.8.8.8"));

	CHECK(!address_guard_allows_by_proxy(guard, "localhost"));
	CHECK(!address_guard_allows_by_proxy(guard, "x.LOCALHOST."));
	CHECK(!address_guard_allows_by_proxy(guard, "127.0.0.1"));
	CHECK(!address_guard_allows_by_proxy(guard, "[fe80::1]"));
	CHECK(address_guard_allows_by_proxy(guard, "[::1]"));
	CHECK(address_guard_allows_by_proxy(guard, "example.com"));
	CHECK(address_guard_allows_by_proxy(guard, "8.8.8.8"));
	CHECK(!address_guard_allows_by_proxy(address_guard_create("a.b", true), "example.com"));
	CHECK(address_guard_allows_by_proxy(address_guard_create("a.b", true), "a.b"));

	/* what is not understood allows nothing, and says so */
	guard = address_guard_create("http://a/,a:80,10.0.0.0/33,10.0.0.0/,*,*.,.a,10.0.0.0/8x,,", false);
	CHECK(warnings == 8);
	CHECK(!allows(guard, "a", "10.0.0.1"));

	for (int i = 0; i < 2000; i++)
		strcat(many, "a,");
	warnings = 0;
	address_guard_create(many, false);
	CHECK(warnings == 1);
}

static HttpResponse *
response_with(const char *name, const char *value)
{
	HttpResponse *response = palloc0(sizeof(HttpResponse));
	HttpHeader *header = palloc0(sizeof(HttpHeader));

	header->name = pstrdup(name);
	header->value = pstrdup(value);
	response->headers = lappend(NIL, header);
	return response;
}

static void
test_retry(void)
{
	int			statuses[] = {429, 500, 503};
	JobRetry	retry = {.attempts = 5, .delay_ms = 1000, .max_delay_ms = 60000,
		.nstatuses = lengthof(statuses), .statuses = statuses};
	HttpResponse *response = response_with("retry-after", "7");
	HttpHeader	date = {"Date", "Wed, 21 Oct 2015 07:27:30 GMT"};

	CHECK(retry_after(response, "Retry-After", 0) == 7000);
	CHECK(retry_after(response_with("Retry-After", "1.5"), "Retry-After", 0) == 1500);
	CHECK(retry_after(response_with("Retry-After", "99999999999999999999"), "Retry-After", 0) == INT64CONST(1000000000000));
	CHECK(retry_after(response_with("Retry-After", "-5"), "Retry-After", 0) <= 0);
	CHECK(retry_after(response_with("Retry-After", "soon"), "Retry-After", 0) == -1);
	CHECK(retry_after(response_with("Retry-After", ""), "Retry-After", 0) == -1);
	CHECK(retry_after(response_with("X", "1"), "Retry-After", 0) == -1);
	CHECK(retry_after(response_with("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"), "Retry-After", 1445412470) == 10000);
	CHECK(retry_after(response_with("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"), "Retry-After", 1445412490) == 0);
	response = response_with("Retry-After", "Wednesday, 21-Oct-15 07:28:00 GMT");
	response->headers = lappend(response->headers, &date);
	CHECK(retry_after(response, "Retry-After", 0) == 30000);

	retry.backoff = BACKOFF_FIXED;
	CHECK(retry_delay(&retry, 4, 0.5) == 1000);
	retry.backoff = BACKOFF_LINEAR;
	CHECK(retry_delay(&retry, 4, 0.5) == 4000);
	CHECK(retry_delay(&retry, 400, 0.5) == 60000);
	retry.backoff = BACKOFF_EXPONENTIAL;
	CHECK(retry_delay(&retry, 1, 0.5) == 500);
	CHECK(retry_delay(&retry, 4, 0.999999) == 7999);
	CHECK(retry_delay(&retry, 4, 0) == 0);
	CHECK(retry_delay(&retry, 2000000000, 0.5) == 30000);

	response = response_with("X", "1");
	response->status = 500;
	CHECK(retry_status(&retry, "GET", response));
	CHECK(retry_status(&retry, "PUT", response));
	CHECK(!retry_status(&retry, "POST", response));
	response->status = 503;
	CHECK(!retry_status(&retry, "PATCH", response));
	response->status = 429;
	CHECK(retry_status(&retry, "POST", response));
	response->status = 404;
	CHECK(!retry_status(&retry, "GET", response));
	response = response_with("Retry-After", "1");
	response->status = 503;
	CHECK(retry_status(&retry, "POST", response));
	CHECK(retry_network_failure(&retry, "GET", true));
	CHECK(!retry_network_failure(&retry, "POST", true));
	CHECK(retry_network_failure(&retry, "POST", false));

	/* a budget bounds all waiting; what the server asks for is waited for whole or not at all */
	CHECK(retry_delay_within(&retry, 5000, -1, 1000000) == 5000);
	CHECK(retry_delay_within(&retry, 5000, 7000, 0) == 7000);
	retry.budget_ms = 10000;
	CHECK(retry_delay_within(&retry, 5000, -1, 0) == 5000);
	CHECK(retry_delay_within(&retry, 5000, -1, 8000) == 2000);
	CHECK(retry_delay_within(&retry, 5000, 3000, 8000) == -1);
	CHECK(retry_delay_within(&retry, 5000, -1, 10000) == -1);

	retry.idempotent = true;
	response = response_with("X", "1");
	response->status = 500;
	CHECK(retry_status(&retry, "POST", response));
	CHECK(retry_network_failure(&retry, "POST", true));
}

/* A fake clock in steps of a millisecond: of any window no more than rate * window + burst. */
static void
test_bucket(void)
{
	RateBucket	bucket = {0};
	RatePace	pace = {.interval_us = 100000, .burst = 3};
	int64		sent[1000];
	int			n = 0;
	bool		ok = true;
	int64		now;
	int64		wait;

	CHECK(rate_bucket_take(&bucket, &pace, 1000000) == 0);	/* the first request at once */
	bucket = (RateBucket){0};
	for (now = 1000000; now < 11000000; now += 1000)
	{
		if (now > 4000000 && now < 6000000)
			continue;			/* a silence fills the bucket, and no more than that */
		wait = rate_bucket_take(&bucket, &pace, now);
		if (wait == 0)
			sent[n++] = now;
		CHECK(wait >= 0 && wait <= pace.interval_us);
	}
	for (int i = 0; i < n; i++)
	{
		for (int j = i; j < n; j++)
			ok = ok && (j - i + 1 - pace.burst) * pace.interval_us <= sent[j] - sent[i];
	}
	CHECK(ok);
	CHECK(n >= 80);

	/* paused */
	rate_bucket_pause(&bucket, now + 7000000);
	rate_bucket_pause(&bucket, now + 5000000);
	CHECK(rate_bucket_take(&bucket, &pace, now) == 7000000);
	CHECK(rate_bucket_take(&bucket, &pace, now + 7000000) == 0);

	/* a complaint halves the rate, once for all that were in flight; good answers bring it back */
	now += 20000000;
	rate_bucket_slow_down(&bucket, &pace, now);
	rate_bucket_slow_down(&bucket, &pace, now + 1000);
	CHECK(bucket.slow_us == 200000);
	CHECK(rate_bucket_take(&bucket, &pace, now) == 200000);
	CHECK(rate_bucket_take(&bucket, &pace, now + 200000) == 0);
	CHECK(rate_bucket_take(&bucket, &pace, now + 200000) == 200000);
	rate_bucket_slow_down(&bucket, &pace, now + 2000000);
	CHECK(bucket.slow_us == 400000);
	for (int i = 0; i < 40; i++)
		rate_bucket_speed_up(&bucket, &pace);
	CHECK(bucket.slow_us == 0);

	/* without a stated rate: half of what was seen */
	bucket = (RateBucket){0};
	pace = (RatePace){.burst = 1};
	for (now = 1000000; now < 2000000; now += 50000)
		CHECK(rate_bucket_take(&bucket, &pace, now) == 0);
	rate_bucket_slow_down(&bucket, &pace, now);
	CHECK(bucket.slow_us == 100000);
	for (int i = 0; i < 200; i++)
		rate_bucket_speed_up(&bucket, &pace);
	CHECK(rate_bucket_take(&bucket, &pace, now + 200000) == 0 && rate_bucket_take(&bucket, &pace, now + 200000) == 0);
}

static int64
pause_of(JobRateLimit *limit, int status, const char *name, const char *value)
{
	HttpResponse *response = response_with(name, value);
	HttpHeader	left = {"left", "0"};
	RateSignals signals;

	response->status = status;
	response->headers = lappend(response->headers, &left);
	rate_signals_read(limit, response, -1, 1700000000, &signals);
	return signals.pause_ms;
}

static void
test_signals(void)
{
	JobRateLimit limit = {.remaining_header = "Left", .reset_header = "Reset", .ratio_header = "Ratio"};
	JobRateLimit ratio = {.ratio_header = "Ratio"};
	RateSignals signals;

	CHECK(pause_of(&limit, 200, "reset", "30") == 30000);
	CHECK(pause_of(&limit, 200, "reset", "1700000030") == 30000);
	CHECK(pause_of(&limit, 200, "reset", "1700000030500") == 30500);
	CHECK(pause_of(&limit, 200, "reset", "Tue, 14 Nov 2023 22:13:50 GMT") == 30000);
	CHECK(pause_of(&limit, 200, "reset", "1600000000") == 0);
	CHECK(pause_of(&limit, 200, "reset", "soon") == 1000);
	CHECK(pause_of(&limit, 200, "x", "y") == 1000);
	limit.wait_ms = 5000;
	CHECK(pause_of(&limit, 200, "x", "y") == 5000);
	limit.reset_is = RATE_RESET_IS_TIME;
	CHECK(pause_of(&limit, 200, "reset", "30") == 0);
	limit.reset_is = RATE_RESET_IS_DELAY;
	CHECK(pause_of(&limit, 200, "reset", "1700000030") > INT64CONST(1000000000));

	CHECK(pause_of(&ratio, 200, "ratio", "35/40") == -1);
	CHECK(pause_of(&ratio, 200, "ratio", "36/40") == 200);
	CHECK(pause_of(&ratio, 200, "ratio", "38/40") > 1000);
	CHECK(pause_of(&ratio, 200, "ratio", "41/40") == 2000);
	CHECK(pause_of(&ratio, 200, "ratio", "40/0") == -1);
	CHECK(pause_of(&ratio, 200, "ratio", "nan/40") == -1);
	CHECK(pause_of(NULL, 429, "Retry-After", "7") == 7000);
	CHECK(pause_of(NULL, 500, "Retry-After", "7") == -1);

	rate_signals_read(NULL, response_with("Retry-After", "7"), -1, 0, &signals);
	CHECK(signals.wait_ms == -1 && !signals.complains);	/* of a success: the body is there */
	CHECK(rate_signals_seconds("1.5") == 1500);
	CHECK(rate_signals_seconds("-1") == -1);
	CHECK(rate_signals_seconds("0x10") == -1);
	CHECK(rate_signals_seconds("") == -1);
}

/* A path of keys and indexes: "a.0.b". */
static JsonPath *
path(const char *text)
{
	JsonPath   *result = palloc0(sizeof(JsonPath));
	char	   *rest = pstrdup(text);
	char	   *word;

	result->steps = palloc0(10 * sizeof(JsonPathStep));
	while ((word = strsep(&rest, ".")) != NULL)
	{
		JsonPathStep *step = &result->steps[result->nsteps++];

		if (strcmp(word, "*") == 0)
			step->kind = PATH_ALL;
		else if (word[strspn(word, "-0123456789")] == '\0')
		{
			step->kind = PATH_INDEX;
			step->index = atoi(word);
		}
		else
		{
			step->kind = PATH_KEY;
			step->key = word;
			step->keylen = strlen(word);
		}
	}
	return result;
}

static HttpRequest base = {.method = "GET", .url = "http://a/items?limit=7&f=1", .timeout_ms = 1};

static PagerStatus
advance(Pager *pager, int64 nitems, const char *envelope, HttpResponse *response)
{
	HttpResponse none = {.status = 200};
	PageResult	result = {.response = response ? response : &none, .envelope = envelope,
		.envelope_len = envelope ? strlen(envelope) : 0, .nitems = nitems};

	return pager_advance(pager, &result);
}

static const char *
error_of(Pager *pager)
{
	const char *hint;

	return pager_error(pager, &hint);
}

static void
test_offset(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_OFFSET, .limit = 2, .send_limit = true,
		.offset_param = "offset", .limit_param = "limit", .max_pages = 3};
	Pager	   *pager = pager_create(&p, &base, NULL, context);

	CHECK(!pagination_needs_envelope(&p));
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?f=1&offset=0&limit=2");
	CHECK(advance(pager, 2, NULL, NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?f=1&offset=2&limit=2");
	CHECK_TEXT(pager_state(pager), "{\"page\":2,\"offset\":2}");
	CHECK(advance(pager_create(&p, &base, pager_state(pager), context), 1, NULL, NULL) == PAGER_DONE);
	CHECK_TEXT(pager_request(pager_create(&p, &base, pager_state(pager), context))->url,
			   "http://a/items?f=1&offset=2&limit=2");
	CHECK(advance(pager, 2, NULL, NULL) == PAGER_NEXT);
	CHECK(pager_page_number(pager) == 3);
	CHECK(advance(pager, 2, NULL, NULL) == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "page limit reached: there are more than 3 pages");

	pager = pager_create(&p, &base, NULL, context);
	CHECK(advance(pager, 0, NULL, NULL) == PAGER_DONE);
	pager = pager_create(&p, &base, NULL, context);
	CHECK(advance(pager, 1, NULL, NULL) == PAGER_DONE);

	/* a total makes short pages no end */
	p.total_path = path("meta.total");
	p.max_pages = 100;
	pager = pager_create(&p, &base, NULL, context);
	CHECK(pagination_needs_envelope(&p));
	CHECK(pager_total_items(pager) == -1);
	CHECK(advance(pager, 1, "{\"meta\":{\"total\":3}}", NULL) == PAGER_NEXT);
	CHECK(pager_total_items(pager) == 3);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?f=1&offset=1&limit=2");
	CHECK(advance(pager, 2, "{\"meta\":{\"total\":\"3\"}}", NULL) == PAGER_DONE);
	pager = pager_create(&p, &base, NULL, context);
	CHECK(advance(pager, 2, "{}", NULL) == PAGER_NEXT);
	CHECK(advance(pager, 1, "{}", NULL) == PAGER_DONE);
	pager = pager_create(&p, &base, NULL, context);
	CHECK(advance(pager, 2, NULL, NULL) == PAGER_FAILED);
	CHECK(advance(pager, 2, "{", NULL) == PAGER_FAILED);

	p.drop_other_query = true;
	p.total_path = NULL;
	pager = pager_create(&p, &base, NULL, context);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?f=1&offset=0&limit=2");
	CHECK(advance(pager, 2, NULL, NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?offset=2&limit=2");
}

static void
test_page(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_PAGE, .limit = 2, .page_param = "page", .start_page = 0, .max_pages = 100};
	Pager	   *pager = pager_create(&p, &base, NULL, context);

	CHECK_TEXT(pager_request(pager)->url, "http://a/items?limit=7&f=1&page=0");
	CHECK(advance(pager, 1, NULL, NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?limit=7&f=1&page=1");
	CHECK_TEXT(pager_request(pager_create(&p, &base, pager_state(pager), context))->url,
			   "http://a/items?limit=7&f=1&page=1");
	CHECK(advance(pager, 0, NULL, NULL) == PAGER_DONE);

	p.start_page = 1;
	p.send_limit = true;
	p.limit_param = "limit";
	pager = pager_create(&p, &base, NULL, context);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?f=1&page=1&limit=2");
	CHECK(advance(pager, 2, NULL, NULL) == PAGER_NEXT);
	CHECK(advance(pager, 1, NULL, NULL) == PAGER_DONE);

	p.total_pages_path = path("0.pages");
	pager = pager_create(&p, &base, NULL, context);
	CHECK(advance(pager, 1, "[{\"pages\":2}]", NULL) == PAGER_NEXT);
	CHECK(advance(pager, 2, "[{\"pages\":2}]", NULL) == PAGER_DONE);
}

static void
test_cursor(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_CURSOR, .cursor_path = path("meta.next"), .cursor_param = "cursor",
		.max_pages = 100, .limit = 5};
	HttpRequest post = base;
	Pager	   *pager = pager_create(&p, &base, NULL, context);
	char	   *state;

	CHECK_TEXT(pager_request(pager)->url, "http://a/items?limit=7&f=1");
	CHECK(advance(pager, 0, "{\"meta\":{\"next\":\"a/b=\"}}", NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?limit=7&f=1&cursor=a%2Fb%3D");
	state = pager_state(pager);
	CHECK_TEXT(state, "{\"page\":2,\"cursor\":\"a/b=\"}");
	CHECK_TEXT(pager_request(pager_create(&p, &base, state, context))->url,
			   "http://a/items?limit=7&f=1&cursor=a%2Fb%3D");
	CHECK(advance(pager_create(&p, &base, state, context), 1, "{\"meta\":{\"next\":\"a/b=\"}}", NULL) == PAGER_FAILED);
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":12345678901234567890}}", NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?limit=7&f=1&cursor=12345678901234567890");
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":\"a/b=\"}}", NULL) == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "the source gave the same cursor twice, after page 3");

	pager = pager_create(&p, &base, NULL, context);
	CHECK(advance(pager, 1, "{}", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":null}}", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":\"\"}}", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "{\"meta\":[]}", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":{}}}", NULL) == PAGER_FAILED);
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":true}}", NULL) == PAGER_FAILED);
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":\"a\\u0000b\"}}", NULL) == PAGER_FAILED);

	p.has_more_path = path("more");
	CHECK(advance(pager, 1, "{\"more\":false,\"meta\":{\"next\":\"x\"}}", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "{\"more\":\"false\",\"meta\":{\"next\":\"x\"}}", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "{\"more\":true}", NULL) == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "the source says that there are more pages but gives no next cursor");
	CHECK(advance(pager, 1, "{\"more\":true,\"meta\":{\"next\":\"x\"}}", NULL) == PAGER_NEXT);
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":\"y\"}}", NULL) == PAGER_NEXT);
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":null},\"more\":null}", NULL) == PAGER_DONE);

	/* in the body */
	p.has_more_path = NULL;
	p.cursor_place = CURSOR_IN_BODY;
	p.cursor_param = "page.after";
	p.limit_param = "size";
	p.send_limit = true;
	post.body = "{\"q\":1.10,\"page\":{\"k\":true}}";
	post.body_len = strlen(post.body);
	pager = pager_create(&p, &post, NULL, context);
	CHECK_TEXT(pager_request(pager)->body, "{\"q\":1.10,\"page\":{\"k\":true},\"size\":5}");
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":\"x/y\"}}", NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->body, "{\"q\":1.10,\"page\":{\"k\":true,\"after\":\"x/y\"},\"size\":5}");
	CHECK(advance(pager, 1, "{\"meta\":{\"next\":17.50}}", NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->body, "{\"q\":1.10,\"page\":{\"k\":true,\"after\":17.50},\"size\":5}");
	CHECK_TEXT(pager_request(pager_create(&p, &post, pager_state(pager), context))->body,
			   "{\"q\":1.10,\"page\":{\"k\":true,\"after\":17.50},\"size\":5}");
	CHECK(pager_request(pager)->body_len == strlen(pager_request(pager)->body));
	pager = pager_create(&p, &base, "{\"page\":2,\"cursor\":\"x\"}", context);
	CHECK_TEXT(pager_request(pager)->body, "{\"page\":{\"after\":\"x\"},\"size\":5}");
	post.body = "[1]";
	post.body_len = 3;
	if (sigsetjmp(error_jump, 0) == 0)
	{
		pager_create(&p, &post, NULL, context);
		CHECK(!"an array took a cursor");
	}
	else
		CHECK(true);
	if (sigsetjmp(error_jump, 0) == 0)
	{
		pager_create(&p, &base, "{\"page\":0}", context);
		CHECK(!"a damaged state was taken");
	}
	else
		CHECK(true);

	/* from a header, to a header */
	p.cursor_place = CURSOR_IN_HEADER;
	p.cursor_param = "X-Cursor";
	p.cursor_path = NULL;
	p.cursor_header = "x-next";
	p.send_limit = false;
	pager = pager_create(&p, &base, NULL, context);
	CHECK(pager_request(pager)->headers == NIL);
	CHECK(advance(pager, 1, NULL, response_with("X-Next", "c1")) == PAGER_NEXT);
	CHECK_TEXT(((HttpHeader *) linitial(pager_request(pager)->headers))->value, "c1");
	CHECK(advance(pager, 1, NULL, response_with("X-Other", "c1")) == PAGER_DONE);
}

static void
test_urls_of_pages(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_LINK, .max_pages = 100};
	Pager	   *pager = pager_create(&p, &base, NULL, context);
	HttpResponse *response;
	HttpHeader	link = {"Link", "<?page=3>; rel=next"};

	CHECK_TEXT(pager_request(pager)->url, base.url);
	response = response_with("link", "</items?page=2>; rel=\"next\", <x>; rel=last");
	response->url = base.url;
	CHECK(advance(pager, 1, NULL, response) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?page=2");
	CHECK_TEXT(pager_state(pager), "{\"page\":2,\"offset\":1,\"url\":\"http://a/items?page=2\"}");
	response = response_with("link", "<x>; rel=last");
	response->headers = lappend(response->headers, &link);
	CHECK(advance(pager, 1, NULL, response) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?page=3");
	CHECK(advance(pager, 1, NULL, response_with("link", "</items?page=2>; rel=next")) == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "the source gave the same URL twice, after page 3");
	CHECK(advance(pager, 1, NULL, response_with("link", "<items?limit=7&f=1>; rel=next")) == PAGER_FAILED);
	CHECK(advance(pager, 1, NULL, response_with("link", "<http://evil/?s=1>; rel=next")) == PAGER_FAILED);
	CHECK_TEXT(error_of(pager), "the URL of the next page leads to another origin: http://evil/?***");
	CHECK(advance(pager, 1, NULL, response_with("link", "<https://a/>; rel=next")) == PAGER_FAILED);
	CHECK(advance(pager, 1, NULL, response_with("link", "<file:///etc/passwd>; rel=next")) == PAGER_FAILED);
	CHECK(advance(pager, 1, NULL, response_with("link", "<http://u:p@a/>; rel=next")) == PAGER_FAILED);
	CHECK(advance(pager, 1, NULL, response_with("link", "<x>; rel=prev")) == PAGER_DONE);
	CHECK(advance(pager, 1, NULL, NULL) == PAGER_DONE);

	p.type = PAGINATION_NEXT_URL;
	p.next_url_path = path("links.-1.next");
	pager = pager_create(&p, &base, NULL, context);
	CHECK(advance(pager, 0, "{\"links\":[1,{\"next\":\"/items?after=x\"}]}", NULL) == PAGER_NEXT);
	CHECK_TEXT(pager_request(pager)->url, "http://a/items?after=x");
	CHECK_TEXT(pager_request(pager_create(&p, &base, pager_state(pager), context))->url, "http://a/items?after=x");
	CHECK(advance(pager, 1, "{\"links\":[{\"next\":null}]}", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "{\"links\":[{\"next\":false}]}", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "{\"links\":[]}", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "[]", NULL) == PAGER_DONE);
	CHECK(advance(pager, 1, "{\"links\":[{\"next\":[]}]}", NULL) == PAGER_FAILED);
	p.next_url_path = path("links.*.next");
	CHECK(advance(pager, 1, "{\"links\":[{\"next\":\"/x\"}]}", NULL) == PAGER_FAILED);

	p.type = PAGINATION_NONE;
	p.next_url_path = NULL;
	pager = pager_create(&p, &base, NULL, context);
	CHECK_TEXT(pager_request(pager)->url, base.url);
	CHECK(advance(pager, 100, NULL, NULL) == PAGER_DONE);
}

/* Ten thousand cursors, and the first of them again. */
static void
test_many_pages(MemoryContext context)
{
	JobPagination p = {.type = PAGINATION_CURSOR, .cursor_path = path("c"), .cursor_param = "c", .max_pages = 20000};
	Pager	   *pager = pager_create(&p, &base, NULL, context);
	bool		ok = true;

	for (int i = 0; i < 10000; i++)
		ok = ok && advance(pager, 1, psprintf("{\"c\":%d}", i), NULL) == PAGER_NEXT;
	CHECK(ok);
	CHECK(advance(pager, 1, "{\"c\":\"0\"}", NULL) == PAGER_FAILED);
}

int
main(void)
{
	MemoryContext context = AllocSetContextCreate(NULL, "test", ALLOCSET_DEFAULT_SIZES);

	if (sigsetjmp(error_jump, 0) != 0)
	{
		printf("an unexpected ERROR was raised\n%d passed, %d failed\n", passed, failed + 1);
		return 1;
	}
	test_urls();
	test_link_headers();
	test_signatures();
	test_addresses();
	test_retry();
	test_bucket();
	test_signals();
	test_offset(context);
	test_page(context);
	test_urls_of_pages(context);
	test_many_pages(context);
	test_pagers(context);
	test_codings();
	test_parts(context);
	test_cursor(context);		/* last: it moves error_jump */

	MemoryContextDelete(context);
	printf("%d passed, %d failed\n", passed, failed);
	return failed > 0;
}
