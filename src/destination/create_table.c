/*
 * create_table.c
 *	  Tables that a run creates because they do not exist yet.
 *
 * A table is created once, by SQL typed as its owner would, and is an ordinary
 * table from then on.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "base/subtransaction.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "destination/create_table.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Words of the definition that are not, or not exactly, PostgreSQL types. */
typedef struct TypeWord
{
	const char *word;
	Oid			type;
	char		category;		/* of the column types that fit, in a table that exists; 0: this type only */
} TypeWord;

static const TypeWord type_words[] = {
	{"string", TEXTOID, TYPCATEGORY_STRING},
	{"integer", INT8OID, TYPCATEGORY_NUMERIC},
	{"number", NUMERICOID, TYPCATEGORY_NUMERIC},
	{"boolean", BOOLOID, TYPCATEGORY_BOOLEAN},
	{"datetime", TIMESTAMPTZOID, TYPCATEGORY_DATETIME},
	{"json", JSONBOID, 0},
};

/* A type that is read, and what comes of it. */
typedef struct TypeReading
{
	const char *text;
	Oid		   *type;
	int32	   *typmod;
} TypeReading;

static const TypeWord *find_type_word(const char *type);
static bool parse_sql_type(const JobColumn *declared, ProblemList *problems, Oid *type, int32 *typmod);
static void read_type(void *arg);
static void create_table(void *arg);

bool
declared_type(const JobColumn *declared, ProblemList *problems, Oid *type, int32 *typmod)
{
	const TypeWord *word = find_type_word(declared->type);

	if (word != NULL)
	{
		*type = word->type;
		*typmod = -1;
		return true;
	}
	if (!parse_sql_type(declared, problems, type, typmod))
		return false;
	if (get_typtype(*type) == TYPTYPE_PSEUDO)
	{
		problem_add(problems, ERRCODE_INVALID_TABLE_DEFINITION, declared->pointer, NULL,
					"type \"%s\" cannot be the type of a column", declared->type);
		return false;
	}
	return true;
}

bool
declared_type_fits(const JobColumn *declared, Oid type, int32 typmod, const TargetColumn *column)
{
	const TypeWord *word = find_type_word(declared->type);
	char		category;
	bool		preferred;

	if (column->type == type)
		return typmod < 0 || typmod == column->typmod;
	if (word == NULL)
		return false;
	if (word->type == JSONBOID)
		return column->type == JSONOID;

	get_type_category_preferred(getBaseType(column->type), &category, &preferred);
	return category == word->category;
}

TargetColumn *
new_column(const char *name, Oid type, int32 typmod)
{
	TargetColumn *column = palloc0(sizeof(TargetColumn));

	column->name = pstrdup(name);
	column->type = type;
	column->typmod = typmod;
	column->collation = get_typcollation(type);
	return column;
}

List *
new_primary_key(const List *columns, const List *key)
{
	ListCell   *lc;

	if (key != NIL)
		return list_copy(key);
	foreach(lc, columns)
	{
		TargetColumn *column = lfirst(lc);

		if (strcmp(column->name, "id") == 0)
			return list_make1(column->name);
	}
	return NIL;
}

char *
creation_schema(void)
{
	List	   *path = fetch_search_path(false);
	char	   *schema = path != NIL ? get_namespace_name(linitial_oid(path)) : NULL;

	list_free(path);
	return schema;
}

char *
create_table_sql(const Target *planned)
{
	StringInfoData sql;
	ListCell   *lc;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TABLE %s (", planned->qualified);
	foreach(lc, planned->columns)
	{
		TargetColumn *column = lfirst(lc);

		appendStringInfo(&sql, "%s\n    %s %s",
						 lc == list_head(planned->columns) ? "" : ",",
						 quote_identifier(column->name),
						 format_type_with_typemod(column->type, column->typmod));
	}
	if (planned->primary_key != NIL)
		appendStringInfo(&sql, ",\n    PRIMARY KEY (%s)", name_list_quoted(planned->primary_key));
	appendStringInfoString(&sql, "\n)");
	foreach(lc, planned->open_keys)
		appendStringInfo(&sql, ";\nCREATE UNIQUE INDEX ON %s (%s) WHERE " HISTORY_TO " IS NULL",
						 planned->qualified, name_list_quoted(lfirst(lc)));
	return sql.data;
}

Target *
create_or_find_table(Target *planned)
{
	ErrorData  *error = subtransaction_run(create_table, planned, SUBTRANSACTION_KEEP);
	Target	   *target = NULL;

	if (error == NULL || error->sqlerrcode == ERRCODE_DUPLICATE_TABLE || error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION)
		target = target_find(planned->schema, planned->name);
	if (error != NULL && (target == NULL || !target_is_writable(target)))
		error_rethrow(error);
	return target;
}

static void
create_table(void *arg)
{
	const Target *planned = arg;
	char	   *sql = create_table_sql(planned);

	run_table_sql(sql);
	ereport(NOTICE,
			(errmsg("table \"%s.%s\" created", planned->schema, planned->name),
			 errdetail_internal("%s", sql)));
}

void
run_table_sql(void *sql)
{
	int			code;

	SPI_connect();
	code = SPI_execute(sql, false, 0);
	if (code != SPI_OK_UTILITY)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("a statement that defines a table gave %s", SPI_result_code_string(code))));
	SPI_finish();
}

static const TypeWord *
find_type_word(const char *type)
{
	for (int i = 0; i < lengthof(type_words); i++)
	{
		if (pg_strcasecmp(type_words[i].word, type) == 0)
			return &type_words[i];
	}
	return NULL;
}

/*
 * Reads a PostgreSQL type.  The server's type parser says what is wrong by an
 * error only, so it runs in a subtransaction and the error becomes a problem.
 */
static bool
parse_sql_type(const JobColumn *declared, ProblemList *problems, Oid *type, int32 *typmod)
{
	TypeReading reading = {declared->type, type, typmod};
	ErrorData  *error = subtransaction_run(read_type, &reading, SUBTRANSACTION_KEEP);

	if (error == NULL)
		return true;
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		error_rethrow(error);
	problem_add(problems, error->sqlerrcode, declared->pointer,
				"Use string, integer, number, boolean, datetime, date, json or a PostgreSQL type.",
				"%s", error->message);
	return false;
}

static void
read_type(void *arg)
{
	TypeReading *reading = arg;

	compat_parse_type(reading->text, reading->type, reading->typmod);
}
