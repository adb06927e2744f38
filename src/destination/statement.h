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
	bool		of_key;			/* made of an item whose row is to be deleted, too */
} StatementCheck;

/* How an upsert comes to know which rows are as they were: see upsert_way.c. */
typedef enum StatementLook
{
	LOOK_BY_KEY,
	LOOK_BY_RANGE,				/* of the key's one column, an integer: $2 is the least and $3 the greatest */
	LOOK_NOT					/* before it writes */
} StatementLook;

typedef struct StatementParts
{
	const Target *target;
	const List *columns;		/* of StatementColumn * */
	const List *key;			/* of char *, each among the columns; NIL for a plain INSERT */
	const char *from;			/* databite.batch() AS b(...) */
	const List *checked;		/* of StatementColumn *: others of the table's, which checks look at and which are not written */
	const List *values;			/* of StatementValue * */
	const List *checks;			/* of StatementCheck * */
	bool		marks;			/* the expressions may mark items, or there are checks: leave those out that are marked */
	bool		first_wins;		/* of several rows of a key, rather than the last */
	const TargetColumn *newer_by;	/* one of the columns: rows that are older by it than what is there are left out; or NULL */
	bool		deletes;		/* of items that are marked as deleted, the rows are deleted */
	bool		deletes_softly; /* that is, they get the mark */
	const TargetColumn *mark;	/* one of the columns: it says that a row is deleted, and one that is written is not; NULL: none */
	StatementLook look;			/* others than LOOK_BY_KEY for an upsert without deletes only */
} StatementParts;

/* A plain INSERT: its row count is what was inserted. */
extern char *statement_insert(const StatementParts *parts);

/*
 * The statements that find rows by their key give one row of counts (int8): rows
 * written, rows of these that were new, rows without a value in some key column
 * (which is not meant to happen), rows deleted (left out where nothing is).
 */

/* Writes the rows that are new or differ, one of each key. */
extern char *statement_upsert(const StatementParts *parts);

/* statement_modes.c */

/* Writes the rows whose key is not there yet. */
extern char *statement_insert_only(const StatementParts *parts);

/* Writes the rows that differ from those that are there. */
extern char *statement_update(const StatementParts *parts);

/* Writes the rows that are new or differ as new versions: the one before ends where the new one begins. */
extern char *statement_history(const StatementParts *parts);

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

/* "t.a = s.a AND t.b = s.b", of the key, with the operators that the key's index has. */
extern char *statement_key_match(const StatementParts *parts, const char *left, const char *right);

/* "(t.c, t.d) IS DISTINCT FROM (s.c, s.d)", of the other columns; NULL where there is none. */
extern char *statement_differs(const StatementParts *parts, const char *left, const char *right);

/* OPERATOR(pg_catalog.=), the equality of the type; an error where it has none. */
extern char *statement_equality_operator(Oid type);

/* OPERATOR(pg_catalog.>=), by the order of the type; NULL where it has none. */
extern char *statement_not_less_operator(Oid type);

#endif
