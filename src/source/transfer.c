/*
 * transfer.c
 *	  One request over the wire and its response, without second tries.
 *
 * The body goes through a ring of fixed size.  When the ring is full the write
 * callback pauses the transfer, and TCP makes the server wait.  It is decoded when
 * it is read; so a response of any size, or one that decompresses to any size,
 * needs the memory of the ring and of the decoder.
 *
 * Time.  The whole request has a budget and a stalled response is given up, but
 * only time that was spent waiting for the network counts: not while we had
 * paused the transfer, nor while our caller was busy with its database and the
 * bytes lay ready.  libcurl's own timeouts count all of that, so these two are
 * kept here; only the connection has libcurl's.
 *
 * The callbacks run inside of libcurl and raise no error; they write down what
 * happened in the Transfer.
 */
#include "postgres.h"

#include <sys/socket.h>
#include <time.h>

#include "mb/pg_wchar.h"
#include "source/header_line.h"
#include "source/sigv4.h"
#include "source/transfer.h"
#include "utils/memutils.h"

/*
 * Bytes libcurl reads at a time, and holds while the transfer is paused: a part of the ring.
 * Items that two pieces share are read more slowly, so larger pieces are better.
 */
#define READ_SIZE(ring) ((ring)->size / 4)

/* Bounds of a response's header; as large as it gets by far. */
#define MAX_HEADER_BYTES (256 * 1024)
#define MAX_HEADER_LINES 200

/* CURLE_TOO_LARGE, by its number: the libcurl that is loaded may have it (since 8.6) where the headers did not. */
#define CODE_TOO_LARGE 100

/* A body that nobody wants is read to this length, to keep the connection. */
#define MAX_DROPPED_BYTES MAX_ERROR_BODY

#define CONNECT_TIMEOUT_MS 10000L

/* Connections are made anew after a while, so that names are resolved and certificates checked again. */
#define CONNECTION_LIFETIME_S 600L

static void set_options(Transfer *transfer, const HttpRequest *request);
static void set_certificates(CURL *easy, const HttpTls *tls);
static void set_pem(CURL *easy, CURLoption option, const char *pem);
static void set_method(Transfer *transfer, const HttpRequest *request);
static void set_headers(Transfer *transfer, const HttpRequest *request);
static bool understands_brotli(const Transfer *transfer);
static void sign(Transfer *transfer, const HttpRequest *request);
static void add_header_line(Transfer *transfer, const char *line);
static void check_option(CURLcode code);
static void reset_response(Transfer *transfer);
static void release_transfer(void *arg);
static TransferOutcome final_outcome(const Transfer *transfer);
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
static size_t header_callback(char *data, size_t size, size_t n, void *arg);
static bool keep_header_line(Transfer *transfer, const char *line, size_t len);
static size_t body_callback(char *data, size_t size, size_t n, void *arg);
static bool keep_error_bytes(Transfer *transfer, const char *data, size_t len);

Transfer *
transfer_create(SourceClient *client, MemoryContext context)
{
	Transfer   *transfer = MemoryContextAllocZero(context, sizeof(Transfer));

	transfer->client = client;
	transfer->context = context;
	ring_init(&transfer->ring, client->memory.ring_bytes, context);
	transfer->decoder = content_decoder_create(context);
	if (client->memory.bounded)
		content_decoder_bound_brotli(transfer->decoder, client->memory.brotli_bytes);

	transfer->cleanup.func = release_transfer;
	transfer->cleanup.arg = transfer;
	MemoryContextRegisterResetCallback(context, &transfer->cleanup);

	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL)
		check_option(CURLE_OUT_OF_MEMORY);
	return transfer;
}

void
transfer_start(Transfer *transfer, const HttpRequest *request, int64 waited)
{
	transfer_stop(transfer);
	reset_response(transfer);
	transfer->waited = waited;
	transfer->budget = request->timeout_ms * 1000;
	transfer->bodyless = strcmp(request->method, "HEAD") == 0;

	set_options(transfer, request);
	set_method(transfer, request);
	set_headers(transfer, request);

	transfer->client->counters.requests++;
	transfer->running = true;
	client_begin(transfer->client, transfer->easy);
}

