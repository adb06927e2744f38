/*
 * content_decoder.c
 *	  The codings of a body: gzip, deflate and br, one upon another, in bounded memory.
 *
 * The codings are a chain of stages.  The first takes what came over the wire,
 * each other takes what the one before has made of that; a stage asks for more
 * only when it is done with what it has.  So a body that decompresses to any size, or
 * a bomb in a bomb, needs a window and a buffer for each stage.
 *
 * libcurl could decode too, but takes a body for whole whose stream has not
 * ended, and holds all that one read decompresses to.
 *
 * gzip is RFC 1952, of one member or more; its checksum and length are compared
 * by zlib.  "deflate" is the zlib format of RFC 1950, though many send RFC 1951
 * without that wrapping.  br is RFC 7932.
 */
#include "postgres.h"

#include <brotli/decode.h>
#include <zlib.h>

#include "base/compat.h"
#include "source/content_decoder.h"
#include "utils/memutils.h"
#include "utils/palloc.h"

/* Nobody sends more than one or two. */
#define MAX_CODINGS 5

/* Decoded bytes that a stage makes at a time. */
#define OUTPUT_SIZE (32 * 1024)

/* Before what libbrotli is given: its size, and then as aligned as malloc does. */
#define BROTLI_PREFIX 16

/* zlib's windowBits: the largest window, and what is around the stream. */
#define WINDOW_RAW (-15)
#define WINDOW_ZLIB 15
#define WINDOW_GZIP (15 + 16)

typedef enum Coding
{
	CODING_GZIP,
	CODING_DEFLATE,
	CODING_BR
} Coding;

typedef struct Stage
{
	Coding		coding;
	z_stream	zlib;
	bool		zlib_open;		/* inflateEnd is due */
	BrotliDecoderState *brotli;
	const char *input;			/* of the stage before, or pushed */
	size_t		input_len;
	bool		begun;			/* bytes have come */
	bool		ended;			/* the stream has come to its end */
	bool		was_full;		/* the output had no space left: there may be more without more input */
	char	   *output;			/* of OUTPUT_SIZE bytes; NULL: none yet */
} Stage;

struct ContentDecoder
{
	MemoryContext context;
	MemoryContextCallback cleanup;
	Stage		stages[MAX_CODINGS];	/* as they were applied: the last one is undone first */
	int			nstages;
	bool		coding_unknown;
	bool		brotli_bounded;
	size_t		brotli_left;	/* bytes that it may still allocate */
	bool		brotli_refused; /* it wanted more */
	char		problem[128];
};

static const char *const coding_names[] = {"gzip", "deflate", "br"};

static bool add_coding(ContentDecoder *decoder, const char *name, size_t len);
static bool find_coding(const char *name, size_t len, Coding *coding);
static bool is_name(const char *name, size_t len, const char *wanted);
static void open_stage(ContentDecoder *decoder, Stage *stage);
static void release_stages(void *arg);
static ContentStatus pull_stage(ContentDecoder *decoder, int at, const char **data, size_t *len);
static bool begin_stream(ContentDecoder *decoder, Stage *stage);
static bool run_zlib(ContentDecoder *decoder, Stage *stage, size_t *made);
static void *allocate_brotli(void *arg, size_t size);
static void free_brotli(void *arg, void *address);
static bool run_brotli(ContentDecoder *decoder, Stage *stage, size_t *made);
pg_noreturn static void out_of_memory(void);

ContentDecoder *
content_decoder_create(MemoryContext context)
{
	ContentDecoder *decoder = MemoryContextAllocZero(context, sizeof(ContentDecoder));

	decoder->context = context;
	decoder->cleanup.func = release_stages;
	decoder->cleanup.arg = decoder;
	MemoryContextRegisterResetCallback(context, &decoder->cleanup);
	return decoder;
}

void
content_decoder_bound_brotli(ContentDecoder *decoder, size_t bytes)
{
	decoder->brotli_bounded = true;
	decoder->brotli_left = bytes;
}

void
content_decoder_reset(ContentDecoder *decoder)
{
	release_stages(decoder);
	decoder->nstages = 0;
	decoder->coding_unknown = false;
	decoder->brotli_refused = false;
	decoder->problem[0] = '\0';
}

bool
content_decoder_add(ContentDecoder *decoder, const char *codings)
{
	const char *at = codings;

	for (;;)
	{
		size_t		len;

		at += strspn(at, ", \t");
		if (*at == '\0')
			return true;
		len = strcspn(at, ", \t");
		if (!add_coding(decoder, at, len))
		{
			decoder->coding_unknown = true;
			return false;
		}
		at += len;
	}
}

bool
content_decoder_is_needed(const ContentDecoder *decoder)
{
	return decoder->nstages > 0;
}

