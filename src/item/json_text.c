/*
 * json_text.c
 *	  JSON that lies in memory in one piece: the primitives that walk over it.
 *
 * See json_text.h.  The functions hold no state and own nothing.
 */
#include "postgres.h"

#include "item/json_text.h"

static const char *escape_end(const char *p, const char *end, JsonStringInfo *info);
static const char *unicode_escape_end(const char *p, const char *end, JsonStringInfo *info);
static size_t put_utf8(char *dst, uint32 codepoint);
static const char *key_end(const char *p, const char *end, JsonUnstorable *unstorable);

const char *
json_string_end_slow(const char *p, const char *end, JsonStringInfo *info)
{
	const char *start = p;
	bool		nonascii = false;

	info->escaped = false;
	info->unstorable = JSON_STORABLE;
	for (;;)
	{
		p = json_plain_end(p, end, &nonascii);
		if (p >= end)
			return NULL;
		if (*p == '"')
			break;
		if (*p != '\\')
			return NULL;		/* a control character */
		info->escaped = true;
		p = escape_end(p + 1, end, info);
		if (p == NULL)
			return NULL;
	}
	if (nonascii && !json_utf8_valid(start, p))
		return NULL;
	return p;
}

/* p is after the backslash. */
static const char *
escape_end(const char *p, const char *end, JsonStringInfo *info)
{
	if (p >= end)
		return NULL;
	switch (*p)
	{
		case '"':
		case '\\':
		case '/':
		case 'b':
		case 'f':
		case 'n':
		case 'r':
		case 't':
			return p + 1;
		case 'u':
			return unicode_escape_end(p + 1, end, info);
		default:
			return NULL;
	}
}

/* p is after the u; a high surrogate takes the low one that follows with it. */
static const char *
unicode_escape_end(const char *p, const char *end, JsonStringInfo *info)
{
	JsonUnstorable found = JSON_STORABLE;
	int			code;

	if (end - p < 4)
		return NULL;
	code = json_hex4(p);
	if (code < 0)
		return NULL;
	p += 4;
	if (code == 0)
		found = JSON_NUL_ESCAPE;
	else if (code >= 0xDC00 && code <= 0xDFFF)
		found = JSON_LONE_SURROGATE;
	else if (code >= 0xD800 && code <= 0xDBFF)
	{
		int			low = -1;

		if (end - p >= 6 && p[0] == '\\' && p[1] == 'u')
			low = json_hex4(p + 2);
		if (low >= 0xDC00 && low <= 0xDFFF)
			p += 6;
		else
			found = JSON_LONE_SURROGATE;
	}
	if (info->unstorable == JSON_STORABLE)
		info->unstorable = found;
	return p;
}

/*
 * Returns the position of the byte after the number, which must be there: a
 * number at the very end of the bytes may go on in the next ones.
 */
const char *
json_number_end(const char *p, const char *end)
{
#define DIGIT_AT(p) ((p) < end && (unsigned char) (*(p) - '0') <= 9)
	if (p < end && *p == '-')
		p++;
	if (!DIGIT_AT(p))
		return NULL;
	if (*p == '0')
		p++;
	else
		while (DIGIT_AT(p))
			p++;
	if (p < end && *p == '.')
	{
		p++;
		if (!DIGIT_AT(p))
			return NULL;
		while (DIGIT_AT(p))
			p++;
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (!DIGIT_AT(p))
			return NULL;
		while (DIGIT_AT(p))
			p++;
	}
	return p < end ? p : NULL;
#undef DIGIT_AT
}

const char *
json_value_end(const char *p, const char *end, int depth, JsonNesting *nesting, JsonUnstorable *unstorable)
{
	if (p >= end)
		return NULL;
	switch (*p)
	{
		case '"':
		{
			JsonStringInfo info;

			p = json_string_end(p + 1, end, &info);
			if (p == NULL)
				return NULL;
			if (unlikely(info.unstorable != JSON_STORABLE) && *unstorable == JSON_STORABLE)
				*unstorable = info.unstorable;
			return p + 1;
		}
		case '{':
		case '[':
			return json_container_end(p, end, depth, nesting, unstorable);
		case 't':
		case 'f':
		case 'n':
			return json_literal_end(p, end);
		default:
			return json_number_end(p, end);
	}
}

const char *
json_container_end(const char *p, const char *end, int depth, JsonNesting *nesting, JsonUnstorable *unstorable)
{
	int			outer = depth - 1;	/* the depth around the container */
	bool		in_object;

	depth = outer;

open:
	/* p is at an opening brace or bracket */
	if (++depth > nesting->max_depth)
		return NULL;
	in_object = (*p == '{');
	if (in_object)
		nesting->objects[(depth - 1) / 64] |= UINT64CONST(1) << ((depth - 1) % 64);
	else
		nesting->objects[(depth - 1) / 64] &= ~(UINT64CONST(1) << ((depth - 1) % 64));
	p = json_skip_space(p + 1, end);
	if (p >= end)
		return NULL;
	if (*p == (in_object ? '}' : ']'))
	{
		p++;
		goto close;
	}

member:
	if (in_object)
		p = key_end(p, end, unstorable);
	if (p == NULL || p >= end)
		return NULL;
	if (*p == '{' || *p == '[')
		goto open;
	p = json_value_end(p, end, depth, nesting, unstorable);
	if (p == NULL)
		return NULL;

after_value:
	p = json_skip_space(p, end);
	if (p >= end)
		return NULL;
	if (*p == ',')
	{
		p = json_skip_space(p + 1, end);
		goto member;
	}
	if (*p != (in_object ? '}' : ']'))
		return NULL;
	p++;

close:
	/* p is after a closing brace or bracket */
	if (--depth == outer)
		return p;
	in_object = (nesting->objects[(depth - 1) / 64] >> ((depth - 1) % 64)) & 1;
	goto after_value;
}