TransferOutcome
transfer_advance(Transfer *transfer, int64 waited)
{
	if (transfer->result.finished)
	{
		if (transfer->framing_malformed)
			transfer->result.code = CURLE_WEIRD_SERVER_REPLY;
		return final_outcome(transfer);
	}
	if (transfer->paused)
		return TRANSFER_PENDING;

	transfer->waited += waited;
	if (transfer->waited >= transfer->budget)
		return TRANSFER_TIMED_OUT;

	/* before the answer begins the server may think, as long as the budget lets it */
	if (transfer->status == 0)
		transfer->window_start = transfer->waited;
	else if (transfer->waited - transfer->window_start >= STALL_TIME)
	{
		if (transfer->window_bytes < STALL_BYTES)
			return TRANSFER_STALLED;
		transfer->window_start = transfer->waited;
		transfer->window_bytes = 0;
	}
	return TRANSFER_PENDING;
}

int64
transfer_longest_wait(const Transfer *transfer)
{
	int64		wait;

	if (transfer->result.finished)
		return 0;
	if (transfer->paused)
		return NO_TIMER;
	wait = transfer->budget - transfer->waited;
	if (transfer->status != 0)
		wait = Min(wait, transfer->window_start + STALL_TIME - transfer->waited);
	return Max(wait, 0);
}

bool
transfer_was_sent(const Transfer *transfer)
{
	long		bytes = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &bytes);
	return bytes > 0;
}

List *
transfer_headers(const Transfer *transfer)
{
	List	   *headers = NIL;
	size_t		at = 0;

	while (at < transfer->header_used)
	{
		const char *line = transfer->header + at;
		const char *colon = strchr(line, ':');

		at += strlen(line) + 1;
		if (colon != NULL && colon > line)
		{
			HttpHeader *header = palloc(sizeof(HttpHeader));

			header->name = pnstrdup(line, colon - line);
			header->value = pstrdup(colon + 1 + strspn(colon + 1, " \t"));

			/* bytes of no known encoding must not get into texts of the database */
			if (!pg_verify_mbstr(PG_UTF8, header->value, strlen(header->value), true))
			{
				for (char *p = header->value; *p != '\0'; p++)
					*p = IS_HIGHBIT_SET(*p) ? '?' : *p;
			}
			headers = lappend(headers, header);
		}
	}
	return headers;
}

void
transfer_stop(Transfer *transfer)
{
	if (transfer->running)
		client_end(transfer->client, transfer->easy);
	transfer->running = false;
}

/* Forgets the last response but for the bytes that the reader holds. */
static void
reset_response(Transfer *transfer)
{
	ring_drop(&transfer->ring);
	content_decoder_reset(transfer->decoder);
	transfer->decoder_begun = false;
	transfer->undecodable = false;
	transfer->body_bytes = 0;
	memset(&transfer->result, 0, sizeof(transfer->result));
	transfer->error[0] = '\0';
	transfer->header_used = 0;
	transfer->header_total = 0;
	transfer->header_lines = 0;
	transfer->status = 0;
	transfer->header_complete = false;
	transfer->paused = false;
	transfer->dropped = 0;
	transfer->error_len = 0;
	transfer->header_too_large = false;
	transfer->framing_malformed = false;
	transfer->out_of_memory = false;
	transfer->body_unwanted = false;
	transfer->sockets_refused = 0;
	transfer->sockets_opened = 0;
	transfer->window_start = 0;
	transfer->window_bytes = 0;
}

