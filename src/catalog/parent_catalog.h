/*
 * parent_catalog.h
 *	  Table databite.parent_row: what a step delivered, for the requests of steps that depend on it.
 *
 * Rows stay until the run is complete, or until the step begins a new pass.
 */
#ifndef DATABITE_PARENT_CATALOG_H
#define DATABITE_PARENT_CATALOG_H

#include "catalog/tables.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef struct ParentRow
{
	int64		number;			/* rises in the order of delivery */
	char	   *json;			/* an object: the columns that are asked for */
} ParentRow;

/*
 * Adds of each row (a jsonb object) the named columns (char *); what is there
 * already is not added again.
 */
extern void parent_catalog_add(const char *job_id, const char *step_id, const List *names, int nrows, Jsonb **rows);

/* The rows behind a number, in order, at most max.  List of ParentRow *. */
extern List *parent_catalog_get(const char *job_id, const char *step_id, int64 after, int max);

/* Forgets the rows; step_id NULL: of all steps of the job. */
extern void parent_catalog_clear(const char *job_id, const char *step_id);

#endif
