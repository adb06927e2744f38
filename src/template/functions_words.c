/*
 * functions_words.c
 *	  SQL functions of the filters that make names of texts: slug, snake_case.
 */
#include "postgres.h"

#include "base/compat.h"
#include "common/unicode_norm.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "template/functions.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

/* A name is short.  Normalization needs many times the space of the text. */
#define SLUG_MAX_BYTES (1024 * 1024)

/*
 * Characters that are normalized at once: that takes time by the square of the
 * accents in a row, and cannot be interrupted.
 */
#define PIECE_MAX 100

PG_FUNCTION_INFO_V1(databite_filter_slug);
PG_FUNCTION_INFO_V1(databite_filter_snake_case);

typedef struct Slug
{
	StringInfo	out;
	bool		gap;			/* a hyphen is due before the next letter */
	bool		latin;			/* an accent here would stand on a Latin letter */
} Slug;

typedef enum LetterCase
{
	CASE_NONE,					/* no part of a word */
	CASE_DIGIT,
	CASE_LOWER,					/* also letters without case */
	CASE_UPPER
} LetterCase;

/* Ranges of characters that are neither letters, digits nor marks on them; sorted. */
static const struct
{
	pg_wchar	first;
	pg_wchar	last;
} separators[] = {
	{0x80, 0xA9}, {0xAB, 0xB4}, {0xB6, 0xB9}, {0xBB, 0xBF}, {0xD7, 0xD7}, {0xF7, 0xF7}, {0x2C2, 0x2C5},
	{0x2D2, 0x2DF}, {0x37E, 0x37E}, {0x387, 0x387}, {0x55A, 0x55F}, {0x589, 0x58F}, {0x5BE, 0x5BE}, {0x5C0, 0x5C0},
	{0x5C3, 0x5C3}, {0x5C6, 0x5C6}, {0x5F3, 0x5F4}, {0x600, 0x60F}, {0x61B, 0x61F}, {0x66A, 0x66D}, {0x6D4, 0x6D4},
	{0x700, 0x70D}, {0x964, 0x965}, {0x970, 0x970}, {0xDF4, 0xDF4}, {0xE3F, 0xE3F}, {0xE4F, 0xE4F}, {0xE5A, 0xE5B},
	{0xF01, 0xF17}, {0x104A, 0x104F}, {0x10FB, 0x10FB}, {0x1360, 0x1368}, {0x1400, 0x1400}, {0x1680, 0x1680},
	{0x17D4, 0x17DB}, {0x1800, 0x180A}, {0x2000, 0x206F}, {0x207A, 0x207E}, {0x208A, 0x208E}, {0x20A0, 0x20CF},
	{0x2100, 0x2101}, {0x2190, 0x245F}, {0x249C, 0x24B5}, {0x2500, 0x2BFF}, {0x2E00, 0x2FFF}, {0x3000, 0x3004},
	{0x3008, 0x3020}, {0x3030, 0x3030}, {0x3036, 0x3037}, {0x303D, 0x303F}, {0x309B, 0x309C}, {0x30A0, 0x30A0},
	{0x30FB, 0x30FB}, {0xA4FE, 0xA4FF}, {0xE000, 0xF8FF}, {0xFD3E, 0xFD3F}, {0xFE00, 0xFE19}, {0xFE30, 0xFE6F},
	{0xFEFF, 0xFEFF}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF},
	{0x1F000, 0x1FAFF}, {0xE0000, 0x10FFFF}
};

/* Latin letters that are no letter with an accent. */
static const struct
{
	pg_wchar	letter;
	const char *ascii;
} spellings[] = {
	{0xC6, "ae"}, {0xD0, "d"}, {0xD8, "o"}, {0xDE, "th"}, {0xDF, "ss"}, {0xE6, "ae"}, {0xF0, "d"}, {0xF8, "o"},
	{0xFE, "th"}, {0x110, "d"}, {0x111, "d"}, {0x126, "h"}, {0x127, "h"}, {0x131, "i"}, {0x138, "k"}, {0x141, "l"},
	{0x142, "l"}, {0x14A, "n"}, {0x14B, "n"}, {0x152, "oe"}, {0x153, "oe"}, {0x166, "t"}, {0x167, "t"}, {0x1E9E, "ss"}
};

