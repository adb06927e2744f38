/*
 * pg_cron_functions.c
 *	  SQL functions that have pg_cron run jobs, or keep a scheduler.
 */
#include "postgres.h"

#include "api/standby.h"
#include "catalog/cron_entry.h"
#include "catalog/extension.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "worker/worker.h"

/* What an entry does. */
typedef struct CronCommand
{
	const char *routine;
	const char *command;
} CronCommand;

static const CronCommand run_jobs = {"databite.run_due_jobs()", "CALL databite.run_due_jobs()"};
static const CronCommand keep_scheduler = {"databite.start()", "SELECT databite.start()"};

static Datum put_entry(const char *every, const CronCommand *command);
static void check_is_here(const CronServer *server, const char *statement);
static void refuse_not_loaded(const CronServer *server);
static char *schedule_of(const char *every);
static char *words_for(const Interval *interval);
static bool is_in_seconds(const char *schedule);
static char *put_statement(const char *schedule, const char *command);
static char *remove_statement(void);

PG_FUNCTION_INFO_V1(databite_use_pg_cron);
PG_FUNCTION_INFO_V1(databite_use_pg_cron_or_not);

/*
 * use_pg_cron(every text = '1 minute', keep text = null) returns bigint: has pg_cron run the due jobs of this database, or
 * keep its scheduler; the id of pg_cron's entry, of which each user has one at most.
 */
Datum
databite_use_pg_cron(PG_FUNCTION_ARGS)
{
	const CronCommand *command = &run_jobs;

	standby_refuse(fcinfo);
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("every must not be null"),
				 errhint("SELECT databite.use_pg_cron(false) ends it.")));
	if (!PG_ARGISNULL(1))
	{
		const char *keep = text_to_cstring(PG_GETARG_TEXT_PP(1));

		if (strcmp(keep, "scheduler") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("pg_cron cannot keep \"%s\"", keep),
					 errhint("Use keep => 'scheduler', or leave it out: then pg_cron runs the due jobs itself.")));
		command = &keep_scheduler;
	}
	return put_entry(text_to_cstring(PG_GETARG_TEXT_PP(0)), command);
}

/* use_pg_cron(enabled boolean) returns boolean: true is as without arguments; false ends it, and is false where there was nothing. */
Datum
databite_use_pg_cron_or_not(PG_FUNCTION_ARGS)
{
	CronServer	server;

	standby_refuse(fcinfo);
	if (PG_GETARG_BOOL(0))
	{
		(void) put_entry("1 minute", &run_jobs);
		PG_RETURN_BOOL(true);
	}

	catalog_check_extension();
	cron_server_look(&server);
	if (server.version != NULL || (server.database != NULL && strcmp(server.database, get_database_name(MyDatabaseId)) != 0))
	{
		check_is_here(&server, remove_statement());
		if (cron_entry_remove(cron_entry_name()))
			PG_RETURN_BOOL(true);
	}
	ereport(NOTICE,
			(errmsg("pg_cron does nothing in this database on behalf of role \"%s\"", GetUserNameFromId(GetUserId(), false))));
	PG_RETURN_BOOL(false);
}

static Datum
put_entry(const char *every, const CronCommand *command)
{
	char	   *schedule = schedule_of(every);
	CronServer	server;
	int64		id;

	catalog_check_extension();
	cron_server_look(&server);
	check_is_here(&server, put_statement(schedule, command->command));
	if (is_in_seconds(schedule) && (server.major < 1 || (server.major == 1 && server.minor < 5)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pg_cron cannot run something every %s", schedule),
				 errdetail("Extension pg_cron is of version %s here, and takes seconds from version 1.5 on.", server.version),
				 errhint("Use '1 minute'; or keep => 'scheduler', which runs jobs to the second.")));
	if (!cron_entry_may_call(command->routine))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for %s", command->routine),
				 errdetail("pg_cron would call it as role \"%s\".", GetUserNameFromId(GetUserId(), false)),
				 errhint("Run GRANT EXECUTE ON ROUTINE %s TO %s.", command->routine,
						 quote_identifier(GetUserNameFromId(GetUserId(), false)))));

	id = cron_entry_put(cron_entry_name(), schedule, command->command);
	ereport(NOTICE,
			(errmsg("pg_cron runs \"%s\" on schedule \"%s\"", command->command, schedule),
			 errdetail("It does so in this database, as role \"%s\".", GetUserNameFromId(GetUserId(), false)),
			 worker_scheduler_expected() ? errhint("A scheduler runs the jobs now; as long as it does, pg_cron has nothing to do.") : 0));
	PG_RETURN_INT64(id);
}

