/*
 * digest.h
 *	  SHA-256, and HMAC with it and its like.
 */
#ifndef DATABITE_DIGEST_H
#define DATABITE_DIGEST_H

#include "postgres.h"

#define DIGEST_BYTES 32

/* FIPS 180-4. */
extern void digest_sha256(const void *data, size_t len, uint8 *digest);

/* RFC 2104. */
extern void digest_hmac(const void *key, size_t keylen, const void *data, size_t len, uint8 *digest);

/* The hash functions under which senders sign (FIPS 180-4). */
typedef enum DigestKind
{
	DIGEST_SHA256,
	DIGEST_SHA1,
	DIGEST_SHA512
} DigestKind;

#define DIGEST_MAX_BYTES 64

/* The same under another hash function; returns the length of the digest. */
extern size_t digest_hmac_kind(DigestKind kind, const void *key, size_t keylen, const void *data, size_t len, uint8 *digest);

/* As lower case hexadecimal digits, palloc'd. */
extern char *digest_hex(const uint8 *digest);

#endif
