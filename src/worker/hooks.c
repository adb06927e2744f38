/*
 * hooks.c
 *	  Gets databite's workers out of the way of DDL on databases and on the extension.
 *
 * PostgreSQL refuses to drop, rename, move or copy a database while somebody
 * is connected to it, and a scheduler always is.  So before such a command the
 * database is blocked (no worker of databite may enter it), its workers are told
 * to go, and the command begins when they have gone.  The block ends with the
 * transaction, however that ends; then the launcher looks around and starts a
 * scheduler again wherever the database is still there.  A run that was stopped
 * this way is found crashed and goes on where it stood.
 *
 * Only who owns the database can stop its workers like that: for everybody else
 * the command fails, and nothing happens here.
 *
 * DROP EXTENSION needs no help to get its locks, because nobody holds any for
 * long.  When it commits, runners are told to go, and the scheduler finds out by
 * itself.  CREATE EXTENSION has the launcher look there when it commits.
 *
 * ALTER EXTENSION UPDATE takes no lock on the extension by itself, but one table
 * after the other.  Here it gets the lock first that all who use those tables hold
 * (catalog/extension.c): it waits for their transactions, and they wait for its, so
 * a run that goes on meanwhile sees all of it or nothing, between two of its
 * batches.  When it commits, a scheduler that has waited for it goes on.
 *
 * All this works where databite is preloaded: elsewhere this code is not there
 * in the session that gives the command.  Then databite.stop() comes first, or
 * DROP DATABASE ... WITH (FORCE).
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/compat.h"
#include "catalog/extension.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/timestamp.h"
#include "worker/hooks.h"
#include "base/shared.h"

/* How long a command waits for workers to go; PostgreSQL then waits 5 s more, and complains. */
#define WAIT_MS 5000
#define WAIT_SLICE_MS 50

static void process_utility(PlannedStmt *statement, const char *query, bool read_only_tree,
							ProcessUtilityContext context, ParamListInfo params,
							QueryEnvironment *environment, DestReceiver *destination,
							QueryCompletion *completion);
static const char *database_to_free(Node *statement);
static bool changes_databases(Node *statement);
static void free_database(const char *name, bool may_be_own);
static const char *template_of(CreatedbStmt *statement);
static void object_access(ObjectAccessType access, Oid class_oid, Oid object_oid, int sub_id, void *arg);
static void lock_for_update(Node *statement);
static void listen_for_end(void);
static void at_end(XactEvent event, void *arg);

static ProcessUtility_hook_type previous_process_utility = NULL;
static object_access_hook_type previous_object_access = NULL;

/* Of the current transaction. */
static bool databases_changed = false;
static bool extension_created = false;
static bool extension_dropped = false;
static bool extension_updated = false;

void
hooks_init(void)
{
	previous_process_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	previous_object_access = object_access_hook;
	object_access_hook = object_access;
}

/* ProcessUtility_hook */
static void
process_utility(PlannedStmt *statement, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *destination,
				QueryCompletion *completion)
{
	const char *database = database_to_free(statement->utilityStmt);

	if (changes_databases(statement->utilityStmt))
	{
		listen_for_end();
		databases_changed = true;
	}
	if (database)
		free_database(database, IsA(statement->utilityStmt, CreatedbStmt));
	lock_for_update(statement->utilityStmt);

	if (previous_process_utility)
		previous_process_utility(statement, query, read_only_tree, context, params,
								 environment, destination, completion);
	else
		standard_ProcessUtility(statement, query, read_only_tree, context, params,
								environment, destination, completion);
}

