/*
 * quoted.c
 *	  Quoted strings, as paths, templates and JSON write them.
 */
#include "postgres.h"

#include "job/quoted.h"
#include "mb/pg_wchar.h"

static int	append_code_point(char *to, pg_wchar code);
static bool decode_unicode_escape(const char *text, int len, int *pos, pg_wchar *code,
								  const char **error);
static bool hex4(const char *text, int len, int pos, pg_wchar *code);

int
quoted_length(const char *text, int len)
{
	char		quote = text[0];

	for (int i = 1; i < len; i++)
	{
		if (text[i] == '\\')
			i++;
		else if (text[i] == quote)
			return i + 1;
	}
	return -1;
}

char *
quoted_decode(const char *text, int len, int *decoded_len, const char **error, int *error_at)
{
	/* No escape is shorter than what it stands for. */
	char	   *result = palloc(len + 1);
	int			out = 0;
	int			i = 0;

	while (i < len)
	{
		pg_wchar	code;

		if (text[i] != '\\')
		{
			result[out++] = text[i++];
			continue;
		}

		*error_at = i;
		*error = "unknown escape";
		switch (i + 1 < len ? text[i + 1] : '\0')
		{
			case '"':
			case '\'':
			case '\\':
			case '/':
				result[out++] = text[i + 1];
				break;
			case 'b':
				result[out++] = '\b';
				break;
			case 'f':
				result[out++] = '\f';
				break;
			case 'n':
				result[out++] = '\n';
				break;
			case 'r':
				result[out++] = '\r';
				break;
			case 't':
				result[out++] = '\t';
				break;
			case 'u':
				if (!decode_unicode_escape(text, len, &i, &code, error))
					return NULL;
				out += append_code_point(result + out, code);
				continue;
			default:
				return NULL;
		}
		i += 2;
	}

	result[out] = '\0';
	*decoded_len = out;
	return result;
}

/*
 * Writes the character in the database's encoding, in which the text around it is; returns its bytes.
 */
static int
append_code_point(char *to, pg_wchar code)
{
	unsigned char character[MAX_UNICODE_EQUIVALENT_STRING + 1] = {0};
	int			len;

	if (GetDatabaseEncoding() == PG_UTF8)
		unicode_to_utf8(code, character);
	else
		pg_unicode_to_server(code, character);
	len = strlen((char *) character);
	memcpy(to, character, len);
	return len;
}

/*
 * Decodes \uXXXX, or a surrogate pair of two, at *pos and moves *pos behind it.
 */
static bool
decode_unicode_escape(const char *text, int len, int *pos, pg_wchar *code, const char **error)
{
	pg_wchar	second;

	*error = "\\u needs four hexadecimal digits";
	if (!hex4(text, len, *pos + 2, code))
		return false;
	*pos += 6;

	*error = "\\u0000 cannot be stored";
	if (*code == 0)
		return false;

	*error = "half of a surrogate pair";
	if (is_utf16_surrogate_second(*code))
		return false;
	if (is_utf16_surrogate_first(*code))
	{
		if (*pos + 1 >= len || text[*pos] != '\\' || text[*pos + 1] != 'u' ||
			!hex4(text, len, *pos + 2, &second) || !is_utf16_surrogate_second(second))
			return false;
		*code = surrogate_pair_to_codepoint(*code, second);
		*pos += 6;
	}
	return true;
}

/*
 * Reads four hexadecimal digits at pos.
 */
static bool
hex4(const char *text, int len, int pos, pg_wchar *code)
{
	*code = 0;
	if (pos + 4 > len)
		return false;
	for (int i = pos; i < pos + 4; i++)
	{
		char		c = text[i];

		*code <<= 4;
		if (c >= '0' && c <= '9')
			*code += c - '0';
		else if (c >= 'a' && c <= 'f')
			*code += c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			*code += c - 'A' + 10;
		else
			return false;
	}
	return true;
}
