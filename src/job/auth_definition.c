/*
 * auth_definition.c
 *	  Who asks: {type: "bearer", token} and its like, and the certificates of a source.
 *
 * A definition is shown by views and carried by dumps, so no secret may stand in
 * it: what is one must come from the token store, by a template.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"
#include "job/secret_name.h"

#define DEFAULT_MARGIN_MS	60000
#define MAX_LIFETIME_MS		(3650 * MAX_TIME_MS)

#define BEARER		(1U << AUTH_BEARER)
#define BASIC		(1U << AUTH_BASIC)
#define API_KEY		(1U << AUTH_API_KEY)
#define OAUTH2		(1U << AUTH_OAUTH2)
#define LOGIN		(1U << AUTH_LOGIN)
#define SIGV4		(1U << AUTH_AWS_SIGV4)

static const Choice auth_types[] = {
	{"bearer", AUTH_BEARER},
	{"basic", AUTH_BASIC},
	{"api_key", AUTH_API_KEY},
	{"oauth2", AUTH_OAUTH2},
	{"login", AUTH_LOGIN},
	{"aws_sigv4", AUTH_AWS_SIGV4},
	{NULL}
};

static const Choice places[] = {
	{"header", AUTH_IN_HEADER},
	{"query", AUTH_IN_QUERY},
	{"cookie", AUTH_IN_COOKIE},
	{NULL}
};

static const Choice grants[] = {
	{"client_credentials", GRANT_CLIENT_CREDENTIALS},
	{"refresh_token", GRANT_REFRESH_TOKEN},
	{NULL}
};

/* JobAuth.client_in_header */
#define CLIENT_IN_BODY		0
#define CLIENT_IN_HEADER	1

static const Choice client_places[] = {
	{"body", CLIENT_IN_BODY},
	{"basic", CLIENT_IN_HEADER},
	{NULL}
};

static void read_value(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					   const char *pointer, void *target);
static void read_secret(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						const char *pointer, void *target);
static void read_refresh_token(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							   const char *pointer, void *target);
static void read_token_url(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						   const char *pointer, void *target);
static void read_params(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						const char *pointer, void *target);
static void read_client_place(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							  const char *pointer, void *target);
static void read_request(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						 const char *pointer, void *target);
static void set_defaults(JobAuth *auth, AuthType type);
static void check_grant(ProblemList *problems, const char *pointer, const JobAuth *auth);
static void check_name(ProblemList *problems, const char *pointer, const JobAuth *auth);
static void check_parameters(ProblemList *problems, const List *values);
static void check_json(ProblemList *problems, struct json_object *value, const char *pointer);
static void problem_literal(ProblemList *problems, const char *name, const char *pointer);
static bool has_secret(const char *text);
static const char *secret_in_template(const char *begin, const char *end);
static bool is_word_character(char c);

