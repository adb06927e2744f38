/*
 * validators.c
 *	  Is a text an e-mail address, a phone number, a URL, a UUID?
 *
 * Each reads its text once, from left to right.  White space around a value
 * makes it invalid, but for a phone number: who wants to be tolerant trims.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "mb/pg_wchar.h"
#include "template/validators.h"

/* RFC 5321, 4.5.3.1, and the length of a path without its angle brackets. */
#define EMAIL_MAX_LOCAL		64
#define EMAIL_MAX			254

/* RFC 1035, 2.3.4. */
#define LABEL_MAX			63

/* E.164, 6.2.1. */
#define PHONE_MAX_DIGITS	15

#define PORT_MAX			65535

#define UNRESERVED			"-._~"
#define SUB_DELIMITERS		"!$&'()*+,;="

static bool is_email(const char *text, int len);
static bool is_domain(const char *text, int len);
static bool is_domain_label(const char *text, int len);
static bool is_blank_beyond_ascii(const char *text, int len);
static bool is_phone(const char *text, int len);
static bool is_url(const char *text, int len);
static bool is_authority(const char *text, int len);
static bool is_ipv6(const char *text, int len);
static bool is_port(const char *text, int len);
static bool has_only(const char *text, int len, const char *punctuation);
static bool is_uuid(const char *text, int len);
static bool is_letter(char c);
static bool is_digit(char c);
static bool is_hex_digit(char c);

static const struct
{
	const char *name;
	bool		(*accepts) (const char *text, int len);
} validators[] = {
	[VALIDATOR_EMAIL] = {"email", is_email},
	[VALIDATOR_PHONE] = {"phone", is_phone},
	[VALIDATOR_URL] = {"url", is_url},
	[VALIDATOR_UUID] = {"uuid", is_uuid},
};

bool
validator_accepts(ValidatorKind kind, const char *text, int len)
{
	return validators[kind].accepts(text, len);
}

bool
validator_find(const char *name, ValidatorKind *kind)
{
	for (int i = 0; i < lengthof(validators); i++)
	{
		if (strcmp(validators[i].name, name) == 0)
		{
			*kind = (ValidatorKind) i;
			return true;
		}
	}
	return false;
}

/*
 * What HTML's input type=email takes, within the lengths of RFC 5321, with a
 * dot in the domain, which may be an internationalized one.
 */
static bool
is_email(const char *text, int len)
{
	const char *at = memchr(text, '@', len);
	int			local = at != NULL ? at - text : 0;

	if (local == 0 || local > EMAIL_MAX_LOCAL || len > EMAIL_MAX)
		return false;
	for (int i = 0; i < local; i++)
	{
		if (!is_letter(text[i]) && !is_digit(text[i]) &&
			(text[i] == '\0' || strchr(".!#$%&'*+/=?^_`{|}~-", text[i]) == NULL))
			return false;
	}
	return is_domain(at + 1, len - local - 1);
}

/*
 * At least two labels.
 */
static bool
is_domain(const char *text, int len)
{
	const char *end = text + len;
	const char *dot = memchr(text, '.', len);

	if (dot == NULL || is_blank_beyond_ascii(text, len))
		return false;
	for (; dot != NULL; dot = memchr(text, '.', end - text))
	{
		if (!is_domain_label(text, dot - text))
			return false;
		text = dot + 1;
	}
	return is_domain_label(text, end - text);
}

/*
 * Letters, digits and hyphens, with none of these at either end.  The bytes of
 * an internationalized label are more than what its length is limited to.
 */
static bool
is_domain_label(const char *text, int len)
{
	bool		ascii = true;

	if (len == 0 || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (int i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(text[i]))
			ascii = false;
		else if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '-')
			return false;
	}
	return !ascii || len <= LABEL_MAX;
}

/*
 * White space and control characters of Unicode, which no name has.
 */
static bool
is_blank_beyond_ascii(const char *text, int len)
{
	const unsigned char *p = (const unsigned char *) text;
	const unsigned char *end = p + len;

	if (GetDatabaseEncoding() != PG_UTF8)
		return false;
	for (; p < end; p += pg_utf_mblen(p))
	{
		pg_wchar	c = utf8_to_unicode(p);

		if ((c >= 0x80 && c <= 0xA0) || c == 0x1680 || (c >= 0x2000 && c <= 0x200F) ||
			(c >= 0x2028 && c <= 0x202F) || (c >= 0x205F && c <= 0x206F) || c == 0x3000 || c == 0xFEFF)
			return true;
	}
	return false;
}

