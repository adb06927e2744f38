/*
 * failure.c
 *	  What went wrong with a request, in words for the user.
 */
#include "postgres.h"

#include "source/failure.h"
#include "source/retry.h"

const FailureKind failure_bad_url = {
	"bad_url", ERRCODE_INVALID_PARAMETER_VALUE, false,
	"request has no usable URL",
	"A URL is absolute, http or https, and holds no user name; use \"auth\" or \"headers\" for credentials."
};
const FailureKind failure_bad_header = {
	"bad_header", ERRCODE_INVALID_PARAMETER_VALUE, false,
	"request has a header that cannot be sent",
	NULL
};
const FailureKind failure_address_refused = {
	"address_refused", ERRCODE_INSUFFICIENT_PRIVILEGE, false,
	"address of the server is not allowed",
	"A superuser can name the host, or its address block, in databite.allowed_hosts."
};
const FailureKind failure_redirect = {
	"redirect", ERRCODE_CONNECTION_EXCEPTION, false,
	"redirect was not followed",
	"Use the URL that the source redirects to, if it can be trusted."
};

const FailureKind failure_rate_limit = {
	"rate_limited", ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, false,
	"server takes no more requests for now",
	NULL
};
const FailureKind failure_out_of_time = {
	"out_of_time", ERRCODE_CONFIGURATION_LIMIT_EXCEEDED, false,
	"time of the run was over before the server answered",
	"Raise \"performance.timeout\"."
};
static const FailureKind judged_an_error = {
	"error_response", ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, false,
	"response is an error",
	"The source's \"errorWhen\" or \"onStatus\" says so."
};
static const FailureKind host_unknown = {
	"dns", ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, true,
	"could not resolve the host name of the server", NULL
};
static const FailureKind proxy_unknown = {
	"connect", ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, true,
	"could not reach the proxy", "Check databite.proxy."
};
static const FailureKind not_connected = {
	"connect", ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, true,
	"could not connect to the server", NULL
};
static const FailureKind timed_out = {
	"timeout", ERRCODE_CONNECTION_FAILURE, true,
	"request timed out",
	"Raise the timeout of the source, or ask for less at a time."
};
static const FailureKind connect_timed_out = {
	"timeout", ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION, true,
	"connection to the server timed out", NULL
};
static const FailureKind stalled = {
	"timeout", ERRCODE_CONNECTION_FAILURE, true,
	"response has stalled", NULL
};
static const FailureKind untrusted = {
	"tls", ERRCODE_CONNECTION_FAILURE, false,
	"certificate of the server could not be verified",
	"Where the server's authority is not among those of the operating system, set databite.ca_bundle."
};
static const FailureKind no_tls = {
	"tls", ERRCODE_CONNECTION_FAILURE, true,
	"could not establish a secure connection to the server", NULL
};
static const FailureKind ca_unreadable = {
	"tls", ERRCODE_CONFIG_FILE_ERROR, false,
	"certificate authorities could not be read", "Check databite.ca_bundle."
};
static const FailureKind cut_off = {
	"reset", ERRCODE_CONNECTION_FAILURE, true,
	"connection to the server was lost", NULL
};
static const FailureKind truncated = {
	"truncated", ERRCODE_CONNECTION_FAILURE, true,
	"response ended before it was complete", NULL
};
static const FailureKind badly_encoded = {
	"truncated", ERRCODE_CONNECTION_FAILURE, true,
	"response could not be decompressed", NULL
};
static const FailureKind coding_unknown = {
	"protocol", ERRCODE_PROTOCOL_VIOLATION, false,
	"response is compressed in a way that is not known",
	"gzip, deflate and br are asked for and known."
};
static const FailureKind header_too_large = {
	"too_large", ERRCODE_PROGRAM_LIMIT_EXCEEDED, false,
	"header of the response is too large", NULL
};
static const FailureKind no_memory = {
	"too_large", ERRCODE_OUT_OF_MEMORY, false,
	"response needs more memory than there is", NULL
};
static const FailureKind not_http = {
	"protocol", ERRCODE_PROTOCOL_VIOLATION, false,
	"server did not answer in HTTP as expected", NULL
};

static SourceError *failure_of_status(const HttpRequest *request, int status);
static char *printable(const char *text);

