/*
 * signature.c
 *	  Signatures of webhooks: is a message from who it says it is from, and how old is it?
 *
 * All schemes are one computation: an HMAC, under a key that is made of the
 * secret, over a text that is made of the body and some headers, compared with
 * one or several signatures that a header has.  What differs is gathered in a
 * Claim, which is what the message claims of itself, before anything is computed.
 *
 * github		docs.github.com, "Validating webhook deliveries": the body
 * shopify		shopify.dev, "Verify deliveries": the body, base64
 * stripe		docs.stripe.com, "Verify webhook signatures manually": time "." body
 * slack		api.slack.com, "Verifying requests from Slack": "v0:" time ":" body
 * standard		github.com/standard-webhooks, the specification: id "." time "." body; v1 (symmetric) only
 * twilio		twilio.com, "Validating Signatures from Twilio": the URL and the fields of a form, SHA-1
 */
#include "postgres.h"

#include "base/bytes.h"
#include "base/compat.h"
#include "base/digest.h"
#include "base/form.h"
#include "base/signature.h"
#include "lib/stringinfo.h"

/* Signatures of one message that are looked at: a sender that exchanges its keys sends two. */
#define MAX_SIGNATURES	16

/* Seconds since 1970 have no more digits for a long time, and milliseconds one more. */
#define MAX_SECONDS_DIGITS	12
#define MAX_TIME_DIGITS		13

typedef struct Claim
{
	SignatureDigest digest;
	SignatureEncoding encoding;
	bool		any_encoding;	/* hexadecimal or base64, as it comes */
	const char *signatures[MAX_SIGNATURES];
	size_t		lengths[MAX_SIGNATURES];
	int			nsignatures;
	const char *timestamp;		/* NULL: none is signed */
	bool		is_incomplete;	/* what is to be signed is not there */
	StringInfoData signed_text;
} Claim;

/* Where the signature of a message is that says nothing else, in the order in which they are looked for. */
static const struct
{
	const char *header;
	SignatureScheme scheme;
}			known_headers[] = {
	{"webhook-signature", SIGNATURE_STANDARD},
	{"svix-signature", SIGNATURE_STANDARD},
	{"Stripe-Signature", SIGNATURE_STRIPE},
	{"X-Slack-Signature", SIGNATURE_SLACK},
	{"X-Hub-Signature-256", SIGNATURE_GITHUB},
	{"X-Shopify-Hmac-SHA256", SIGNATURE_SHOPIFY},
	{"Shopify-Hmac-SHA256", SIGNATURE_SHOPIFY},
	{"X-Twilio-Signature", SIGNATURE_TWILIO},
};

/* The same where it is that of the body, with or without "sha256=" before it. */
static const char *const plain_headers[] = {"X-Webhook-Signature", "X-Signature-256", "X-Signature", NULL};

/* Under which names senders say what their messages are called. */
static const char *const github_ids[] = {"X-GitHub-Delivery", NULL};
static const char *const shopify_ids[] = {"X-Shopify-Webhook-Id", "Shopify-Webhook-Id", "X-Shopify-Event-Id", NULL};
static const char *const standard_ids[] = {"webhook-id", "svix-id", NULL};
static const char *const twilio_ids[] = {"I-Twilio-Idempotency-Token", NULL};

