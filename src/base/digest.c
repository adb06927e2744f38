/*
 * digest.c
 *	  SHA-256, and HMAC with it and its like.
 *
 * They are PostgreSQL's own, which want a resource owner; between the
 * transactions of a worker there is none, so one is made for the moment.
 */
#include "postgres.h"

#include "base/digest.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/sha1.h"
#include "common/sha2.h"
#include "utils/resowner.h"

static ResourceOwner enter(void);
static void leave(ResourceOwner owner);
static void check(bool ok);

void
digest_sha256(const void *data, size_t len, uint8 *digest)
{
	ResourceOwner owner = enter();
	pg_cryptohash_ctx *context = pg_cryptohash_create(PG_SHA256);
	bool		ok = context != NULL &&
		pg_cryptohash_init(context) >= 0 &&
		pg_cryptohash_update(context, data, len) >= 0 &&
		pg_cryptohash_final(context, digest, DIGEST_BYTES) >= 0;

	pg_cryptohash_free(context);
	leave(owner);
	check(ok);
}

void
digest_hmac(const void *key, size_t keylen, const void *data, size_t len, uint8 *digest)
{
	(void) digest_hmac_kind(DIGEST_SHA256, key, keylen, data, len, digest);
}

size_t
digest_hmac_kind(DigestKind kind, const void *key, size_t keylen, const void *data, size_t len, uint8 *digest)
{
	static const struct
	{
		pg_cryptohash_type type;
		size_t		bytes;
	}			kinds[] = {
		[DIGEST_SHA256] = {PG_SHA256, PG_SHA256_DIGEST_LENGTH},
		[DIGEST_SHA1] = {PG_SHA1, SHA1_DIGEST_LENGTH},
		[DIGEST_SHA512] = {PG_SHA512, PG_SHA512_DIGEST_LENGTH},
	};
	ResourceOwner owner = enter();
	pg_hmac_ctx *context = pg_hmac_create(kinds[kind].type);
	bool		ok = context != NULL &&
		pg_hmac_init(context, key, keylen) >= 0 &&
		pg_hmac_update(context, data, len) >= 0 &&
		pg_hmac_final(context, digest, kinds[kind].bytes) >= 0;

	pg_hmac_free(context);
	leave(owner);
	check(ok);
	return kinds[kind].bytes;
}

char *
digest_hex(const uint8 *digest)
{
	static const char digits[] = "0123456789abcdef";
	char	   *text = palloc(2 * DIGEST_BYTES + 1);

	for (int i = 0; i < DIGEST_BYTES; i++)
	{
		text[2 * i] = digits[digest[i] >> 4];
		text[2 * i + 1] = digits[digest[i] & 15];
	}
	text[2 * DIGEST_BYTES] = '\0';
	return text;
}

/* The owner that was made, or NULL where there is one. */
static ResourceOwner
enter(void)
{
	if (CurrentResourceOwner != NULL)
		return NULL;
	CurrentResourceOwner = ResourceOwnerCreate(NULL, "databite digest");
	return CurrentResourceOwner;
}

static void
leave(ResourceOwner owner)
{
	if (owner == NULL)
		return;
	CurrentResourceOwner = NULL;
	ResourceOwnerDelete(owner);
}

static void
check(bool ok)
{
	if (!ok)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a digest")));
}
