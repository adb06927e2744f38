/*
 * sql_source.h
 *	  Rows of a query as items: {"type": "sql", "query": "select ..."}.
 *
 * The query runs once, at the beginning of the step, and its rows are kept in a
 * tuplestore that outlives the transaction and spills to disk, so that batches
 * are committed between them in bounded memory.  {{ }} in the query are
 * expressions in it (templates compiled to SQL, of the type that their place has), never pasted text.
 */
#ifndef DATABITE_SQL_SOURCE_H
#define DATABITE_SQL_SOURCE_H

#include "base/problem.h"
#include "job/definition.h"
#include "utils/jsonb.h"

typedef struct SqlSource SqlSource;

/*
 * Compiles the templates in the query and has PostgreSQL check it: one SELECT with
 * unique column names.  NULL and problems where it is none.  Needs a transaction.
 */
extern SqlSource *sql_source_create(const JobSource *source, ProblemList *problems, MemoryContext context);

/* Runs the query once, read only, as the current user; needs a transaction.  scopes is $1 of its templates. */
extern void sql_source_execute(SqlSource *source, Jsonb *scopes);

/* The next row as JSON text, UTF-8, in the current memory context; NULL at the end.  Needs no transaction. */
extern char *sql_source_next(SqlSource *source, size_t *len);

/* TEMPLATE_SCOPE_ of the scopes that its templates name. */
extern int	sql_source_uses(const SqlSource *source);

/* The query as it is sent, for explain_job. */
extern const char *sql_source_text(const SqlSource *source);

#endif