/* What is the same for all requests: whom to trust, where to go, where bytes go. */
static void
set_options(Transfer *transfer, const HttpRequest *request)
{
	SourceClient *client = transfer->client;
	CURL	   *easy = transfer->easy;

	curl_easy_reset(easy);		/* keeps connections */

	if (transfer->host != NULL)
		pfree(transfer->host);
	transfer->host = MemoryContextStrdup(transfer->context, url_host(request->url));
	check_option(curl_easy_setopt(easy, CURLOPT_URL, request->url));
	check_option(curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https"));
	check_option(curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L));
	check_option(curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L));
	check_option(curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket));
	check_option(curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer));

	/* said in so many words: libcurl would take them from the environment of the postmaster */
	check_option(curl_easy_setopt(easy, CURLOPT_PROXY, client->proxy));
	check_option(curl_easy_setopt(easy, CURLOPT_NOPROXY, ""));
	check_option(curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L));
	check_option(curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED));

	check_option(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L));
	check_option(curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L));
	if (client->ca_bundle[0] != '\0')
		check_option(curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_bundle));
	if (request->tls != NULL)
		set_certificates(easy, request->tls);

	/* without these, libcurl uses SIGALRM, and waits for its resolver when a transfer is cancelled */
	check_option(curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L));
	check_option(curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L));
	check_option(curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS));
	check_option(curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFETIME_S));
	check_option(curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L));

	/*
	 * HTTP/2 where TLS offers it; a request then waits to share a connection
	 * rather than open one more; not without TLS, where libcurl would have it wait for the first answer to find out
	 * that there is nothing to share.  But libcurl reads a connection for all that share it, and holds
	 * up to 64 MB of the body of one that is paused.
	 */
	check_option(curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
								  client->memory.bounded ? (long) CURL_HTTP_VERSION_1_1 : (long) CURL_HTTP_VERSION_2TLS));
	check_option(curl_easy_setopt(easy, CURLOPT_PIPEWAIT, pg_strncasecmp(request->url, "https:", 6) == 0 ? 1L : 0L));

	/* bodies are decoded by us, see content_decoder.c */
	check_option(curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L));

	/* refused where the handle still has the buffer of a transfer that broke before it began; that is of the same size */
	(void) curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long) READ_SIZE(&transfer->ring));
	check_option(curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_callback));
	check_option(curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer));
	check_option(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_callback));
	check_option(curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer));
	check_option(curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error));
	check_option(curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer->result));
}

/* libcurl keeps connections with other certificates apart. */
static void
set_certificates(CURL *easy, const HttpTls *tls)
{
	set_pem(easy, CURLOPT_SSLCERT_BLOB, tls->certificate);
	set_pem(easy, CURLOPT_SSLKEY_BLOB, tls->key);
	set_pem(easy, CURLOPT_CAINFO_BLOB, tls->ca);
}

static void
set_pem(CURL *easy, CURLoption option, const char *pem)
{
	struct curl_blob blob = {.data = unconstify(char *, pem), .flags = CURL_BLOB_COPY};
	CURLcode	code;

	if (pem == NULL)
		return;
	blob.len = strlen(pem);
	code = curl_easy_setopt(easy, option, &blob);
	if (code == CURLE_NOT_BUILT_IN || code == CURLE_UNKNOWN_OPTION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("libcurl takes no certificates from memory with this TLS library"),
				 errhint("Install libcurl with OpenSSL.")));
	check_option(code);
}

static void
set_method(Transfer *transfer, const HttpRequest *request)
{
	CURL	   *easy = transfer->easy;

	if (request->body != NULL || strcmp(request->method, "POST") == 0)
	{
		check_option(curl_easy_setopt(easy, CURLOPT_POST, 1L));
		check_option(curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body_len));
		check_option(curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body != NULL ? request->body : ""));
	}
	if (strcmp(request->method, "HEAD") == 0)
		check_option(curl_easy_setopt(easy, CURLOPT_NOBODY, 1L));
	else
		check_option(curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method));
}