static void claim_generic(Claim *claim, const SignatureRule *rule, const SignedMessage *message);
static void claim_plain(Claim *claim, const SignedMessage *message);
static void claim_github(Claim *claim, const SignedMessage *message);
static void claim_stripe(Claim *claim, const SignedMessage *message);
static void claim_shopify(Claim *claim, const SignedMessage *message);
static void claim_slack(Claim *claim, const SignedMessage *message);
static const char *standard_key(const char *secret, size_t *len);
static void append_standard(StringInfo text, const char *id, const char *timestamp);
static void claim_standard(Claim *claim, const SignedMessage *message);
static SignatureVerdict verify_twilio(const SignatureRule *rule, const char *secret, const SignedMessage *message);
static char *twilio_text(const char *url, const SignedMessage *message);
static int	compare_fields(const ListCell *a, const ListCell *b);
static bool body_has_digest(const char *url, const SignedMessage *message);
static const char *with_query(const char *url, const SignedMessage *message);
static char *other_port(const char *url);
static void append_payload(Claim *claim, const SignatureRule *rule, const SignedMessage *message);
static const char *payload_part(const char **rest, const char **literal_end, const char **name, size_t *name_len);
static void add_body(Claim *claim, const SignedMessage *message);
static void add_signature(Claim *claim, const char *signature, size_t len, const char *prefix);
static void add_whole(Claim *claim, const char *header, const char *prefix);
static bool is_signed(const Claim *claim, const char *key, size_t key_len);
static bool is_digest(const Claim *claim, int i, const uint8 *digest, size_t len);
static bytea *from_hex(const char *text, size_t len);
static bool is_in_time(const char *timestamp, const SignatureRule *rule, int64 now);
static const char *first_header(const SignedMessage *message, const char *const *names);

SignatureVerdict
signature_verify(const SignatureRule *rule, const char *secret, const SignedMessage *message)
{
	Claim		claim = {0};
	const char *key = secret;
	size_t		key_len = strlen(secret);

	initStringInfo(&claim.signed_text);
	switch (signature_scheme(rule, message))
	{
		case SIGNATURE_GENERIC:
			claim_generic(&claim, rule, message);
			break;
		case SIGNATURE_BY_HEADERS:
			claim_plain(&claim, message);
			break;
		case SIGNATURE_GITHUB:
			claim_github(&claim, message);
			break;
		case SIGNATURE_STRIPE:
			claim_stripe(&claim, message);
			break;
		case SIGNATURE_SHOPIFY:
			claim_shopify(&claim, message);
			break;
		case SIGNATURE_SLACK:
			claim_slack(&claim, message);
			break;
		case SIGNATURE_STANDARD:
			key = standard_key(secret, &key_len);
			claim_standard(&claim, message);
			break;
		case SIGNATURE_TWILIO:
			return verify_twilio(rule, secret, message);
	}
	if (claim.nsignatures == 0 || claim.is_incomplete)
		return SIGNATURE_MISSING;
	if (key == NULL || !is_signed(&claim, key, key_len))
		return SIGNATURE_WRONG;
	if (claim.timestamp != NULL && !is_in_time(claim.timestamp, rule, message->now))
		return SIGNATURE_OUT_OF_TIME;
	return SIGNATURE_RIGHT;
}

char *
signature_sign(const char *secret, const char *id, int64 timestamp, const char *body, size_t len)
{
	size_t		key_len = strlen(secret);
	const char *key = standard_key(secret, &key_len);
	uint8		digest[DIGEST_MAX_BYTES];
	StringInfoData text;

	initStringInfo(&text);
	append_standard(&text, id, psprintf(INT64_FORMAT, timestamp));
	appendBinaryStringInfo(&text, body, len);
	len = digest_hmac_kind(DIGEST_SHA256, key, key_len, text.data, text.len, digest);
	return psprintf("v1,%s", bytes_to_base64(digest, len));
}

/* That of a message where the rule leaves it open; SIGNATURE_BY_HEADERS: one of the plain headers, or none at all. */
SignatureScheme
signature_scheme(const SignatureRule *rule, const SignedMessage *message)
{
	if (rule->scheme != SIGNATURE_BY_HEADERS)
		return rule->scheme;
	for (int i = 0; i < lengthof(known_headers); i++)
	{
		if (message_header(message, known_headers[i].header) != NULL)
			return known_headers[i].scheme;
	}
	return SIGNATURE_BY_HEADERS;
}

