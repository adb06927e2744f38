/*
 * token_keeper.c
 *	  A process that commits tokens while our own transaction goes on.
 *
 * The two talk through a segment of dynamic shared memory with a queue for each
 * direction; a queue notices when the process at its other end goes away.  The
 * worker says that it is ready, is sent the tokens, and says that they are
 * committed; instead of either it may say what is wrong.
 *
 * The worker holds its locks while the token endpoint is asked, so that nobody
 * can get in between; other writers of tokens wait for that long.  Our caller's
 * locks are not the worker's: what the caller's transaction has locked itself,
 * the worker would wait for until its time is up, and no deadlock would be
 * seen.  That is found out before the worker is started.
 *
 * Where our process ends before it has sent the tokens, the worker ends too;
 * once it has them it stores them, whoever waits for it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/background_worker.h"
#include "base/compat.h"
#include "catalog/token_catalog.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "run/token_keeper.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shm_mq.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Messages may be longer than their queue. */
#define QUEUE_BYTES 16384

/* How long the worker waits for its locks, where the caller does not say lock_timeout. */
#define LOCK_WAIT_MS 10000

struct TokenKeeper
{
	dsm_segment *segment;
	BackgroundWorkerHandle *worker;
	shm_mq_handle *values;		/* to the worker */
	shm_mq_handle *replies;		/* from it */
	bool		ready;			/* it has said so */
};

/* The segment; behind it are the two queues. */
typedef struct KeeperOrder
{
	Oid			database;
	Oid			owner;			/* of the tokens */
	int			lock_timeout_ms;
} KeeperOrder;

/* Which queue. */
typedef enum KeeperQueue
{
	QUEUE_OF_VALUES,
	QUEUE_OF_REPLIES
} KeeperQueue;

/* What is sent to the worker; behind it name, refresh token, key, value and extra, each with its NUL. */
typedef struct KeeperValues
{
	TimestampTz obtained_at;
	TimestampTz expires_at;
	bool		rotated;		/* there is a refresh token */
} KeeperValues;

static void create_segment(TokenKeeper *keeper, Oid owner);
static void start_worker(TokenKeeper *keeper);
static void await_ready(TokenKeeper *keeper);
static const char *await_reply(TokenKeeper *keeper, int *sqlstate);
static void append_text(StringInfo buf, const char *text);
static shm_mq *queue_of(const dsm_segment *segment, KeeperQueue queue);
static void configure(const KeeperOrder *order);
static void serve(const KeeperOrder *order, shm_mq_handle *values, shm_mq_handle *replies);
static void store(Oid owner, const char *data);
static void reply(shm_mq_handle *replies, int sqlstate, const char *message);

TokenKeeper *
token_keeper_start(Oid owner)
{
	TokenKeeper *keeper;

	if (access_token_catalog_is_locked_by_us())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a refresh token cannot be spent in a transaction that has changed tokens"),
				 errdetail("The token that replaces it is committed by another process, which would wait for this transaction."),
				 errhint("Commit what databite.set_token or databite.delete_token did, then run the job.")));

	keeper = palloc0(sizeof(TokenKeeper));
	PG_TRY();
	{
		create_segment(keeper, owner);
		start_worker(keeper);
		await_ready(keeper);
	}
	PG_CATCH();
	{
		token_keeper_end(keeper);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return keeper;
}

void
token_keeper_store(TokenKeeper *keeper, const char *name, const char *refresh_token,
				   const char *key, const AccessToken *token)
{
	KeeperValues head = {0};
	StringInfoData buf;
	int			sqlstate;
	const char *problem;

	head.obtained_at = token->obtained_at;
	head.expires_at = token->expires_at;
	head.rotated = refresh_token != NULL;
	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, (const char *) &head, sizeof(head));
	append_text(&buf, name);
	append_text(&buf, refresh_token != NULL ? refresh_token : "");
	append_text(&buf, key);
	append_text(&buf, token->value);
	append_text(&buf, token->extra);

	/* A worker that has gone away shows in its reply. */
	(void) shm_mq_send(keeper->values, buf.len, buf.data, false, true);
	explicit_bzero(buf.data, buf.len);
	pfree(buf.data);
	problem = await_reply(keeper, &sqlstate);
	if (problem != NULL && refresh_token != NULL)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("the refresh token was spent, and the one that replaces it could not be stored: %s", problem),
				 errhint("Get a new one and store it with databite.set_token.")));
	if (problem != NULL)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("the access token could not be stored: %s", problem)));
}

