/*
 * body_decoder.c
 *	  The bytes of a body to text in UTF-8, in bounded memory.
 *
 * See body_decoder.h.  A character that is cut off by the end of a piece waits in
 * head for its other bytes.  The iconv descriptor is the one resource that is
 * not memory: it is closed when the next body needs another one, and by a
 * callback of the decoder's context.
 *
 * A mark wins over what is stated, as in the WHATWG's Encoding Standard; UTF-16
 * without either a mark or a stated order is told by its first byte, as the
 * text begins with an ASCII character (RFC 4627, 3).
 */
#include "postgres.h"

#include <iconv.h>

#include "item/body_decoder.h"
#include "item/content_type.h"
#include "utils/memutils.h"

/* Bytes of a character, or of a sequence that shifts, that may wait for more. */
#define MAX_INCOMPLETE	32
#define MAX_INPUT		4096	/* bytes converted at a time */

typedef enum DecoderState
{
	UNDECIDED,					/* maybe in a byte order mark */
	PLAIN,
	CONVERTING,
	FINISHED
} DecoderState;

struct BodyDecoder
{
	MemoryContext context;
	MemoryContextCallback closer;
	bool		has_closer;
	iconv_t		converter;
	bool		is_open;
	char		charset[CONTENT_CHARSET_LEN + 1];	/* that is open */

	/* of the body */
	DecoderState state;
	bool		convert;		/* what is stated is not UTF-8 */
	bool		any_order;		/* UTF-16, stated without its order */
	bool		no_mark;		/* UTF-32: its mark looks like one of UTF-16 */
	int			dropped;
	int64		position;		/* bytes that were decoded */
	char		head[MAX_INCOMPLETE];
	int			head_len;
	char		problem[256];
	char		text[MAX_INPUT * 4];
};

static bool decide(BodyDecoder *decoder);
static bool convert_head(BodyDecoder *decoder, const char *data, size_t len, size_t *taken, size_t *text_len);
static bool convert(BodyDecoder *decoder, const char *data, size_t len, size_t *consumed, size_t *text_len);
static bool fail_endless(BodyDecoder *decoder);
static bool open_converter(BodyDecoder *decoder, const char *charset);
static void close_converter(void *arg);
static bool is_charset_name(const char *name);

BodyDecoder *
decoder_create(MemoryContext context)
{
	BodyDecoder *decoder = MemoryContextAllocZero(context, sizeof(BodyDecoder));

	decoder->context = context;
	return decoder;
}

void
decoder_begin(BodyDecoder *decoder)
{
	decoder->state = UNDECIDED;
	decoder->convert = false;
	decoder->any_order = false;
	decoder->no_mark = false;
	decoder->dropped = 0;
	decoder->position = 0;
	decoder->head_len = 0;
	decoder->problem[0] = '\0';
}

bool
decoder_set_charset(BodyDecoder *decoder, const char *charset)
{
	if (pg_strcasecmp(charset, "utf-8") == 0 || pg_strcasecmp(charset, "utf8") == 0 ||
		pg_strcasecmp(charset, "us-ascii") == 0 || pg_strcasecmp(charset, "ascii") == 0)
		return true;

	if (!is_charset_name(charset) || !open_converter(decoder, charset))
	{
		snprintf(decoder->problem, sizeof(decoder->problem),
				 "the charset \"%s\" of the response is not known", is_charset_name(charset) ? charset : "?");
		return false;
	}
	decoder->convert = true;
	decoder->any_order = (pg_strcasecmp(charset, "utf-16") == 0 || pg_strcasecmp(charset, "utf16") == 0);
	decoder->no_mark = (pg_strncasecmp(charset, "utf-32", 6) == 0 || pg_strncasecmp(charset, "utf32", 5) == 0 ||
						pg_strncasecmp(charset, "ucs-4", 5) == 0);
	return true;
}

bool
decoder_is_plain(const BodyDecoder *decoder)
{
	return decoder->state == PLAIN;
}

int
decoder_dropped(const BodyDecoder *decoder)
{
	return decoder->dropped;
}