static void slug_unicode(StringInfo out, const char *text, int len);
static int	piece_length(const pg_wchar *c);
static void slug_character(Slug *slug, pg_wchar c);
static void slug_bytes(StringInfo out, const char *text, int len);
static void slug_ascii(Slug *slug, char c);
static void slug_code_point(Slug *slug, pg_wchar c);
static void slug_append(Slug *slug, const char *data, int len);
static void append_composed(StringInfo out, const char *text, int len);
static const char *find_spelling(pg_wchar c);
static pg_wchar *to_code_points(const char *text, int len);
static bool is_separator(pg_wchar c);
static bool is_mark(pg_wchar c);
static LetterCase letter_case(const char *p, int len, Oid collation);
static void append_lower(StringInfo out, const char *p, int len, Oid collation);

/*
 * databite.filter_slug(text) -> text
 *
 * The words of the text in lower case, joined by hyphens; Latin letters without
 * their accents, letters of other scripts as they are.
 */
Datum
databite_filter_slug(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	StringInfoData out;
	char	   *small;

	if (VARSIZE_ANY_EXHDR(value) > SLUG_MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("filter \"slug\" takes at most %d bytes", SLUG_MAX_BYTES)));
	initStringInfo(&out);
	small = str_tolower(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), PG_GET_COLLATION());
	if (GetDatabaseEncoding() == PG_UTF8)
		slug_unicode(&out, small, strlen(small));
	else
		slug_bytes(&out, small, strlen(small));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/*
 * databite.filter_snake_case(text) -> text
 *
 * Words in lower case, joined by underscores.  A word begins with a capital
 * after a small letter or a digit, with the last capital of several before a
 * small letter, and after whatever is no letter or digit.
 */
