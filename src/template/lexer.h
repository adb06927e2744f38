/*
 * lexer.h
 *	  The tokens inside of {{ and }}.
 */
#ifndef DATABITE_LEXER_H
#define DATABITE_LEXER_H

#include "template/source_text.h"

typedef enum TokenKind
{
	TOKEN_ERROR,				/* a problem has been added */
	TOKEN_END,					/* the text ends */
	TOKEN_CLOSE,				/* }} */
	TOKEN_NUMBER,
	TOKEN_STRING,
	TOKEN_DOT,
	TOKEN_COMMA,
	TOKEN_COLON,
	TOKEN_PIPE,
	TOKEN_QUESTION,
	TOKEN_LEFT_PAREN,
	TOKEN_RIGHT_PAREN,
	TOKEN_LEFT_BRACKET,
	TOKEN_RIGHT_BRACKET,
	TOKEN_LEFT_BRACE,
	TOKEN_RIGHT_BRACE,
	TOKEN_COALESCE,				/* ?? */
	TOKEN_EQUAL,
	TOKEN_NOT_EQUAL,
	TOKEN_LESS,
	TOKEN_LESS_EQUAL,
	TOKEN_GREATER,
	TOKEN_GREATER_EQUAL,
	TOKEN_PLUS,
	TOKEN_MINUS,
	TOKEN_STAR,
	TOKEN_SLASH,
	TOKEN_PERCENT,
	TOKEN_TILDE,
	/* From here on: words.  A key of a path may be any of them. */
	TOKEN_NAME,
	TOKEN_AND,
	TOKEN_OR,
	TOKEN_NOT,
	TOKEN_IN,
	TOKEN_TRUE,
	TOKEN_FALSE,
	TOKEN_NULL
} TokenKind;

typedef struct Token
{
	TokenKind	kind;
	int			position;		/* byte offset of its first character */
	int			end;			/* and behind its last */
	char	   *text;			/* words and numbers as written, strings decoded; else NULL */
} Token;

typedef struct Lexer
{
	SourceText *source;
	int			pos;
	int			braces;			/* open { of object literals: while there is one, }} is two tokens */
	Token		token;			/* the current token */
} Lexer;

/* Reads the next token into lexer->token. */
extern void lexer_next(Lexer *lexer);

/* A token as it is shown in a message: its text in quotes, or "the end of the text". */
extern char *lexer_describe(const Lexer *lexer);

#endif