void
content_decoder_push(ContentDecoder *decoder, const char *data, size_t len)
{
	Stage	   *first = &decoder->stages[decoder->nstages - 1];

	Assert(first->input_len == 0);
	first->input = data;
	first->input_len = len;
}

ContentStatus
content_decoder_pull(ContentDecoder *decoder, const char **data, size_t *len)
{
	if (decoder->problem[0] != '\0')
		return CONTENT_BROKEN;
	return pull_stage(decoder, 0, data, len);
}

bool
content_decoder_has_more(const ContentDecoder *decoder)
{
	for (int i = 0; i < decoder->nstages; i++)
	{
		if (decoder->stages[i].input_len > 0 || decoder->stages[i].was_full)
			return true;
	}
	return false;
}

bool
content_decoder_finish(ContentDecoder *decoder)
{
	for (int i = decoder->nstages - 1; i >= 0; i--)
	{
		if (!decoder->stages[i].ended)
		{
			snprintf(decoder->problem, sizeof(decoder->problem), "Its %s data has no end: it was cut short.",
					 coding_names[decoder->stages[i].coding]);
			return false;
		}
	}
	return true;
}

bool
content_decoder_knows_codings(const ContentDecoder *decoder)
{
	return !decoder->coding_unknown;
}

const char *
content_decoder_problem(const ContentDecoder *decoder)
{
	return decoder->problem;
}

static bool
add_coding(ContentDecoder *decoder, const char *name, size_t len)
{
	Coding		coding;
	Stage	   *stage;

	if (is_name(name, len, "identity"))
		return true;
	if (!find_coding(name, len, &coding))
	{
		/* a name is a token (RFC 9110 section 5.6.2), but a server may send anything */
		int			used = snprintf(decoder->problem, sizeof(decoder->problem), "Its coding \"%.*s\" is not known.",
									(int) Min(len, 40), name);

		for (int i = 0; i < used; i++)
		{
			if (decoder->problem[i] < ' ' || decoder->problem[i] > '~')
				decoder->problem[i] = '?';
		}
		return false;
	}
	if (decoder->nstages == MAX_CODINGS)
	{
		snprintf(decoder->problem, sizeof(decoder->problem), "It has more than %d codings.", MAX_CODINGS);
		return false;
	}
	stage = &decoder->stages[decoder->nstages++];
	stage->coding = coding;
	open_stage(decoder, stage);
	return true;
}

/* A name has no case, and gzip has two (RFC 9110 section 8.4.1). */
static bool
find_coding(const char *name, size_t len, Coding *coding)
{
	if (is_name(name, len, "x-gzip"))
	{
		*coding = CODING_GZIP;
		return true;
	}
	for (int i = 0; i < lengthof(coding_names); i++)
	{
		if (is_name(name, len, coding_names[i]))
		{
			*coding = i;
			return true;
		}
	}
	return false;
}

static bool
is_name(const char *name, size_t len, const char *wanted)
{
	return len == strlen(wanted) && pg_strncasecmp(name, wanted, len) == 0;
}

/* The buffer is kept from an earlier body: the reader may hold bytes of that. */
static void
open_stage(ContentDecoder *decoder, Stage *stage)
{
	stage->input = NULL;
	stage->input_len = 0;
	stage->begun = stage->ended = stage->was_full = false;
	if (stage->output == NULL)
		stage->output = MemoryContextAlloc(decoder->context, OUTPUT_SIZE);

	if (stage->coding == CODING_BR)
	{
		stage->brotli = BrotliDecoderCreateInstance(allocate_brotli, free_brotli, decoder);
		if (stage->brotli == NULL)
			out_of_memory();
		return;
	}
	memset(&stage->zlib, 0, sizeof(stage->zlib));
	if (inflateInit2(&stage->zlib, stage->coding == CODING_GZIP ? WINDOW_GZIP : WINDOW_ZLIB) != Z_OK)
		out_of_memory();
	stage->zlib_open = true;
}

/* Releases what is not palloc'd. */
static void
release_stages(void *arg)
{
	ContentDecoder *decoder = arg;

	for (int i = 0; i < decoder->nstages; i++)
	{
		Stage	   *stage = &decoder->stages[i];

		if (stage->zlib_open)
			inflateEnd(&stage->zlib);
		stage->zlib_open = false;
		if (stage->brotli != NULL)
			BrotliDecoderDestroyInstance(stage->brotli);
		stage->brotli = NULL;
	}
}