const char *
signature_message_id(const SignatureRule *rule, const SignedMessage *message)
{
	const char *id = rule->id_header != NULL ? message_header(message, rule->id_header) : NULL;

	if (id != NULL)
		return id;
	switch (signature_scheme(rule, message))
	{
		case SIGNATURE_GITHUB:
			return first_header(message, github_ids);
		case SIGNATURE_SHOPIFY:
			return first_header(message, shopify_ids);
		case SIGNATURE_STANDARD:
			return first_header(message, standard_ids);
		case SIGNATURE_TWILIO:
			return first_header(message, twilio_ids);
		default:
			return NULL;
	}
}

const char *
message_header(const SignedMessage *message, const char *name)
{
	for (int i = 0; i < message->nheaders; i++)
	{
		if (pg_strcasecmp(message->headers[i].name, name) == 0)
			return message->headers[i].value;
	}
	return NULL;
}

bool
signature_payload_is_right(const char *template, const char **problem)
{
	const char *rest = template;
	const char *literal_end;
	const char *name;
	size_t		name_len;
	bool		has_body = false;

	*problem = NULL;
	while (*rest != '\0' && *problem == NULL)
	{
		*problem = payload_part(&rest, &literal_end, &name, &name_len);
		if (*problem == NULL && name != NULL)
			has_body |= name_len == 4 && strncmp(name, "body", 4) == 0;
	}
	if (*problem == NULL && !has_body)
		*problem = "must have {{body}} in it";
	return *problem == NULL;
}

static void
claim_generic(Claim *claim, const SignatureRule *rule, const SignedMessage *message)
{
	claim->digest = rule->digest;
	claim->encoding = rule->encoding;
	add_whole(claim, message_header(message, rule->header), rule->prefix);
	if (rule->timestamp_header != NULL)
	{
		claim->timestamp = message_header(message, rule->timestamp_header);
		claim->is_incomplete = claim->timestamp == NULL;
	}
	append_payload(claim, rule, message);
}

static void
claim_plain(Claim *claim, const SignedMessage *message)
{
	const char *signature = first_header(message, plain_headers);

	claim->any_encoding = true;
	add_whole(claim, signature, signature != NULL && strncmp(signature, "sha256=", 7) == 0 ? "sha256=" : NULL);
	add_body(claim, message);
}

static void
claim_github(Claim *claim, const SignedMessage *message)
{
	add_whole(claim, message_header(message, "X-Hub-Signature-256"), "sha256=");
	add_body(claim, message);
}

/* t=1492774577,v1=5257a8...,v1=6ffbb5...,v0=... */
static void
claim_stripe(Claim *claim, const SignedMessage *message)
{
	const char *header = message_header(message, "Stripe-Signature");

	while (header != NULL && *header != '\0')
	{
		size_t		len = strcspn(header, ",");

		if (strncmp(header, "t=", 2) == 0 && claim->timestamp == NULL)
			claim->timestamp = pnstrdup(header + 2, len - 2);
		else if (strncmp(header, "v1=", 3) == 0)
			add_signature(claim, header, len, "v1=");
		header += len;
		header += strspn(header, ", ");
	}
	claim->is_incomplete = claim->timestamp == NULL;
	if (!claim->is_incomplete)
		appendStringInfo(&claim->signed_text, "%s.", claim->timestamp);
	add_body(claim, message);
}

static void
claim_shopify(Claim *claim, const SignedMessage *message)
{
	const char *signature = message_header(message, "X-Shopify-Hmac-SHA256");

	claim->encoding = SIGNATURE_BASE64;
	add_whole(claim, signature != NULL ? signature : message_header(message, "Shopify-Hmac-SHA256"), NULL);
	add_body(claim, message);
}

static void
claim_slack(Claim *claim, const SignedMessage *message)
{
	add_whole(claim, message_header(message, "X-Slack-Signature"), "v0=");
	claim->timestamp = message_header(message, "X-Slack-Request-Timestamp");
	claim->is_incomplete = claim->timestamp == NULL;
	if (!claim->is_incomplete)
		appendStringInfo(&claim->signed_text, "v0:%s:", claim->timestamp);
	add_body(claim, message);
}