static const KeyRule auth_rules[] = {
	{.name = "type", .types = VALUE_STRING},
	{.name = "token", .types = VALUE_STRING, .parse = read_secret, .flags = KEY_REQUIRED, .variants = BEARER,
	FIELD(JobAuth, token)},
	{.name = "username", .types = VALUE_STRING, .parse = read_value, .flags = KEY_REQUIRED, .variants = BASIC,
	FIELD(JobAuth, username)},
	{.name = "password", .types = VALUE_STRING, .parse = read_secret, .flags = KEY_REQUIRED, .variants = BASIC,
	FIELD(JobAuth, password)},
	{.name = "in", .types = VALUE_STRING, .parse = read_choice, .flags = KEY_REQUIRED, .variants = API_KEY,
	FIELD(JobAuth, place), .choices = places},
	{.name = "in", .types = VALUE_STRING, .parse = read_choice, .variants = LOGIN, FIELD(JobAuth, place), .choices = places},
	{.name = "name", .types = VALUE_STRING, .parse = read_string, .flags = KEY_REQUIRED, .variants = API_KEY,
	FIELD(JobAuth, name), .min = 1},
	{.name = "name", .types = VALUE_STRING, .parse = read_string, .variants = LOGIN, FIELD(JobAuth, name), .min = 1},
	{.name = "value", .types = VALUE_STRING, .parse = read_secret, .flags = KEY_REQUIRED, .variants = API_KEY,
	FIELD(JobAuth, value)},
	{.name = "grant", .types = VALUE_STRING, .parse = read_choice, .flags = KEY_REQUIRED, .variants = OAUTH2,
	FIELD(JobAuth, grant), .choices = grants},
	{.name = "tokenUrl", .types = VALUE_STRING, .parse = read_token_url, .flags = KEY_REQUIRED, .variants = OAUTH2},
	{.name = "clientId", .types = VALUE_STRING, .parse = read_value, .flags = KEY_REQUIRED, .variants = OAUTH2,
	FIELD(JobAuth, client_id)},
	{.name = "clientSecret", .types = VALUE_STRING, .parse = read_secret, .variants = OAUTH2,
	FIELD(JobAuth, client_secret)},
	{.name = "refreshToken", .types = VALUE_STRING, .parse = read_refresh_token, .variants = OAUTH2},
	{.name = "scope", .types = VALUE_STRING, .parse = read_value, .variants = OAUTH2, FIELD(JobAuth, scope)},
	{.name = "params", .types = VALUE_OBJECT, .parse = read_params, .variants = OAUTH2},
	{.name = "clientAuth", .types = VALUE_STRING, .parse = read_client_place, .variants = OAUTH2, .choices = client_places},
	{.name = "request", .types = VALUE_OBJECT, .parse = read_request, .flags = KEY_REQUIRED, .variants = LOGIN},
	{.name = "tokenPath", .types = VALUE_STRING, .parse = read_path, .variants = OAUTH2, FIELD(JobAuth, token_path)},
	{.name = "tokenPath", .types = VALUE_STRING, .parse = read_path, .flags = KEY_REQUIRED, .variants = LOGIN,
	FIELD(JobAuth, token_path)},
	{.name = "expiresInPath", .types = VALUE_STRING, .parse = read_path, .variants = OAUTH2 | LOGIN,
	FIELD(JobAuth, expires_in_path)},
	{.name = "expiresIn", .types = VALUE_TIME, .parse = read_duration, .variants = LOGIN,
	FIELD(JobAuth, expires_in_ms), .min = 1000, .max = MAX_LIFETIME_MS},
	{.name = "baseUrlPath", .types = VALUE_STRING, .parse = read_path, .variants = OAUTH2 | LOGIN,
	FIELD(JobAuth, base_url_path)},
	{.name = "margin", .types = VALUE_TIME, .parse = read_duration, .variants = OAUTH2 | LOGIN,
	FIELD(JobAuth, margin_ms), .min = 0, .max = MAX_TIME_MS},
	{.name = "prefix", .types = VALUE_STRING, .parse = read_string, .variants = OAUTH2 | LOGIN, FIELD(JobAuth, prefix)},
	{.name = "accessKeyId", .types = VALUE_STRING, .parse = read_value, .flags = KEY_REQUIRED, .variants = SIGV4,
	FIELD(JobAuth, access_key_id)},
	{.name = "secretAccessKey", .types = VALUE_STRING, .parse = read_secret, .flags = KEY_REQUIRED, .variants = SIGV4,
	FIELD(JobAuth, secret_access_key)},
	{.name = "sessionToken", .types = VALUE_STRING, .parse = read_secret, .variants = SIGV4, FIELD(JobAuth, session_token)},
	{.name = "region", .types = VALUE_STRING, .parse = read_value, .flags = KEY_REQUIRED, .variants = SIGV4,
	FIELD(JobAuth, region)},
	{.name = "service", .types = VALUE_STRING, .parse = read_value, .flags = KEY_REQUIRED, .variants = SIGV4,
	FIELD(JobAuth, service)},
	{NULL}
};

static const KeyRule tls_rules[] = {
	{.name = "certificate", .types = VALUE_STRING, .parse = read_value, FIELD(JobTls, certificate)},
	{.name = "key", .types = VALUE_STRING, .parse = read_secret, FIELD(JobTls, key)},
	{.name = "ca", .types = VALUE_STRING, .parse = read_value, FIELD(JobTls, ca)},
	{NULL}
};

/* Of a JobSource, which has all that a login's request has. */
static const KeyRule request_rules[] = {
	{.name = "url", .types = VALUE_STRING, .parse = read_url, .flags = KEY_REQUIRED},
	{.name = "method", .types = VALUE_STRING, .parse = read_method},
	{.name = "headers", .types = VALUE_OBJECT, .parse = read_headers},
	{.name = "query", .types = VALUE_OBJECT, .parse = read_query},
	{.name = "body", .types = VALUE_OBJECT | VALUE_ARRAY | VALUE_STRING, .parse = read_body},
	{NULL}
};

