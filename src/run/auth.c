/*
 * auth.c
 *	  Who asks: credentials for the requests of a step, got and kept fresh.
 *
 * The values of source.auth and source.tls are rendered as those of a request
 * are, with the same care for secrets: as the headers of a request that is never
 * sent (request_plan.c).
 */
#include "postgres.h"

#include "common/base64.h"
#include "run/auth_data.h"
#include "run/secret_mask.h"
#include "source/request_edit.h"
#include "utils/memutils.h"

/* What a masked request shows in place of a secret. */
#define MASK "***"

/* What a rendering is given through run_in_transaction. */
typedef struct Rendering
{
	AuthSession *session;
	Jsonb	   *scopes;
} Rendering;

static List *list_values(const JobSource *source);
static void render_values(RunContext *run, void *arg);
static void apply_key(HttpRequest *request, AuthPlace place, const char *name, const char *value);
static void apply_cookie(HttpRequest *request, const char *name, const char *value);
static void apply_basic(const AuthSession *session, HttpRequest *request);
static void apply_signer(const AuthSession *session, HttpRequest *request);
static const char *required_value(const AuthSession *session, const char *name);

AuthSession *
auth_session_create(const JobSource *source, ProblemList *problems, MemoryContext context)
{
	MemoryContext old;
	AuthSession *session;
	JobStep		values = {.source = {.method = "GET", .url = {.text = "http://values/", .pointer = ""}}};
	int			before = list_length(problems->problems);

	if (source->auth.type == AUTH_NONE && source->tls == NULL)
		return NULL;

	old = MemoryContextSwitchTo(context);
	session = palloc0(sizeof(AuthSession));
	session->source = source;
	session->auth = &source->auth;
	session->memory = context;
	session->token_memory = AllocSetContextCreate(context, "databite access token", ALLOCSET_SMALL_SIZES);

	values.source.headers = list_values(source);
	if (values.source.headers != NIL)
	{
		JobStep    *step = palloc(sizeof(JobStep));

		*step = values;			/* the plan looks at it later */
		step->pointer = "";
		session->values_plan = request_plan_create(step, problems, context);
	}
	session->token_plan = auth_token_plan(source, problems, context);
	MemoryContextSwitchTo(old);
	return list_length(problems->problems) > before ? NULL : session;
}

bool
auth_session_refresh(AuthSession *session, RunContext *run, Jsonb *scopes)
{
	Rendering	rendering = {session, scopes};
	bool		changed = false;

	if (session == NULL)
		return false;
	if (session->values == NULL && session->values_plan != NULL)
	{
		run_in_transaction(run, render_values, &rendering);
		changed = true;
	}
	if (session->token_plan != NULL && !auth_token_is_fresh(session))
	{
		auth_token_get(session, run, scopes);
		changed = true;
	}
	return changed;
}

int
auth_session_token(const AuthSession *session)
{
	return session != NULL ? session->tokens : 0;
}

bool
auth_session_expired(AuthSession *session, int token)
{
	if (session == NULL || session->token == NULL)
		return false;
	if (token == session->tokens)
		session->rejected = MemoryContextStrdup(session->memory, session->token->value);
	return true;
}

void
auth_session_apply(AuthSession *session, HttpRequest *request, bool masked)
{
	const JobAuth *auth;

	if (session == NULL)
		return;
	auth = session->auth;
	switch (auth->type)
	{
		case AUTH_NONE:
			break;
		case AUTH_BEARER:
			edit_header(request, "Authorization",
						psprintf("Bearer %s", masked ? MASK : required_value(session, "token")));
			break;
		case AUTH_BASIC:
			if (masked)
				edit_header(request, "Authorization", "Basic " MASK);
			else
				apply_basic(session, request);
			break;
		case AUTH_API_KEY:
			apply_key(request, auth->place, auth->name, masked ? MASK : required_value(session, "value"));
			break;
		case AUTH_OAUTH2:
		case AUTH_LOGIN:
			apply_key(request, auth->place, auth->name,
					  psprintf("%s%s", auth->prefix, masked ? MASK : session->token->value));
			break;
		case AUTH_AWS_SIGV4:
			if (masked)
				edit_header(request, "Authorization", "AWS4-HMAC-SHA256 " MASK);
			else
				apply_signer(session, request);
			break;
	}
	if (!masked)
		request->tls = auth_tls(session);
}

const char *
auth_session_scope(const AuthSession *session)
{
	if (session == NULL || session->token_plan == NULL)
		return "null";

	/* What explain_job shows, which asks for no token. */
	return session->token != NULL ? session->scope : "{\"base_url\": \"https://" MASK "\"}";
}

const char *
auth_value(const AuthSession *session, const char *name)
{
	ListCell   *lc;

	foreach(lc, session->values != NULL ? session->values->headers : NIL)
	{
		const HttpHeader *header = lfirst(lc);

		if (strcmp(header->name, name) == 0)
			return header->value;
	}
	return NULL;
}

