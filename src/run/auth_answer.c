/*
 * auth_answer.c
 *	  What a token endpoint answers.
 *
 * Of the answer is kept the token, its lifetime, and what is no secret, for
 * {{auth.x}}: members whose names or values say that they are secrets are taken
 * out before anything is stored or shown.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/secret_name.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "run/auth_data.h"
#include "run/run_error.h"
#include "run/secret_mask.h"
#include "source/envelope.h"
#include "utils/json.h"
#include "utils/timestamp.h"

/* Deepest answer. */
#define MAX_DEPTH 64

/* Longest time that a token is said to live: 100 years. */
#define MAX_SECONDS (INT64CONST(100) * 366 * 86400)

/* What is kept for {{auth.x}}. */
#define MAX_EXTRA_BYTES (64 * 1024)

pg_noreturn static void raise_wrong(const AuthSession *session, const HttpResponse *response,
									const char *message, const char *hint);
static char *oauth_error(struct json_object *root);
static TimestampTz expiry(const JobAuth *auth, struct json_object *root, TimestampTz now);
static char *text_at(struct json_object *root, const JsonPath *path);
static char *without_secrets(struct json_object *value, const char *token);
static bool is_secret_member(const char *name, struct json_object *value, const char *token);
static void append_open(StringInfo buf, struct json_object *value, const char *token);
static void append_object(StringInfo buf, struct json_object *value, const char *token);
static void remember_all(struct json_object *value);

AccessToken *
auth_answer_read(const AuthSession *session, const char *body, size_t len,
				 const HttpResponse *response, char **rotated)
{
	const JobAuth *auth = session->auth;
	AccessToken *token = palloc0(sizeof(AccessToken));
	char	   *text;
	struct json_object *root;
	struct json_object *refresh_token;
	char	   *error;

	if (!pg_verify_mbstr(PG_UTF8, body, len, true))
		raise_wrong(session, response, "the answer of the token endpoint is not UTF-8", NULL);
	text = pg_any_to_server(body, len, PG_UTF8);
	if (!jsonc_parse(text, text == body ? len : strlen(text), MAX_DEPTH, CurrentMemoryContext, &root, &error))
		raise_wrong(session, response, "the answer of the token endpoint is not JSON", NULL);

	token->value = text_at(root, auth->token_path);
	if (token->value == NULL)
	{
		char	   *refusal = oauth_error(root);

		raise_wrong(session, response, refusal != NULL ? refusal : "the answer of the token endpoint has no token",
					psprintf("It was looked for at \"%s\".", json_path_print(auth->token_path)));
	}
	token->obtained_at = GetCurrentTimestamp();
	token->expires_at = expiry(auth, root, token->obtained_at);
	token->extra = without_secrets(root, token->value);
	if (strlen(token->extra) > MAX_EXTRA_BYTES)
		token->extra = pstrdup("{}");

	if (auth->refresh_token_name != NULL && jsonc_get(root, "refresh_token", &refresh_token) &&
		json_object_is_type(refresh_token, json_type_string) && json_object_get_string_len(refresh_token) > 0)
		*rotated = envelope_text(refresh_token);
	return token;
}

char *
auth_answer_error(const char *body, size_t len)
{
	struct json_object *root;
	char	   *error;

	if (body == NULL || !pg_verify_mbstr(PG_UTF8, body, len, true) ||
		!jsonc_parse(body, len, MAX_DEPTH, CurrentMemoryContext, &root, &error))
		return NULL;
	return oauth_error(root);
}

