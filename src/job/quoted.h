/*
 * quoted.h
 *	  Quoted strings, as paths, templates and JSON write them.
 *
 * The escapes are JSON's, and \' for strings in single quotes.
 */
#ifndef DATABITE_QUOTED_H
#define DATABITE_QUOTED_H

/*
 * text begins with a quote (" or '): the number of bytes up to and with the
 * closing one, or -1 where there is none before len.
 */
extern int	quoted_length(const char *text, int len);

/*
 * Decodes what stands between the quotes.  The result is palloc'd UTF-8, and
 * *decoded_len its length.  NULL where an escape is wrong or stands for
 * something that PostgreSQL cannot store (NUL, half a surrogate pair): *error
 * says what, *error_at is its offset in text.
 */
extern char *quoted_decode(const char *text, int len, int *decoded_len,
						   const char **error, int *error_at);

#endif