HttpTls *
auth_tls(const AuthSession *session)
{
	HttpTls    *tls;

	if (session->source->tls == NULL)
		return NULL;
	tls = palloc(sizeof(HttpTls));
	tls->certificate = (char *) auth_value(session, "certificate");
	tls->key = (char *) auth_value(session, "key");
	tls->ca = (char *) auth_value(session, "ca");
	return tls;
}

/* What has to be rendered: of JobNamedValue *. */
static List *
list_values(const JobSource *source)
{
	const JobAuth *auth = &source->auth;
	List	   *values = NIL;

	values = auth_add_value(values, "token", &auth->token);
	values = auth_add_value(values, "username", &auth->username);
	values = auth_add_value(values, "password", &auth->password);
	values = auth_add_value(values, "value", &auth->value);
	values = auth_add_value(values, "client_id", &auth->client_id);
	values = auth_add_value(values, "client_secret", &auth->client_secret);
	values = auth_add_value(values, "access_key_id", &auth->access_key_id);
	values = auth_add_value(values, "secret_access_key", &auth->secret_access_key);
	values = auth_add_value(values, "session_token", &auth->session_token);
	values = auth_add_value(values, "region", &auth->region);
	values = auth_add_value(values, "service", &auth->service);
	if (source->tls != NULL)
	{
		values = auth_add_value(values, "certificate", &source->tls->certificate);
		values = auth_add_value(values, "key", &source->tls->key);
		values = auth_add_value(values, "ca", &source->tls->ca);
	}
	return values;
}

List *
auth_add_value(List *values, const char *name, const JobValue *value)
{
	JobNamedValue *named;

	if (value->text == NULL)
		return values;
	named = palloc(sizeof(JobNamedValue));
	named->name = pstrdup(name);
	named->value = *value;
	return lappend(values, named);
}

static void
render_values(RunContext *run, void *arg)
{
	Rendering  *rendering = arg;
	AuthSession *session = rendering->session;
	MemoryContext old = MemoryContextSwitchTo(session->memory);

	session->values = request_plan_render(session->values_plan, run->record->owner, rendering->scopes, false);
	MemoryContextSwitchTo(old);
}

static void
apply_key(HttpRequest *request, AuthPlace place, const char *name, const char *value)
{
	switch (place)
	{
		case AUTH_IN_HEADER:
			edit_header(request, name, value);
			break;
		case AUTH_IN_QUERY:
			request->url = url_add_parameter(request->url, name, value, true);
			break;
		case AUTH_IN_COOKIE:
			apply_cookie(request, name, value);
			break;
	}
}

/* Beside the cookies that the user has given.  RFC 6265 section 4.1.1: what a value may not have would end it. */
static void
apply_cookie(HttpRequest *request, const char *name, const char *value)
{
	char	   *cookie = psprintf("%s=%s", name, value);
	ListCell   *lc;

	if (strpbrk(value, ";, \t\"\\") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the value of cookie \"%s\" has a character that a cookie cannot have", name),
				 errhint("Encode it, as {{ tokens.name | urlencode }}.")));
	foreach(lc, request->headers)
	{
		HttpHeader *header = lfirst(lc);

		if (pg_strcasecmp(header->name, "Cookie") == 0)
		{
			header->value = psprintf("%s; %s", header->value, cookie);
			return;
		}
	}
	edit_header(request, "Cookie", cookie);
}

static void
apply_basic(const AuthSession *session, HttpRequest *request)
{
	auth_set_basic(request, required_value(session, "username"), required_value(session, "password"));
}

void
auth_set_basic(HttpRequest *request, const char *username, const char *password)
{
	char	   *pair = psprintf("%s:%s", username, password);
	int			len = strlen(pair);
	int			size = pg_b64_enc_len(len);
	char	   *encoded = palloc(size + 1);

	size = pg_b64_encode((const void *) pair, len, encoded, size);
	encoded[Max(size, 0)] = '\0';
	secret_mask_remember(encoded);
	edit_header(request, "Authorization", psprintf("Basic %s", encoded));
}

static void
apply_signer(const AuthSession *session, HttpRequest *request)
{
	HttpSigner *signer = palloc(sizeof(HttpSigner));

	signer->access_key_id = (char *) required_value(session, "access_key_id");
	signer->secret_access_key = (char *) required_value(session, "secret_access_key");
	signer->session_token = (char *) auth_value(session, "session_token");
	signer->region = (char *) required_value(session, "region");
	signer->service = (char *) required_value(session, "service");
	request->signer = signer;
}

/* Without its value a request would go out as somebody else's. */
static const char *
required_value(const AuthSession *session, const char *name)
{
	const char *value = auth_value(session, name);

	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a value of \"auth\" is null"),
				 errdetail("A template in it has no value.")));
	return value;
}
