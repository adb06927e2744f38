/*
 * auth_token.c
 *	  Access tokens: taken from the store, or got by a request.
 *
 * One process at a time gets the token of a key, by a session lock; who has
 * waited for it takes what the other has stored.  For a refresh token the lock is
 * that token's, whatever it is used for, because a server that rotates them
 * takes each one once.
 *
 * A new refresh token is committed, durably, before the access token that came
 * with it is used, and no cancel is heard from the moment that the old one is sent
 * until then.  A crash in between is the one window in which it can be lost:
 * the server has forgotten the old one and nobody has the new one.
 *
 * In execute_job what is stored may be rolled back.  So another process commits
 * what a refresh token has given (token_keeper.c), and other access tokens are used
 * without being kept.
 */
#include "postgres.h"

#include "base/digest.h"
#include "base/lock_tag.h"
#include "catalog/token_catalog.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "run/auth_data.h"
#include "run/run_error.h"
#include "run/secret_mask.h"
#include "run/token_keeper.h"
#include "source/request_edit.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Longest answer of a token endpoint. */
#define MAX_ANSWER_BYTES (1024 * 1024)

/* What the pieces of work in a transaction are given. */
typedef struct TokenWork
{
	AuthSession *session;
	Jsonb	   *scopes;
	const HttpResponse *response;
	StringInfo	answer;
	TokenKeeper *keeper;		/* stores what a refresh token has given, or NULL: our own transaction does */
} TokenWork;

static JobSource *token_source(const JobSource *source);
static List *oauth_form(const JobAuth *auth);
static void load(RunContext *run, void *arg);
static void add_client(AuthSession *session);
static char *encoded(const char *text);
static char *identity(const AuthSession *session);
static bool may_use(const AuthSession *session, const AccessToken *token);
static void token_lock(const AuthSession *session, Oid owner, LOCKTAG *tag);
static void get_under_lock(RunContext *run, TokenWork *work);
static void ask(RunContext *run, TokenWork *work);
static bool spends_refresh_token(const AuthSession *session);
static void read_answer(const AuthSession *session, Fetch *fetch, StringInfo answer);
static void judge(Fetch *fetch);
pg_noreturn static void raise_failure(const AuthSession *session, const Fetch *fetch);
static void take(RunContext *run, void *arg);
static void use(AuthSession *session, AccessToken *token);

RequestPlan *
auth_token_plan(const JobSource *source, ProblemList *problems, MemoryContext context)
{
	JobStep    *step;

	if (source->auth.type != AUTH_OAUTH2 && source->auth.type != AUTH_LOGIN)
		return NULL;
	step = MemoryContextAllocZero(context, sizeof(JobStep));
	step->pointer = "";
	step->source = *token_source(source);
	return request_plan_create(step, problems, context);
}

bool
auth_token_is_fresh(const AuthSession *session)
{
	return session->token != NULL && may_use(session, session->token);
}

void
auth_token_get(AuthSession *session, RunContext *run, Jsonb *scopes)
{
	TokenWork	work = {.session = session, .scopes = scopes};
	LOCKTAG		tag;

	run_in_transaction(run, load, &work);
	if (auth_token_is_fresh(session))
		return;

	token_lock(session, run->record->owner, &tag);
	if (LockAcquire(&tag, ExclusiveLock, true, false) == LOCKACQUIRE_ALREADY_HELD)
	{
		LockRelease(&tag, ExclusiveLock, true);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("an access token is being got further up in this session")));
	}
	PG_TRY();
	{
		get_under_lock(run, &work);
	}
	PG_FINALLY();
	{
		LockRelease(&tag, ExclusiveLock, true);
	}
	PG_END_TRY();
}

/* The token request as that of a source. */
static JobSource *
token_source(const JobSource *source)
{
	const JobAuth *auth = &source->auth;
	JobSource  *token = palloc0(sizeof(JobSource));

	token->type = SOURCE_API;
	token->timeout_ms = source->timeout_ms;
	if (auth->type == AUTH_LOGIN)
	{
		const JobRequest *request = auth->request;

		token->url = request->url;
		token->method = request->method;
		token->headers = request->headers;
		token->query = request->query;
		token->body_kind = request->body_kind;
		token->body = request->body;
		token->body_form = request->body_form;
		return token;
	}
	token->url = auth->token_url;
	token->method = pstrdup("POST");
	token->body_kind = BODY_FORM;
	token->body_form = oauth_form(auth);
	return token;
}

