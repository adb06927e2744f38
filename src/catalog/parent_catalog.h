/*
 * parent_catalog.h
 *	  Table databite.parent_row: what a step delivered, for the requests of steps that depend on it.
 *
 * They are kept for each step that asks by itself, whose id step_id is; each has them of one step only.  They stay
 * until the run is complete, or until the step that delivers them begins a new pass.
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
	char	   *sync_token;		/* that the source gave for it, in a run before; or NULL */
	int			left_out;		/* so many rows before it get no request: see run/parent_rows.c */
} ParentRow;

/* What the source gave for a parent row, for the next run to ask with. */
typedef struct ParentToken
{
	int64		number;			/* of the row */
	const char *sync_token;		/* NULL: it is forgotten */
} ParentToken;

/*
 * Adds of each row (a jsonb object) the named columns (char *); what is there
 * already is not added again.  several: processes add rows of the step at the same time, and
 * must not wait for each other in a circle, so each adds them in the order of their hashes.
 */
extern void parent_catalog_add(const char *job_id, const char *step_id, const List *names, int nrows, Jsonb **rows, bool several);

/* The rows behind a number, in order, at most max, with the state that a later step keeps of them.  List of ParentRow *. */
extern List *parent_catalog_get(const char *job_id, const char *step_id, const char *later_step, int64 after, int max);

/*
 * Keeps the tokens (of ParentToken *) of a later step; they outlive the rows, and are found again by what the rows hold.
 * epoch: as for state_catalog_put_checkpoint.
 */
extern void parent_catalog_put_tokens(const char *job_id, int64 epoch, const char *step_id, const char *later_step,
									  const List *tokens);

/*
 * Forgets what is kept of the parents of the step; step_id NULL: of all steps of the job.  Their rows stay: a run may be
 * making its requests of them just now.
 */
extern void parent_catalog_forget(const char *job_id, const char *step_id);

/* Forgets the rows; step_id NULL: of all steps of the job. */
extern void parent_catalog_clear(const char *job_id, const char *step_id);

#endif
