/*
 * log_table.h
 *	  A table of the user's that lines on his jobs' runs go to.
 */
#ifndef DATABITE_LOG_TABLE_H
#define DATABITE_LOG_TABLE_H

#include "base/problem.h"

/*
 * Adds what would keep the current user from writing a log to the table of that name: it is no name, or what is there
 * is not like a log.  It need not exist.
 */
extern void log_table_check(const char *table, const char *pointer, ProblemList *problems);

/* Writes a JSON array of lines, as the current user; makes the table where it does not exist. */
extern void log_table_add(const char *table, const char *job_id, int64 run_id, const char *lines);

#endif
