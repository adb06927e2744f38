/*
 * create_table.h
 *	  The types a definition declares, and the table that is made of them.
 */
#ifndef DATABITE_CREATE_TABLE_H
#define DATABITE_CREATE_TABLE_H

#include "base/problem.h"
#include "destination/target.h"
#include "job/definition.h"

/*
 * Reads one declared type: a word of the definition ("string", "integer", ...)
 * or any PostgreSQL type.  False, with a problem added, where it is none.
 */
extern bool declared_type(const JobColumn *declared, ProblemList *problems, Oid *type, int32 *typmod);

/* Does a column of the table hold what was declared?  A word of the definition fits any type of its kind. */
extern bool declared_type_fits(const JobColumn *declared, Oid type, int32 typmod, const TargetColumn *column);

/* A column of a table that is to be created. */
extern TargetColumn *new_column(const char *name, Oid type, int32 typmod);

/*
 * The primary key of a table that is to be created: the stated key, else "id"
 * where there is such a column, else none.
 */
extern List *new_primary_key(const List *columns, const List *key);

/* Schema that an unqualified new table goes to; NULL where search_path names none that exists. */
extern char *creation_schema(void);

/* The CREATE TABLE statement, formatted for a person. */
extern char *create_table_sql(const Target *planned);

/*
 * Creates it as the current user; a NOTICE shows the statement.  Another run may create the table at the same
 * time: PostgreSQL waits for that and says then that it is there, and what is there is found.
 */
extern Target *create_or_find_table(Target *planned);

/* Runs a CREATE TABLE or an ALTER TABLE (char *) as the current user, as work of a subtransaction. */
extern void run_table_sql(void *sql);

#endif
