/*
 * notifier.c
 *	  The worker that sends what webhooks are to tell of failures.
 *
 * The scheduler (or a pass, where there is none) waits for no network, so it starts a dynamic worker when a notification is due: one in a
 * database at a time, for the notifications of one owner.  It sends what is due (run/webhook_out.c) and
 * ends; the scheduler, which hears of that, looks who is next and when.
 *
 * It runs nothing of a user, and its owner may not be able to log in (which may be what there is to tell), so it does
 * not connect as the owner.  But the settings of the role hold: they say where its requests may go.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "base/background_worker.h"
#include "base/lock_tag.h"
#include "base/shared.h"
#include "catalog/notification_catalog.h"
#include "catalog/pg_db_role_setting.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "run/webhook_out.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/notifier.h"
#include "worker/session.h"

/* No worker slot is free, or another process is at it; and between two of our own. */
#define BUSY_MS		5000
#define PAUSE_MS	500

/* Then it is another owner's turn. */
#define MAX_BATCHES 4

/* What a notifier is told, in bgw_extra. */
typedef struct NotifierOrder
{
	Oid			database;
	Oid			owner;
} NotifierOrder;

StaticAssertDecl(sizeof(NotifierOrder) <= BGW_EXTRALEN, "a notifier's order must fit into bgw_extra");

static BackgroundWorkerHandle *notifier_register(Oid database, Oid owner);
static void take_settings_of(Oid owner);

void
notifier_keep(Scheduler *scheduler)
{
	static BackgroundWorkerHandle *handle = NULL;
	static TimestampTz started_at = 0;
	TimestampTz now = GetCurrentTimestamp();
	Oid			owner;
	TimestampTz due = notification_catalog_next(&owner);
	MemoryContext old;
	pid_t		pid;

	if (due == 0)
		return;
	/* When ours ends there is another round; not where this process has left before, to rest. */
	if (handle != NULL && GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED)
	{
		scheduler_wake_by(scheduler, TimestampTzPlusMilliseconds(now, BUSY_MS));
		return;
	}
	due = Max(due, TimestampTzPlusMilliseconds(started_at, PAUSE_MS));
	if (due > now)
	{
		scheduler_wake_by(scheduler, due);
		return;
	}
	if (handle != NULL)
		pfree(handle);
	started_at = now;
	old = MemoryContextSwitchTo(TopMemoryContext);
	handle = notifier_register(scheduler->database, owner);
	MemoryContextSwitchTo(old);
	if (handle == NULL)
		scheduler_wake_by(scheduler, TimestampTzPlusMilliseconds(now, BUSY_MS));
}

/* NULL: there is one, of an earlier scheduler, or no worker slot is free. */
static BackgroundWorkerHandle *
notifier_register(Oid database, Oid owner)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;
	NotifierOrder order = {.database = database, .owner = owner};
	LOCKTAG		tag;

	lock_tag_set(&tag, LOCK_NOTIFIER, 0);
	if (lock_tag_holder(&tag) != 0)
		return NULL;
	background_worker_init(&worker, "notifier", "notifier");
	memcpy(worker.bgw_extra, &order, sizeof(order));
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

void
databite_notifier_main(Datum arg)
{
	NotifierOrder order;
	LOCKTAG		tag;

	memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof(order));
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	/* Before connecting: see runner.c. */
	if (shared_available() && !shared_enter_writer(order.database))
		proc_exit(0);
	BackgroundWorkerInitializeConnectionByOid(order.database, InvalidOid, 0);
	take_settings_of(order.owner);
	session_settle();
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION);

	lock_tag_set(&tag, LOCK_NOTIFIER, 0);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		proc_exit(0);
	pgstat_report_activity(STATE_RUNNING, "sending notifications");
	for (int i = 0; i < MAX_BATCHES && webhook_out_send(order.owner); i++)
		CHECK_FOR_INTERRUPTS();
	proc_exit(0);
}

/* As a login does. */
static void
take_settings_of(Oid owner)
{
	Relation	settings;
	Snapshot	snapshot;

	StartTransactionCommand();
	settings = table_open(DbRoleSettingRelationId, AccessShareLock);
	snapshot = RegisterSnapshot(GetCatalogSnapshot(DbRoleSettingRelationId));
	ApplySetting(snapshot, MyDatabaseId, owner, settings, PGC_S_DATABASE_USER);
	ApplySetting(snapshot, InvalidOid, owner, settings, PGC_S_USER);
	UnregisterSnapshot(snapshot);
	table_close(settings, AccessShareLock);
	CommitTransactionCommand();
}