/* Walks over a key, the colon and the space around it, to the value. */
static const char *
key_end(const char *p, const char *end, JsonUnstorable *unstorable)
{
	JsonStringInfo info;

	if (p >= end || *p != '"')
		return NULL;
	p = json_string_end(p + 1, end, &info);
	if (p == NULL)
		return NULL;
	if (unlikely(info.unstorable != JSON_STORABLE) && *unstorable == JSON_STORABLE)
		*unstorable = info.unstorable;
	p = json_skip_space(p + 1, end);
	if (p >= end || *p != ':')
		return NULL;
	return json_skip_space(p + 1, end);
}

bool
json_utf8_valid(const char *p, const char *end)
{
	const unsigned char *s = (const unsigned char *) p;
	const unsigned char *stop = (const unsigned char *) end;

	while (s < stop)
	{
		unsigned char c = *s;
		int			more;
		unsigned char low = 0x80;	/* bounds of the second byte */
		unsigned char high = 0xBF;

		if (c < 0x80)
		{
			s++;
			continue;
		}
		if (c >= 0xC2 && c <= 0xDF)
			more = 1;
		else if (c >= 0xE0 && c <= 0xEF)
		{
			more = 2;
			if (c == 0xE0)
				low = 0xA0;		/* overlong below */
			else if (c == 0xED)
				high = 0x9F;	/* surrogates above */
		}
		else if (c >= 0xF0 && c <= 0xF4)
		{
			more = 3;
			if (c == 0xF0)
				low = 0x90;		/* overlong below */
			else if (c == 0xF4)
				high = 0x8F;	/* above U+10FFFF */
		}
		else
			return false;
		if (stop - s <= more || s[1] < low || s[1] > high)
			return false;
		for (int i = 2; i <= more; i++)
		{
			if ((s[i] & 0xC0) != 0x80)
				return false;
		}
		s += more + 1;
	}
	return true;
}

size_t
json_unescape(const char *src, size_t len, char *dst)
{
	const char *end = src + len;
	char	   *start = dst;

	while (src < end)
	{
		const char *backslash = memchr(src, '\\', end - src);
		size_t		plain = (backslash ? backslash : end) - src;

		memmove(dst, src, plain);
		dst += plain;
		if (backslash == NULL)
			break;
		src = backslash + 2;
		switch (backslash[1])
		{
			case 'b':
				*dst++ = '\b';
				break;
			case 'f':
				*dst++ = '\f';
				break;
			case 'n':
				*dst++ = '\n';
				break;
			case 'r':
				*dst++ = '\r';
				break;
			case 't':
				*dst++ = '\t';
				break;
			case 'u':
			{
				uint32 code = json_hex4(src);

				src += 4;
				if (code >= 0xD800 && code <= 0xDBFF && end - src >= 6 && src[0] == '\\' && src[1] == 'u')
				{
					uint32 low = json_hex4(src + 2);

					if (low >= 0xDC00 && low <= 0xDFFF)
					{
						code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
						src += 6;
					}
				}
				if (code == 0 || (code >= 0xD800 && code <= 0xDFFF))
					code = 0xFFFD;
				dst += put_utf8(dst, code);
				break;
			}
			default:
				*dst++ = backslash[1];	/* quote, backslash or slash */
				break;
		}
	}
	return dst - start;
}

static size_t
put_utf8(char *dst, uint32 c)
{
	if (c < 0x80)
	{
		dst[0] = c;
		return 1;
	}
	if (c < 0x800)
	{
		dst[0] = 0xC0 | (c >> 6);
		dst[1] = 0x80 | (c & 0x3F);
		return 2;
	}
	if (c < 0x10000)
	{
		dst[0] = 0xE0 | (c >> 12);
		dst[1] = 0x80 | ((c >> 6) & 0x3F);
		dst[2] = 0x80 | (c & 0x3F);
		return 3;
	}
	dst[0] = 0xF0 | (c >> 18);
	dst[1] = 0x80 | ((c >> 12) & 0x3F);
	dst[2] = 0x80 | ((c >> 6) & 0x3F);
	dst[3] = 0x80 | (c & 0x3F);
	return 4;
}

int
json_hex4(const char *p)
{
	int			value = 0;

	for (int i = 0; i < 4; i++)
	{
		char		c = p[i];

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}
