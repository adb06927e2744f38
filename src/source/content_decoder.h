/*
 * content_decoder.h
 *	  The codings of a body: gzip, deflate and br, one upon another, in bounded memory.
 *
 * Bytes are pushed as they came over the wire and pulled as they were meant.  A
 * body is complete only where each of its streams has come to its own end: what
 * has been cut short is told from what is whole, whatever the length that the
 * server has stated.
 */
#ifndef DATABITE_CONTENT_DECODER_H
#define DATABITE_CONTENT_DECODER_H

/* What a request may ask for. */
#define CONTENT_CODINGS "gzip, deflate, br"

/* Those of them that need little memory; and what br, with its window of up to 16 MiB, may need. */
#define CONTENT_CODINGS_SMALL "gzip, deflate"
#define CONTENT_BROTLI_BYTES ((size_t) 20 * 1024 * 1024)

typedef struct ContentDecoder ContentDecoder;

typedef enum ContentStatus
{
	CONTENT_DATA,
	CONTENT_NEEDS_INPUT,
	CONTENT_BROKEN				/* see content_decoder_problem */
} ContentStatus;

/* What is malloc'd is released with context. */
extern ContentDecoder *content_decoder_create(MemoryContext context);

/* Bodies in br that need more memory are broken ones. */
extern void content_decoder_bound_brotli(ContentDecoder *decoder, size_t bytes);

/* Begins another body, which has no coding yet.  Bytes that were pulled stay where they are. */
extern void content_decoder_reset(ContentDecoder *decoder);

/*
 * Adds what a Content-Encoding (RFC 9110 section 8.4) says, before the first push;
 * of several, in their order.  False where a coding is not known, or there are too many: see content_decoder_problem.
 */
extern bool content_decoder_add(ContentDecoder *decoder, const char *codings);

/* Is there a coding to undo? */
extern bool content_decoder_is_needed(const ContentDecoder *decoder);

/* More bytes; only after CONTENT_NEEDS_INPUT, or first.  They must stay until that comes again. */
extern void content_decoder_push(ContentDecoder *decoder, const char *data, size_t len);

/* The next decoded bytes, at least one with CONTENT_DATA; valid until the next pull. */
extern ContentStatus content_decoder_pull(ContentDecoder *decoder, const char **data, size_t *len);

/* Would a pull look at bytes that it has, rather than ask for more? */
extern bool content_decoder_has_more(const ContentDecoder *decoder);

/* There are no more bytes: has every stream come to its end?  Else see content_decoder_problem. */
extern bool content_decoder_finish(ContentDecoder *decoder);

/* Were all codings known that were added? */
extern bool content_decoder_knows_codings(const ContentDecoder *decoder);

/* A sentence; valid until the next reset. */
extern const char *content_decoder_problem(const ContentDecoder *decoder);

#endif
