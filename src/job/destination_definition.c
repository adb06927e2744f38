/*
 * destination_definition.c
 *	  Where rows go: {type: "database", table, schema, mode, key, ...}.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

/* A key is a primary key or the columns of a unique index. */
#define MAX_KEY_COLUMNS		INDEX_MAX_KEYS

/* A table name is two quoted identifiers at most. */
#define MAX_TABLE_LEN		(4 * NAMEDATALEN)

static const Choice destination_types[] = {
	{"database"},
	{NULL}
};

#define MAX_CONNECTIONS		100

#define DEFAULT_MAX_FRACTION	0.5
#define DEFAULT_DELETED_COLUMN	"deleted_at"

/* The modes that only later versions have are refused. */
static const Choice write_modes[] = {
	{"insert", WRITE_INSERT},
	{"upsert", WRITE_UPSERT},
	{"insert_only", WRITE_INSERT_ONLY},
	{"update_only", WRITE_UPDATE_ONLY},
	{"batch_insert", WRITE_BATCH},
	{"streaming_insert", WRITE_STREAMING},
	{"parallel_insert", WRITE_PARALLEL},
	{"replace", WRITE_REPLACE},
	{"append_history", WRITE_APPEND_HISTORY},
	{NULL}
};

static const Choice delete_modes[] = {
	{"hard", DELETE_HARD},
	{"soft", DELETE_SOFT},
	{NULL}
};

static const Choice schema_changes[] = {
	{"ignore", SCHEMA_IGNORE},
	{"add_columns", SCHEMA_ADD_COLUMNS},
	{"fail", SCHEMA_FAIL},
	{NULL}
};

static void read_table(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					   const char *pointer, void *target);
static void read_schema(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						const char *pointer, void *target);
static JobColumn *read_column(ProblemList *problems, const char *name, struct json_object *type, char *pointer);
static void read_key_columns(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							 const char *pointer, void *target);
static void read_pool(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					  const char *pointer, void *target);
static void read_deletes(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						 const char *pointer, void *target);
static void read_delete_condition(ProblemList *problems, const KeyRule *rule, struct json_object *value,
								  const char *pointer, void *target);
static void read_fraction(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						  const char *pointer, void *target);
static void read_column_name(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							 const char *pointer, void *target);
static void read_newer_by(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						  const char *pointer, void *target);
static void check_mode(ProblemList *problems, const JobDestination *destination);

static const KeyRule pool_rules[] = {
	{.name = "min", .types = VALUE_NUMBER, .parse = read_int, FIELD(JobPool, min), .min = 0, .max = MAX_CONNECTIONS},
	{.name = "max", .types = VALUE_NUMBER, .parse = read_int, FIELD(JobPool, max), .min = 1, .max = MAX_CONNECTIONS},
	{.name = "idleTimeout", .types = VALUE_TIME, .parse = read_duration, FIELD(JobPool, idle_timeout_ms), .min = 0, .max = MAX_TIME_MS},
	{NULL}
};

static const KeyRule deletes_rules[] = {
	{.name = "mode", .types = VALUE_STRING, .parse = read_choice, FIELD(JobDeletes, mode), .choices = delete_modes},
	{.name = "when", .types = VALUE_STRING, .parse = read_delete_condition, FIELD(JobDeletes, when)},
	{.name = "missing", .types = VALUE_STRING, .parse = read_choice, FIELD(JobDeletes, missing), .choices = delete_modes},
	{.name = "maxFraction", .types = VALUE_NUMBER, .parse = read_fraction, FIELD(JobDeletes, max_fraction)},
	{.name = "column", .types = VALUE_STRING, .parse = read_column_name, FIELD(JobDeletes, column)},
	{NULL}
};

