/*
 * statement_parts.h
 *	  The parts that statements over a batch are made of, shared by the files that write them.
 *
 * Names in the text: b is the batch, r its rows, s of each key the row that
 * counts, o or k the row that the table has of it, t the table that is written to.
 */
#ifndef DATABITE_STATEMENT_PARTS_H
#define DATABITE_STATEMENT_PARTS_H

#include "destination/statement.h"
#include "lib/stringinfo.h"

/* statement.c */

/* INSERT INTO table AS alias (a, b; alias NULL: none. */
extern void statement_append_insert_into(StringInfo sql, const StatementParts *parts, const char *alias);

/* a, b or s.a, s.b */
extern void statement_append_names(StringInfo sql, const StatementParts *parts, const char *alias);

extern void statement_append_latest(StringInfo sql, const StatementParts *parts);
extern void statement_append_lookup(StringInfo sql, const StatementParts *parts, const char *condition);
extern void statement_append_change(StringInfo sql, const StatementParts *parts, const char *stored, const char *incoming);
extern void statement_append_newer(StringInfo sql, const StatementParts *parts, const char *stored, const char *incoming);
extern void statement_append_key_match(StringInfo sql, const StatementParts *parts);
extern void statement_append_distinct(StringInfo sql, const StatementParts *parts, const char *left, const char *right);
extern void statement_append_key_is_null(StringInfo sql, const StatementParts *parts, const char *alias);
extern const char *statement_stored(const StatementParts *parts);
extern bool statement_is_key(const StatementParts *parts, const StatementColumn *column);
extern bool statement_only_key_columns(const StatementParts *parts);
extern const char *statement_deleted_name(const StatementParts *parts);
extern const char *statement_free_name(const StatementParts *parts, const char *name);

/* statement_modes.c */

/* latest AS (...), removed AS (...), : the first parts of a WITH whose statement deletes rows. */
extern void statement_append_removal(StringInfo sql, const StatementParts *parts);

/* Of the rows of latest (s), those that are written; only when the others have been removed, whose values they may take. */
extern void statement_append_live(StringInfo sql, const StatementParts *parts);

/* The value that marks a row as deleted, and the condition that a row (an alias) is not. */
extern const char *statement_mark_value(const TargetColumn *mark);
extern char *statement_unmarked(const TargetColumn *mark, const char *alias);

/* Goes on from the third count. */
extern void statement_append_removed_counts(StringInfo sql, const StatementParts *parts);

#endif