/* The key is base64; who has a secret that is none signs with its bytes.  NULL: one that says it is, and has no key. */
static const char *
standard_key(const char *secret, size_t *len)
{
	bool		marked = strncmp(secret, "whsec_", 6) == 0;
	const char *text = marked ? secret + 6 : secret;
	bytea	   *key = bytes_from_base64(text, strlen(text));

	if (key == NULL || VARSIZE_ANY_EXHDR(key) == 0)
		return marked ? NULL : secret;
	*len = VARSIZE_ANY_EXHDR(key);
	return VARDATA_ANY(key);
}

/* v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= v1a,... */
static void
claim_standard(Claim *claim, const SignedMessage *message)
{
	bool		svix = message_header(message, "webhook-signature") == NULL;
	const char *header = message_header(message, svix ? "svix-signature" : "webhook-signature");
	const char *id = message_header(message, svix ? "svix-id" : "webhook-id");

	claim->encoding = SIGNATURE_BASE64;
	claim->timestamp = message_header(message, svix ? "svix-timestamp" : "webhook-timestamp");
	claim->is_incomplete = id == NULL || claim->timestamp == NULL;
	while (header != NULL && *header != '\0')
	{
		size_t		len = strcspn(header, " ");

		add_signature(claim, header, len, "v1,");
		header += len;
		header += strspn(header, " ");
	}
	if (!claim->is_incomplete)
		append_standard(&claim->signed_text, id, claim->timestamp);
	add_body(claim, message);
}

/* What of the text that is signed stands before the body. */
static void
append_standard(StringInfo text, const char *id, const char *timestamp)
{
	appendStringInfo(text, "%s.%s.", id, timestamp);
}

/*
 * What is signed begins with the URL as Twilio was told it, of which we see a part: it may have been https in
 * front of a proxy, and the port may or may not be in it.
 */
static SignatureVerdict
verify_twilio(const SignatureRule *rule, const char *secret, const SignedMessage *message)
{
	const char *host = message_header(message, "X-Forwarded-Host");
	const char *scheme = message_header(message, "X-Forwarded-Proto");
	const char *url = rule->url;
	Claim		claim = {.digest = SIGNATURE_SHA1, .encoding = SIGNATURE_BASE64};

	add_whole(&claim, message_header(message, "X-Twilio-Signature"), NULL);
	if (host == NULL)
		host = message_header(message, "Host");
	if (url != NULL)
		url = with_query(url, message);
	else if (host != NULL && message->url != NULL)
		url = psprintf("%s://%s%s", scheme != NULL ? scheme : "https", host, message->url);
	if (url == NULL || claim.nsignatures == 0)
		return SIGNATURE_MISSING;

	initStringInfo(&claim.signed_text);
	for (int i = 0; i < 2; i++)
	{
		resetStringInfo(&claim.signed_text);
		appendStringInfoString(&claim.signed_text, twilio_text(url, message));
		if (is_signed(&claim, secret, strlen(secret)))
			return body_has_digest(url, message) ? SIGNATURE_RIGHT : SIGNATURE_WRONG;
		url = other_port(url);
	}
	return SIGNATURE_WRONG;
}

/* The URL and, of a form, names and values by name, one that is there twice once. */
static char *
twilio_text(const char *url, const SignedMessage *message)
{
	const char *type = message_header(message, "Content-Type");
	const FormField *before = NULL;
	StringInfoData text;
	List	   *fields;
	ListCell   *lc;

	initStringInfo(&text);
	appendStringInfoString(&text, url);
	if (strstr(url, "bodySHA256=") != NULL || (type != NULL && pg_strncasecmp(type, "application/json", 16) == 0))
		return text.data;
	fields = form_parse(message->body, message->body_len);
	list_sort(fields, compare_fields);
	foreach(lc, fields)
	{
		const FormField *field = lfirst(lc);

		if (before == NULL || strcmp(before->name, field->name) != 0 || strcmp(before->value, field->value) != 0)
			appendStringInfo(&text, "%s%s", field->name, field->value);
		before = field;
	}
	return text.data;
}

