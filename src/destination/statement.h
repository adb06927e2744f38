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

/* Another column of the row, which the checks look at and which is not written. */
typedef struct StatementValue
{
	const char *name;
	const char *expression;		/* over b.p1, b.p2, ... and $1 */
} StatementValue;

/* A rule that a row must not fail. */
typedef struct StatementCheck
{
	int			number;
	const char *failed;			/* condition over r, the row; true where the rule fails */
	const char *shown;			/* text over r for the message, or NULL */
} StatementCheck;

typedef struct StatementParts
{
	const Target *target;
	const List *columns;		/* of StatementColumn * */
	const List *key;			/* of char *; for upsert, each is among the columns */
	const char *from;			/* databite.batch() AS b(...) */
	const List *checked;		/* of StatementColumn *: others of the table's, which checks look at and which are not written */
	const List *values;			/* of StatementValue * */
	const List *checks;			/* of StatementCheck * */
	bool		marks;			/* the expressions may mark items, or there are checks: leave those out that are marked */
} StatementParts;

/* A plain INSERT: its row count is what was inserted. */
extern char *statement_insert(const StatementParts *parts);

/*
 * Writes the rows that are new or differ, the last one of each key.  Gives one
 * row of three counts (int8): rows written, rows that were new, rows written
 * without a value in some key column (which is not meant to happen).
 */
extern char *statement_upsert(const StatementParts *parts);

/*
 * Gives the rows as jsonb objects, with their positions in the batch, and marks
 * the items as the other two do, without leaving any out.
 */
extern char *statement_preview(const StatementParts *parts);

/*
 * Computes the rows without writing them: of those whose items are not marked and
 * that pass the checks as far as a table column's type goes, its length included.
 * Gives a number that is of no use.
 */
extern char *statement_compute(const StatementParts *parts);

/* OPERATOR(pg_catalog.=), the equality of the type; an error where it has none. */
extern char *statement_equality_operator(Oid type);

#endif
