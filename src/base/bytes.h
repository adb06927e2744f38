/*
 * bytes.h
 *	  Bytes that are written as text, and bytes that are secret.
 */
#ifndef DATABITE_BYTES_H
#define DATABITE_BYTES_H

/*
 * Base64 in the standard or the URL-safe alphabet, with or without padding, white
 * space allowed.  NULL where the text is none; palloc'd.
 */
extern bytea *bytes_from_base64(const char *text, size_t len);

/* In the standard alphabet, padded. */
extern char *bytes_to_base64(const void *bytes, size_t len);

/* The same; or \x and hexadecimal digits, as PostgreSQL writes a bytea. */
extern bytea *bytes_from_text(const char *text, size_t len);

/* The value of a hexadecimal digit in either case, or -1. */
extern int	bytes_hex_digit(char c);

/* Takes as long wherever they differ. */
extern bool bytes_are_same(const uint8 *a, const uint8 *b, size_t len);

#endif
