/*
 * codings.c
 *	  Tests of the content decoder: every split, every cut, every byte behind.
 */
#include "postgres.h"

#include <zlib.h>

#include "check.h"
#include "source/content_decoder.h"
#include "utils/memutils.h"

#define MAX_ENCODED 4096

typedef struct Encoded
{
	unsigned char bytes[MAX_ENCODED];
	size_t		len;
} Encoded;

/* More than a stage makes at a time. */
#define LARGE_SIZE (100 * 1024)

static const char plain[] = "[{\"id\":1,\"name\":\"one\"},{\"id\":2,\"name\":\"two\"}]";

/* zlib's windowBits: 15 zlib, 31 gzip, -15 raw. */
static void
deflate_add(Encoded *encoded, const void *text, size_t len, int window_bits)
{
	z_stream	zlib = {0};

	CHECK(deflateInit2(&zlib, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
	zlib.next_in = (Bytef *) unconstify(void *, text);
	zlib.avail_in = len;
	zlib.next_out = encoded->bytes + encoded->len;
	zlib.avail_out = MAX_ENCODED - encoded->len;
	CHECK(deflate(&zlib, Z_FINISH) == Z_STREAM_END);
	encoded->len = MAX_ENCODED - zlib.avail_out;
	deflateEnd(&zlib);
}

/* As RFC 7932 has it where nothing is compressed: a header, a meta-block of plain bytes, and an empty last one. */
static void
brotli_add(Encoded *encoded, const void *text, size_t len)
{
	uint32		bits = ((uint32) (len - 1) << 4) | (1 << 20);

	for (int i = 0; i < 3; i++)
		encoded->bytes[encoded->len++] = bits >> (8 * i);
	memcpy(encoded->bytes + encoded->len, text, len);
	encoded->len += len;
	encoded->bytes[encoded->len++] = 3;
}

/* Decodes in pieces; true where it was right and whole.  decoded: of size bytes, and *used of them. */
static bool
decode(ContentDecoder *decoder, const char *codings, const void *bytes, size_t len, size_t piece,
	   char *decoded, size_t size, size_t *used)
{
	const char *data;
	size_t		made;
	size_t		at = 0;

	*used = 0;
	content_decoder_reset(decoder);
	if (!content_decoder_add(decoder, codings))
		return false;
	for (;;)
	{
		size_t		n = Min(piece, len - at);

		switch (content_decoder_pull(decoder, &data, &made))
		{
			case CONTENT_BROKEN:
				return false;
			case CONTENT_DATA:
				CHECK(made > 0 && *used + made <= size);
				memcpy(decoded + *used, data, made);
				*used += made;
				continue;
			case CONTENT_NEEDS_INPUT:
				CHECK(!content_decoder_has_more(decoder));
				break;
		}
		if (n == 0)
			return content_decoder_finish(decoder);
		content_decoder_push(decoder, (const char *) bytes + at, n);
		at += n;
	}
}

/* Whole it is what it was, in pieces of any size; cut anywhere, or with more behind, it is not right. */
static void
test_coding(ContentDecoder *decoder, const char *codings, const Encoded *encoded, bool members)
{
	Encoded		longer = *encoded;
	char		decoded[MAX_ENCODED];
	size_t		used;

	for (size_t piece = 1; piece <= encoded->len; piece++)
	{
		CHECK(decode(decoder, codings, encoded->bytes, encoded->len, piece, decoded, sizeof(decoded), &used));
		CHECK(used == strlen(plain) && memcmp(decoded, plain, used) == 0);
	}
	for (size_t len = 0; len < encoded->len && !members; len++)
	{
		CHECK(!decode(decoder, codings, encoded->bytes, len, len + 1, decoded, sizeof(decoded), &used));
		CHECK(!decode(decoder, codings, encoded->bytes, len, 1, decoded, sizeof(decoded), &used));
		CHECK(content_decoder_problem(decoder)[0] != '\0');
	}
	for (int c = 0; c < 256; c++)
	{
		longer.bytes[encoded->len] = c;
		longer.len = encoded->len + 1;
		CHECK(!decode(decoder, codings, longer.bytes, longer.len, longer.len, decoded, sizeof(decoded), &used));
		CHECK(!decode(decoder, codings, longer.bytes, longer.len, encoded->len, decoded, sizeof(decoded), &used));
	}
}

/* More comes out of a few bytes than a stage holds. */
static void
test_large(ContentDecoder *decoder)
{
	Encoded		inner = {0};
	Encoded		outer = {0};
	char	   *text = palloc0(LARGE_SIZE);
	char	   *decoded = palloc(LARGE_SIZE);
	size_t		used;

	deflate_add(&inner, text, LARGE_SIZE, 31);
	deflate_add(&outer, inner.bytes, inner.len, 15);
	for (size_t piece = 1; piece <= outer.len; piece++)
	{
		CHECK(decode(decoder, "gzip, deflate", outer.bytes, outer.len, piece, decoded, LARGE_SIZE, &used));
		CHECK(used == LARGE_SIZE && memcmp(decoded, text, used) == 0);
	}
	pfree(text);
	pfree(decoded);
}

static void
test_names(ContentDecoder *decoder)
{
	content_decoder_reset(decoder);
	CHECK(content_decoder_add(decoder, " identity ,, ") && !content_decoder_is_needed(decoder));
	CHECK(content_decoder_add(decoder, "X-GZip") && content_decoder_is_needed(decoder));
	CHECK(!content_decoder_add(decoder, "gzip, \x01z\nstd"));
	CHECK_TEXT(content_decoder_problem(decoder), "Its coding \"?z?std\" is not known.");
	CHECK(!content_decoder_knows_codings(decoder));
	content_decoder_reset(decoder);
	CHECK(content_decoder_knows_codings(decoder));
	CHECK(!content_decoder_add(decoder, "gzi") && !content_decoder_add(decoder, "gzipp") && !content_decoder_add(decoder, "x-gzi"));
	content_decoder_reset(decoder);
	CHECK(!content_decoder_add(decoder, "br, br, br, br, br, br"));
	CHECK_TEXT(content_decoder_problem(decoder), "It has more than 5 codings.");
}

void
test_codings(void)
{
	MemoryContext context = AllocSetContextCreateInternal(NULL, "codings", 0, 0, 0);
	ContentDecoder *decoder = content_decoder_create(context);
	Encoded		codings[6] = {{.len = 0}};
	size_t		len = strlen(plain);

	deflate_add(&codings[0], plain, len, 31);
	test_coding(decoder, "gzip", &codings[0], false);
	test_coding(decoder, "identity, x-gzip", &codings[0], false);
	deflate_add(&codings[1], plain, len, 15);
	test_coding(decoder, "deflate", &codings[1], false);
	deflate_add(&codings[2], plain, len, -15);
	test_coding(decoder, "deflate", &codings[2], false);
	brotli_add(&codings[3], plain, len);
	test_coding(decoder, "br", &codings[3], false);
	brotli_add(&codings[4], codings[0].bytes, codings[0].len);
	test_coding(decoder, "gzip,br", &codings[4], false);

	/* a member may be all that there is, so a cut between two is none */
	deflate_add(&codings[5], plain, 10, 31);
	deflate_add(&codings[5], plain, 0, 31);
	deflate_add(&codings[5], plain + 10, len - 10, 31);
	test_coding(decoder, "gzip", &codings[5], true);

	test_large(decoder);
	test_names(decoder);
	MemoryContextDelete(context);
}