static const KeyRule destination_rules[] = {
	{.name = "type", .types = VALUE_STRING, .parse = read_choice, .flags = KEY_REQUIRED, .choices = destination_types},
	{.name = "table", .types = VALUE_STRING, .parse = read_table, .flags = KEY_REQUIRED,
	FIELD(JobDestination, table), .min = 1, .max = MAX_TABLE_LEN},
	{.name = "schema", .types = VALUE_OBJECT, .parse = read_schema},
	{.name = "mode", .types = VALUE_STRING, .parse = read_choice, FIELD(JobDestination, mode), .choices = write_modes},
	{.name = "key", .types = VALUE_STRING | VALUE_ARRAY, .parse = read_key_columns},
	{.name = "deletes", .types = VALUE_OBJECT, .parse = read_deletes, FIELD(JobDestination, deletes)},
	{.name = "schemaChanges", .types = VALUE_STRING, .parse = read_choice,
	FIELD(JobDestination, schema_changes), .choices = schema_changes},
	{.name = "batchSize", .types = VALUE_NUMBER, .parse = read_int,
	FIELD(JobDestination, batch_size), .min = 1, .max = MAX_BATCH_SIZE},
	{.name = "onError", .types = VALUE_STRING, .parse = read_on_error},
	{.name = "connectionPool", .types = VALUE_OBJECT, .parse = read_pool},
	{.name = "newerBy", .types = VALUE_STRING, .parse = read_newer_by},
	{NULL}
};

void
destination_definition_parse(ProblemList *problems, struct json_object *object,
							 const char *pointer, JobDestination *destination)
{
	destination->mode = WRITE_DEFAULT;
	read_object(problems, object, pointer, destination_rules, ~0U, NULL, destination);
	check_mode(problems, destination);
}

/* What only makes sense where rows that are there are written, or compared with what comes. */
static void
check_mode(ProblemList *problems, const JobDestination *destination)
{
	const JobDeletes *deletes = destination->deletes;

	switch (destination->mode)
	{
		case WRITE_DEFAULT:
		case WRITE_UPSERT:
		case WRITE_UPDATE_ONLY:
		case WRITE_BATCH:
		case WRITE_STREAMING:
		case WRITE_PARALLEL:
			return;
		case WRITE_INSERT:
		case WRITE_INSERT_ONLY:
		case WRITE_REPLACE:
		case WRITE_APPEND_HISTORY:
			break;
	}
	if (destination->newer_by != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, destination->newer_by_pointer,
					"Use it with mode \"upsert\" or \"update_only\".",
					"mode \"%s\" has no use for \"newerBy\": it does not update rows", write_mode_name(destination->mode));
	if (deletes != NULL && deletes->when.text != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, deletes->when.pointer,
					"Use it with mode \"upsert\" or \"update_only\".",
					"mode \"%s\" does not delete rows of items", write_mode_name(destination->mode));
}

/*
 * What is said of a whole listing is of no use where the source is asked for a
 * part, and needs rows that can be found by a key.
 */
void
destination_definition_check(ProblemList *problems, const JobStep *step)
{
	const JobDestination *destination = &step->destination;
	const JobDeletes *deletes = destination->deletes;
	char	   *mode_pointer = psprintf("%s/destination/mode", step->pointer);

	if (destination->mode == WRITE_REPLACE && step->source.incremental != NULL)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, mode_pointer,
					"Use mode \"upsert\", or leave \"incremental\" out.",
					"mode \"replace\" needs the whole listing, and an incremental source gives a part of it");
	if (deletes == NULL || deletes->missing == DELETE_NONE)
		return;
	switch (destination->mode)
	{
		case WRITE_DEFAULT:
		case WRITE_UPSERT:
		case WRITE_BATCH:
		case WRITE_STREAMING:
			break;
		default:
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(deletes->pointer, "missing"),
						destination->mode == WRITE_REPLACE ? "Mode \"replace\" deletes them by itself." : "Use mode \"upsert\".",
						"mode \"%s\" does not go with deleting what is missing", write_mode_name(destination->mode));
	}
}

/* Whether it names a table is for the part that looks for it. */
static void
read_table(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	JobDestination *destination = target;

	destination->table_pointer = pstrdup(pointer);
	read_string(problems, rule, value, pointer, target);
}

/* {"id": "integer", "name": "string"} */
static void
read_schema(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	JobDestination *destination = target;

	if (check_column_count(problems, rule, json_object_object_length(value), MAX_COLUMNS, NULL, pointer))
	{
		json_object_object_foreach(value, name, type)
		{
			JobColumn  *column = read_column(problems, name, type, pointer_key(pointer, name));

			if (column != NULL)
				destination->schema = lappend(destination->schema, column);
		}
	}
}