/* The request's header, and nothing that libcurl would add to it of itself but Host, Accept and lengths. */
static void
set_headers(Transfer *transfer, const HttpRequest *request)
{
	bool		has_type = false;
	bool		has_agent = false;
	bool		has_codings = false;
	ListCell   *lc;

	curl_slist_free_all(transfer->header_list);
	transfer->header_list = NULL;

	foreach(lc, request->headers)
	{
		HttpHeader *header = lfirst(lc);
		char	   *line;

		has_type = has_type || pg_strcasecmp(header->name, "Content-Type") == 0;
		has_agent = has_agent || pg_strcasecmp(header->name, "User-Agent") == 0;
		has_codings = has_codings || pg_strcasecmp(header->name, "Accept-Encoding") == 0;

		/* libcurl's way to write an empty one; "name:" would take it out */
		if (header->value[0] == '\0')
			line = psprintf("%s;", header->name);
		else
			line = psprintf("%s: %s", header->name, header->value);
		add_header_line(transfer, line);
		pfree(line);
	}

	sign(transfer, request);

	/* not to wait a second for "100 Continue", nor to call every body a form */
	add_header_line(transfer, "Expect:");
	if (!has_codings)
		add_header_line(transfer,
						understands_brotli(transfer) ? "Accept-Encoding: " CONTENT_CODINGS : "Accept-Encoding: " CONTENT_CODINGS_SMALL);
	if (!has_type)
		add_header_line(transfer, "Content-Type:");
	check_option(curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->header_list));
	if (!has_agent)
		check_option(curl_easy_setopt(transfer->easy, CURLOPT_USERAGENT, transfer->client->user_agent));
}

/* Where there is no memory for the window of any body in br, none is asked for. */
static bool
understands_brotli(const Transfer *transfer)
{
	const SourceMemory *memory = &transfer->client->memory;

	return !memory->bounded || memory->brotli_bytes >= CONTENT_BROTLI_BYTES;
}

/* A signature is of the moment when the request is sent. */
static void
sign(Transfer *transfer, const HttpRequest *request)
{
	ListCell   *lc;

	if (request->signer == NULL)
		return;
	foreach(lc, sigv4_headers(request, time(NULL)))
	{
		const HttpHeader *header = lfirst(lc);
		char	   *line = psprintf("%s: %s", header->name, header->value);

		add_header_line(transfer, line);
		pfree(line);
	}
}

static void
add_header_line(Transfer *transfer, const char *line)
{
	struct curl_slist *list = curl_slist_append(transfer->header_list, line);

	if (list == NULL)
		check_option(CURLE_OUT_OF_MEMORY);
	transfer->header_list = list;
}

/* All our options are known to the libcurl that we ask for, so only memory can be short. */
static void
check_option(CURLcode code)
{
	if (code == CURLE_OUT_OF_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("Failed in libcurl.")));
	if (code != CURLE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("libcurl does not take an option: %s", curl_easy_strerror(code))));
}

/* Releases what is not palloc'd. */
static void
release_transfer(void *arg)
{
	Transfer   *transfer = arg;

	transfer_stop(transfer);
	if (transfer->easy != NULL)
		curl_easy_cleanup(transfer->easy);
	curl_slist_free_all(transfer->header_list);
}

/* How a transfer ended that libcurl is done with. */
static TransferOutcome
final_outcome(const Transfer *transfer)
{
	if (transfer->result.code == CURLE_OK || transfer->body_unwanted)
		return TRANSFER_COMPLETE;
	if (transfer->header_too_large)
		return TRANSFER_HEADER_TOO_LARGE;
	if (transfer->out_of_memory)
		return TRANSFER_OUT_OF_MEMORY;
	if (transfer->result.code == CURLE_OUT_OF_MEMORY || (int) transfer->result.code == CODE_TOO_LARGE)
	{
		/* libcurl's own bounds end like this: a line of the header, 64 MB of a body that is paused */
		return transfer_was_sent(transfer) && !transfer->header_complete ? TRANSFER_HEADER_TOO_LARGE : TRANSFER_OUT_OF_MEMORY;
	}
	if (transfer->result.code == CURLE_COULDNT_CONNECT &&
		transfer->sockets_refused > 0 && transfer->sockets_opened == 0)
		return TRANSFER_ADDRESS_REFUSED;
	return TRANSFER_BROKEN;
}

