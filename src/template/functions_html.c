/*
 * functions_html.c
 *	  SQL function of the filter strip_html: the text of a piece of HTML.
 *
 * It reads HTML as browsers do where that matters for the text, but knows no
 * structure: what is left out are tags, comments, and what scripts and style
 * sheets hold.  What opens and never closes reaches to the end.
 */
#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "template/functions.h"
#include "utils/builtins.h"

/* No entity that is known here is longer than &#x0010FFFF; */
#define ENTITY_MAX 12

#define NO_BREAK_SPACE 0xA0
#define CODE_POINT_MAX 0x10FFFF

PG_FUNCTION_INFO_V1(databite_filter_strip_html);

typedef struct Reader
{
	const char *p;
	const char *end;
	StringInfo	out;
	bool		gap;			/* white space is due before the next character */
} Reader;

/* Tags within a line of text; any other one separates words. */
static const char *const inline_tags[] = {
	"a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "q",
	"s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr"
};

/* What &#128; to &#159; mean: those characters of Windows-1252; 0 where there is none. */
static const pg_wchar windows_1252[] = {
	0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
	0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178
};

static void read_markup(Reader *reader);
static void read_tag(Reader *reader);
static void skip_tag(Reader *reader);
static void skip_raw_text(Reader *reader, const char *name, int len);
static void skip_past(Reader *reader, const char *what);
static bool is_inline(const char *name, int len);
static bool is_name(const char *name, int len, const char *wanted);
static void read_entity(Reader *reader);
static pg_wchar named_entity(const char *name, int len);
static pg_wchar numeric_entity(const char *name, int len);
static void append_code_point(Reader *reader, pg_wchar c);
static void read_character(Reader *reader);
static void append_bytes(Reader *reader, const char *data, int len);
static bool is_letter(const Reader *reader, int offset);

/*
 * databite.filter_strip_html(text) -> text
 *
 * White space is one space, and none at the ends.
 */
