/*
 * functions_coding.c
 *	  SQL functions of the filters that encode, decode and hash.
 *
 * Those that take bytes are declared for text, too: its bytes are those of
 * UTF-8, whatever the database's encoding is.
 */
#include "postgres.h"

#include "base/bytes.h"
#include "base/compat.h"
#include "catalog/pg_type.h"
#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/md5.h"
#include "common/sha1.h"
#include "common/sha2.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "template/functions.h"
#include "template/validators.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/uuid.h"

PG_FUNCTION_INFO_V1(databite_filter_base64);
PG_FUNCTION_INFO_V1(databite_filter_hex);
PG_FUNCTION_INFO_V1(databite_filter_hmac_sha256);
PG_FUNCTION_INFO_V1(databite_filter_md5);
PG_FUNCTION_INFO_V1(databite_filter_sha256);
PG_FUNCTION_INFO_V1(databite_filter_unbase64);
PG_FUNCTION_INFO_V1(databite_filter_url_decode);
PG_FUNCTION_INFO_V1(databite_filter_url_encode);
PG_FUNCTION_INFO_V1(databite_filter_uuid);

typedef struct Bytes
{
	const uint8 *data;
	size_t		len;
} Bytes;

static const Bytes NOTHING = {NULL, 0};

static Bytes get_bytes(FunctionCallInfo fcinfo, int n);
static text *hex_text(const uint8 *data, int len);
static void hash(pg_cryptohash_type type, Bytes first, Bytes second, uint8 *digest, size_t len);
static void hmac(Bytes key, Bytes value, uint8 *digest, size_t len);
pg_noreturn static void fail_hash(const char *error);
static const uint8 *find_namespace(text *name);
static int	hex_value(char c);

/*
 * databite.filter_base64(text or bytea) -> text
 *
 * On one line, with padding.
 */
Datum
databite_filter_base64(PG_FUNCTION_ARGS)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	Bytes		value = get_bytes(fcinfo, 0);
	StringInfoData out;

	initStringInfo(&out);
	for (size_t i = 0; i < value.len; i += 3)
	{
		uint32		three = value.data[i] << 16;

		if (i + 1 < value.len)
			three |= value.data[i + 1] << 8;
		if (i + 2 < value.len)
			three |= value.data[i + 2];
		appendStringInfoChar(&out, digits[three >> 18]);
		appendStringInfoChar(&out, digits[(three >> 12) & 63]);
		appendStringInfoChar(&out, i + 1 < value.len ? digits[(three >> 6) & 63] : '=');
		appendStringInfoChar(&out, i + 2 < value.len ? digits[three & 63] : '=');
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/*
 * databite.filter_hex(text or bytea) -> text
 */
Datum
databite_filter_hex(PG_FUNCTION_ARGS)
{
	Bytes		value = get_bytes(fcinfo, 0);

	PG_RETURN_TEXT_P(hex_text(value.data, value.len));
}

/*
 * databite.filter_hmac_sha256(text or bytea, text or bytea) -> text
 *
 * The second one is the key.
 */
Datum
databite_filter_hmac_sha256(PG_FUNCTION_ARGS)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];

	hmac(get_bytes(fcinfo, 1), get_bytes(fcinfo, 0), digest, sizeof(digest));
	PG_RETURN_TEXT_P(hex_text(digest, sizeof(digest)));
}

/*
 * databite.filter_md5(text or bytea) -> text
 */
Datum
databite_filter_md5(PG_FUNCTION_ARGS)
{
	uint8		digest[MD5_DIGEST_LENGTH];

	hash(PG_MD5, get_bytes(fcinfo, 0), NOTHING, digest, sizeof(digest));
	PG_RETURN_TEXT_P(hex_text(digest, sizeof(digest)));
}

/*
 * databite.filter_sha256(text or bytea) -> text
 */
Datum
databite_filter_sha256(PG_FUNCTION_ARGS)
{
	uint8		digest[PG_SHA256_DIGEST_LENGTH];

	hash(PG_SHA256, get_bytes(fcinfo, 0), NOTHING, digest, sizeof(digest));
	PG_RETURN_TEXT_P(hex_text(digest, sizeof(digest)));
}

/*
 * databite.filter_unbase64(text) -> bytea
 *
 * The standard alphabet and that for URLs, with padding or without; white space
 * is passed over.
 */
Datum
databite_filter_unbase64(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	bytea	   *bytes = bytes_from_base64(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

	if (bytes == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("filter \"unbase64\" needs a text in base64")));
	PG_RETURN_BYTEA_P(bytes);
}

/*
 * databite.filter_url_decode(text) -> text
 *
 * A plus sign stays one, as RFC 3986 has it.
 */
Datum
databite_filter_url_decode(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	Bytes		bytes = get_bytes(fcinfo, 0);
	StringInfoData out;
	char	   *decoded;

	initStringInfo(&out);
	for (size_t i = 0; i < bytes.len; i++)
	{
		const char *p = (const char *) bytes.data + i;

		if (*p != '%')
		{
			appendStringInfoCharMacro(&out, *p);
			continue;
		}
		if (i + 2 >= bytes.len || hex_value(p[1]) < 0 || hex_value(p[2]) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("filter \"url_decode\" found a \"%%\" that is not followed by two hexadecimal digits")));
		appendStringInfoChar(&out, (char) (hex_value(p[1]) << 4 | hex_value(p[2])));
		i += 2;
	}
	if (out.len == bytes.len)
		PG_RETURN_TEXT_P(value);
	decoded = pg_any_to_server(out.data, out.len, PG_UTF8);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(decoded, decoded == out.data ? out.len : strlen(decoded)));
}

