/*
 * row.h
 *	  Arguments into, and columns out of, a statement on databite's tables.
 *
 * For the files of catalog/ only.
 */
#ifndef DATABITE_CATALOG_ROW_H
#define DATABITE_CATALOG_ROW_H

#include "catalog/tables.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#define CATALOG_MAX_ARGS 20

/* The arguments of a statement, in order. */
typedef struct CatalogArgs
{
	int			count;
	Oid			types[CATALOG_MAX_ARGS];
	Datum		values[CATALOG_MAX_ARGS];
	char		nulls[CATALOG_MAX_ARGS];
} CatalogArgs;

extern void arg_text(CatalogArgs *args, const char *value);	/* NULL: SQL NULL */
extern void arg_jsonb(CatalogArgs *args, const char *value);	/* JSON text; NULL: SQL NULL */
extern void arg_bool(CatalogArgs *args, bool value);
extern void arg_int4(CatalogArgs *args, int value);
extern void arg_int8(CatalogArgs *args, int64 value);
extern void arg_int8_or_null(CatalogArgs *args, int64 value, int64 null_value);
extern void arg_oid(CatalogArgs *args, Oid value);
extern void arg_time(CatalogArgs *args, TimestampTz value);	/* 0: SQL NULL */

extern void arg_datum(CatalogArgs *args, Oid type, Datum value);

/* An array of texts (char *), for arg_datum with TEXTARRAYOID. */
extern Datum catalog_text_array(const List *texts);

/* Runs it: as catalog_execute. */
extern int	catalog_run(const char *sql, CatalogArgs *args, int expected);

/*
 * The same, for what runs with every batch: the statement is prepared once and
 * kept for the life of the process in *plan, which begins as NULL.
 */
extern int	catalog_run_prepared(SPIPlanPtr *plan, const char *sql, CatalogArgs *args, int expected);

/* Columns of row "row" of the last result, by position from 1; in the context given. */
extern char *row_text(int row, int column, MemoryContext context);	/* NULL for NULL; any type, as text */
extern bool row_bool(int row, int column);
extern int	row_int4(int row, int column, int null_value);
extern int64 row_int8(int row, int column, int64 null_value);
extern Oid	row_oid(int row, int column);
extern TimestampTz row_time(int row, int column);	/* 0 for NULL */

#endif