bool
decoder_converts(const BodyDecoder *decoder)
{
	return decoder->state == CONVERTING;
}

bool
decoder_push(BodyDecoder *decoder, const char *data, size_t len, size_t *taken,
			 const char **text, size_t *text_len)
{
	*taken = 0;
	*text = decoder->text;
	*text_len = 0;
	while (decoder->state == UNDECIDED && *taken < len)
	{
		decoder->head[decoder->head_len++] = data[(*taken)++];
		if (!decide(decoder))
			return false;
	}
	if (decoder->state == PLAIN)
	{
		/* what was no mark */
		memcpy(decoder->text, decoder->head, decoder->head_len);
		*text_len = decoder->head_len;
		decoder->head_len = 0;
	}
	else if (decoder->state == CONVERTING)
	{
		size_t		more;
		bool		right;

		data += *taken;
		len -= *taken;
		if (decoder->head_len > 0)
			right = convert_head(decoder, data, len, &more, text_len);
		else
		{
			right = convert(decoder, data, Min(len, MAX_INPUT), &more, text_len);
			if (right && more == 0 && len >= MAX_INCOMPLETE)
				right = fail_endless(decoder);
			else if (right && more == 0)
			{
				/* not one whole character, and no more bytes: they wait */
				memcpy(decoder->head, data, len);
				decoder->head_len = len;
				more = len;
			}
		}
		*taken += more;
		return right;
	}
	return true;
}

bool
decoder_finish(BodyDecoder *decoder, const char **text, size_t *text_len)
{
	*text = decoder->text;
	*text_len = 0;
	/* A mark that is cut off is none. */
	if (decoder->state == UNDECIDED)
		decoder->state = decoder->convert ? CONVERTING : PLAIN;
	if (decoder->state == PLAIN)
	{
		memcpy(decoder->text, decoder->head, decoder->head_len);
		*text_len = decoder->head_len;
		decoder->head_len = 0;
	}
	else if (decoder->state == CONVERTING)
	{
		size_t		consumed;
		char	   *out;
		size_t		room;

		while (decoder->head_len > 0)
		{
			if (!convert(decoder, decoder->head, decoder->head_len, &consumed, text_len))
				return false;
			if (consumed == 0)
			{
				snprintf(decoder->problem, sizeof(decoder->problem),
						 "the response ends after byte " INT64_FORMAT ", inside of a character of its charset %s",
						 decoder->position + decoder->head_len, decoder->charset);
				return false;
			}
			decoder->head_len -= consumed;
			memmove(decoder->head, decoder->head + consumed, decoder->head_len);
		}
		out = decoder->text + *text_len;
		room = sizeof(decoder->text) - *text_len;
		(void) iconv(decoder->converter, NULL, NULL, &out, &room);
		*text_len = out - decoder->text;
	}
	decoder->state = FINISHED;
	return true;
}

const char *
decoder_problem(const BodyDecoder *decoder)
{
	return decoder->problem;
}

/* Looks at the first bytes, in head, for a mark; the state changes once it is known that there is one, or none. */
static bool
decide(BodyDecoder *decoder)
{
	const unsigned char *head = (const unsigned char *) decoder->head;
	const char *utf16 = NULL;
	int			mark = 2;

	if (!decoder->no_mark)
	{
		if (head[0] == 0xEF && (decoder->head_len < 2 || head[1] == 0xBB))
		{
			if (decoder->head_len < 3)
				return true;
			if (head[2] == 0xBF)
			{
				decoder->state = PLAIN;
				decoder->dropped = 3;
				decoder->head_len = 0;
				return true;
			}
		}
		else if (head[0] >= 0xFE)
		{
			if (decoder->head_len < 2)
				return true;
			if (head[0] == 0xFE && head[1] == 0xFF)
				utf16 = "UTF-16BE";
			else if (head[0] == 0xFF && head[1] == 0xFE)
				utf16 = "UTF-16LE";
		}
	}
	if (utf16 == NULL && decoder->any_order)
	{
		utf16 = (head[0] == 0) ? "UTF-16BE" : "UTF-16LE";
		mark = 0;
	}
	if (utf16 != NULL)
	{
		if (!open_converter(decoder, utf16))
		{
			snprintf(decoder->problem, sizeof(decoder->problem), "the charset %s of the response is not known", utf16);
			return false;
		}
		decoder->convert = true;
		decoder->head_len -= mark;
		decoder->position += mark;
	}
	decoder->state = decoder->convert ? CONVERTING : PLAIN;
	return true;
}