/*
 * databite.filter_url_encode(text or bytea) -> text
 *
 * Percent-encodes everything but RFC 3986's unreserved characters.
 */
Datum
databite_filter_url_encode(PG_FUNCTION_ARGS)
{
	static const char digits[] = "0123456789ABCDEF";
	Bytes		value = get_bytes(fcinfo, 0);
	StringInfoData out;

	initStringInfo(&out);
	for (size_t i = 0; i < value.len; i++)
	{
		uint8		c = value.data[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '.' || c == '_' || c == '~')
			appendStringInfoCharMacro(&out, c);
		else
		{
			appendStringInfoChar(&out, '%');
			appendStringInfoChar(&out, digits[c >> 4]);
			appendStringInfoChar(&out, digits[c & 15]);
		}
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/*
 * databite.filter_uuid(text or bytea, text) -> uuid
 *
 * The UUID of the name in the namespace, version 5 (RFC 9562, 5.5): the same
 * for the same name.
 */
Datum
databite_filter_uuid(PG_FUNCTION_ARGS)
{
	Bytes		space = {.data = find_namespace(PG_GETARG_TEXT_PP(1)), .len = UUID_LEN};
	uint8		digest[SHA1_DIGEST_LENGTH];
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	hash(PG_SHA1, space, get_bytes(fcinfo, 0), digest, sizeof(digest));
	memcpy(uuid->data, digest, UUID_LEN);
	uuid->data[6] = (uuid->data[6] & 0x0F) | 0x50;
	uuid->data[8] = (uuid->data[8] & 0x3F) | 0x80;
	PG_RETURN_UUID_P(uuid);
}

/*
 * The nth argument of the function, from 0.
 */
static Bytes
get_bytes(FunctionCallInfo fcinfo, int n)
{
	bytea	   *value = PG_GETARG_BYTEA_PP(n);
	Bytes		bytes = {.data = (uint8 *) VARDATA_ANY(value), .len = VARSIZE_ANY_EXHDR(value)};

	if (GetDatabaseEncoding() != PG_UTF8 && get_fn_expr_argtype(fcinfo->flinfo, n) != BYTEAOID)
	{
		char	   *utf8 = pg_server_to_any((char *) bytes.data, bytes.len, PG_UTF8);

		if (utf8 != (char *) bytes.data)
		{
			bytes.data = (uint8 *) utf8;
			bytes.len = strlen(utf8);
		}
	}
	return bytes;
}

static text *
hex_text(const uint8 *data, int len)
{
	char	   *digits = palloc((Size) len * 2 + 1);

	return cstring_to_text_with_len(digits, hex_encode((const char *) data, len, digits));
}

/*
 * The hash of the two, one after the other.
 */
static void
hash(pg_cryptohash_type type, Bytes first, Bytes second, uint8 *digest, size_t len)
{
	pg_cryptohash_ctx *context = pg_cryptohash_create(type);

	if (context == NULL)
		fail_hash("out of memory");
	if (pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, first.data, first.len) < 0 ||
		(second.len > 0 && pg_cryptohash_update(context, second.data, second.len) < 0) ||
		pg_cryptohash_final(context, digest, len) < 0)
	{
		const char *error = pg_cryptohash_error(context);

		pg_cryptohash_free(context);
		fail_hash(error);
	}
	pg_cryptohash_free(context);
}

static void
hmac(Bytes key, Bytes value, uint8 *digest, size_t len)
{
	pg_hmac_ctx *context = pg_hmac_create(PG_SHA256);

	if (context == NULL)
		fail_hash("out of memory");
	if (pg_hmac_init(context, key.data, key.len) < 0 ||
		pg_hmac_update(context, value.data, value.len) < 0 ||
		pg_hmac_final(context, digest, len) < 0)
	{
		const char *error = pg_hmac_error(context);

		pg_hmac_free(context);
		fail_hash(error);
	}
	pg_hmac_free(context);
}

/*
 * A server may refuse a hash: that of FIPS has no md5.
 */
static void
fail_hash(const char *error)
{
	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("could not compute a hash: %s", error)));
}

/*
 * The namespaces of RFC 9562, 6.6, or one that is given.
 */
static const uint8 *
find_namespace(text *name)
{
	static const struct
	{
		const char *name;
		uint8		last;		/* the only byte in which they differ */
	}			known[] = {
		{"dns", 0x10}, {"url", 0x11}, {"oid", 0x12}, {"x500", 0x14}
	};
	static const uint8 base[UUID_LEN] = {
		0x6b, 0xa7, 0xb8, 0x00, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8
	};
	const char *text = text_to_cstring(name);

	for (int i = 0; i < lengthof(known); i++)
	{
		if (strcmp(known[i].name, text) == 0)
		{
			uint8	   *space = palloc(UUID_LEN);

			memcpy(space, base, UUID_LEN);
			space[3] = known[i].last;
			return space;
		}
	}
	if (!validator_accepts(VALIDATOR_UUID, text, strlen(text)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"uuid\" has no such namespace"),
				 errhint("It is \"dns\", \"url\", \"oid\", \"x500\" or a UUID.")));
	return DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text)))->data;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = pg_ascii_tolower((unsigned char) c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