void
token_keeper_end(TokenKeeper *keeper)
{
	if (keeper == NULL || keeper->segment == NULL)
		return;

	/* A worker that is ready sees the queue end; one that waits for something does not. */
	if (keeper->worker != NULL && !keeper->ready)
		TerminateBackgroundWorker(keeper->worker);
	if (keeper->values != NULL)
		shm_mq_detach(keeper->values);
	if (keeper->replies != NULL)
		shm_mq_detach(keeper->replies);
	keeper->values = NULL;
	keeper->replies = NULL;

	/* Nobody may use the queues when they are wiped. */
	if (keeper->worker != NULL)
		(void) WaitForBackgroundWorkerShutdown(keeper->worker);
	explicit_bzero(dsm_segment_address(keeper->segment), dsm_segment_map_length(keeper->segment));
	dsm_detach(keeper->segment);
	keeper->segment = NULL;
}

/* With its order, and our ends of the queues. */
static void
create_segment(TokenKeeper *keeper, Oid owner)
{
	KeeperOrder *order;
	shm_mq	   *values;
	shm_mq	   *replies;

	keeper->segment = dsm_create(MAXALIGN(sizeof(KeeperOrder)) + 2 * QUEUE_BYTES, 0);
	order = dsm_segment_address(keeper->segment);
	order->database = MyDatabaseId;
	order->owner = owner;
	order->lock_timeout_ms = LockTimeout > 0 ? Min(LockTimeout, LOCK_WAIT_MS) : LOCK_WAIT_MS;

	values = shm_mq_create(queue_of(keeper->segment, QUEUE_OF_VALUES), QUEUE_BYTES);
	shm_mq_set_sender(values, MyProc);
	replies = shm_mq_create(queue_of(keeper->segment, QUEUE_OF_REPLIES), QUEUE_BYTES);
	shm_mq_set_receiver(replies, MyProc);
	keeper->values = shm_mq_attach(values, keeper->segment, NULL);
	keeper->replies = shm_mq_attach(replies, keeper->segment, NULL);
}

static void
start_worker(TokenKeeper *keeper)
{
	BackgroundWorker worker;

	background_worker_init(&worker, "token keeper", "token_keeper");
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(keeper->segment));
	if (!RegisterDynamicBackgroundWorker(&worker, &keeper->worker))
	{
		keeper->worker = NULL;
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is free to store a new refresh token"),
				 errdetail("So the one that is there was not spent."),
				 errhint("You might need to increase %s.", "max_worker_processes")));
	}
	shm_mq_set_handle(keeper->values, keeper->worker);
	shm_mq_set_handle(keeper->replies, keeper->worker);
}

static void
await_ready(TokenKeeper *keeper)
{
	int			sqlstate;
	const char *problem = await_reply(keeper, &sqlstate);
	bool		is_lock = problem != NULL && sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;

	if (problem != NULL)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("a new refresh token could not be stored: %s", problem),
				 errdetail("So the one that is there was not spent."),
				 is_lock ? errhint("Another transaction has changed tokens with databite.set_token and has not ended.") : 0));
	keeper->ready = true;
}

/* NULL where the worker has done its part; else what keeps it from that, and *sqlstate. */
static const char *
await_reply(TokenKeeper *keeper, int *sqlstate)
{
	Size		len;
	void	   *data;

	if (shm_mq_receive(keeper->replies, &len, &data, false) != SHM_MQ_SUCCESS)
	{
		*sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
		return "the background worker for it has ended (the server log may say why)";
	}
	memcpy(sqlstate, data, sizeof(int));
	return *sqlstate == ERRCODE_SUCCESSFUL_COMPLETION ? NULL : pstrdup((const char *) data + sizeof(int));
}

