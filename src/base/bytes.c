/*
 * bytes.c
 *	  Bytes that are written as text.
 */
#include "postgres.h"

#include "base/bytes.h"
#include "base/compat.h"

static bytea *decoded(const char *text, size_t len, bool (*decode) (const char *, size_t, unsigned char *, size_t *));
static bool decode_hex(const char *text, size_t len, unsigned char *out, size_t *outlen);
static bool decode_base64(const char *text, size_t len, unsigned char *out, size_t *outlen);
static int	base64_digit(char c);

bytea *
bytes_from_base64(const char *text, size_t len)
{
	return decoded(text, len, decode_base64);
}

char *
bytes_to_base64(const void *bytes, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = bytes;
	char	   *text = palloc((len + 2) / 3 * 4 + 1);
	char	   *out = text;

	for (size_t i = 0; i < len; i += 3)
	{
		size_t		n = Min(len - i, 3);
		uint32		group = (in[i] << 16) | (n > 1 ? in[i + 1] << 8 : 0) | (n > 2 ? in[i + 2] : 0);

		*out++ = digits[group >> 18];
		*out++ = digits[(group >> 12) & 63];
		*out++ = n > 1 ? digits[(group >> 6) & 63] : '=';
		*out++ = n > 2 ? digits[group & 63] : '=';
	}
	*out = '\0';
	return text;
}

bytea *
bytes_from_text(const char *text, size_t len)
{
	if (len >= 2 && text[0] == '\\' && text[1] == 'x')
		return decoded(text + 2, len - 2, decode_hex);
	return decoded(text, len, decode_base64);
}

bool
bytes_are_same(const uint8 *a, const uint8 *b, size_t len)
{
	volatile uint8 difference = 0;

	for (size_t i = 0; i < len; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

int
bytes_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bytea *
decoded(const char *text, size_t len, bool (*decode) (const char *, size_t, unsigned char *, size_t *))
{
	bytea	   *result;
	size_t		outlen;

	/* less than the text in either form, but for the groups of four that base64 is decoded in */
	result = palloc(VARHDRSZ + len + 3);
	if (!decode(text, len, (unsigned char *) VARDATA(result), &outlen))
	{
		pfree(result);
		return NULL;
	}
	SET_VARSIZE(result, VARHDRSZ + outlen);
	return result;
}

static bool
decode_hex(const char *text, size_t len, unsigned char *out, size_t *outlen)
{
	if (len % 2 != 0)
		return false;
	for (size_t i = 0; i < len; i += 2)
	{
		int			high = bytes_hex_digit(text[i]);
		int			low = bytes_hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (high << 4) | low;
	}
	*outlen = len / 2;
	return true;
}

/*
 * Padding, where there is any, fills the last group of four, and nothing but
 * white space follows it.  Bits that belong to no byte are 0: else something has
 * been cut off.
 */
static bool
decode_base64(const char *text, size_t len, unsigned char *out, size_t *outlen)
{
	uint32		group = 0;
	size_t		digits = 0;
	size_t		padding = 0;
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
	{
		int			digit = base64_digit(text[i]);

		if (text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r'))
			continue;
		if (text[i] == '=')
		{
			padding++;
			continue;
		}
		if (digit < 0 || padding > 0)
			return false;
		group = (group << 6) | digit;
		if (++digits % 4 == 0)
		{
			out[n++] = group >> 16;
			out[n++] = group >> 8;
			out[n++] = group;
		}
	}
	if (digits % 4 == 1 || (padding > 0 && (padding > 2 || (digits + padding) % 4 != 0)))
		return false;
	if ((digits % 4 == 2 && (group & 0xF) != 0) || (digits % 4 == 3 && (group & 0x3) != 0))
		return false;
	if (digits % 4 == 2)
		out[n++] = group >> 4;
	if (digits % 4 == 3)
	{
		out[n++] = group >> 10;
		out[n++] = group >> 2;
	}
	*outlen = n;
	return true;
}

static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}
