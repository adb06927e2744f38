/*
 * secret_row.h
 *	  Rows with secrets, written and read without SQL; for the files of catalog/ only.
 *
 * Their tables have the primary key (owner, a text), which are the first two
 * columns.
 */
#ifndef DATABITE_SECRET_ROW_H
#define DATABITE_SECRET_ROW_H

#include "postgres.h"

/* Inserts a row with all columns of databite.<table>, or replaces the one of that key. */
extern void secret_row_put(const char *table, Oid owner, const char *name, Datum *values, bool *nulls);

/* All columns, copied into the current memory context, as they are now; false where there is no such row. */
extern bool secret_row_get(const char *table, Oid owner, const char *name, Datum *values, bool *nulls);

/* Takes the lock of secret_row_put until the end of the transaction. */
extern void secret_row_lock(const char *table);

/* Does the current transaction hold a lock that lets no other one have that of secret_row_put? */
extern bool secret_row_is_locked_by_us(const char *table);

#endif