/* Converts the bytes that wait, with as many of those that follow as make a character. */
static bool
convert_head(BodyDecoder *decoder, const char *data, size_t len, size_t *taken, size_t *text_len)
{
	char		bytes[MAX_INCOMPLETE];
	int			waiting = decoder->head_len;
	size_t		added = Min(len, MAX_INCOMPLETE - waiting);
	size_t		consumed;

	*taken = 0;
	memcpy(bytes, decoder->head, waiting);
	memcpy(bytes + waiting, data, added);
	if (!convert(decoder, bytes, waiting + added, &consumed, text_len))
		return false;
	if (consumed >= waiting)
	{
		decoder->head_len = 0;
		*taken = consumed - waiting;
		return true;
	}
	decoder->head_len = waiting + added - consumed;
	memcpy(decoder->head, bytes + consumed, decoder->head_len);
	*taken = added;
	return decoder->head_len < MAX_INCOMPLETE || fail_endless(decoder);
}

/* Converts whole characters, after *text_len bytes of text. */
static bool
convert(BodyDecoder *decoder, const char *data, size_t len, size_t *consumed, size_t *text_len)
{
	char	   *in = unconstify(char *, data);
	size_t		left = len;
	char	   *out = decoder->text + *text_len;
	size_t		room = sizeof(decoder->text) - *text_len;
	size_t		result = iconv(decoder->converter, &in, &left, &out, &room);

	*consumed = len - left;
	*text_len = out - decoder->text;
	decoder->position += *consumed;
	if (result != (size_t) -1 || errno == EINVAL || errno == E2BIG)
		return true;
	/* What is right comes first; the bytes that are not are met again. */
	if (*consumed > 0)
		return true;
	snprintf(decoder->problem, sizeof(decoder->problem),
			 "the response has bytes that are not of its charset %s, at byte " INT64_FORMAT,
			 decoder->charset, decoder->position + 1);
	return false;
}

/* Sets the problem: more bytes wait than any character has.  Returns false. */
static bool
fail_endless(BodyDecoder *decoder)
{
	snprintf(decoder->problem, sizeof(decoder->problem),
			 "the response has a character at byte " INT64_FORMAT " that does not end, in its charset %s",
			 decoder->position + 1, decoder->charset);
	return false;
}

/* Opens a converter for the charset, or takes the one that is open, and begins it anew. */
static bool
open_converter(BodyDecoder *decoder, const char *charset)
{
	if (!decoder->has_closer)
	{
		decoder->closer.func = close_converter;
		decoder->closer.arg = decoder;
		MemoryContextRegisterResetCallback(decoder->context, &decoder->closer);
		decoder->has_closer = true;
	}
	if (decoder->is_open && strcmp(decoder->charset, charset) == 0)
	{
		(void) iconv(decoder->converter, NULL, NULL, NULL, NULL);
		return true;
	}
	close_converter(decoder);
	decoder->converter = iconv_open("UTF-8", charset);
	decoder->is_open = (decoder->converter != (iconv_t) -1);
	strlcpy(decoder->charset, charset, sizeof(decoder->charset));
	return decoder->is_open;
}

/* The callback of the context, too. */
static void
close_converter(void *arg)
{
	BodyDecoder *decoder = arg;

	if (decoder->is_open)
		iconv_close(decoder->converter);
	decoder->is_open = false;
}

/* iconv takes more than names: a suffix such as //IGNORE would hide what is wrong. */
static bool
is_charset_name(const char *name)
{
	size_t		len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:+");

	return len > 0 && name[len] == '\0';
}
