/*
 * row.c
 *	  Arguments into, and columns out of, a statement on databite's tables.
 *
 * Columns are read between catalog_enter and catalog_leave, while SPI's result
 * of the last statement stands.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "catalog/row.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

static void add_arg(CatalogArgs *args, Oid type, Datum value, bool isnull);
static Datum column(int row, int column, bool *isnull);

void
arg_text(CatalogArgs *args, const char *value)
{
	add_arg(args, TEXTOID, value ? CStringGetTextDatum(value) : (Datum) 0, value == NULL);
}

void
arg_jsonb(CatalogArgs *args, const char *value)
{
	add_arg(args, JSONBOID, value ? DirectFunctionCall1(jsonb_in, CStringGetDatum(value)) : (Datum) 0,
			value == NULL);
}

void
arg_bool(CatalogArgs *args, bool value)
{
	add_arg(args, BOOLOID, BoolGetDatum(value), false);
}

void
arg_int4(CatalogArgs *args, int value)
{
	add_arg(args, INT4OID, Int32GetDatum(value), false);
}

void
arg_int8(CatalogArgs *args, int64 value)
{
	add_arg(args, INT8OID, Int64GetDatum(value), false);
}

void
arg_int8_or_null(CatalogArgs *args, int64 value, int64 null_value)
{
	add_arg(args, INT8OID, Int64GetDatum(value), value == null_value);
}

void
arg_oid(CatalogArgs *args, Oid value)
{
	add_arg(args, OIDOID, ObjectIdGetDatum(value), false);
}

void
arg_time(CatalogArgs *args, TimestampTz value)
{
	add_arg(args, TIMESTAMPTZOID, TimestampTzGetDatum(value), value == 0);
}

void
arg_datum(CatalogArgs *args, Oid type, Datum value)
{
	add_arg(args, type, value, false);
}

Datum
catalog_text_array(const List *texts)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(list_length(texts), 1));
	ListCell   *lc;

	foreach(lc, texts)
		values[foreach_current_index(lc)] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(values, list_length(texts), TEXTOID, -1, false, TYPALIGN_INT));
}

int
catalog_run(const char *sql, CatalogArgs *args, int expected)
{
	return catalog_execute(sql, args->count, args->types, args->values, args->nulls, expected);
}

int
catalog_run_prepared(SPIPlanPtr *plan, const char *sql, CatalogArgs *args, int expected)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(sql, args->count, args->types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			return catalog_check_code(SPI_result, expected);
		*plan = prepared;
	}
	return catalog_check_code(SPI_execute_plan(*plan, args->values, args->nulls, false, 0), expected);
}

char *
row_text(int row, int col, MemoryContext context)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col);

	return value ? MemoryContextStrdup(context, value) : NULL;
}

bool
row_bool(int row, int col)
{
	bool		isnull;
	Datum		value = column(row, col, &isnull);

	return !isnull && DatumGetBool(value);
}

int
row_int4(int row, int col, int null_value)
{
	bool		isnull;
	Datum		value = column(row, col, &isnull);

	return isnull ? null_value : DatumGetInt32(value);
}

int64
row_int8(int row, int col, int64 null_value)
{
	bool		isnull;
	Datum		value = column(row, col, &isnull);

	return isnull ? null_value : DatumGetInt64(value);
}

Oid
row_oid(int row, int col)
{
	bool		isnull;
	Datum		value = column(row, col, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

TimestampTz
row_time(int row, int col)
{
	bool		isnull;
	Datum		value = column(row, col, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

static void
add_arg(CatalogArgs *args, Oid type, Datum value, bool isnull)
{
	Assert(args->count < CATALOG_MAX_ARGS);
	args->types[args->count] = type;
	args->values[args->count] = value;
	args->nulls[args->count] = isnull ? 'n' : ' ';
	args->count++;
}

static Datum
column(int row, int col, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, col, isnull);
}
