/*
 * parent_catalog.h
 *	  Tables databite.parent_row: what a step delivered, for the requests of steps that depend on it; and
 *	  databite.parent_state: what those steps keep of each row.
 *
 * Rows are kept for each step that asks by itself, whose id step_id is; each has them of one step only.  They stay
 * until the run is complete, or until the step that delivers them begins a new pass; states stay until the job is reset.
 */
#ifndef DATABITE_PARENT_CATALOG_H
#define DATABITE_PARENT_CATALOG_H

#include "catalog/tables.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

typedef struct ParentRow
{
	int64		number;			/* rises in the order of delivery */
	char	   *hash;			/* of what it holds, in hexadecimal digits */
	char	   *json;			/* an object: the columns that are asked for */
	int			left_out;		/* so many rows before it get no request: see run/parent_rows.c */
	bool		has_state;		/* of a run before, which the next three are */
	char	   *sync_token;		/* that the source gave for it; or NULL */
	char	   *cursor;			/* or NULL */
	TimestampTz last_sync_time; /* 0: none */
	char	   *saved;			/* for the step: what its cursor begins with, or NULL */
} ParentRow;

/* What is kept of a parent row, for the next run to ask with. */
typedef struct ParentState
{
	const char *hash;			/* of the row, and what it holds */
	const char *json;
	const char *sync_token;		/* of each that follows, NULL (0): none */
	const char *cursor;
	TimestampTz last_sync_time;
} ParentState;

/*
 * Adds of each row (a jsonb object) the named columns (char *); what is there
 * already is not added again.  several: processes add rows of the step at the same time, and
 * must not wait for each other in a circle, so each adds them in the order of their hashes.
 */
extern void parent_catalog_add(const char *job_id, const char *step_id, const List *names, int nrows, Jsonb **rows, bool several);

/* The rows behind a number, in order, at most max, with the state that the step keeps of them.  List of ParentRow *. */
extern List *parent_catalog_get(const char *job_id, const char *step_id, int64 after, int max);

/*
 * Keeps the states (of ParentState *) of a later step in place of those that are there; they outlive the rows, and are
 * found again by what the rows hold.  epoch: as for state_catalog_put_checkpoint.
 */
extern void parent_catalog_put(const char *job_id, int64 epoch, const char *later_step, const List *states);

/*
 * Forgets what is kept of the parents of the step; step_id NULL: of all steps of the job.  Their rows stay: a run may be
 * making its requests of them just now.  How many there were.
 */
extern int	parent_catalog_forget(const char *job_id, const char *step_id);

/* The first step behind that one that has rows, in the current context; NULL: none has. */
extern char *parent_catalog_next_step(const char *job_id, const char *step_id);

/* Forgets the first rows behind *number, at most "most", and moves that; how many there were. */
extern int	parent_catalog_clear(const char *job_id, const char *step_id, int64 *number, int most);

#endif