char *
auth_answer_scope(const JobAuth *auth, const char *extra)
{
	struct json_object *root;
	char	   *error;
	char	   *base_url;
	StringInfoData buf;

	if (auth->base_url_path == NULL ||
		!jsonc_parse(extra, strlen(extra), MAX_DEPTH, CurrentMemoryContext, &root, &error) ||
		(base_url = text_at(root, auth->base_url_path)) == NULL)
		return pstrdup(extra);

	initStringInfo(&buf);
	appendStringInfo(&buf, "%.*s%s\"base_url\": ", (int) strlen(extra) - 1, extra, strcmp(extra, "{}") == 0 ? "" : ", ");
	escape_json(&buf, base_url);
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

static void
raise_wrong(const AuthSession *session, const HttpResponse *response, const char *message, const char *hint)
{
	run_raise_content_error(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, message, hint, session->token_request->method, response);
}

/* RFC 6749 section 5.2: "error", if it is a plain word; whatever else stands there may be a secret. */
static char *
oauth_error(struct json_object *root)
{
	struct json_object *value;
	const char *code;

	if (!jsonc_get(root, "error", &value) || !json_object_is_type(value, json_type_string))
		return NULL;
	code = json_object_get_string(value);
	if (code[0] == '\0' || strlen(code) > 60 ||
		strspn(code, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") != strlen(code))
		return NULL;
	return psprintf("the token endpoint answers \"%s\"", code);
}

/* When the token ends; 0 where nobody says. */
static TimestampTz
expiry(const JobAuth *auth, struct json_object *root, TimestampTz now)
{
	char	   *text = auth->expires_in_path != NULL ? text_at(root, auth->expires_in_path) : NULL;
	double		seconds;
	char	   *end;

	if (text != NULL)
	{
		seconds = strtod(text, &end);
		if (end != text && *end == '\0' && seconds >= 0)
			return now + (TimestampTz) (Min(seconds, (double) MAX_SECONDS) * USECS_PER_SEC);
	}
	return auth->expires_in_ms > 0 ? now + auth->expires_in_ms * 1000 : 0;
}

/* The string or number there, or NULL. */
static char *
text_at(struct json_object *root, const JsonPath *path)
{
	struct json_object *value;

	return envelope_find(root, path, &value) == FOUND_TEXT ? envelope_text(value) : NULL;
}

/* JSON text of an object: the answer without what is secret in it; {} where it is none. */
static char *
without_secrets(struct json_object *value, const char *token)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (json_object_is_type(value, json_type_object))
		append_object(&buf, value, token);
	else
		appendStringInfoString(&buf, "{}");
	return buf.data;
}

static void
append_open(StringInfo buf, struct json_object *value, const char *token)
{
	if (json_object_is_type(value, json_type_object))
		append_object(buf, value, token);
	else if (json_object_is_type(value, json_type_array))
	{
		appendStringInfoChar(buf, '[');
		for (size_t i = 0; i < json_object_array_length(value); i++)
		{
			struct json_object *element = json_object_array_get_idx(value, i);

			if (i > 0)
				appendStringInfoString(buf, ", ");
			if (is_secret_member("", element, token))
				appendStringInfoString(buf, "null");
			else
				append_open(buf, element, token);
		}
		appendStringInfoChar(buf, ']');
	}
	else if (json_object_is_type(value, json_type_string))
		escape_json(buf, json_object_get_string(value));
	else
		appendStringInfoString(buf, value != NULL ? json_object_get_string(value) : "null");
}

static void
append_object(StringInfo buf, struct json_object *value, const char *token)
{
	bool		first = true;

	json_object_object_foreach(value, name, member)
	{
		if (is_secret_member(name, member, token))
		{
			remember_all(member);
			continue;
		}
		appendStringInfoString(buf, first ? "{" : ", ");
		first = false;
		escape_json(buf, name);
		appendStringInfoString(buf, ": ");
		append_open(buf, member, token);
	}
	appendStringInfoString(buf, first ? "{}" : "}");
}

/* By its name, or as the token is in it; nor can what holds a NUL be kept. */
static bool
is_secret_member(const char *name, struct json_object *value, const char *token)
{
	const char *text;

	if (is_secret_name(name))
		return true;
	if (json_object_is_type(value, json_type_object) || json_object_is_type(value, json_type_array) || value == NULL)
		return false;
	text = json_object_get_string(value);
	return strstr(text, token) != NULL ||
		(json_object_is_type(value, json_type_string) && strlen(text) != (size_t) json_object_get_string_len(value));
}

/* What is secret is not shown in an error either. */
static void
remember_all(struct json_object *value)
{
	if (json_object_is_type(value, json_type_string))
		secret_mask_remember(json_object_get_string(value));
	else if (json_object_is_type(value, json_type_array))
	{
		for (size_t i = 0; i < json_object_array_length(value); i++)
			remember_all(json_object_array_get_idx(value, i));
	}
	else if (json_object_is_type(value, json_type_object))
	{
		json_object_object_foreach(value, name, member)
		{
			(void) name;
			remember_all(member);
		}
	}
}
