/*
 * pattern.h
 *	  A regular expression over bytes that a server sent.
 *
 * PostgreSQL's own expressions (POSIX and more): unlike the C library's they
 * can be interrupted and their memory is bounded.  Bytes are taken as they are,
 * in pattern and text alike, so no encoding can be wrong.
 */
#ifndef DATABITE_PATTERN_H
#define DATABITE_PATTERN_H

#include "postgres.h"

typedef struct Pattern Pattern;

/* Lives as long as context.  NULL with *error set (palloc'd, lower case) where the text is no expression. */
extern Pattern *pattern_create(const char *text, MemoryContext context, char **error);

/* Groups in parentheses. */
extern int	pattern_groups(const Pattern *pattern);

/* What the first group has matched, palloc'd; NULL where nothing matches. */
extern char *pattern_first_group(Pattern *pattern, const char *text, size_t len);

#endif
