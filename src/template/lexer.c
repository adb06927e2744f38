/*
 * lexer.c
 *	  The tokens inside of {{ and }}.
 *
 * Words are ASCII letters, digits, "_", "$" and every character beyond ASCII
 * that can be seen: a no-break space that came with a copied text would
 * silently make another key of the word before it.
 * Numbers are JSON's.  Strings stand in single or double quotes and have
 * JSON's escapes.  What other languages write for our operators is refused
 * with the right spelling as the hint.
 */
#include "postgres.h"

#include <ctype.h>

#include "job/quoted.h"
#include "mb/pg_wchar.h"
#include "template/lexer.h"

static const struct
{
	const char *text;
	TokenKind	kind;
}			keywords[] =
{
	{"and", TOKEN_AND},
	{"or", TOKEN_OR},
	{"not", TOKEN_NOT},
	{"in", TOKEN_IN},
	{"true", TOKEN_TRUE},
	{"false", TOKEN_FALSE},
	{"null", TOKEN_NULL},
};

/* Longer symbols come before their beginnings.  TOKEN_ERROR: not ours, see hint. */
static const struct
{
	const char *text;
	TokenKind	kind;
	const char *hint;
}			symbols[] =
{
	{"===", TOKEN_ERROR, "write == to compare"},
	{"==", TOKEN_EQUAL},
	{"!=", TOKEN_NOT_EQUAL},
	{"<=", TOKEN_LESS_EQUAL},
	{">=", TOKEN_GREATER_EQUAL},
	{"<>", TOKEN_ERROR, "write != to compare"},
	{"??", TOKEN_COALESCE},
	{"||", TOKEN_ERROR, "write \"or\", or ~ to join texts"},
	{"&&", TOKEN_ERROR, "write \"and\""},
	{"=", TOKEN_ERROR, "write == to compare"},
	{"!", TOKEN_ERROR, "write \"not\""},
	{"<", TOKEN_LESS},
	{">", TOKEN_GREATER},
	{"+", TOKEN_PLUS},
	{"-", TOKEN_MINUS},
	{"*", TOKEN_STAR},
	{"/", TOKEN_SLASH},
	{"%", TOKEN_PERCENT},
	{"~", TOKEN_TILDE},
	{"|", TOKEN_PIPE},
	{"?", TOKEN_QUESTION},
	{":", TOKEN_COLON},
	{".", TOKEN_DOT},
	{",", TOKEN_COMMA},
	{"(", TOKEN_LEFT_PAREN},
	{")", TOKEN_RIGHT_PAREN},
	{"[", TOKEN_LEFT_BRACKET},
	{"]", TOKEN_RIGHT_BRACKET},
	{"{", TOKEN_LEFT_BRACE},
	{"}", TOKEN_RIGHT_BRACE},
};

/* Characters beyond ASCII that are no part of a word. */
static const struct
{
	pg_wchar	first;
	pg_wchar	last;
}			invisible[] =
{
	{0x0080, 0x00A0},			/* controls, no-break space */
	{0x00AD, 0x00AD},			/* soft hyphen */
	{0x061C, 0x061C},			/* Arabic letter mark */
	{0x1680, 0x1680},			/* Ogham space */
	{0x180E, 0x180E},			/* Mongolian vowel separator */
	{0x2000, 0x200F},			/* spaces, zero width characters, directional marks */
	{0x2028, 0x202F},			/* line and paragraph separator, directional embeddings, narrow no-break space */
	{0x205F, 0x206F},			/* mathematical space, word joiner, directional isolates */
	{0x3000, 0x3000},			/* ideographic space */
	{0xFEFF, 0xFEFF},			/* byte order mark */
	{0xFFF9, 0xFFFB},			/* interlinear annotation */
	{0xE0000, 0xE007F},			/* tags */
};

static void lex_word(Lexer *lexer);
static void lex_number(Lexer *lexer);
static void lex_string(Lexer *lexer);
static void lex_symbol(Lexer *lexer);
static bool is_word_start(const char *p);
static bool is_word_char(const char *p);
static bool is_invisible(const char *p);
static bool is_digit(char c);

void
lexer_next(Lexer *lexer)
{
	const char *text = lexer->source->text;
	char		c;

	while (text[lexer->pos] != '\0' && strchr(" \t\r\n\f\v", text[lexer->pos]) != NULL)
		lexer->pos++;

	lexer->token.position = lexer->pos;
	lexer->token.text = NULL;
	c = text[lexer->pos];

	if (c == '\0')
		lexer->token.kind = TOKEN_END;
	else if (is_word_start(text + lexer->pos))
		lex_word(lexer);
	else if (is_digit(c))
		lex_number(lexer);
	else if (c == '"' || c == '\'')
		lex_string(lexer);
	else
		lex_symbol(lexer);
	lexer->token.end = lexer->pos;
}

char *
lexer_describe(const Lexer *lexer)
{
	const Token *token = &lexer->token;

	if (token->kind == TOKEN_END)
		return pstrdup("the end of the text");
	return psprintf("\"%s\"",
					text_clip(pnstrdup(lexer->source->text + token->position,
											  token->end - token->position),
									 CLIP_NAME));
}