void
read_auth(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	JobSource  *source = target;
	JobAuth    *auth = &source->auth;
	ObjectType	type;

	read_type(problems, value, pointer, auth_types, &type);
	auth->type = type.variant != 0 ? type.value : AUTH_NONE;
	auth->margin_ms = DEFAULT_MARGIN_MS;
	read_object(problems, value, pointer, auth_rules, type.variant, type.label, auth);
	set_defaults(auth, auth->type);
	if (auth->type == AUTH_OAUTH2)
		check_grant(problems, pointer, auth);
	if (auth->type == AUTH_API_KEY || auth->type == AUTH_LOGIN)
		check_name(problems, pointer, auth);
}

void
read_tls(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		 const char *pointer, void *target)
{
	JobSource  *source = target;
	JobTls	   *tls = palloc0(sizeof(JobTls));

	read_object(problems, value, pointer, tls_rules, ~0U, NULL, tls);
	if ((tls->certificate.text == NULL) != (tls->key.text == NULL))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"certificate\" and \"key\" go together");
	source->tls = tls;
}

/* A text that may have templates. */
static void
read_value(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	JobValue   *field = rule_field(rule, target);

	if (json_object_get_string_len(value) == 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must not be empty", rule->name);
	*field = job_value(value, pointer);
}

/* A text with a secret in it. */
static void
read_secret(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	JobValue   *field = rule_field(rule, target);

	if (!has_secret(json_object_get_string(value)))
		problem_literal(problems, rule->name, pointer);
	*field = job_value(value, pointer);
}

/* Exactly one token, as its successor is stored under that name. */
static void
read_refresh_token(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				   const char *pointer, void *target)
{
	JobAuth    *auth = target;
	const char *text = json_object_get_string(value);

	auth->refresh_token = job_value(value, pointer);
	auth->refresh_token_name = lone_token(text);
	if (auth->refresh_token_name != NULL)
		return;
	if (!has_secret(text))
		problem_literal(problems, rule->name, pointer);
	else
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Where the server gives a new one, it is stored under the same name.",
					"\"%s\" must be one token as {{tokens.name}} and nothing else", rule->name);
}

static void
read_token_url(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			   const char *pointer, void *target)
{
	JobAuth    *auth = target;
	JobSource	request = {0};

	read_url(problems, rule, value, pointer, &request);
	auth->token_url = request.url;
}

static void
read_params(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	JobAuth    *auth = target;
	JobSource	request = {0};

	read_query(problems, rule, value, pointer, &request);
	auth->params = request.query;
	check_parameters(problems, auth->params);
}

static void
read_client_place(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				  const char *pointer, void *target)
{
	JobAuth    *auth = target;
	const Choice *choice = find_choice(problems, rule->choices, rule->name, json_object_get_string(value), pointer);

	auth->client_in_header = choice != NULL && choice->value == CLIENT_IN_HEADER;
}

/* {url, method, headers, query, body}: read as a source is. */
static void
read_request(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	JobAuth    *auth = target;
	JobRequest *request = palloc0(sizeof(JobRequest));
	JobSource	read = {.method = "POST"};
	struct json_object *body;

	read_object(problems, value, pointer, request_rules, ~0U, NULL, &read);
	if (strcmp(read.method, "GET") == 0 && read.body_kind != BODY_NONE)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "body"),
					"Set \"method\" to \"POST\".",
					"a GET request has no body");
	check_parameters(problems, read.headers);
	check_parameters(problems, read.query);
	check_parameters(problems, read.body_form);
	if (read.body_kind == BODY_JSON && jsonc_get(value, "body", &body))
		check_json(problems, body, pointer_key(pointer, "body"));

	request->url = read.url;
	request->method = read.method;
	request->headers = read.headers;
	request->query = read.query;
	request->body_kind = read.body_kind;
	request->body = read.body;
	request->body_form = read.body_form;
	auth->request = request;
}

/* What a type means where it leaves something out. */
static void
set_defaults(JobAuth *auth, AuthType type)
{
	char	   *error;

	if (type == AUTH_OAUTH2)
	{
		if (auth->token_path == NULL)
			auth->token_path = json_path_parse("access_token", &error);
		if (auth->expires_in_path == NULL)
			auth->expires_in_path = json_path_parse("expires_in", &error);
	}
	if (auth->name == NULL && auth->place == AUTH_IN_HEADER)
		auth->name = pstrdup("Authorization");
	if (auth->prefix == NULL)
	{
		bool		usual = auth->name != NULL && auth->place == AUTH_IN_HEADER && pg_strcasecmp(auth->name, "Authorization") == 0;

		auth->prefix = pstrdup(usual ? "Bearer " : "");
	}
}

