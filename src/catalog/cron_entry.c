/*
 * cron_entry.c
 *	  The entries of this database in pg_cron's table.
 *
 * pg_cron keeps one table for the whole server, in one database, and an entry belongs to
 * a user and has a name that is unique for him.
 */
#include "postgres.h"

#include "catalog/cron_entry.h"
#include "catalog/row.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/guc.h"

typedef struct UserScope
{
	int			guc_level;
	MemoryContext caller;
} UserScope;

static void enter_as_user(UserScope *scope);
static void leave_as_user(UserScope *scope);
static char *library_database(void);
static int	remove_entries(const char *name, bool only_inactive);

void
cron_server_look(CronServer *server)
{
	UserScope	scope;
	CatalogArgs args = {0};

	memset(server, 0, sizeof(CronServer));
	server->database = library_database();
	enter_as_user(&scope);
	if (catalog_run("SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'pg_cron'", &args, SPI_OK_SELECT) > 0)
	{
		server->version = row_text(0, 1, scope.caller);
		(void) sscanf(server->version, "%d.%d", &server->major, &server->minor);
	}
	if (server->database == NULL)
		server->is_available = catalog_run("SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'pg_cron'",
										   &args, SPI_OK_SELECT) > 0;
	leave_as_user(&scope);
}

/* A name holds 63 bytes, which that of a database may fill. */
char *
cron_entry_name(void)
{
	char	   *name = psprintf("databite %s", get_database_name(MyDatabaseId));

	return strlen(name) < NAMEDATALEN ? name : psprintf("databite %u", MyDatabaseId);
}

bool
cron_entry_may_call(const char *routine)
{
	UserScope	scope;
	CatalogArgs args = {0};
	bool		may;

	enter_as_user(&scope);
	arg_text(&args, routine);
	catalog_run("SELECT pg_catalog.has_function_privilege($1, 'EXECUTE')", &args, SPI_OK_SELECT);
	may = row_bool(0, 1);
	leave_as_user(&scope);
	return may;
}

int64
cron_entry_put(const char *name, const char *schedule, const char *command)
{
	UserScope	scope;
	CatalogArgs args = {0};
	int64		id;

	enter_as_user(&scope);
	/* One that was switched off would stay so. */
	(void) remove_entries(name, true);
	arg_text(&args, name);
	arg_text(&args, schedule);
	arg_text(&args, command);
	catalog_run("SELECT cron.schedule($1, $2, $3)", &args, SPI_OK_SELECT);
	id = row_int8(0, 1, 0);
	leave_as_user(&scope);
	return id;
}

bool
cron_entry_remove(const char *name)
{
	UserScope	scope;
	int			removed;

	enter_as_user(&scope);
	removed = remove_entries(name, false);
	leave_as_user(&scope);
	return removed > 0;
}

bool
cron_entry_exists(void)
{
	CatalogScope scope;
	CatalogArgs args = {0};
	bool		exists;

	if (!OidIsValid(get_extension_oid("pg_cron", true)))
		return false;
	catalog_enter(&scope);
	exists = catalog_run("SELECT 1 WHERE pg_catalog.has_schema_privilege('cron', 'USAGE')", &args, SPI_OK_SELECT) > 0 &&
		catalog_run("SELECT 1 FROM cron.job WHERE active AND database = pg_catalog.current_database()"
					" AND command LIKE ANY (ARRAY['%databite.run_due_jobs%', '%databite.start%']) LIMIT 1",
					&args, SPI_OK_SELECT) > 0;
	catalog_leave(&scope);
	return exists;
}

/* As catalog_enter, but with no more rights than the user has. */
static void
enter_as_user(UserScope *scope)
{
	scope->caller = CurrentMemoryContext;
	scope->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) SPI_connect();
}

static void
leave_as_user(UserScope *scope)
{
	SPI_finish();
	AtEOXact_GUC(false, scope->guc_level);
	MemoryContextSwitchTo(scope->caller);
}

/* NULL where the library is not preloaded, though somebody may have written its setting down. */
static char *
library_database(void)
{
	const char *database;

	if (GetConfigOptionFlags("cron.database_name", true) & GUC_CUSTOM_PLACEHOLDER)
		return NULL;
	database = GetConfigOption("cron.database_name", true, false);
	return database ? pstrdup(database) : NULL;
}

/* How many entries of the user's, of that name, there were. */
static int
remove_entries(const char *name, bool only_inactive)
{
	CatalogArgs args = {0};

	arg_text(&args, name);
	arg_bool(&args, only_inactive);
	return catalog_run("SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = $1 AND username = current_user"
					   " AND NOT ($2 AND active)",
					   &args, SPI_OK_SELECT);
}
