/*
 * prepared.h
 *	  Runs databite's own statements over the bound batch: prepared once, planned generically.
 */
#ifndef DATABITE_PREPARED_H
#define DATABITE_PREPARED_H

#include "postgres.h"

#include "executor/spi.h"
#include "utils/jsonb.h"

/*
 * Prepares the statement, the first time, and keeps it in *statement, which
 * begins as NULL and is the caller's to free.  Plans it with the settings of a
 * batch's statement, and runs it; scopes is $1.  The result is in SPI_processed and
 * SPI_tuptable.  Needs SPI.
 */
extern void prepared_run(SPIPlanPtr *statement, const char *sql, Jsonb *scopes);

/* The same for one that looks at a range of keys (LOOK_BY_RANGE): $2 and $3. */
extern void prepared_run_range(SPIPlanPtr *statement, const char *sql, Jsonb *scopes, int64 least, int64 greatest);

/* prepared_run's first half: afterwards the statement has its plan, whose locks this transaction holds. */
extern void prepared_plan(SPIPlanPtr *statement, const char *sql);

/* The statement's parameters for the executor; NULL where it has none. */
extern ParamListInfo prepared_parameters(const char *sql, Jsonb *scopes);

/* The same for a statement that is used a few times and gone with SPI: prepares it, and runs it. */
extern SPIPlanPtr prepared_create(const char *sql);
extern void prepared_execute(SPIPlanPtr statement, const char *sql, Jsonb *scopes);

/* Sets what such a statement must be planned with, until AtEOXact_GUC(true, the result). */
extern int	prepared_set_planner(void);

#endif