/*
 * E.164, with what people put between the digits.
 */
static bool
is_phone(const char *text, int len)
{
	int			digits = 0;
	bool		plus = false;

	for (int i = 0; i < len; i++)
	{
		if (is_digit(text[i]))
		{
			if (!plus || (digits == 0 && text[i] == '0'))
				return false;
			digits++;
		}
		else if (text[i] == '+')
		{
			if (plus)
				return false;
			plus = true;
		}
		else if (text[i] == '\0' || strchr(" .-()", text[i]) == NULL)
			return false;
	}
	return digits > 1 && digits <= PHONE_MAX_DIGITS;
}

/*
 * http or https, with a host; the characters are those of RFC 3986.
 */
static bool
is_url(const char *text, int len)
{
	const char *end = text + len;
	const char *query;
	const char *fragment;
	int			scheme;
	int			authority = 0;

	if (len >= 7 && pg_strncasecmp(text, "http://", 7) == 0)
		scheme = 7;
	else if (len >= 8 && pg_strncasecmp(text, "https://", 8) == 0)
		scheme = 8;
	else
		return false;

	text += scheme;
	while (text + authority < end && strchr("/?#", text[authority]) == NULL)
		authority++;
	if (!is_authority(text, authority))
		return false;

	text += authority;
	fragment = memchr(text, '#', end - text);
	if (fragment != NULL)
	{
		if (!has_only(fragment + 1, end - fragment - 1, UNRESERVED SUB_DELIMITERS ":@/?"))
			return false;
		end = fragment;
	}
	query = memchr(text, '?', end - text);
	if (query != NULL)
	{
		if (!has_only(query + 1, end - query - 1, UNRESERVED SUB_DELIMITERS ":@/?"))
			return false;
		end = query;
	}
	return has_only(text, end - text, UNRESERVED SUB_DELIMITERS ":@/");
}

/*
 * [user@]host[:port]
 */
static bool
is_authority(const char *text, int len)
{
	const char *at = memchr(text, '@', len);
	const char *end = text + len;
	const char *port;

	if (at != NULL)
	{
		if (!has_only(text, at - text, UNRESERVED SUB_DELIMITERS ":"))
			return false;
		text = at + 1;
	}

	if (text < end && *text == '[')
	{
		const char *close = memchr(text, ']', end - text);

		if (close == NULL || !is_ipv6(text + 1, close - text - 1))
			return false;
		return close + 1 == end || (close[1] == ':' && is_port(close + 2, end - close - 2));
	}

	port = memchr(text, ':', end - text);
	if (port != NULL && !is_port(port + 1, end - port - 1))
		return false;
	if (port != NULL)
		end = port;
	return text < end && has_only(text, end - text, UNRESERVED SUB_DELIMITERS);
}

static bool
is_ipv6(const char *text, int len)
{
	char		name[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (len <= 0 || len >= sizeof(name))
		return false;
	memcpy(name, text, len);
	name[len] = '\0';
	return inet_pton(AF_INET6, name, &address) == 1;
}

/*
 * None at all is the scheme's own.
 */
static bool
is_port(const char *text, int len)
{
	int			port = 0;

	for (int i = 0; i < len; i++)
	{
		if (!is_digit(text[i]))
			return false;
		port = port * 10 + (text[i] - '0');
		if (port > PORT_MAX)
			return false;
	}
	return true;
}

/*
 * Letters, digits, whole percent-encoded bytes and the given punctuation.
 */
static bool
has_only(const char *text, int len, const char *punctuation)
{
	for (int i = 0; i < len; i++)
	{
		if (text[i] == '%')
		{
			if (i + 2 >= len || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2]))
				return false;
			i += 2;
		}
		else if (!is_letter(text[i]) && !is_digit(text[i]) &&
				 (text[i] == '\0' || strchr(punctuation, text[i]) == NULL))
			return false;
	}
	return true;
}

/*
 * 8-4-4-4-12 hexadecimal digits, as in RFC 9562.
 */
static bool
is_uuid(const char *text, int len)
{
	if (len != 36)
		return false;
	for (int i = 0; i < len; i++)
	{
		bool		hyphen = i == 8 || i == 13 || i == 18 || i == 23;

		if (hyphen ? text[i] != '-' : !is_hex_digit(text[i]))
			return false;
	}
	return true;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
