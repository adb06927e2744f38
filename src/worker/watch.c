/*
 * watch.c
 *	  What the listener answers to who watches: the page, /metrics and /health.
 *
 * What they show is read in a transaction of its own, after the deliveries of the round have been answered: it changes nothing, sees
 * one state of the database, and is over after MAX_MS; nor does it wait for locks, as deliveries would wait for it.
 *
 * /health is answered to everybody, since a load balancer has no token, and says one word: whether the database
 * answers, and somebody starts what is due.  On a standby nobody listens.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/shared.h"
#include "catalog/extension.h"
#include "catalog/metrics_catalog.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "watch/page.h"
#include "worker/scheduler.h"
#include "worker/watch.h"
#include "worker/watch_access.h"

#define MAX_MS			5000
#define LOCK_TIMEOUT	"200ms"

#define JSON			"application/json"
#define HTML			"text/html; charset=utf-8"

/* What can be asked for. */
typedef enum Sight
{
	SIGHT_PAGE,
	SIGHT_METRICS,
	SIGHT_HEALTH,
	SIGHTS,
	SIGHT_NONE = SIGHTS
} Sight;

/* What the others see of it, too, who ask in the same round. */
typedef struct View
{
	bool		is_made;
	DoorAnswer	answer;
} View;

static Sight sight_of(const DoorRequest *request);
static void refuse(Door *door, DoorRequest *request, int status);
static const char *refusal_of(int status);
static void make(Sight sight, View *view);
static const MessageHeader *page_headers(void);
static void try_to_make(Sight sight, StringInfo text, int *status);
static void look(Sight sight, StringInfo text, int *status);
static void make_health(StringInfo text, int *status);
static bool has_scheduler(void);

static const char *const paths[SIGHTS] = {
	[SIGHT_PAGE] = "/",
	[SIGHT_METRICS] = "/metrics",
	[SIGHT_HEALTH] = "/health",
};

static const char *const types[SIGHTS] = {
	[SIGHT_PAGE] = HTML,
	[SIGHT_METRICS] = METRICS_CONTENT_TYPE,
	[SIGHT_HEALTH] = JSON,
};

bool
watch_is_asked(const DoorRequest *request)
{
	return sight_of(request) != SIGHT_NONE;
}

void
watch_answer(Door *door, DoorRequest **requests, int nrequests)
{
	View		views[SIGHTS] = {0};

	for (int i = 0; i < nrequests; i++)
	{
		DoorRequest *request = requests[i];
		Sight		sight = sight_of(request);
		int			status = sight == SIGHT_HEALTH ? 200 : watch_access_status(request);

		if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
			status = 405;
		if (status != 200)
		{
			refuse(door, request, status);
			continue;
		}
		if (!views[sight].is_made)
			make(sight, &views[sight]);
		door_answer(door, request, &views[sight].answer);
	}
}

/* By the path, with or without a query. */
static Sight
sight_of(const DoorRequest *request)
{
	size_t		len = strcspn(request->url, "?");

	for (Sight sight = 0; sight < SIGHTS; sight++)
	{
		if (strlen(paths[sight]) == len && strncmp(request->url, paths[sight], len) == 0)
			return sight;
	}
	return SIGHT_NONE;
}

/* Tells nothing of what there would be to see. */
static void
refuse(Door *door, DoorRequest *request, int status)
{
	static const MessageHeader allowed[] = {{"Allow", "GET, HEAD"}, {NULL}};
	static const MessageHeader schemes[] = {
		{"WWW-Authenticate", "Basic realm=\"databite\", charset=\"UTF-8\""},
		{"WWW-Authenticate", "Bearer realm=\"databite\""},
		{NULL}
	};
	const char *message = refusal_of(status);
	DoorAnswer	answer = {
		.status = status,
		.type = JSON,
		.content = message,
		.len = strlen(message),
		.headers = status == 405 ? allowed : status == 401 ? schemes : NULL
	};

	door_answer(door, request, &answer);
}