/* The next bytes that a stage makes, of what it has or of what it can get. */
static ContentStatus
pull_stage(ContentDecoder *decoder, int at, const char **data, size_t *len)
{
	Stage	   *stage = &decoder->stages[at];

	for (;;)
	{
		size_t		made = 0;
		bool		right;

		if (stage->input_len == 0 && !stage->was_full)
		{
			ContentStatus status = CONTENT_NEEDS_INPUT;

			if (at + 1 < decoder->nstages)
				status = pull_stage(decoder, at + 1, &stage->input, &stage->input_len);
			if (status != CONTENT_DATA)
				return status;
		}
		if (stage->input_len > 0 && (!stage->begun || stage->ended) && !begin_stream(decoder, stage))
			return CONTENT_BROKEN;
		right = stage->coding == CODING_BR ? run_brotli(decoder, stage, &made) : run_zlib(decoder, stage, &made);
		if (!right)
			return CONTENT_BROKEN;
		stage->was_full = made == OUTPUT_SIZE && !stage->ended;
		if (made > 0)
		{
			*data = stage->output;
			*len = made;
			return CONTENT_DATA;
		}
	}
}

/* The first bytes of a stream are there: of the only one, or of another member of gzip. */
static bool
begin_stream(ContentDecoder *decoder, Stage *stage)
{
	if (stage->ended && stage->coding != CODING_GZIP)
	{
		snprintf(decoder->problem, sizeof(decoder->problem), "There are bytes behind the end of its %s data.",
				 coding_names[stage->coding]);
		return false;
	}
	if (stage->ended && inflateReset(&stage->zlib) != Z_OK)
		out_of_memory();

	/* the zlib format says 8 here, the method; where blocks begin at once, that would be a stored one with odd padding */
	if (stage->coding == CODING_DEFLATE && (stage->input[0] & 0x0f) != Z_DEFLATED &&
		inflateReset2(&stage->zlib, WINDOW_RAW) != Z_OK)
		out_of_memory();
	stage->begun = true;
	stage->ended = false;
	return true;
}

static bool
run_zlib(ContentDecoder *decoder, Stage *stage, size_t *made)
{
	z_stream   *zlib = &stage->zlib;
	int			result;

	zlib->next_in = (Bytef *) unconstify(char *, stage->input);
	zlib->avail_in = stage->input_len;
	zlib->next_out = (Bytef *) stage->output;
	zlib->avail_out = OUTPUT_SIZE;
	result = inflate(zlib, Z_NO_FLUSH);
	stage->input = (const char *) zlib->next_in;
	stage->input_len = zlib->avail_in;
	*made = OUTPUT_SIZE - zlib->avail_out;

	if (result == Z_MEM_ERROR)
		out_of_memory();
	stage->ended = result == Z_STREAM_END;
	if (result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR)
		return true;
	snprintf(decoder->problem, sizeof(decoder->problem), "Its %s data is wrong: %s.", coding_names[stage->coding],
			 zlib->msg != NULL ? zlib->msg : "it needs a dictionary");
	return false;
}

static bool
run_brotli(ContentDecoder *decoder, Stage *stage, size_t *made)
{
	const uint8_t *input = (const uint8_t *) stage->input;
	uint8_t    *output = (uint8_t *) stage->output;
	size_t		space = OUTPUT_SIZE;
	BrotliDecoderResult result;

	result = BrotliDecoderDecompressStream(stage->brotli, &stage->input_len, &input, &space, &output, NULL);
	stage->input = (const char *) input;
	*made = OUTPUT_SIZE - space;
	stage->ended = result == BROTLI_DECODER_RESULT_SUCCESS;
	if (result != BROTLI_DECODER_RESULT_ERROR)
		return true;
	if (decoder->brotli_refused)
	{
		strlcpy(decoder->problem, "Its br data needs more memory than the job's performance.memoryLimit leaves for it.",
				sizeof(decoder->problem));
		return false;
	}
	snprintf(decoder->problem, sizeof(decoder->problem), "Its br data is wrong: %s.",
			 BrotliDecoderErrorString(BrotliDecoderGetErrorCode(stage->brotli)));
	return false;
}

/* For libbrotli; NULL where there is none.  Before the bytes stands how many they are. */
static void *
allocate_brotli(void *arg, size_t size)
{
	ContentDecoder *decoder = arg;
	char	   *chunk;

	if (decoder->brotli_bounded && size > decoder->brotli_left)
	{
		decoder->brotli_refused = true;
		return NULL;
	}
	chunk = malloc(size + BROTLI_PREFIX);
	if (chunk == NULL)
		return NULL;
	memcpy(chunk, &size, sizeof(size));
	decoder->brotli_left -= size;
	return chunk + BROTLI_PREFIX;
}

static void
free_brotli(void *arg, void *address)
{
	ContentDecoder *decoder = arg;
	char	   *chunk = address;
	size_t		size;

	if (chunk == NULL)
		return;
	chunk -= BROTLI_PREFIX;
	memcpy(&size, chunk, sizeof(size));
	decoder->brotli_left += size;
	free(chunk);
}

static void
out_of_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("Failed to decompress a response.")));
}