/* Raises an error where pg_cron does not work in this database; statement: what to run where it does, instead. */
static void
check_is_here(const CronServer *server, const char *statement)
{
	if (server->database == NULL)
		refuse_not_loaded(server);
	if (strcmp(server->database, get_database_name(MyDatabaseId)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_cron of this server is in database \"%s\"", server->database),
				 errdetail("Its entries can be written there only; it can run them here."),
				 errhint("Connect to database \"%s\" as a role that may do so, and run: %s", server->database, statement)));
	if (server->version == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension pg_cron is not installed in this database"),
				 errdetail("The server has preloaded it, and it is to work in this database."),
				 errhint("Run CREATE EXTENSION pg_cron.")));
	if (server->major < 1 || (server->major == 1 && server->minor < 4))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("extension pg_cron is of version %s", server->version),
				 errdetail("databite works with version 1.4 and later."),
				 errhint("Install a newer one and run ALTER EXTENSION pg_cron UPDATE.")));
}

static void
refuse_not_loaded(const CronServer *server)
{
	if (server->version == NULL && !server->is_available)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("pg_cron is not installed on this server"),
				 errdetail("There is no extension pg_cron to be created."),
				 errhint("Install it, or start the scheduler with SELECT databite.start(), or have a cron outside of the server run: %s",
						 run_jobs.command)));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the server has not preloaded pg_cron"),
			 errdetail("pg_cron runs nothing unless it is in \"shared_preload_libraries\"."),
			 errhint("Add pg_cron to \"shared_preload_libraries\", set \"cron.database_name\" to %s, and restart the server.",
					 quote_literal_cstr(get_database_name(MyDatabaseId)))));
}

/* pg_cron's words for an interval: a cron expression, or "30 seconds". */
static char *
schedule_of(const char *every)
{
	char	   *schedule = words_for(DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(every),
																		   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1))));

	if (schedule == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pg_cron cannot run something every \"%s\"", every),
				 errhint("Use 1 to 59 seconds, minutes of which an hour is a multiple, hours of which a day is one, or '1 day'.")));
	return schedule;
}

/* NULL where it has none. */
static char *
words_for(const Interval *interval)
{
	int64		seconds = interval->day * INT64CONST(86400) + interval->time / USECS_PER_SEC;
	int64		minutes = seconds / 60;
	int64		hours = minutes / 60;

	if (interval->month != 0 || interval->time % USECS_PER_SEC != 0 || seconds <= 0)
		return NULL;
	if (seconds < 60)
		return psprintf(INT64_FORMAT " seconds", seconds);
	if (seconds == 60)
		return pstrdup("* * * * *");
	if (seconds % 60 == 0 && minutes < 60 && 60 % minutes == 0)
		return psprintf("*/" INT64_FORMAT " * * * *", minutes);
	if (seconds == 3600)
		return pstrdup("0 * * * *");
	if (seconds % 3600 == 0 && hours < 24 && 24 % hours == 0)
		return psprintf("0 */" INT64_FORMAT " * * *", hours);
	if (seconds == 86400)
		return pstrdup("0 0 * * *");
	return NULL;
}

static bool
is_in_seconds(const char *schedule)
{
	return strstr(schedule, "seconds") != NULL;
}

static char *
put_statement(const char *schedule, const char *command)
{
	return psprintf("SELECT cron.schedule_in_database(%s, %s, %s, %s, %s);",
					quote_literal_cstr(cron_entry_name()), quote_literal_cstr(schedule), quote_literal_cstr(command),
					quote_literal_cstr(get_database_name(MyDatabaseId)),
					quote_literal_cstr(GetUserNameFromId(GetUserId(), false)));
}

/* pg_cron finds an entry by its name among those of who asks; an administrator removes other people's by their ids. */
static char *
remove_statement(void)
{
	return psprintf("SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = %s AND username = %s;",
					quote_literal_cstr(cron_entry_name()),
					quote_literal_cstr(GetUserNameFromId(GetUserId(), false)));
}
