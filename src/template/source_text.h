/*
 * source_text.h
 *	  The text of one template, and what is wrong with it.
 *
 * Every problem of a template shows its place: the hint ends with the position,
 * the part of the template around it, and a caret under it.
 */
#ifndef DATABITE_SOURCE_TEXT_H
#define DATABITE_SOURCE_TEXT_H

#include "base/clip.h"
#include "base/problem.h"

typedef struct SourceText
{
	const char *text;
	int			len;
	const char *pointer;		/* JSON pointer of the place in the definition */
	ProblemList *list;
	struct SourceText *document;	/* the JSON document the text is a string of, or itself */
	int			nproblems;		/* found in this document so far */
} SourceText;

extern SourceText *source_text_create(const char *text, const char *pointer, ProblemList *list);

/* A string inside of a document, with a pointer of its own. */
extern SourceText *source_text_create_inner(SourceText *document, const char *text, const char *pointer);

/*
 * Adds a problem at a byte offset of the text, or with the whole text where that
 * is -1; hint may be NULL.  Only the first few problems of a document are kept,
 * the others are just counted.
 */
extern void source_text_problem(SourceText *source, int position, int sqlstate, const char *hint,
								const char *fmt,...) pg_attribute_printf(5, 6);

/* Would one more problem be kept?  If not, there is no use in looking for its hint. */
extern bool source_text_more_problems(const SourceText *source);

/* Bytes of text_clip in messages. */
#define CLIP_NAME		63
#define CLIP_MESSAGE	250

/* As problem_suggest, but NULL for a word that is too long to be a mistyped name. */
extern char *source_text_suggest(const char *word, const char *const *candidates);

#endif