/* A column and its type; whether PostgreSQL has the type is for the part that makes the table. */
static JobColumn *
read_column(ProblemList *problems, const char *name, struct json_object *type, char *pointer)
{
	JobColumn  *column;

	if (!check_column_name(problems, name, pointer) ||
		!check_type(problems, type, VALUE_STRING, psprintf("the type of column \"%s\"", name), pointer))
		return NULL;
	if (json_object_get_string_len(type) == 0)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"the type of column \"%s\" must not be empty", name);
		return NULL;
	}

	column = palloc(sizeof(JobColumn));
	column->name = pstrdup(name);
	column->type = pstrdup(json_object_get_string(type));
	column->pointer = pointer;
	return column;
}

/* A column, or an array of columns. */
static void
read_key_columns(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				 const char *pointer, void *target)
{
	JobDestination *destination = target;
	const char *column;
	ListCell   *cell;

	destination->key_pointer = pstrdup(pointer);

	if (value_is(value, VALUE_STRING))
	{
		column = json_object_get_string(value);
		if (check_column_name(problems, column, pointer))
			destination->key = list_make1(pstrdup(column));
		return;
	}

	if (!check_column_count(problems, rule, json_object_array_length(value), MAX_KEY_COLUMNS, NULL, pointer))
		return;
	destination->key = read_names(problems, value, "a column of \"key\"", pointer);
	foreach(cell, destination->key)
		check_column_name(problems, lfirst(cell), pointer);
}

/* A mode without parallel writers says in history that it has no use for it. */
static void
read_pool(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	JobDestination *destination = target;
	JobPool    *pool = &destination->pool;

	read_object(problems, value, pointer, pool_rules, ~0U, NULL, pool);
	if (pool->max > 0 && pool->min > pool->max)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "min"), NULL,
					"\"min\" must not be greater than \"max\"");
	destination->has_pool = true;
}

/* {mode, when}, {missing, maxFraction}, or both. */
static void
read_deletes(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			 const char *pointer, void *target)
{
	JobDeletes *deletes = palloc0(sizeof(JobDeletes));
	bool		states_when = json_object_object_get_ex(value, "when", NULL);

	deletes->max_fraction = DEFAULT_MAX_FRACTION;
	deletes->pointer = pstrdup(pointer);
	read_object(problems, value, pointer, deletes_rules, ~0U, NULL, deletes);
	if (states_when != json_object_object_get_ex(value, "mode", NULL))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"\"when\" says which items are of deleted rows, \"mode\" what becomes of the rows: \"hard\" or \"soft\".",
					"\"%s\" is missing", states_when ? "mode" : "when");
	else if (!states_when && !json_object_object_get_ex(value, "missing", NULL))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					"Write {\"mode\": \"hard\", \"when\": \"{{ item.deleted }}\"} or {\"missing\": \"hard\"}.",
					"\"deletes\" must say what is deleted");
	if (json_object_object_get_ex(value, "maxFraction", NULL) && !json_object_object_get_ex(value, "missing", NULL))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "maxFraction"), NULL,
					"\"maxFraction\" is for rows that are missing in a listing");
	if (deletes->column == NULL)
		deletes->column = pstrdup(DEFAULT_DELETED_COLUMN);
	else if (deletes->mode != DELETE_SOFT && deletes->missing != DELETE_SOFT)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "column"), NULL,
					"\"column\" is for soft deletes");
	*(JobDeletes **) rule_field(rule, target) = deletes;
}

static void
read_delete_condition(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					  const char *pointer, void *target)
{
	read_condition(problems, rule, value, pointer, "{{ item.deleted }}", rule_field(rule, target));
}

/* A part of a whole, which may be all of it. */
static void
read_fraction(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	double		fraction = json_object_get_double(value);

	if (fraction >= 0 && fraction <= 1)
		*(double *) rule_field(rule, target) = fraction;
	else
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must be between 0 and 1", rule->name);
}

static void
read_column_name(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				 const char *pointer, void *target)
{
	const char *name = json_object_get_string(value);

	if (check_column_name(problems, name, pointer))
		*(char **) rule_field(rule, target) = pstrdup(name);
}

static void
read_newer_by(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	JobDestination *destination = target;
	const char *name = json_object_get_string(value);

	if (!check_column_name(problems, name, pointer))
		return;
	destination->newer_by = pstrdup(name);
	destination->newer_by_pointer = pstrdup(pointer);
}

const char *
write_mode_name(WriteMode mode)
{
	for (const Choice *choice = write_modes; choice->name != NULL; choice++)
	{
		if (choice->value == (int) mode)
			return choice->name;
	}
	return "default";
}