/*
 * Reads a name or a keyword.
 */
static void
lex_word(Lexer *lexer)
{
	const char *start = lexer->source->text + lexer->pos;
	int			len = 0;

	while (is_word_char(start + len))
		len += pg_mblen(start + len);
	lexer->pos += len;
	lexer->token.kind = TOKEN_NAME;
	lexer->token.text = pnstrdup(start, len);
	for (int i = 0; i < lengthof(keywords); i++)
	{
		if (strcmp(lexer->token.text, keywords[i].text) == 0)
			lexer->token.kind = keywords[i].kind;
	}
}

/*
 * Reads a number by JSON's grammar; its sign is an operator.
 */
static void
lex_number(Lexer *lexer)
{
	const char *start = lexer->source->text + lexer->pos;
	const char *p = start;
	bool		valid = true;

	while (is_digit(*p))
		p++;
	if (*start == '0' && p > start + 1)
		valid = false;
	if (*p == '.' && is_digit(p[1]))
	{
		p++;
		while (is_digit(*p))
			p++;
	}
	if (*p == 'e' || *p == 'E')
	{
		p++;
		if (*p == '+' || *p == '-')
			p++;
		valid = valid && is_digit(*p);
		while (is_digit(*p))
			p++;
	}
	if (is_word_char(p))
		valid = false;

	lexer->pos += p - start;
	lexer->token.kind = TOKEN_NUMBER;
	lexer->token.text = pnstrdup(start, p - start);
	if (!valid)
	{
		source_text_problem(lexer->source, lexer->token.position, ERRCODE_INVALID_PARAMETER_VALUE,
							"numbers are written as in JSON: 7, 0.5, 1e6", "malformed number");
		lexer->token.kind = TOKEN_ERROR;
	}
}

/*
 * Reads a string in single or double quotes.
 */
static void
lex_string(Lexer *lexer)
{
	SourceText *source = lexer->source;
	const char *start = source->text + lexer->pos;
	int			len = quoted_length(start, source->len - lexer->pos);
	const char *error;
	int			error_at;
	int			decoded_len;

	lexer->token.kind = TOKEN_ERROR;
	if (len < 0)
	{
		source_text_problem(source, lexer->pos, ERRCODE_INVALID_PARAMETER_VALUE,
							NULL, "a string is not closed");
		lexer->pos = source->len;
		return;
	}

	lexer->token.text = quoted_decode(start + 1, len - 2, &decoded_len, &error, &error_at);
	if (lexer->token.text != NULL)
		lexer->token.kind = TOKEN_STRING;
	else
		source_text_problem(source, lexer->pos + 1 + error_at, ERRCODE_INVALID_PARAMETER_VALUE,
							"a backslash is written \\\\", "%s in a string", error);
	lexer->pos += len;
}

/*
 * Reads an operator or a bracket.
 */
static void
lex_symbol(Lexer *lexer)
{
	const char *start = lexer->source->text + lexer->pos;

	if (start[0] == '}' && start[1] == '}' && lexer->braces == 0)
	{
		lexer->token.kind = TOKEN_CLOSE;
		lexer->pos += 2;
		return;
	}

	for (int i = 0; i < lengthof(symbols); i++)
	{
		int			len = strlen(symbols[i].text);

		if (strncmp(start, symbols[i].text, len) != 0)
			continue;
		lexer->token.kind = symbols[i].kind;
		lexer->pos += len;
		if (symbols[i].kind == TOKEN_ERROR)
			source_text_problem(lexer->source, lexer->token.position,
								ERRCODE_INVALID_PARAMETER_VALUE, symbols[i].hint,
								"\"%s\" is not an operator", symbols[i].text);
		return;
	}

	lexer->token.kind = TOKEN_ERROR;
	lexer->pos += pg_mblen(start);
	if (IS_HIGHBIT_SET(*start))
		source_text_problem(lexer->source, lexer->token.position, ERRCODE_INVALID_PARAMETER_VALUE,
							"a key with such characters is written [\"...\"]",
							"invisible character U+%04X", utf8_to_unicode((const unsigned char *) start));
	else
		source_text_problem(lexer->source, lexer->token.position, ERRCODE_INVALID_PARAMETER_VALUE, NULL,
							iscntrl((unsigned char) *start) ? "unexpected control character"
							: "unexpected character \"%c\"",
							*start);
}

static bool
is_word_start(const char *p)
{
	return (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '_' ||
		(IS_HIGHBIT_SET(*p) && !is_invisible(p));
}

static bool
is_word_char(const char *p)
{
	return is_word_start(p) || is_digit(*p) || *p == '$';
}

/*
 * The character beyond ASCII is a control, a white space, or one that only
 * changes how others are shown.
 */
static bool
is_invisible(const char *p)
{
	pg_wchar	c;

	if (GetDatabaseEncoding() != PG_UTF8)
		return false;
	c = utf8_to_unicode((const unsigned char *) p);
	for (int i = 0; i < lengthof(invisible); i++)
	{
		if (c >= invisible[i].first && c <= invisible[i].last)
			return true;
	}
	return false;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}