static void
append_text(StringInfo buf, const char *text)
{
	appendBinaryStringInfo(buf, text, strlen(text) + 1);
}

static shm_mq *
queue_of(const dsm_segment *segment, KeeperQueue queue)
{
	char	   *start = dsm_segment_address(unconstify(dsm_segment *, segment));

	return (shm_mq *) (start + MAXALIGN(sizeof(KeeperOrder)) + (Size) queue * QUEUE_BYTES);
}

void
databite_token_keeper_main(Datum arg)
{
	dsm_segment *segment;
	KeeperOrder order;
	shm_mq	   *queue;
	shm_mq_handle *values;
	shm_mq_handle *replies;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	/* Whoever wanted it may have gone already. */
	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);
	memcpy(&order, dsm_segment_address(segment), sizeof(order));
	queue = queue_of(segment, QUEUE_OF_VALUES);
	shm_mq_set_receiver(queue, MyProc);
	values = shm_mq_attach(queue, segment, NULL);
	queue = queue_of(segment, QUEUE_OF_REPLIES);
	shm_mq_set_sender(queue, MyProc);
	replies = shm_mq_attach(queue, segment, NULL);

	BackgroundWorkerInitializeConnectionByOid(order.database, InvalidOid, 0);
	configure(&order);
	pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_name);
	serve(&order, values, replies);
	proc_exit(0);
}

/* Whatever the database's settings are. */
static void
configure(const KeeperOrder *order)
{
	SetConfigOption("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("lock_timeout", psprintf("%d", order->lock_timeout_ms), PGC_USERSET, PGC_S_SESSION);

	/* Since 17: its transaction is as long as the request for the token. */
	if (GetConfigOption("transaction_timeout", true, false) != NULL)
		SetConfigOption("transaction_timeout", "0", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("application_name", MyBgworkerEntry->bgw_name, PGC_USERSET, PGC_S_SESSION);
}

/* Ready, tokens, committed; or an error in place of the next of these. */
static void
serve(const KeeperOrder *order, shm_mq_handle *values, shm_mq_handle *replies)
{
	MemoryContext memory = CurrentMemoryContext;
	Size		len;
	void	   *data;

	PG_TRY();
	{
		StartTransactionCommand();
		access_token_catalog_lock();
		reply(replies, ERRCODE_SUCCESSFUL_COMPLETION, "");
		if (shm_mq_receive(values, &len, &data, false) == SHM_MQ_SUCCESS)
		{
			store(order->owner, data);
			CommitTransactionCommand();
			reply(replies, ERRCODE_SUCCESSFUL_COMPLETION, "");
		}
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(memory);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		reply(replies, error->sqlerrcode, error->message);
	}
	PG_END_TRY();
}

/* The refresh token first of all. */
static void
store(Oid owner, const char *data)
{
	KeeperValues head;
	AccessToken token = {0};
	char	   *name;
	char	   *refresh_token;
	char	   *key;

	memcpy(&head, data, sizeof(head));
	name = pstrdup(data + sizeof(head));
	data += sizeof(head) + strlen(name) + 1;
	refresh_token = pstrdup(data);
	data += strlen(refresh_token) + 1;
	key = pstrdup(data);
	data += strlen(key) + 1;
	token.value = pstrdup(data);
	data += strlen(token.value) + 1;
	token.extra = pstrdup(data);
	token.obtained_at = head.obtained_at;
	token.expires_at = head.expires_at;

	PushActiveSnapshot(GetTransactionSnapshot());
	if (head.rotated)
		token_catalog_set(owner, name, refresh_token);
	access_token_catalog_put(owner, key, &token);
	PopActiveSnapshot();
}

/* Nobody may be listening any more. */
static void
reply(shm_mq_handle *replies, int sqlstate, const char *message)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendBinaryStringInfo(&buf, (const char *) &sqlstate, sizeof(int));
	append_text(&buf, message);
	(void) shm_mq_send(replies, buf.len, buf.data, false, true);
}