/* RFC 6749 sections 4.4.2 and 6. */
static List *
oauth_form(const JobAuth *auth)
{
	JobValue	grant = {.pointer = ""};
	List	   *form = NIL;

	grant.text = pstrdup(auth->grant == GRANT_REFRESH_TOKEN ? "refresh_token" : "client_credentials");
	form = auth_add_value(form, "grant_type", &grant);
	form = auth_add_value(form, "scope", &auth->scope);
	if (!auth->client_in_header)
	{
		form = auth_add_value(form, "client_id", &auth->client_id);
		form = auth_add_value(form, "client_secret", &auth->client_secret);
	}
	return list_concat(form, list_copy(auth->params));
}

/* In a transaction: what the token is asked for with, and the one that is stored. */
static void
load(RunContext *run, void *arg)
{
	TokenWork  *work = arg;
	AuthSession *session = work->session;
	AccessToken *token;
	MemoryContext old;

	session->token = NULL;
	MemoryContextReset(session->token_memory);
	old = MemoryContextSwitchTo(session->token_memory);
	session->token_request = request_plan_render(session->token_plan, run->record->owner, work->scopes, false);
	edit_header(session->token_request, "Accept", "application/json");
	if (session->auth->client_in_header)
		add_client(session);
	session->key = identity(session);

	/* Not a part of the identity: it changes. */
	if (spends_refresh_token(session))
	{
		HttpRequest *request = session->token_request;
		char	   *refresh_token = token_catalog_get(run->record->owner, session->auth->refresh_token_name);

		if (refresh_token == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("token \"%s\" does not exist", session->auth->refresh_token_name),
					 errhint("Store it as the job's owner with databite.set_token.")));
		secret_mask_remember(refresh_token);
		request->body = psprintf("%s&refresh_token=%s", request->body, encoded(refresh_token));
		request->body_len = strlen(request->body);
	}

	token = access_token_catalog_get(run->record->owner, session->key);
	if (token != NULL && may_use(session, token))
		use(session, token);
	MemoryContextSwitchTo(old);
}

/* RFC 6749 section 2.3.1: both are encoded as in a form before they are put together. */
static void
add_client(AuthSession *session)
{
	auth_set_basic(session->token_request, encoded(auth_value(session, "client_id")),
				   encoded(auth_value(session, "client_secret")));
}

/* Percent-encoded; NULL is empty. */
static char *
encoded(const char *text)
{
	return strchr(url_add_parameter("http://form/", "v", text != NULL ? text : "", false), '=') + 1;
}

/* A digest of all that the token is got with, but for a refresh token, which has its name there. */
static char *
identity(const AuthSession *session)
{
	const HttpRequest *request = session->token_request;
	uint8		digest[DIGEST_BYTES];
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	appendStringInfo(&buf, "%s %s\n", request->method, request->url);
	foreach(lc, request->headers)
	{
		const HttpHeader *header = lfirst(lc);

		appendStringInfo(&buf, "%s: %s\n", header->name, header->value);
	}
	if (session->auth->refresh_token_name != NULL)
		appendStringInfo(&buf, "%s\n", session->auth->refresh_token_name);
	appendStringInfoChar(&buf, '\n');
	if (request->body != NULL)
		appendBinaryStringInfo(&buf, request->body, request->body_len);
	digest_sha256(buf.data, buf.len, digest);
	return digest_hex(digest);
}

/* It was not refused, and lives longer than the margin (or than half of its life, where that is less). */
static bool
may_use(const AuthSession *session, const AccessToken *token)
{
	int64		margin;

	if (session->rejected != NULL && strcmp(session->rejected, token->value) == 0)
		return false;
	if (token->expires_at == 0)
		return true;
	margin = Min(session->auth->margin_ms * INT64CONST(1000), (token->expires_at - token->obtained_at) / 2);
	return GetCurrentTimestamp() < token->expires_at - margin;
}

/* 64 bits of hash: two keys that share a tag are not a practical concern, they would wait for each other. */
static void
token_lock(const AuthSession *session, Oid owner, LOCKTAG *tag)
{
	char	   *text = psprintf("%u %s", owner,
								spends_refresh_token(session) ? session->auth->refresh_token_name : session->key);

	lock_tag_set(tag, LOCK_ACCESS_TOKEN, hash_bytes_extended((const unsigned char *) text, (int) strlen(text), 0));
}

static bool
spends_refresh_token(const AuthSession *session)
{
	return session->auth->type == AUTH_OAUTH2 && session->auth->grant == GRANT_REFRESH_TOKEN;
}

