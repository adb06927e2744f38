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

/* connectionPool: it is for parallel writers, so no mode of this version takes connections from it. */
typedef struct Pool
{
	int			min;
	int			max;
} Pool;

/* The modes that only later versions have are never stored. */
static const Choice write_modes[] = {
	{"insert", WRITE_INSERT},
	{"upsert", WRITE_UPSERT},
	{"insert_only", WRITE_DEFAULT, true},
	{"update_only", WRITE_DEFAULT, true},
	{"batch_insert", WRITE_DEFAULT, true},
	{"streaming_insert", WRITE_DEFAULT, true},
	{"parallel_insert", WRITE_DEFAULT, true},
	{"replace", WRITE_DEFAULT, true},
	{"append_history", WRITE_DEFAULT, true},
	{NULL}
};

static const Choice schema_changes[] = {
	{"ignore"},
	{"add_columns", 0, true},
	{"fail", 0, true},
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

static const KeyRule pool_rules[] = {
	{.name = "min", .types = VALUE_NUMBER, .parse = read_int, FIELD(Pool, min), .min = 0, .max = MAX_CONNECTIONS},
	{.name = "max", .types = VALUE_NUMBER, .parse = read_int, FIELD(Pool, max), .min = 1, .max = MAX_CONNECTIONS},
	{.name = "idleTimeout", .types = VALUE_TIME, .parse = read_duration, .min = 0, .max = MAX_TIME_MS},
	{NULL}
};

static const KeyRule destination_rules[] = {
	{.name = "type", .types = VALUE_STRING, .parse = read_choice, .flags = KEY_REQUIRED, .choices = destination_types},
	{.name = "table", .types = VALUE_STRING, .parse = read_table, .flags = KEY_REQUIRED,
	FIELD(JobDestination, table), .min = 1, .max = MAX_TABLE_LEN},
	{.name = "schema", .types = VALUE_OBJECT, .parse = read_schema},
	{.name = "mode", .types = VALUE_STRING, .parse = read_choice, FIELD(JobDestination, mode), .choices = write_modes},
	{.name = "key", .types = VALUE_STRING | VALUE_ARRAY, .parse = read_key_columns},
	{.name = "deletes", .types = VALUE_OBJECT, .parse = read_members, .flags = KEY_UNSUPPORTED, .members = deletes_rules},
	{.name = "schemaChanges", .types = VALUE_STRING, .parse = read_choice, .choices = schema_changes},
	{.name = "batchSize", .types = VALUE_NUMBER, .parse = read_int,
	FIELD(JobDestination, batch_size), .min = 1, .max = MAX_BATCH_SIZE},
	{.name = "onError", .types = VALUE_STRING, .parse = read_on_error},
	{.name = "connectionPool", .types = VALUE_OBJECT, .parse = read_pool},
	{.name = "newerBy", .types = VALUE_STRING, .flags = KEY_UNSUPPORTED},
	{NULL}
};

void
destination_definition_parse(ProblemList *problems, struct json_object *object,
							 const char *pointer, JobDestination *destination)
{
	destination->mode = WRITE_DEFAULT;
	read_object(problems, object, pointer, destination_rules, ~0U, NULL, destination);
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

/* The run says in history that it has no use for it. */
static void
read_pool(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	JobDestination *destination = target;
	Pool		pool = {.min = 0, .max = MAX_CONNECTIONS};

	read_object(problems, value, pointer, pool_rules, ~0U, NULL, &pool);
	if (pool.min > pool.max)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(pointer, "min"), NULL,
					"\"min\" must not be greater than \"max\"");
	destination->has_pool = true;
}
