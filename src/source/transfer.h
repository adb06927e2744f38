/*
 * transfer.h
 *	  One request over the wire and its response, without second tries.
 *
 * A Transfer is used again for each try and redirect of a fetch.  It knows
 * libcurl; what its outcome means is decided above.
 */
#ifndef DATABITE_TRANSFER_H
#define DATABITE_TRANSFER_H

#include "source/client.h"
#include "source/content_decoder.h"
#include "source/ring.h"

typedef enum TransferOutcome
{
	TRANSFER_PENDING,
	TRANSFER_COMPLETE,			/* a response, of whatever status */
	TRANSFER_BROKEN,			/* libcurl says why: code, detail */
	TRANSFER_ADDRESS_REFUSED,
	TRANSFER_TIMED_OUT,
	TRANSFER_STALLED,
	TRANSFER_HEADER_TOO_LARGE,
	TRANSFER_OUT_OF_MEMORY,
	TRANSFER_CODING_UNKNOWN,	/* of its body: content_decoder_problem */
	TRANSFER_UNDECODABLE		/* its body is wrong or cut: content_decoder_problem */
} TransferOutcome;

typedef struct Transfer
{
	SourceClient *client;
	MemoryContext context;		/* the fetch's */
	MemoryContextCallback cleanup;
	CURL	   *easy;
	struct curl_slist *header_list; /* of the request */
	char	   *host;			/* of the URL, for the address guard */
	bool		running;		/* in the multi handle */
	ClientResult result;
	char		error[CURL_ERROR_SIZE];

	/* the response's header */
	char	   *header;			/* lines, each ended by a NUL */
	size_t		header_used;
	size_t		header_size;
	size_t		header_total;	/* bytes of all headers received, interim ones included */
	int			header_lines;
	int			status;			/* of the header being read */
	bool		header_complete;	/* of the final response */

	/* its body: handed on where the status is 2xx, else dropped, but for its beginning where somebody asks for it */
	Ring		ring;			/* as it came over the wire */
	ContentDecoder *decoder;
	bool		decoder_begun;	/* it knows the codings of this response */
	bool		undecodable;	/* the decoder has given up */
	bool		bodyless;		/* the request's method has no body in its response */
	int64		body_bytes;		/* that came over the wire */
	bool		paused;			/* by us, as the ring was full */
	size_t		dropped;
	bool		keep_error_body;	/* set by the owner */
	char	   *error_body;		/* of MAX_ERROR_BODY bytes and a NUL; NULL: none yet; decoded when it is complete */
	size_t		error_len;

	/* why a callback gave up */
	bool		header_too_large;
	bool		framing_malformed;
	bool		out_of_memory;
	bool		body_unwanted;
	int			sockets_refused;
	int			sockets_opened;

	/* time spent waiting for the network while not paused, in microseconds */
	int64		waited;
	int64		budget;			/* of the whole request */
	int64		window_start;	/* of the stall detection, in terms of waited */
	int64		window_bytes;
} Transfer;

/* Bytes of body between the network and the reader, unless the client's memory is bounded. */
#define TRANSFER_RING_SIZE (256 * 1024)

/* The part of an error's body that is kept; more is not read either. */
#define MAX_ERROR_BODY (64 * 1024)

/* A response slower than this many bytes in this time (microseconds) has stalled. */
#define STALL_BYTES 30
#define STALL_TIME (30 * INT64CONST(1000000))

/* Creates one; what is not palloc'd is released with context. */
extern Transfer *transfer_create(SourceClient *client, MemoryContext context);

/*
 * Sends a request without waiting.  It must stay until the transfer has ended;
 * its URL and header have been checked.  waited: what the request has used of
 * its time on earlier redirects.
 */
extern void transfer_start(Transfer *transfer, const HttpRequest *request, int64 waited);

/* Charges time that was spent waiting for the network and tells how things stand. */
extern TransferOutcome transfer_advance(Transfer *transfer, int64 waited);

/* The longest wait before transfer_advance is due, in microseconds. */
extern int64 transfer_longest_wait(const Transfer *transfer);

typedef enum TransferRead
{
	TRANSFER_READ_NOTHING,		/* no bytes are there */
	TRANSFER_READ_DATA,
	TRANSFER_READ_BROKEN		/* see transfer_decoding_outcome */
} TransferRead;

/*
 * The next bytes of the body, decoded; there may be none of them with
 * TRANSFER_READ_DATA, where those that came gave none.  Valid until the next call.
 */
extern TransferRead transfer_read(Transfer *transfer, const char **data, size_t *len);

/* Would transfer_read find bytes? */
extern bool transfer_has_more(const Transfer *transfer);

/* After TRANSFER_READ_BROKEN, or when all is read: is the body whole (TRANSFER_COMPLETE), or what is wrong with it? */
extern TransferOutcome transfer_decoding_outcome(Transfer *transfer);

/* The body of an error is complete: decodes what is kept of it, as far as that goes. */
extern void transfer_decode_error_body(Transfer *transfer);

/* Was the request sent, in whole or in part? */
extern bool transfer_was_sent(const Transfer *transfer);

/* The header as a list of HttpHeader *, in the current memory context. */
extern List *transfer_headers(const Transfer *transfer);

/* Ends it, whatever its state.  Raises no error. */
extern void transfer_stop(Transfer *transfer);

#endif
