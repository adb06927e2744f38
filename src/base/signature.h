/*
 * signature.h
 *	  Signatures of webhooks: is a message from who it says it is from, and how old is it?
 */
#ifndef DATABITE_SIGNATURE_H
#define DATABITE_SIGNATURE_H

#include "postgres.h"

typedef enum SignatureScheme
{
	SIGNATURE_BY_HEADERS,		/* that of the named ones whose header the message has */
	SIGNATURE_GENERIC,			/* what SignatureRule says */
	SIGNATURE_GITHUB,
	SIGNATURE_STRIPE,
	SIGNATURE_SHOPIFY,
	SIGNATURE_SLACK,
	SIGNATURE_STANDARD,			/* Standard Webhooks, svix */
	SIGNATURE_TWILIO
} SignatureScheme;

typedef enum SignatureDigest
{
	SIGNATURE_SHA256,
	SIGNATURE_SHA1,
	SIGNATURE_SHA512
} SignatureDigest;

typedef enum SignatureEncoding
{
	SIGNATURE_HEX,
	SIGNATURE_BASE64
} SignatureEncoding;

typedef struct SignatureRule
{
	SignatureScheme scheme;
	char	   *header;			/* generic: which has the signature */
	SignatureDigest digest;
	SignatureEncoding encoding;
	char	   *prefix;			/* before the signature: "sha256=", or NULL */
	char	   *signed_payload; /* "{{timestamp}}.{{body}}"; also {{id}}, {{headers.name}}; NULL: the body */
	char	   *timestamp_header;	/* seconds or milliseconds since 1970, or NULL */
	char	   *id_header;		/* or NULL */
	char	   *url;			/* twilio: as the sender knows it; NULL: what the message says */
	int64		max_age_ms;		/* of the timestamp, both ways; 0: any */
} SignatureRule;

typedef struct MessageHeader
{
	const char *name;
	const char *value;
} MessageHeader;

typedef struct SignedMessage
{
	const char *body;			/* as it came */
	size_t		body_len;
	const MessageHeader *headers;
	int			nheaders;
	const char *url;			/* path and query; NULL: not known */
	int64		now;			/* seconds since 1970 */
} SignedMessage;

typedef enum SignatureVerdict
{
	SIGNATURE_RIGHT,
	SIGNATURE_MISSING,			/* there is none where the scheme has it */
	SIGNATURE_WRONG,
	SIGNATURE_OUT_OF_TIME		/* right, but too old, or of the future */
} SignatureVerdict;

/*
 * Is the message signed with the secret?  Compares in constant time, over the
 * bytes of the body as they came.
 */
extern SignatureVerdict signature_verify(const SignatureRule *rule, const char *secret, const SignedMessage *message);

/* The header webhook-signature of a message that we send, by Standard Webhooks; timestamp: seconds since 1970. */
extern char *signature_sign(const char *secret, const char *id, int64 timestamp, const char *body, size_t len);

/* The scheme that the message is checked by. */
extern SignatureScheme signature_scheme(const SignatureRule *rule, const SignedMessage *message);

/* By what the sender calls the message, so that one that comes twice is known; NULL: it has no name.  In the headers. */
extern const char *signature_message_id(const SignatureRule *rule, const SignedMessage *message);

/* The first header of that name, in any case; NULL: none. */
extern const char *message_header(const SignedMessage *message, const char *name);

/* Checks a SignatureRule.signed_payload; false and what is wrong with it. */
extern bool signature_payload_is_right(const char *template, const char **problem);

#endif
