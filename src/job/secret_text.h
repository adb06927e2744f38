/*
 * secret_text.h
 *	  Texts in which tokens stand and nothing else that is evaluated: "Bearer {{secrets.name}}".
 */
#ifndef DATABITE_SECRET_TEXT_H
#define DATABITE_SECRET_TEXT_H

#include "postgres.h"

/* What is wrong with it, as the end of a sentence, or NULL.  *has_secret: does a token stand in it? */
extern const char *secret_text_problem(const char *text, bool *has_secret);

/* With the values of its tokens; get is to raise an error where there is none of that name. */
extern char *secret_text_render(const char *text, const char *(*get) (const char *name, void *arg), void *arg);

#endif
