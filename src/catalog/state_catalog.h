/*
 * state_catalog.h
 *	  Small state: cursors and checkpoints of steps, database settings.
 */
#ifndef DATABITE_STATE_CATALOG_H
#define DATABITE_STATE_CATALOG_H

#include "catalog/tables.h"
#include "datatype/timestamp.h"

typedef struct StepState
{
	bool		has_last_sync_time;
	TimestampTz last_sync_time; /* start of the last successful run */
	char	   *cursor;			/* in the cursor's own form (run/cursor.h), or NULL */
	char	   *sync_token;		/* opaque state of the source, or NULL */
	char	   *etag;			/* of the last response, or NULL */
	char	   *last_modified;	/* likewise */
	char	   *validators_for; /* hash of the request that etag and last_modified belong to, or NULL */
	char	   *checkpoint;		/* JSON text of a pass that has not ended, or NULL */
} StepState;

/* What a pass that has ended leaves; NULL forgets what was there.  Members mean what those of StepState do. */
typedef struct StepOutcome
{
	TimestampTz last_sync_time;
	const char *cursor;
	const char *sync_token;
	const char *etag;
	const char *last_modified;
	const char *validators_for;
} StepOutcome;

/* A step without state gets the empty one. */
extern void state_catalog_get(const char *job_id, const char *step_id, StepState *state);

/*
 * How far a pass has come: JSON text.  epoch is the state_epoch of the job's
 * record: nothing is written for a run whose job was removed, reset or replaced
 * since it began.
 */
extern void state_catalog_put_checkpoint(const char *job_id, int64 epoch, const char *step_id, const char *checkpoint);

/* A pass has ended: its checkpoint is forgotten, and the next one asks for what is newer.  epoch: as above. */
extern void state_catalog_finish(const char *job_id, int64 epoch, const char *step_id, const StepOutcome *outcome);

/* A window is complete: the cursor alone moves, the checkpoint stays as it is.  epoch: as above. */
extern void state_catalog_save_cursor(const char *job_id, int64 epoch, const char *step_id, const char *cursor);

/* Forgets cursors and checkpoints; step_id NULL: of all steps of the job.  The caller begins a new epoch. */
extern void state_catalog_reset(const char *job_id, const char *step_id);

/* The ids of the steps that have a checkpoint: of char *, in the current context. */
extern List *state_catalog_checkpoints(const char *job_id);

/* Forgets checkpoints, keeps last_sync_time: what comes next begins anew.  step_id NULL: of all steps of the job. */
extern void state_catalog_forget_checkpoints(const char *job_id);

/* The same of one step. */
extern void state_catalog_forget_checkpoint(const char *job_id, const char *step_id);

/* Forgets cursor and sync token of a step, keeps last_sync_time. */
extern void state_catalog_forget_cursor(const char *job_id, const char *step_id);

/* Forgets what would let the source answer that nothing has changed: the rows are to be made in another way. */
extern void state_catalog_forget_validators(const char *job_id);

/* Defaults of this database (databite.configure): JSON text or NULL. */
extern char *setting_catalog_get(const char *name);
extern void setting_catalog_set(const char *name, const char *value);

#endif