static int
compare_fields(const ListCell *a, const ListCell *b)
{
	const FormField *one = lfirst(a);
	const FormField *two = lfirst(b);
	int			order = strcmp(one->name, two->name);

	return order != 0 ? order : strcmp(one->value, two->value);
}

/* Of a body that is no form the URL has the digest. */
static bool
body_has_digest(const char *url, const SignedMessage *message)
{
	const char *parameter = strstr(url, "bodySHA256=");
	const char *type = message_header(message, "Content-Type");
	uint8		digest[DIGEST_BYTES];
	bytea	   *said;

	if (parameter == NULL)
		return type == NULL || pg_strncasecmp(type, "application/json", 16) != 0;
	parameter += strlen("bodySHA256=");
	said = from_hex(parameter, strcspn(parameter, "&#"));
	digest_sha256(message->body, message->body_len, digest);
	return said != NULL && VARSIZE_ANY_EXHDR(said) == DIGEST_BYTES &&
		bytes_are_same((uint8 *) VARDATA_ANY(said), digest, DIGEST_BYTES);
}

/* Of a URL that is given the query is that of the message, if it has one: Twilio adds to it. */
static const char *
with_query(const char *url, const SignedMessage *message)
{
	const char *query = message->url != NULL ? strchr(message->url, '?') : NULL;

	return query != NULL ? psprintf("%.*s%s", (int) strcspn(url, "?#"), url, query) : url;
}

/* Without its port, or with that of its scheme where it has none. */
static char *
other_port(const char *url)
{
	const char *host = strstr(url, "://");
	size_t		host_len;
	const char *colon;

	if (host == NULL)
		return pstrdup(url);
	host += 3;
	host_len = strcspn(host, "/?#");
	colon = memchr(host, ':', host_len);
	if (colon != NULL)
		return psprintf("%.*s%s", (int) (colon - url), url, host + host_len);
	return psprintf("%.*s:%s%s", (int) (host + host_len - url), url,
					pg_strncasecmp(url, "https:", 6) == 0 ? "443" : "80", host + host_len);
}

static void
append_payload(Claim *claim, const SignatureRule *rule, const SignedMessage *message)
{
	const char *rest = rule->signed_payload;
	const char *literal;
	const char *literal_end;
	const char *name;
	size_t		name_len;

	if (rest == NULL)
		add_body(claim, message);
	while (rest != NULL && *(literal = rest) != '\0')
	{
		const char *value = NULL;

		(void) payload_part(&rest, &literal_end, &name, &name_len);
		appendBinaryStringInfo(&claim->signed_text, literal, literal_end - literal);
		if (name == NULL)
			continue;
		if (name_len == 4 && strncmp(name, "body", 4) == 0)
		{
			add_body(claim, message);
			continue;
		}
		if (name_len == 9 && strncmp(name, "timestamp", 9) == 0)
			value = claim->timestamp;
		else if (name_len == 2 && strncmp(name, "id", 2) == 0)
			value = signature_message_id(rule, message);
		else
			value = message_header(message, pnstrdup(name + strlen("headers."), name_len - strlen("headers.")));
		if (value == NULL)
			claim->is_incomplete = true;
		else
			appendStringInfoString(&claim->signed_text, value);
	}
}

/*
 * Takes the next text and {{ name }} off the template; name is NULL where the
 * template ends with the text.  Returns what is wrong with it, or NULL.
 */
