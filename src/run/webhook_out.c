/*
 * webhook_out.c
 *	  Failures of runs told by webhooks: queued with the failure, sent later.
 *
 * A notification is a row that commits with the failure, or does not.  It is sent by a process of its own
 * (worker/notifier.c): a transaction takes those that are due and makes the requests, then they
 * are sent with none open, and another one records what came of it.  A receiver that does not say 2xx is asked
 * again after the pauses below; 410 says that it wants no more.  So every notification is sent at
 * least once, and each time by the same name (webhook-id) and with the same body.
 *
 * Where it goes is read from the job as it is then.  Only tokens are put into texts, no template is
 * evaluated: nothing of a user runs here.
 */
#include "postgres.h"

#include <time.h>

#include "access/xact.h"
#include "base/signature.h"
#include "base/subtransaction.h"
#include "catalog/extension.h"
#include "catalog/job_catalog.h"
#include "catalog/notification_catalog.h"
#include "catalog/run_summary.h"
#include "catalog/token_catalog.h"
#include "job/definition.h"
#include "job/secret_text.h"
#include "mb/pg_wchar.h"
#include "run/context.h"
#include "run/secret_mask.h"
#include "run/webhook_out.h"
#include "source/fetch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Sent at once; they wait for each other. */
#define MAX_SENT	16

#define TIMEOUT_MS	15000
#define STATUS_GONE 410

/* Before the next try: some 23 hours in all. */
static const int64 pauses_ms[] = {
	1000, 5000, 30000, 2 * 60000, 10 * 60000, 30 * 60000, 60 * 60000, 3 * 60 * 60000, 6 * 60 * 60000, 12 * 60 * 60000
};

typedef struct Sending
{
	Notification *notification;
	Oid			owner;
	HttpRequest *request;		/* NULL: it could not be made */
	Fetch	   *fetch;
	int			status;			/* of the answer; 0: none */
	bool		is_sent;
	bool		is_over;		/* there is nowhere to send it to any more */
	char	   *error;			/* why not */
	TimestampTz not_before;		/* the receiver wants to be left alone until then, or 0 */
} Sending;

static List *take(Oid owner);
static void make_request(void *arg);
static JobWebhook *webhook_of(Sending *sending);
static const char *token_value(const char *name, void *arg);
static HttpRequest *request_of(const Sending *sending, const JobWebhook *webhook);
static List *add_header(List *headers, const char *name, char *value);
static void send_all(List *sendings, MemoryContext memory);
static Fetch **begin_all(List *sendings, SourceClient *client, Sending **going, int *ngoing);
static bool note_answer(Sending *sending);
static void record(void *arg);
static void log_failure(const Sending *sending, bool for_good);
static void in_transaction(void (*work) (void *arg), void *arg);

/* What take() is to do, for in_transaction. */
typedef struct Taking
{
	Oid			owner;
	MemoryContext memory;
	List	   *sendings;
} Taking;

static void take_due(void *arg);

void		(*webhook_out_wake) (void) = NULL;

void
webhook_out_queue(const char *job_id, Oid owner, int64 run_id)
{
	notification_catalog_add(job_id, owner, run_id,
							 psprintf("{\"type\": \"databite.run.failed\", \"timestamp\": \"%s\", \"data\": %s}",
									  run_time_text(GetCurrentTimestamp()), run_summary_public_json(run_id)));
	if (webhook_out_wake != NULL)
		webhook_out_wake();
}

bool
webhook_out_send(Oid owner)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "databite webhooks", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	List	   *sendings = take(owner);
	bool		some = sendings != NIL;

	if (some)
	{
		send_all(sendings, memory);
		in_transaction(record, sendings);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	return some;
}

static List *
take(Oid owner)
{
	Taking		taking = {.owner = owner, .memory = CurrentMemoryContext};

	in_transaction(take_due, &taking);
	return taking.sendings;
}

static void
take_due(void *arg)
{
	Taking	   *taking = arg;
	MemoryContext old = MemoryContextSwitchTo(taking->memory);
	ListCell   *lc;

	foreach(lc, notification_catalog_take(taking->owner, pauses_ms, lengthof(pauses_ms), MAX_SENT))
	{
		Sending    *sending = palloc0(sizeof(Sending));
		ErrorData  *error;

		sending->notification = lfirst(lc);
		sending->owner = taking->owner;
		taking->sendings = lappend(taking->sendings, sending);
		error = subtransaction_run(make_request, sending, SUBTRANSACTION_KEEP);
		if (error != NULL)
			sending->error = secret_mask_text(error->message);
	}
	MemoryContextSwitchTo(old);
}

static void
make_request(void *arg)
{
	Sending    *sending = arg;

	sending->request = request_of(sending, webhook_of(sending));
}

static JobWebhook *
webhook_of(Sending *sending)
{
	const char *job_id = sending->notification->job_id;
	JobRecord  *record = job_catalog_get(job_id, false);
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Job		   *job = NULL;

	if (record != NULL && record->owner == sending->owner)
	{
		job = job_parse(record->definition, strlen(record->definition), problems);
		problem_raise_first(problems);
	}
	sending->is_over = job == NULL || job->error_handling.on_failure.webhook == NULL;
	if (sending->is_over)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job \"%s\" has no webhook for its failures any more", job_id)));
	return job->error_handling.on_failure.webhook;
}