Datum
databite_filter_strip_html(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	StringInfoData out;
	Reader		reader = {
		.p = VARDATA_ANY(value),
		.end = VARDATA_ANY(value) + VARSIZE_ANY_EXHDR(value),
		.out = &out
	};

	initStringInfo(&out);
	while (reader.p < reader.end)
	{
		if (*reader.p == '<')
			read_markup(&reader);
		else if (*reader.p == '&')
			read_entity(&reader);
		else
			read_character(&reader);
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

static void
read_markup(Reader *reader)
{
	int			left = reader->end - reader->p;

	if (left >= 4 && memcmp(reader->p, "<!--", 4) == 0)
		skip_past(reader, "-->");
	else if (left >= 2 && (reader->p[1] == '!' || reader->p[1] == '?'))
		skip_past(reader, ">");
	else if (is_letter(reader, 1) || (left >= 3 && reader->p[1] == '/' && is_letter(reader, 2)))
		read_tag(reader);
	else
		read_character(reader);
}

/*
 * Reads an opening or closing tag, and after some what they hold.
 */
static void
read_tag(Reader *reader)
{
	bool		closing = reader->p[1] == '/';
	const char *name = reader->p + (closing ? 2 : 1);
	int			len = 0;

	while (name + len < reader->end && strchr(" \t\n\r\f/>", name[len]) == NULL)
		len++;
	skip_tag(reader);
	if (!is_inline(name, len))
		reader->gap = true;
	if (!closing && (is_name(name, len, "script") || is_name(name, len, "style")))
		skip_raw_text(reader, name, len);
}

/*
 * To the end of the tag, which is not the > within an attribute's value.
 */
static void
skip_tag(Reader *reader)
{
	char		quote = '\0';

	for (; reader->p < reader->end; reader->p++)
	{
		char		c = *reader->p;

		if (quote != '\0')
			quote = c == quote ? '\0' : quote;
		else if (c == '>')
		{
			reader->p++;
			return;
		}
		else if ((c == '"' || c == '\'') && reader->p[-1] == '=')
			quote = c;
	}
}

/*
 * To behind the closing tag of that name: nothing else ends a script.
 */
static void
skip_raw_text(Reader *reader, const char *name, int len)
{
	for (; reader->p < reader->end; reader->p++)
	{
		if (reader->end - reader->p >= len + 2 && reader->p[0] == '<' && reader->p[1] == '/' &&
			pg_strncasecmp(reader->p + 2, name, len) == 0)
		{
			skip_tag(reader);
			return;
		}
	}
}

static void
skip_past(Reader *reader, const char *what)
{
	int			len = strlen(what);

	for (; reader->end - reader->p >= len; reader->p++)
	{
		if (memcmp(reader->p, what, len) == 0)
		{
			reader->p += len;
			return;
		}
	}
	reader->p = reader->end;
}

static bool
is_inline(const char *name, int len)
{
	for (int i = 0; i < lengthof(inline_tags); i++)
	{
		if (is_name(name, len, inline_tags[i]))
			return true;
	}
	return false;
}

static bool
is_name(const char *name, int len, const char *wanted)
{
	return strlen(wanted) == len && pg_strncasecmp(name, wanted, len) == 0;
}

/*
 * An ampersand that begins no entity stands for itself.
 */
static void
read_entity(Reader *reader)
{
	const char *name = reader->p + 1;
	const char *semicolon = memchr(name, ';', Min(reader->end - name, ENTITY_MAX));
	pg_wchar	c = 0;

	if (semicolon != NULL && *name == '#')
		c = numeric_entity(name + 1, semicolon - name - 1);
	else if (semicolon != NULL)
		c = named_entity(name, semicolon - name);
	if (c == 0)
	{
		read_character(reader);
		return;
	}
	append_code_point(reader, c);
	reader->p = semicolon + 1;
}

/*
 * Zero for one that is not known.
 */
static pg_wchar
named_entity(const char *name, int len)
{
	static const struct
	{
		const char *name;
		pg_wchar	c;
	}			entities[] = {
		{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}, {"nbsp", NO_BREAK_SPACE}
	};

	for (int i = 0; i < lengthof(entities); i++)
	{
		if (strlen(entities[i].name) == len && memcmp(name, entities[i].name, len) == 0)
			return entities[i].c;
	}
	return 0;
}

/*
 * Decimal, or hexadecimal after an x; zero for what is no character.
 */
static pg_wchar
numeric_entity(const char *name, int len)
{
	int			base = len > 0 && (name[0] == 'x' || name[0] == 'X') ? 16 : 10;
	pg_wchar	c = 0;
	int			i = base == 16 ? 1 : 0;

	if (i >= len)
		return 0;
	for (; i < len; i++)
	{
		if (name[i] >= '0' && name[i] <= '9')
			c = c * base + (name[i] - '0');
		else if (base == 16 && pg_ascii_tolower(name[i]) >= 'a' && pg_ascii_tolower(name[i]) <= 'f')
			c = c * base + (pg_ascii_tolower(name[i]) - 'a' + 10);
		else
			return 0;
		if (c > CODE_POINT_MAX)
			return 0;
	}
	if (c >= 0x80 && c < 0x80 + lengthof(windows_1252))
		return windows_1252[c - 0x80];
	return is_valid_unicode_codepoint(c) && (c < 0xD800 || c > 0xDFFF) ? c : 0;
}

static void
append_code_point(Reader *reader, pg_wchar c)
{
	unsigned char encoded[MAX_UNICODE_EQUIVALENT_STRING + 1];

	if (c == NO_BREAK_SPACE || c == ' ' || (c >= '\t' && c <= '\r'))
	{
		reader->gap = true;
		return;
	}
	pg_unicode_to_server(c, encoded);
	append_bytes(reader, (char *) encoded, strlen((char *) encoded));
}

static void
read_character(Reader *reader)
{
	const char *p = reader->p;
	int			len = pg_mblen(p);

	reader->p += len;
	if (*p == ' ' || (*p >= '\t' && *p <= '\r') ||
		(GetDatabaseEncoding() == PG_UTF8 && len == 2 && memcmp(p, "\xC2\xA0", 2) == 0))
		reader->gap = true;
	else
		append_bytes(reader, p, len);
}

static void
append_bytes(Reader *reader, const char *data, int len)
{
	if (reader->gap && reader->out->len > 0)
		appendStringInfoChar(reader->out, ' ');
	reader->gap = false;
	appendBinaryStringInfo(reader->out, data, len);
}

static bool
is_letter(const Reader *reader, int offset)
{
	char		c = reader->end - reader->p > offset ? pg_ascii_tolower(reader->p[offset]) : '\0';

	return c >= 'a' && c <= 'z';
}
