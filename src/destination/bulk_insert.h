/*
 * bulk_insert.h
 *	  A plain INSERT of a batch by the table's multi-row insertion, as COPY writes.
 */
#ifndef DATABITE_BULK_INSERT_H
#define DATABITE_BULK_INSERT_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/jsonb.h"

/*
 * Runs an INSERT over the bound batch (see prepared_plan for the statement), with the
 * effects that executing it by SPI has; *inserted is its row count.  False, with nothing
 * done, where that cannot be promised of this table and this statement.
 *
 * Where it fails, and a row is to blame, the error can be another one than the
 * statement's own, if several rows are bad, and does not say which item it is of:
 * undo, and run the statement.  Needs SPI.
 */
extern bool bulk_insert_run(SPIPlanPtr statement, const char *sql, Jsonb *scopes, uint64 *inserted);

#endif
