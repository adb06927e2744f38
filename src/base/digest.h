/*
 * digest.h
 *	  SHA-256 and HMAC-SHA-256.
 */
#ifndef DATABITE_DIGEST_H
#define DATABITE_DIGEST_H

#include "postgres.h"

#define DIGEST_BYTES 32

/* FIPS 180-4. */
extern void digest_sha256(const void *data, size_t len, uint8 *digest);

/* RFC 2104. */
extern void digest_hmac(const void *key, size_t keylen, const void *data, size_t len, uint8 *digest);

/* As lower case hexadecimal digits, palloc'd. */
extern char *digest_hex(const uint8 *digest);

#endif
