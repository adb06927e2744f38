/*
 * json_text.h
 *	  JSON that lies in memory in one piece: the primitives that walk over it.
 *
 * Every function takes a position and the end of the bytes that may be read,
 * checks the grammar of RFC 8259 strictly, and returns the position after what
 * it has walked over, or NULL: the text ends too early or is wrong.  Which of
 * the two, and where, is the resumable scanner's business (scanner.h); these
 * functions only have to be fast on text that is right.
 *
 * Nothing here allocates, keeps state or raises an error.
 */
#ifndef DATABITE_JSON_TEXT_H
#define DATABITE_JSON_TEXT_H

#include "postgres.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What JSON may say and PostgreSQL cannot store. */
typedef enum JsonUnstorable
{
	JSON_STORABLE = 0,
	JSON_NUL_ESCAPE,			/* \u0000 */
	JSON_LONE_SURROGATE			/* half of a surrogate pair */
} JsonUnstorable;

/* What is known of a string after walking over it. */
typedef struct JsonStringInfo
{
	bool		escaped;		/* has a backslash */
	JsonUnstorable unstorable;	/* the first thing found */
} JsonStringInfo;

/* One bit for each level of nesting: set for an object. */
typedef struct JsonNesting
{
	int			max_depth;
	uint64	   *objects;		/* (max_depth + 63) / 64 words */
} JsonNesting;

/* p is after the opening quote; returns the position of the closing one.  *info is set from the start. */
extern const char *json_string_end_slow(const char *p, const char *end, JsonStringInfo *info);

extern const char *json_number_end(const char *p, const char *end);

/*
 * Walks over the object or array that begins at p, whose own depth is depth
 * (the outermost container has 1).  *unstorable is set where it is still
 * JSON_STORABLE and a string inside cannot be stored.
 */
extern const char *json_container_end(const char *p, const char *end, int depth,
									  JsonNesting *nesting, JsonUnstorable *unstorable);

/* As above, for any value. */
extern const char *json_value_end(const char *p, const char *end, int depth,
								  JsonNesting *nesting, JsonUnstorable *unstorable);

/* True if the bytes are whole UTF-8 characters: no overlong form, no surrogate, nothing above U+10FFFF. */
extern bool json_utf8_valid(const char *p, const char *end);

/*
 * Unescapes the inside of a valid string of len bytes into dst, which has room
 * for len bytes and may be src; returns the length.  What cannot be stored comes out as U+FFFD.
 */
extern size_t json_unescape(const char *src, size_t len, char *dst);

/* The value of four hexadecimal digits, or -1. */
extern int	json_hex4(const char *p);

static inline bool
json_is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The first byte from p on that is not white space; end if there is none. */
static inline const char *
json_skip_space(const char *p, const char *end)
{
	/* Compact JSON has no white space at all, or a single blank. */
	if (likely(p < end && (unsigned char) *p > ' '))
		return p;
	while (p < end && json_is_space(*p))
		p++;
	return p;
}

/*
 * The first byte from p on that a string cannot just run over: a quote, a
 * backslash, a control character; end if there is none.  *nonascii is set if a
 * byte above 127 was run over.
 */
static inline const char *
json_plain_end(const char *p, const char *end, bool *nonascii)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);

	while (end - p >= 16)
	{
		__m128i		x = _mm_loadu_si128((const __m128i *) p);
		__m128i		stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(x, quote),
													 _mm_cmpeq_epi8(x, backslash)),
										_mm_cmpeq_epi8(_mm_min_epu8(x, control), x));
		uint32		stops = _mm_movemask_epi8(stop);
		uint32		high = _mm_movemask_epi8(x);

		if (stops != 0)
		{
			/* the bytes before the lowest stop */
			if (high & (stops - 1) & ~stops)
				*nonascii = true;
			return p + __builtin_ctz(stops);
		}
		if (high != 0)
			*nonascii = true;
		p += 16;
	}
#else
	while (end - p >= 8)
	{
		const uint64 ones = UINT64CONST(0x0101010101010101);
		const uint64 highs = UINT64CONST(0x8080808080808080);
		uint64		x,
					quote,
					backslash;

		memcpy(&x, p, 8);
		quote = x ^ (ones * '"');
		backslash = x ^ (ones * '\\');
		if ((((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
			 ((x - ones * 0x20) & ~x)) &
			highs)
			break;
		if (x & highs)
			*nonascii = true;
		p += 8;
	}
#endif
	for (; p < end; p++)
	{
		unsigned char c = (unsigned char) *p;

		if (c == '"' || c == '\\' || c < 0x20)
			break;
		if (c >= 0x80)
			*nonascii = true;
	}
	return p;
}

/* As json_string_end_slow; most strings end without an escape and without a character above 127. */
static inline const char *
json_string_end(const char *p, const char *end, JsonStringInfo *info)
{
	bool		nonascii = false;
	const char *q = json_plain_end(p, end, &nonascii);

	if (likely(q < end && *q == '"' && !nonascii))
	{
		info->escaped = false;
		info->unstorable = JSON_STORABLE;
		return q;
	}
	return json_string_end_slow(p, end, info);
}

/* Walks over true, false or null. */
static inline const char *
json_literal_end(const char *p, const char *end)
{
	size_t		left = end - p;

	if (left >= 4 && memcmp(p, "true", 4) == 0)
		return p + 4;
	if (left >= 4 && memcmp(p, "null", 4) == 0)
		return p + 4;
	if (left >= 5 && memcmp(p, "false", 5) == 0)
		return p + 5;
	return NULL;
}

#endif