static const char *
refusal_of(int status)
{
	switch (status)
	{
		case 401:
			return "{\"message\": \"a token is needed\"}\n";
		case 403:
			return "{\"message\": \"this is for the machine itself: there is no token\"}\n";
		case 405:
			return "{\"message\": \"it can only be looked at\"}\n";
		default:
			return "{\"message\": \"ask for localhost, or for an address\"}\n";
	}
}

/* In the current memory context. */
static void
make(Sight sight, View *view)
{
	StringInfoData text;
	int			status = 200;

	initStringInfo(&text);
	try_to_make(sight, &text, &status);
	if (status == 503 && text.len == 0)
		appendStringInfoString(&text, sight == SIGHT_HEALTH ? "{\"status\": \"down\"}\n" : "{\"message\": \"try again later\"}\n");
	view->answer.status = status;
	view->answer.type = status == 200 ? types[sight] : JSON;
	view->answer.content = text.data;
	view->answer.len = text.len;
	view->answer.headers = sight == SIGHT_PAGE && status == 200 ? page_headers() : NULL;
	view->is_made = true;
}

/* No other site may frame the page or hold it, and it goes nowhere. */
static const MessageHeader *
page_headers(void)
{
	MessageHeader *headers = palloc0(sizeof(MessageHeader) * 5);

	headers[0].name = "Content-Security-Policy";
	headers[0].value = page_policy();
	headers[1].name = "Referrer-Policy";
	headers[1].value = "no-referrer";
	headers[2].name = "Cross-Origin-Resource-Policy";
	headers[2].value = "same-origin";
	headers[3].name = "X-Frame-Options";
	headers[3].value = "DENY";
	return headers;
}

static void
try_to_make(Sight sight, StringInfo text, int *status)
{
	MemoryContext memory = CurrentMemoryContext;

	PG_TRY();
	{
		look(sight, text, status);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		disable_timeout(STATEMENT_TIMEOUT, false);
		QueryCancelPending = false;
		MemoryContextSwitchTo(memory);
		EmitErrorReport();
		AbortCurrentTransaction();
		FlushErrorState();
		resetStringInfo(text);
		*status = 503;
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	pgstat_report_activity(STATE_IDLE, NULL);
}

static void
look(Sight sight, StringInfo text, int *status)
{
	MemoryContext memory = CurrentMemoryContext;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	XactReadOnly = true;
	XactIsoLevel = XACT_REPEATABLE_READ;
	(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	enable_timeout_after(STATEMENT_TIMEOUT, MAX_MS);
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "showing how jobs are doing");
	if (!OidIsValid(catalog_lock_extension()))
		proc_exit(0);
	MemoryContextSwitchTo(memory);
	switch (sight)
	{
		case SIGHT_PAGE:
			page_append(text, has_scheduler());
			break;
		case SIGHT_METRICS:
			metrics_catalog_text(text);
			break;
		case SIGHT_HEALTH:
			make_health(text, status);
			break;
		case SIGHT_NONE:
			break;
	}
	text->data = pg_server_to_any(text->data, text->len, PG_UTF8);
	text->len = strlen(text->data);
	PopActiveSnapshot();
	disable_timeout(STATEMENT_TIMEOUT, false);
	QueryCancelPending = false;
	CommitTransactionCommand();
	(void) pgstat_report_stat(false);
}

static void
make_health(StringInfo text, int *status)
{
	if (!has_scheduler())
		*status = 503;
	appendStringInfo(text, "{\"status\": \"%s\"}\n", *status == 200 ? "up" : "down");
}

/* Where there is no shared memory that tells, it is found by its lock. */
static bool
has_scheduler(void)
{
	return shared_available() ? shared_scheduler_is_there(MyDatabaseId) : scheduler_pid_by_lock() != 0;
}