static void
get_under_lock(RunContext *run, TokenWork *work)
{
	AuthSession *session = work->session;

	/* Whoever had the lock may have got one. */
	run_in_transaction(run, load, work);
	if (auth_token_is_fresh(session))
		return;
	if (spends_refresh_token(session) && run->mode == RUN_IN_FUNCTION)
		work->keeper = token_keeper_start(run->record->owner);
	PG_TRY();
	{
		ask(run, work);
	}
	PG_FINALLY();
	{
		token_keeper_end(work->keeper);
	}
	PG_END_TRY();
}

/* The request, its answer, and what is stored of it. */
static void
ask(RunContext *run, TokenWork *work)
{
	AuthSession *session = work->session;
	JobRetry	retry = session->source->retry;
	FetchPolicy policy = {.retry = &retry, .judged = true};
	StringInfo	answer = makeStringInfo();
	Fetch	   *fetch;
	bool		more_to_come = run->more_to_come;
	bool		spends = spends_refresh_token(session);

	/* Cancels wait while a refresh token is on its way, so that must not take long. */
	if (spends)
	{
		retry.attempts = 1;
		HOLD_CANCEL_INTERRUPTS();
	}
	session->token_request->tls = auth_tls(session);
	fetch = fetch_start(run->client, session->token_request, &policy);
	read_answer(session, fetch, answer);

	work->response = fetch_response(fetch);
	work->answer = answer;
	run->more_to_come = false;	/* its commit is waited for */
	run_in_transaction(run, take, work);
	run->more_to_come = more_to_come;
	if (spends)
		RESUME_CANCEL_INTERRUPTS();
	fetch_close(fetch);
	work->answer = NULL;
	pfree(answer->data);
	pfree(answer);
}

static void
read_answer(const AuthSession *session, Fetch *fetch, StringInfo answer)
{
	const char *data;
	size_t		len;

	for (;;)
	{
		switch (fetch_read(fetch, &data, &len))
		{
			case FETCH_DATA:
				if (answer->len + len > MAX_ANSWER_BYTES)
					run_raise_content_error(ERRCODE_PROGRAM_LIMIT_EXCEEDED,
											"the answer of the token endpoint is longer than 1 MiB", NULL,
											session->token_request->method, fetch_response(fetch));
				appendBinaryStringInfo(answer, data, len);
				break;
			case FETCH_RESTARTED:
				resetStringInfo(answer);
				break;
			case FETCH_END:
				return;
			case FETCH_JUDGE:
				judge(fetch);
				break;
			case FETCH_FAILED:
				raise_failure(session, fetch);
		}
	}
}

/* What its status says, with the reason in words of OAuth. */
static void
judge(Fetch *fetch)
{
	size_t		len;
	const char *body = fetch_error_body(fetch, &len);

	fetch_judge(fetch, VERDICT_DEFAULT, NULL, auth_answer_error(body, len));
}

static void
raise_failure(const AuthSession *session, const Fetch *fetch)
{
	SourceError error = *fetch_error(fetch);

	/* RFC 6749 section 5.2: invalid_grant; not every server says so. */
	if (spends_refresh_token(session) && (error.status == 400 || error.status == 401))
		error.hint = pstrdup("If the refresh token has ended or was spent elsewhere, get a new one and store it with databite.set_token.");
	error.message = psprintf("no access token: %s", error.message);
	run_raise_source_error(&error);
}

/* In a transaction: reads the answer and stores it; a new refresh token first of all. */
static void
take(RunContext *run, void *arg)
{
	TokenWork  *work = arg;
	AuthSession *session = work->session;
	AccessToken *token;
	char	   *rotated = NULL;
	MemoryContext old = MemoryContextSwitchTo(session->token_memory);

	token = auth_answer_read(session, work->answer->data, work->answer->len, work->response, &rotated);
	if (work->keeper != NULL)
		token_keeper_store(work->keeper, session->auth->refresh_token_name, rotated, session->key, token);
	else if (run->mode != RUN_IN_FUNCTION)
	{
		(void) set_config_option("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
		if (rotated != NULL)
			token_catalog_set(run->record->owner, session->auth->refresh_token_name, rotated);
		access_token_catalog_put(run->record->owner, session->key, token);
	}
	use(session, token);
	MemoryContextSwitchTo(old);
}

/* From now on this one; what was refused before is of no interest any more. */
static void
use(AuthSession *session, AccessToken *token)
{
	session->token = token;
	session->tokens++;
	session->rejected = NULL;
	session->scope = auth_answer_scope(session->auth, token->extra);
	secret_mask_remember(token->value);
}