const FailureKind *
failure_kind(const Transfer *transfer, TransferOutcome outcome)
{
	switch (outcome)
	{
		case TRANSFER_ADDRESS_REFUSED:
			return &failure_address_refused;
		case TRANSFER_TIMED_OUT:
			return &timed_out;
		case TRANSFER_STALLED:
			return &stalled;
		case TRANSFER_HEADER_TOO_LARGE:
			return &header_too_large;
		case TRANSFER_OUT_OF_MEMORY:
			return &no_memory;
		case TRANSFER_CODING_UNKNOWN:
			return &coding_unknown;
		case TRANSFER_UNDECODABLE:
			return &badly_encoded;
		default:
			break;
	}

	switch (transfer->result.code)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
			return &host_unknown;
		case CURLE_COULDNT_RESOLVE_PROXY:
		case CURLE_PROXY:
			return &proxy_unknown;
		case CURLE_COULDNT_CONNECT:
			return &not_connected;
		case CURLE_OPERATION_TIMEDOUT:
			return &connect_timed_out;	/* libcurl's only one */
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
			return &untrusted;
		case CURLE_SSL_CACERT_BADFILE:
			return &ca_unreadable;
		case CURLE_SSL_CONNECT_ERROR:
			return &no_tls;
		case CURLE_PARTIAL_FILE:
			return &truncated;
		case CURLE_GOT_NOTHING:
		case CURLE_RECV_ERROR:
		case CURLE_SEND_ERROR:
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
			return &cut_off;
		default:
			return &not_http;
	}
}

SourceError *
failure_create(const FailureKind *kind, const HttpRequest *request, char *detail)
{
	SourceError *error = palloc0(sizeof(SourceError));

	strlcpy(error->code, kind->code, sizeof(error->code));
	error->sqlstate = kind->sqlstate;
	error->message = pstrdup(kind->message);
	error->detail = detail;
	error->hint = kind->hint != NULL ? pstrdup(kind->hint) : NULL;
	error->method = pstrdup(request->method);
	error->url = url_masked(request->url);
	return error;
}

SourceError *
failure_of_response(const HttpRequest *request, int status, int64 wait_ms, const char *message)
{
	SourceError *error;

	if (status >= 200 && status <= 299)
	{
		error = failure_create(&judged_an_error, request, NULL);
		error->status = status;
	}
	else
		error = failure_of_status(request, status);
	if (message != NULL)
	{
		error->detail = psprintf("The server answered with status %d.", status);
		error->message = pstrdup(message);
	}
	if (wait_ms > MAX_RETRY_AFTER_MS)
	{
		error->retry_after_ms = wait_ms;
		error->detail = psprintf("The server asks to come back after " INT64_FORMAT " s.", wait_ms / 1000);
	}
	return error;
}

static SourceError *
failure_of_status(const HttpRequest *request, int status)
{
	FailureKind kind = {"http_status", ERRCODE_EXTERNAL_ROUTINE_EXCEPTION};
	SourceError *error;

	kind.message = psprintf("server answered with status %d", status);
	if (status == 401 || status == 403)
		kind.hint = "Check the credentials that the request is sent with.";
	else if (status == 404 || status == 410)
		kind.hint = "Check the URL of the source.";
	error = failure_create(&kind, request, NULL);
	error->status = status;
	return error;
}

char *
failure_detail(const Transfer *transfer, TransferOutcome outcome)
{
	const FailureKind *kind = failure_kind(transfer, outcome);

	switch (outcome)
	{
		case TRANSFER_ADDRESS_REFUSED:
			return psprintf("The host \"%s\" has only addresses that are private, reserved or not listed.",
							printable(transfer->host));
		case TRANSFER_TIMED_OUT:
			return psprintf("There was no complete response after " INT64_FORMAT " ms of waiting.",
							transfer->budget / 1000);
		case TRANSFER_STALLED:
			return psprintf("Less than %d bytes came in %d seconds.", STALL_BYTES, (int) (STALL_TIME / 1000000));
		case TRANSFER_CODING_UNKNOWN:
		case TRANSFER_UNDECODABLE:
			return pstrdup(content_decoder_problem(transfer->decoder));
		case TRANSFER_BROKEN:
			break;
		default:
			return NULL;
	}

	/* libcurl's own words may quote a proxy with its password or a setting, so these are for the other cases */
	if (kind == &proxy_unknown || kind == &ca_unreadable || kind == &not_http || transfer->error[0] == '\0')
		return pstrdup(curl_easy_strerror(transfer->result.code));
	return printable(transfer->error);
}

/* Text that a server may have had a hand in, as ASCII. */
static char *
printable(const char *text)
{
	char	   *copy = pstrdup(text);

	for (char *p = copy; *p != '\0'; p++)
	{
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	return copy;
}