/* Which database the command needs without connections: its name, or NULL. */
static const char *
database_to_free(Node *statement)
{
	ListCell   *cell;

	switch (nodeTag(statement))
	{
		case T_DropdbStmt:
			return ((DropdbStmt *) statement)->dbname;

		case T_CreatedbStmt:
			return template_of((CreatedbStmt *) statement);

		case T_RenameStmt:
			if (((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
				return ((RenameStmt *) statement)->subname;
			return NULL;

		case T_AlterDatabaseStmt:
			foreach(cell, ((AlterDatabaseStmt *) statement)->options)
			{
				if (strcmp(((DefElem *) lfirst(cell))->defname, "tablespace") == 0)
					return ((AlterDatabaseStmt *) statement)->dbname;
			}
			return NULL;

		default:
			return NULL;
	}
}

/* May the launcher have to start or stop schedulers after the command? */
static bool
changes_databases(Node *statement)
{
	return IsA(statement, DropdbStmt) || IsA(statement, CreatedbStmt) ||
		IsA(statement, AlterDatabaseStmt) ||
		(IsA(statement, RenameStmt) && ((RenameStmt *) statement)->renameType == OBJECT_DATABASE);
}

/*
 * Blocks the database until the end of the transaction and waits until
 * databite's workers have left it.  may_be_own: the session may be in it, so the
 * command does not fail for that alone.
 */
static void
free_database(const char *name, bool may_be_own)
{
	TimestampTz since = GetCurrentTimestamp();
	Oid			database = get_database_oid(name, true);

	if (!OidIsValid(database) || (database == MyDatabaseId && !may_be_own) ||
		!compat_database_ownercheck(database, GetUserId()))
		return;

	shared_block(database);
	while (!shared_is_empty(database) &&
		   !TimestampDifferenceExceeds(since, GetCurrentTimestamp(), WAIT_MS))
	{
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, WAIT_SLICE_MS,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* The database that CREATE DATABASE copies. */
static const char *
template_of(CreatedbStmt *statement)
{
	ListCell   *cell;

	foreach(cell, statement->options)
	{
		DefElem    *option = lfirst(cell);

		if (strcmp(option->defname, "template") == 0 && option->arg)
			return defGetString(option);
	}
	return "template1";
}

/* ALTER EXTENSION databite UPDATE, by who may do it: else it will fail, and nobody has to wait for that. */
static void
lock_for_update(Node *statement)
{
	Oid			extension;

	if (!IsA(statement, AlterExtensionStmt) || strcmp(((AlterExtensionStmt *) statement)->extname, "databite") != 0)
		return;
	extension = catalog_extension_oid();
	if (!OidIsValid(extension) || !compat_extension_ownercheck(extension, GetUserId()))
		return;
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessExclusiveLock);
	listen_for_end();
	extension_updated = true;
}

/* object_access_hook */
static void
object_access(ObjectAccessType access, Oid class_oid, Oid object_oid, int sub_id, void *arg)
{
	if (previous_object_access)
		previous_object_access(access, class_oid, object_oid, sub_id, arg);
	/* Which extension it is cannot be looked up yet. */
	if (access == OAT_POST_CREATE && class_oid == ExtensionRelationId)
	{
		listen_for_end();
		extension_created = true;
	}
	if (access == OAT_DROP && class_oid == ExtensionRelationId && object_oid == catalog_extension_oid())
	{
		listen_for_end();
		extension_dropped = true;
	}
}

static void
listen_for_end(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(at_end, NULL);
	registered = true;
}

static void
at_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			/* A subtransaction that made or dropped the extension may have been rolled back. */
			if (extension_created && !OidIsValid(catalog_extension_oid()))
				extension_created = false;
			if (extension_dropped && OidIsValid(catalog_extension_oid()))
				extension_dropped = false;
			return;

		case XACT_EVENT_COMMIT:
			if (extension_dropped)
				shared_terminate_runners(MyDatabaseId);
			if (extension_created || extension_dropped || extension_updated)
				shared_request_scheduler(MyDatabaseId);
			break;

		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;

		default:
			return;
	}
	if (databases_changed)
		shared_unblock();
	databases_changed = false;
	extension_created = false;
	extension_dropped = false;
	extension_updated = false;
}
