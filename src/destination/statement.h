/*
 * statement.h
 *	  The text of the one statement that writes a batch.
 */
#ifndef DATABITE_STATEMENT_H
#define DATABITE_STATEMENT_H

#include "destination/target.h"

/* A column that the statement writes. */
typedef struct StatementColumn
{
	const TargetColumn *column;
	const char *expression;		/* over b.p1, b.p2, ... and $1 */
	Oid			type;			/* of the expression */
	bool		or_fallback;	/* NULL takes the column's default */
} StatementColumn;

typedef struct StatementParts
{
	const Target *target;
	const List *columns;		/* of StatementColumn * */
	const List *key;			/* of char *; for upsert, each is among the columns */
	const char *from;			/* databite.batch() AS b(...) */
} StatementParts;

/* A plain INSERT: its row count is what was inserted. */
extern char *statement_insert(const StatementParts *parts);

/*
 * Writes the rows that are new or differ, the last one of each key.  Gives one
 * row of three counts (int8): rows written, rows that were new, rows written
 * without a value in some key column (which is not meant to happen).
 */
extern char *statement_upsert(const StatementParts *parts);

/* Gives the rows as jsonb objects, in the order of the batch. */
extern char *statement_preview(const StatementParts *parts);

#endif