static const char *
payload_part(const char **rest, const char **literal_end, const char **name, size_t *name_len)
{
	const char *open = strstr(*rest, "{{");
	const char *close;

	*name = NULL;
	*name_len = 0;
	if (open == NULL)
	{
		*rest = *literal_end = *rest + strlen(*rest);
		return NULL;
	}
	*literal_end = open;
	close = strstr(open, "}}");
	if (close == NULL)
		return "has a {{ without }}";
	*rest = close + 2;
	*name = open + 2;
	*name += strspn(*name, " ");
	*name_len = close - *name;
	while (*name_len > 0 && (*name)[*name_len - 1] == ' ')
		(*name_len)--;
	if ((*name_len == 4 && strncmp(*name, "body", 4) == 0) ||
		(*name_len == 9 && strncmp(*name, "timestamp", 9) == 0) ||
		(*name_len == 2 && strncmp(*name, "id", 2) == 0) ||
		(*name_len > 8 && strncmp(*name, "headers.", 8) == 0))
		return NULL;
	return "has a name in it that is none of body, timestamp, id and headers";
}

static void
add_body(Claim *claim, const SignedMessage *message)
{
	appendBinaryStringInfo(&claim->signed_text, message->body, message->body_len);
}

static void
add_whole(Claim *claim, const char *header, const char *prefix)
{
	if (header != NULL)
		add_signature(claim, header, strlen(header), prefix);
}

/* One that does not begin with the prefix is of another kind, and left out. */
static void
add_signature(Claim *claim, const char *signature, size_t len, const char *prefix)
{
	size_t		prefix_len = prefix != NULL ? strlen(prefix) : 0;

	if (len <= prefix_len || claim->nsignatures == MAX_SIGNATURES ||
		(prefix != NULL && strncmp(signature, prefix, prefix_len) != 0))
		return;
	claim->signatures[claim->nsignatures] = signature + prefix_len;
	claim->lengths[claim->nsignatures++] = len - prefix_len;
}

static bool
is_signed(const Claim *claim, const char *key, size_t key_len)
{
	static const DigestKind kinds[] = {
		[SIGNATURE_SHA256] = DIGEST_SHA256,
		[SIGNATURE_SHA1] = DIGEST_SHA1,
		[SIGNATURE_SHA512] = DIGEST_SHA512,
	};
	uint8		digest[DIGEST_MAX_BYTES];
	size_t		len;
	bool		found = false;

	len = digest_hmac_kind(kinds[claim->digest], key, key_len, claim->signed_text.data, claim->signed_text.len, digest);
	for (int i = 0; i < claim->nsignatures; i++)
		found |= is_digest(claim, i, digest, len);
	return found;
}

static bool
is_digest(const Claim *claim, int i, const uint8 *digest, size_t len)
{
	bool		is_hex = claim->any_encoding ? claim->lengths[i] == 2 * len : claim->encoding == SIGNATURE_HEX;
	bytea	   *bytes;

	if (is_hex)
		bytes = from_hex(claim->signatures[i], claim->lengths[i]);
	else
		bytes = bytes_from_base64(claim->signatures[i], claim->lengths[i]);
	return bytes != NULL && VARSIZE_ANY_EXHDR(bytes) == len && bytes_are_same((uint8 *) VARDATA_ANY(bytes), digest, len);
}

/* NULL where the text is none. */
static bytea *
from_hex(const char *text, size_t len)
{
	return bytes_from_text(psprintf("\\x%.*s", (int) len, text), len + 2);
}

/* One that is no number is never in time. */
static bool
is_in_time(const char *timestamp, const SignatureRule *rule, int64 now)
{
	size_t		len = strspn(timestamp, "0123456789");
	int64		age;

	if (len == 0 || len > MAX_TIME_DIGITS || timestamp[len] != '\0')
		return false;
	age = now - strtoll(timestamp, NULL, 10) / (len > MAX_SECONDS_DIGITS ? 1000 : 1);
	return rule->max_age_ms == 0 || (age <= rule->max_age_ms / 1000 && age >= -(rule->max_age_ms / 1000));
}

static const char *
first_header(const SignedMessage *message, const char *const *names)
{
	const char *value = NULL;

	for (; *names != NULL && value == NULL; names++)
		value = message_header(message, *names);
	return value;
}
