/*
 * body_decoder.h
 *	  The bytes of a body to text in UTF-8, in bounded memory.
 *
 * A body begins undecided: its first bytes may be a byte order mark, which wins
 * over the charset that was stated.  Then it is plain, text as it is, or each
 * piece is converted by iconv.
 */
#ifndef DATABITE_BODY_DECODER_H
#define DATABITE_BODY_DECODER_H

#include "postgres.h"

typedef struct BodyDecoder BodyDecoder;

extern BodyDecoder *decoder_create(MemoryContext context);

/* A new body, in UTF-8 unless decoder_set_charset says otherwise. */
extern void decoder_begin(BodyDecoder *decoder);

/* Before the first bytes: the charset that was stated.  False where it is not known: see decoder_problem. */
extern bool decoder_set_charset(BodyDecoder *decoder, const char *charset);

/* The bytes that follow are text as they are; no need to push them. */
extern bool decoder_is_plain(const BodyDecoder *decoder);

/* Bytes of the body that stood before plain text: the byte order mark. */
extern int	decoder_dropped(const BodyDecoder *decoder);

/* The text comes from a converter, so its positions are not those of the body. */
extern bool decoder_converts(const BodyDecoder *decoder);

/*
 * Takes some of the bytes, *taken tells how many, and gives text (maybe none)
 * that is good until the next call.  False where they are wrong: see decoder_problem.
 */
extern bool decoder_push(BodyDecoder *decoder, const char *data, size_t len, size_t *taken,
						 const char **text, size_t *text_len);

/* No more bytes come: gives the rest of the text, once.  False where the body ends inside of a character. */
extern bool decoder_finish(BodyDecoder *decoder, const char **text, size_t *text_len);

/* errmsg style, with the byte position in the body. */
extern const char *decoder_problem(const BodyDecoder *decoder);

#endif