static const char *
token_value(const char *name, void *arg)
{
	const Sending *sending = arg;
	char	   *value = token_catalog_get(sending->owner, name);

	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no token \"%s\"", name),
				 errhint("Store it with databite.set_token.")));
	secret_mask_remember(value);
	return value;
}

static HttpRequest *
request_of(const Sending *sending, const JobWebhook *webhook)
{
	const Notification *notification = sending->notification;
	HttpRequest *request = palloc0(sizeof(HttpRequest));
	void	   *arg = unconstify(Sending *, sending);
	int64		now = time(NULL);
	ListCell   *lc;

	request->method = pstrdup("POST");
	request->url = secret_text_render(webhook->url, token_value, arg);
	request->body = pg_server_to_any(notification->body, strlen(notification->body), PG_UTF8);
	request->body_len = strlen(request->body);
	request->timeout_ms = TIMEOUT_MS;
	request->headers = add_header(NIL, "Content-Type", pstrdup("application/json"));
	request->headers = add_header(request->headers, "webhook-id", notification->webhook_id);
	request->headers = add_header(request->headers, "webhook-timestamp", psprintf(INT64_FORMAT, now));
	if (webhook->secret != NULL)
		request->headers = add_header(request->headers, "webhook-signature",
									  signature_sign(secret_text_render(webhook->secret, token_value, arg), notification->webhook_id,
													 now, request->body, request->body_len));
	foreach(lc, webhook->headers)
	{
		const JobWebhookHeader *header = lfirst(lc);

		request->headers = add_header(request->headers, header->name, secret_text_render(header->value, token_value, arg));
	}
	return request;
}

static List *
add_header(List *headers, const char *name, char *value)
{
	HttpHeader *header = palloc(sizeof(HttpHeader));

	header->name = pstrdup(name);
	header->value = value;
	return lappend(headers, header);
}

/* All at once, with no transaction open. */
static void
send_all(List *sendings, MemoryContext memory)
{
	SourceClient *client = source_client_create(memory);
	Sending    *going[MAX_SENT];
	int			ngoing;
	Fetch	  **fetches = begin_all(sendings, client, going, &ngoing);

	while (ngoing > 0)
	{
		int			i = fetch_select(client, fetches, ngoing, -1);

		if (i < 0 || !note_answer(going[i]))
			continue;
		fetch_close(fetches[i]);
		ngoing--;
		fetches[i] = fetches[ngoing];
		going[i] = going[ngoing];
	}
}

static Fetch **
begin_all(List *sendings, SourceClient *client, Sending **going, int *ngoing)
{
	static const JobRetry once = {.attempts = 1};
	static const FetchPolicy policy = {.retry = &once};
	Fetch	  **fetches = palloc(sizeof(Fetch *) * list_length(sendings));
	ListCell   *lc;

	*ngoing = 0;
	foreach(lc, sendings)
	{
		Sending    *sending = lfirst(lc);

		if (sending->request == NULL)
			continue;
		sending->fetch = fetch_start(client, sending->request, &policy);
		fetches[*ngoing] = sending->fetch;
		going[(*ngoing)++] = sending;
	}
	return fetches;
}

/* What the receiver says beside its status is of no interest.  False: it has not answered yet. */
static bool
note_answer(Sending *sending)
{
	const char *data;
	size_t		len;
	const SourceError *error;

	switch (fetch_read(sending->fetch, &data, &len))
	{
		case FETCH_DATA:
			if (len == 0)
				return false;
			/* FALLTHROUGH */
		case FETCH_END:
			sending->status = fetch_response(sending->fetch)->status;
			sending->is_sent = true;
			return true;
		case FETCH_FAILED:
			error = fetch_error(sending->fetch);
			sending->status = error->status;
			sending->error = secret_mask_text(error->message);
			if (error->retry_after_ms > 0)
				sending->not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), error->retry_after_ms);
			return true;
		default:
			return false;
	}
}

static void
record(void *arg)
{
	ListCell   *lc;

	foreach(lc, (List *) arg)
	{
		const Sending *sending = lfirst(lc);
		const Notification *notification = sending->notification;
		bool		for_good = sending->is_over || sending->status == STATUS_GONE || notification->tries > lengthof(pauses_ms);

		if (sending->is_sent)
			notification_catalog_sent(notification->id, sending->status);
		else
		{
			notification_catalog_failed(notification->id, sending->status, sending->error, for_good, sending->not_before);
			log_failure(sending, for_good);
		}
	}
}

static void
log_failure(const Sending *sending, bool for_good)
{
	const Notification *notification = sending->notification;

	ereport(for_good ? WARNING : LOG,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("notification \"%s\" of job \"%s\" %s: %s", notification->webhook_id, notification->job_id,
					for_good ? "was given up" : "could not be sent", sending->error),
			 errdetail("It was tried %d times.", notification->tries)));
}

/* Nothing where the extension is not there any more. */
static void
in_transaction(void (*work) (void *arg), void *arg)
{
	MemoryContext old = CurrentMemoryContext;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (OidIsValid(catalog_lock_extension()))
	{
		MemoryContextSwitchTo(old);
		work(arg);
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(old);
}
