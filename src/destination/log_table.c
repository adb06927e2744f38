/*
 * log_table.c
 *	  A table of the user's that lines on his jobs' runs go to.
 *
 * It is made like a destination table, by an ordinary CREATE TABLE of the job's owner, and is found by the
 * job's search_path.  From then on it is the user's: what an INSERT of its seven columns does with it, whatever
 * else it has, is fine.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/subtransaction.h"
#include "catalog/log_catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "destination/create_table.h"
#include "destination/log_table.h"
#include "executor/spi.h"
#include "utils/builtins.h"

#define NARGS 3

static const Oid arg_types[NARGS] = {TEXTOID, INT8OID, TEXTOID};

static Target *find_or_plan(const char *table, const char *pointer, ProblemList *problems);
static List *log_columns(void);
static char *insert_sql(const Target *target);
static void prepare_insert(void *arg);

void
log_table_check(const char *table, const char *pointer, ProblemList *problems)
{
	Target	   *target = find_or_plan(table, pointer, problems);
	ErrorData  *error;

	if (target == NULL || !OidIsValid(target->oid))
		return;
	error = subtransaction_run(prepare_insert, target, SUBTRANSACTION_UNDO);
	if (error == NULL)
		return;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		error_rethrow(error);
	problem_add(problems, error->sqlerrcode, pointer,
				"A log has the columns time, level, job_id, run_id, step, message and detail; a table that does not exist is made so.",
				"%s cannot be a log: %s", target->qualified, error->message);
}

void
log_table_add(const char *table, const char *job_id, int64 run_id, const char *lines)
{
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	Target	   *target = find_or_plan(table, "", problems);
	Oid			types[NARGS];
	Datum		values[NARGS] = {CStringGetTextDatum(job_id), Int64GetDatum(run_id), CStringGetTextDatum(lines)};

	problem_raise_first(problems);
	if (!OidIsValid(target->oid))
		target = create_or_find_table(target);
	memcpy(types, arg_types, sizeof(types));
	(void) SPI_connect();
	if (SPI_execute_with_args(insert_sql(target), NARGS, types, values, NULL, false, 0) != SPI_OK_INSERT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not write to %s", target->qualified)));
	SPI_finish();
}

/* The table, or the one that is to be made (without an OID); NULL with a problem where there can be none. */
static Target *
find_or_plan(const char *table, const char *pointer, ProblemList *problems)
{
	Target	   *target;
	char	   *schema;
	char	   *name;
	char	   *error;
	int			sqlstate = ERRCODE_INVALID_NAME;

	if (!target_parse_name(table, &schema, &name, &error) ||
		(error = target_check_identifier(name, &sqlstate)) != NULL)
	{
		problem_add(problems, sqlstate, pointer, NULL, "%s", error);
		return NULL;
	}
	target = target_find(schema, name);
	if (target != NULL && target_is_writable(target))
		return target;
	if (target != NULL)
	{
		problem_add(problems, ERRCODE_WRONG_OBJECT_TYPE, pointer, NULL,
					"%s is nothing that rows can be written to", target->qualified);
		return NULL;
	}
	if (schema == NULL)
		schema = creation_schema();
	if (schema == NULL || !OidIsValid(get_namespace_oid(schema, true)))
	{
		problem_add(problems, ERRCODE_UNDEFINED_SCHEMA, pointer, "Create the schema, or name another one.",
					"there is no schema to create table \"%s\" in", table);
		return NULL;
	}
	return target_planned(schema, name, log_columns(), NIL);
}

static List *
log_columns(void)
{
	List	   *columns = list_make1(new_column("time", TIMESTAMPTZOID, -1));

	columns = lappend(columns, new_column("level", TEXTOID, -1));
	columns = lappend(columns, new_column("job_id", TEXTOID, -1));
	columns = lappend(columns, new_column("run_id", INT8OID, -1));
	columns = lappend(columns, new_column("step", TEXTOID, -1));
	columns = lappend(columns, new_column("message", TEXTOID, -1));
	return lappend(columns, new_column("detail", JSONBOID, -1));
}

static char *
insert_sql(const Target *target)
{
	return psprintf("INSERT INTO %s (" LOG_COLUMNS ") " LOG_ROWS, target->qualified);
}

/* Whether columns and types fit is what PostgreSQL says of the statement. */
static void
prepare_insert(void *arg)
{
	Oid			types[NARGS];

	memcpy(types, arg_types, sizeof(types));
	(void) SPI_connect();
	if (SPI_prepare(insert_sql(arg), NARGS, types) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not prepare the log's statement: %s", SPI_result_code_string(SPI_result))));
	SPI_finish();
}