Datum
databite_filter_snake_case(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	const char *p = VARDATA_ANY(value);
	const char *end = p + VARSIZE_ANY_EXHDR(value);
	Oid			collation = PG_GET_COLLATION();
	LetterCase	before = CASE_NONE;
	LetterCase	current;
	LetterCase	next;
	StringInfoData out;

	initStringInfo(&out);
	current = p < end ? letter_case(p, pg_mblen(p), collation) : CASE_NONE;
	while (p < end)
	{
		int			len = pg_mblen(p);
		bool		begins;

		next = p + len < end ? letter_case(p + len, pg_mblen(p + len), collation) : CASE_NONE;
		begins = before == CASE_NONE || (current == CASE_UPPER && (before != CASE_UPPER || next == CASE_LOWER));
		if (current != CASE_NONE)
		{
			if (begins && out.len > 0)
				appendStringInfoChar(&out, '_');
			append_lower(&out, p, len, collation);
		}
		before = current;
		current = next;
		p += len;
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

static void
slug_unicode(StringInfo out, const char *text, int len)
{
	StringInfoData decomposed;
	Slug		slug = {.out = &decomposed};
	pg_wchar   *next = to_code_points(text, len);

	initStringInfo(&decomposed);
	while (*next != 0)
	{
		pg_wchar	piece[PIECE_MAX + 1] = {0};
		int			n = piece_length(next);
		int			done = decomposed.len;
		pg_wchar   *c;

		CHECK_FOR_INTERRUPTS();
		memcpy(piece, next, n * sizeof(pg_wchar));
		next += n;
		for (c = unicode_normalize(UNICODE_NFKD, piece); *c != 0; c++)
			slug_character(&slug, *c);
		append_composed(out, decomposed.data + done, decomposed.len - done);
	}
}

/*
 * How many of the code points to normalize at once: to the end, or up to an
 * ASCII character, which nothing before it goes together with.
 */
static int
piece_length(const pg_wchar *c)
{
	int			n = 0;
	int			ascii = 0;

	while (n < PIECE_MAX && c[n] != 0)
	{
		if (c[n] < 0x80)
			ascii = n;
		n++;
	}
	return c[n] != 0 && ascii > 0 ? ascii : n;
}

static void
slug_character(Slug *slug, pg_wchar c)
{
	const char *spelling = find_spelling(c);

	if (is_mark(c))
	{
		if (!slug->latin && !slug->gap && slug->out->len > 0)
			slug_code_point(slug, c);
		return;
	}
	slug->latin = c < 0x80 || spelling != NULL;
	if (spelling != NULL)
		slug_append(slug, spelling, strlen(spelling));
	else if (c == 0x2019 || c == 0x2BC)
		return;
	else if (c >= 0x80 && is_separator(c))
		slug->gap = true;
	else if (c >= 0x80)
		slug_code_point(slug, c);
	else
		slug_ascii(slug, (char) c);
}

/*
 * In an encoding of which only ASCII is known.
 */
static void
slug_bytes(StringInfo out, const char *text, int len)
{
	Slug		slug = {.out = out};

	for (int i = 0; i < len; i++)
	{
		if (IS_HIGHBIT_SET(text[i]))
			slug_append(&slug, text + i, 1);
		else
			slug_ascii(&slug, text[i]);
	}
}

/*
 * An apostrophe is left out: don't is one word.
 */
static void
slug_ascii(Slug *slug, char c)
{
	c = pg_ascii_tolower((unsigned char) c);
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		slug_append(slug, &c, 1);
	else if (c != '\'')
		slug->gap = true;
}

static void
slug_code_point(Slug *slug, pg_wchar c)
{
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];

	unicode_to_utf8(c, utf8);
	slug_append(slug, (char *) utf8, pg_utf_mblen(utf8));
}

static void
slug_append(Slug *slug, const char *data, int len)
{
	if (slug->gap && slug->out->len > 0)
		appendStringInfoChar(slug->out, '-');
	slug->gap = false;
	appendBinaryStringInfo(slug->out, data, len);
}

/*
 * Puts letters together again that are no Latin ones.
 */
static void
append_composed(StringInfo out, const char *text, int len)
{
	pg_wchar   *c = unicode_normalize(UNICODE_NFC, to_code_points(text, len));
	unsigned char utf8[MAX_MULTIBYTE_CHAR_LEN + 1];

	for (; *c != 0; c++)
	{
		unicode_to_utf8(*c, utf8);
		appendBinaryStringInfo(out, (char *) utf8, pg_utf_mblen(utf8));
	}
}

static const char *
find_spelling(pg_wchar c)
{
	for (int i = 0; i < lengthof(spellings); i++)
	{
		if (spellings[i].letter == c)
			return spellings[i].ascii;
	}
	return NULL;
}

/*
 * UTF-8 to code points, zero-terminated.
 */
static pg_wchar *
to_code_points(const char *text, int len)
{
	pg_wchar   *wide = palloc((len + 1) * sizeof(pg_wchar));

	pg_mb2wchar_with_len(text, wide, len);
	return wide;
}

static bool
is_separator(pg_wchar c)
{
	for (int i = 0; i < lengthof(separators) && separators[i].first <= c; i++)
	{
		if (c <= separators[i].last)
			return true;
	}
	return false;
}

/*
 * An accent on the letter before it.
 */
static bool
is_mark(pg_wchar c)
{
	return c >= 0x300 && c <= 0x36F;
}

static LetterCase
letter_case(const char *p, int len, Oid collation)
{
	char	   *small;
	bool		same;

	if (len == 1 && !IS_HIGHBIT_SET(*p))
	{
		if (*p >= 'A' && *p <= 'Z')
			return CASE_UPPER;
		if (*p >= 'a' && *p <= 'z')
			return CASE_LOWER;
		return *p >= '0' && *p <= '9' ? CASE_DIGIT : CASE_NONE;
	}
	if (GetDatabaseEncoding() == PG_UTF8 && is_separator(utf8_to_unicode((const unsigned char *) p)))
		return CASE_NONE;
	small = str_tolower(p, len, collation);
	same = strlen(small) == len && memcmp(small, p, len) == 0;
	pfree(small);
	return same ? CASE_LOWER : CASE_UPPER;
}

static void
append_lower(StringInfo out, const char *p, int len, Oid collation)
{
	char	   *small = str_tolower(p, len, collation);

	appendStringInfoString(out, small);
	pfree(small);
}