/*
 * libcurl is about to connect to an address that the host has resolved to:
 * the place where the address guard cannot be fooled.  A connection that is
 * used again has been through here for the same host and the same client, thus
 * the same rules.  The address of a proxy is the administrator's choice.
 */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	Transfer   *transfer = arg;
	SourceClient *client = transfer->client;

	if (client->proxy[0] == '\0' &&
		(transfer->host == NULL ||
		 !address_guard_allows(client->guard, transfer->host, &address->addr)))
	{
		transfer->sockets_refused++;
		return CURL_SOCKET_BAD;
	}
	transfer->sockets_opened++;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* A line of a header, of interim responses and trailers too. */
static size_t
header_callback(char *data, size_t size, size_t n, void *arg)
{
	Transfer   *transfer = arg;
	size_t		len = n;

	transfer->window_bytes += n;
	transfer->header_total += n;
	transfer->header_lines++;
	if (transfer->header_total > MAX_HEADER_BYTES || transfer->header_lines > MAX_HEADER_LINES)
	{
		transfer->header_too_large = true;
		return 0;
	}

	while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n' || data[len - 1] == ' ' || data[len - 1] == '\t'))
		len--;
	if (transfer->header_complete)
		return n;				/* trailers */

	if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
	{
		/* begins a response; the one before was an interim one */
		transfer->status = header_line_status(data, len);
		transfer->header_used = 0;
	}
	else if (len == 0)
		transfer->header_complete = transfer->status >= 200;
	else if (header_line_misframes(data, len))
	{
		transfer->framing_malformed = true;
		return 0;
	}
	else if (!keep_header_line(transfer, data, len))
	{
		transfer->out_of_memory = true;
		return 0;
	}
	return n;
}

/* Adds a line to the header; false where memory ran out. */
static bool
keep_header_line(Transfer *transfer, const char *line, size_t len)
{
	if (transfer->header_used + len + 1 > transfer->header_size)
	{
		size_t		size = Max(transfer->header_size * 2, transfer->header_used + len + 1024);
		char	   *grown = MemoryContextAllocExtended(transfer->context, size, MCXT_ALLOC_NO_OOM);

		if (grown == NULL)
			return false;
		if (transfer->header != NULL)
		{
			memcpy(grown, transfer->header, transfer->header_used);
			pfree(transfer->header);
		}
		transfer->header = grown;
		transfer->header_size = size;
	}
	memcpy(transfer->header + transfer->header_used, line, len);
	transfer->header[transfer->header_used + len] = '\0';
	transfer->header_used += len + 1;
	return true;
}

/* Bytes of the body as they come.  All of them are taken, or none and the transfer pauses. */
static size_t
body_callback(char *data, size_t size, size_t n, void *arg)
{
	Transfer   *transfer = arg;

	transfer->window_bytes += n;
	if (transfer->status < 200 || transfer->status > 299)
	{
		/* the bytes of an error page or a redirect may hold anything: no message shows them */
		if (transfer->keep_error_body && !keep_error_bytes(transfer, data, n))
		{
			transfer->out_of_memory = true;
			return 0;
		}
		transfer->dropped += n;
		transfer->body_unwanted = transfer->dropped > MAX_DROPPED_BYTES;
		return transfer->body_unwanted ? 0 : n;
	}
	if (n > ring_space(&transfer->ring))
	{
		transfer->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	ring_write(&transfer->ring, data, n);
	transfer->body_bytes += n;
	return n;
}

/* Adds to the beginning of an error's body, as far as there is space; false where memory ran out. */
static bool
keep_error_bytes(Transfer *transfer, const char *data, size_t len)
{
	len = Min(len, MAX_ERROR_BODY - transfer->error_len);
	if (transfer->error_body == NULL)
		transfer->error_body = MemoryContextAllocExtended(transfer->context, MAX_ERROR_BODY + 1, MCXT_ALLOC_NO_OOM);
	if (transfer->error_body == NULL)
		return false;
	memcpy(transfer->error_body + transfer->error_len, data, len);
	transfer->error_len += len;
	transfer->error_body[transfer->error_len] = '\0';
	return true;
}