/* What goes with a grant and what does not. */
static void
check_grant(ProblemList *problems, const char *pointer, const JobAuth *auth)
{
	if (auth->grant == GRANT_REFRESH_TOKEN && auth->refresh_token.text == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL, "\"refreshToken\" is missing");
	if (auth->grant == GRANT_CLIENT_CREDENTIALS && auth->refresh_token.text != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "refreshToken"), NULL,
					"\"refreshToken\" does not go with grant \"client_credentials\"");
	if ((auth->grant == GRANT_CLIENT_CREDENTIALS || auth->client_in_header) && auth->client_secret.text == NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL, "\"clientSecret\" is missing");
}

/* The name of what carries the key. */
static void
check_name(ProblemList *problems, const char *pointer, const JobAuth *auth)
{
	if (auth->name == NULL)
	{
		if (auth->type == AUTH_LOGIN)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL, "\"name\" is missing");
	}
	else if (auth->place != AUTH_IN_QUERY && !is_header_name(auth->name))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "name"),
					"It has letters, digits and !#$%&'*+-.^_`|~ only.",
					"\"%s\" is not the name of a %s", clip_text(auth->name),
					auth->place == AUTH_IN_COOKIE ? "cookie" : "header");
}

/* Headers and parameters whose names say that they are secrets must come from the token store. */
static void
check_parameters(ProblemList *problems, const List *values)
{
	ListCell   *lc;

	foreach(lc, values)
	{
		const JobNamedValue *named = lfirst(lc);

		if (is_secret_name(named->name) && !has_secret(named->value.text))
			problem_literal(problems, named->name, named->value.pointer);
	}
}

/* The same of the members of a body. */
static void
check_json(ProblemList *problems, struct json_object *value, const char *pointer)
{
	if (value_is(value, VALUE_ARRAY))
	{
		for (int i = 0; i < json_object_array_length(value); i++)
			check_json(problems, json_object_array_get_idx(value, i), pointer_index(pointer, i));
	}
	else if (value_is(value, VALUE_OBJECT))
	{
		json_object_object_foreach(value, name, member)
		{
			char	   *place = pointer_key(pointer, name);

			if (!value_is(member, VALUE_STRING))
				check_json(problems, member, place);
			else if (is_secret_name(name) && !has_secret(json_object_get_string(member)))
				problem_literal(problems, name, place);
		}
	}
}

static void
problem_literal(ProblemList *problems, const char *name, const char *pointer)
{
	problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
				"Store it with databite.set_token('name', '...') and write \"{{tokens.name}}\" here.",
				"\"%s\" is a secret and must not stand in the definition", clip_text(name));
}

/* Is there a template in the text that names tokens or secrets? */
static bool
has_secret(const char *text)
{
	const char *begin = text;

	while ((begin = strstr(begin, "{{")) != NULL)
	{
		const char *end = strstr(begin, "}}");

		if (end == NULL)
			return false;
		if (secret_in_template(begin + 2, end) != NULL)
			return true;
		begin = end + 2;
	}
	return false;
}

/* Where a template says tokens. or secrets. (or [), or NULL. */
static const char *
secret_in_template(const char *begin, const char *end)
{
	static const char *const scopes[] = {"tokens", "secrets"};

	for (const char *p = begin; p < end; p++)
	{
		for (int i = 0; i < lengthof(scopes); i++)
		{
			size_t		len = strlen(scopes[i]);

			if (strncmp(p, scopes[i], len) == 0 && (p[len] == '.' || p[len] == '[') &&
				(p == begin || !(is_word_character(p[-1]) || p[-1] == '.')))
				return p;
		}
	}
	return NULL;
}

/* The name in {{tokens.name}} or {{ secrets.name }}, where the text is nothing else; or NULL. */
char *
lone_token(const char *text)
{
	const char *p = text;
	const char *name;

	if (strncmp(p, "{{", 2) != 0)
		return NULL;
	p += 2;
	p += strspn(p, " ");
	if (strncmp(p, "tokens.", 7) == 0)
		p += 7;
	else if (strncmp(p, "secrets.", 8) == 0)
		p += 8;
	else
		return NULL;
	name = p;
	while (is_word_character(*p))
		p++;
	if (p == name || strcmp(p + strspn(p, " "), "}}") != 0)
		return NULL;
	return pnstrdup(name, p - name);
}

static bool
is_word_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
