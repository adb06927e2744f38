/*
 * fetch.h
 *	  One page: a request sent, answered, and sent again where that is right.
 *
 * A SourceClient owns a curl multi handle, its connections and one wait event
 * set (latch, postmaster death, all sockets).  A Fetch is one request with its
 * retries.  Bytes are handed out as they come; the transfer is paused while
 * the reader does not take them, so a response of any size needs the memory of
 * one buffer.
 *
 * No function here raises an error for what the network or a server did; that
 * is a FETCH_FAILED with a SourceError.  Waiting raises what
 * CHECK_FOR_INTERRUPTS raises.
 */
#ifndef DATABITE_FETCH_H
#define DATABITE_FETCH_H

#include "datatype/timestamp.h"
#include "job/definition.h"
#include "source/request.h"

typedef struct SourceClient SourceClient;
typedef struct Fetch Fetch;
struct RateLimiter;

/* How a request is to be treated.  All of it must outlive the fetch. */
typedef struct FetchPolicy
{
	const JobRetry *retry;
	struct RateLimiter *limiter;	/* holds requests back, learns from responses; or NULL */
	bool		judged;			/* the caller judges every response that is no success: FETCH_JUDGE */
	const char *label;			/* for the observer of the client; or NULL */
} FetchPolicy;

typedef struct SourceError
{
	/* "http_status", "timeout", "connect", "tls", "address_refused", "reset", "truncated", "redirect", "too_large", "bad_url", ... */
	char		code[32];
	int			sqlstate;
	char	   *message;		/* errmsg style, no secret, no query string */
	char	   *detail;			/* or NULL: the first bytes of an error body are not shown, they may hold anything */
	char	   *hint;			/* or NULL */
	char	   *method;
	char	   *url;			/* masked */
	int			status;			/* or 0 */
	int64		retry_after_ms; /* what the server asked for beyond the bound we wait, or 0 */
} SourceError;

/* What transfers may hold in memory. */
typedef struct SourceMemory
{
	bool		bounded;		/* false: the rest is as it is where nobody says it */
	size_t		ring_bytes;		/* of a body, between the network and the reader; of each transfer */
	size_t		brotli_bytes;	/* for decoding br, whose window may be large; of each transfer */
	int			connections;	/* that are kept */
} SourceMemory;

typedef enum FetchEventKind
{
	FETCH_EVENT_ANSWERED,		/* a response has come; of whatever status, and also if it leads elsewhere */
	FETCH_EVENT_BROKEN,			/* it has not, or not whole */
	FETCH_EVENT_RETRY			/* what failed so will be tried again */
} FetchEventKind;

/* One that somebody may want to hear of; valid until the observer returns. */
typedef struct FetchEvent
{
	FetchEventKind kind;
	const char *label;			/* of the policy */
	const HttpRequest *request; /* its URL is not masked */
	const char *code;			/* where it was not answered, or not whole: as in SourceError; else NULL */
	int			status;			/* 0: none */
	int64		duration_us;	/* since it was sent */
	int64		bytes;			/* of the body, as they came over the wire */
	int			tries;			/* this was the first, second, ... */
	int64		delay_ms;		/* RETRY: the next one comes so much later */
} FetchEvent;

typedef void (*FetchObserver) (const FetchEvent *event, void *arg);

/* Counted over the life of the client. */
typedef struct SourceCounters
{
	int64		requests;		/* sent, retries and redirects included */
	int64		retries;
	int64		bytes_received; /* of bodies, decoded */
} SourceCounters;

typedef enum FetchStatus
{
	FETCH_DATA,					/* *data, *len: valid until the next call; there may be none of them */
	FETCH_RESTARTED,			/* tried again after bytes were handed out: the body begins anew */
	FETCH_END,					/* the body is complete */
	FETCH_JUDGE,				/* a whole response that is no success: see fetch_error_body, then call fetch_judge */
	FETCH_FAILED				/* see fetch_error */
} FetchStatus;

/* What the caller makes of a response. */
typedef enum FetchVerdict
{
	VERDICT_DEFAULT,			/* what its status says */
	VERDICT_FAIL,
	VERDICT_RETRY,				/* a try more, after the policy's delay, if there are attempts left */
	VERDICT_REPLACE				/* at once, with another request (a new token); no try of the policy's */
} FetchVerdict;

/* What a fetch waits for, for those who watch. */
typedef enum FetchWait
{
	WAIT_NOTHING,				/* bytes are there, or it has ended */
	WAIT_RESPONSE,
	WAIT_RETRY,					/* until *until */
	WAIT_RATE_LIMIT				/* until *until */
} FetchWait;

/* Lives in context and is closed when context is reset or deleted. */
extern SourceClient *source_client_create(MemoryContext context);
extern const SourceCounters *source_client_counters(const SourceClient *client);

/* Bounds the memory of transfers, of those that begin from now on. */
extern void source_client_bound(SourceClient *client, const SourceMemory *memory);

/* Has it called for every request of the client that ends; never inside of libcurl. */
extern void source_client_observe(SourceClient *client, FetchObserver observer, void *arg);

/* Waits for the source end then, whatever it says: fetch_select tells, and a fetch_read that waits gives up. */
extern void source_client_set_deadline(SourceClient *client, TimestampTz deadline);
extern bool source_client_is_over(const SourceClient *client);

/* Sends the request without waiting.  The request is copied. */
extern Fetch *fetch_start(SourceClient *client, const HttpRequest *request, const FetchPolicy *policy);

/*
 * Waits until fetch_read of one of them would not wait, and returns its place; -1
 * where none is ready after so many milliseconds (-1: as long as it takes), or at the client's deadline.  fetches: at least one.
 */
extern int	fetch_select(SourceClient *client, Fetch *const *fetches, int nfetches, int64 longest_ms);

/* Waits for the next bytes (or the end); serves all transfers of the client meanwhile. */
extern FetchStatus fetch_read(Fetch *fetch, const char **data, size_t *len);

extern const HttpResponse *fetch_response(const Fetch *fetch);
extern const SourceError *fetch_error(const Fetch *fetch);

/* The beginning, up to 64 KiB, of the body of a response that is to be judged, NUL-terminated. */
extern const char *fetch_error_body(const Fetch *fetch, size_t *len);

/*
 * After FETCH_JUDGE, or after FETCH_END of a success that turned out to be an
 * error: what becomes of it.  replacement: the request of VERDICT_REPLACE, which
 * is copied.  message: of the error, in place of the standard one, or NULL; it
 * must hold no secret.
 */
extern void fetch_judge(Fetch *fetch, FetchVerdict verdict, const HttpRequest *replacement, const char *message);

/*
 * Takes a success for complete whose body is still being read: no more of it is
 * wanted, and it may be judged.  False where it has broken meanwhile: read on.
 */
extern bool fetch_stop(Fetch *fetch);

/* What it waits for; *until: on the wall clock, 0 where that is not known. */
extern FetchWait fetch_waiting(const Fetch *fetch, TimestampTz *until);

/* Ends the transfer, whatever its state. */
extern void fetch_close(Fetch *fetch);

/* Versions for databite.version(): "libcurl 7.88.1 (OpenSSL/3.0.11, async DNS)". */
extern char *source_library_version(void);

#endif
