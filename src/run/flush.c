/*
 * flush.c
 *	  A batch whose transaction fails: tried again, given up, or the end of the run.
 *
 * What the transaction of a batch did is undone when it fails, and so is what it
 * changed in the process (FlushState).  Then, in this order:
 *
 * An error of transactions that met each other (a serialization failure, a deadlock, a
 * lock that was not to be had) is no fault of anybody: the batch is written again, a few times, after
 * short waits.  Not in execute_job, whose transaction is the caller's and would fail again.
 *
 * What an item is to blame for is the business of onItemError, which has been heard
 * by then (destination/isolate.c).
 *
 * What is left is an error of the batch: errorHandling.onBatchError says whether it is
 * tried again, and whether it is given up, which is to reject its items and go on.  Not
 * for an error of the machine: the next batch would meet it too.
 *
 * No transaction is open during a wait (but the caller's, in execute_job).  Transfers are
 * not served either, as the batch may be written in the middle of a piece of a body:
 * they fill their buffers and stand still.
 */
#include "postgres.h"

#include "base/errors.h"
#include "common/pg_prng.h"
#include "run/run_error.h"
#include "run/run_retry.h"
#include "run/secret_mask.h"
#include "run/step_data.h"
#include "run/time_limit.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Tries of a batch whose transaction met another one, beside the first. */
#define MAX_COLLISIONS		5

/* The wait before the first of them; it doubles. */
#define COLLISION_DELAY_MS	50

/* What the transaction of a batch changes in the process. */
typedef struct FlushState
{
	RunContext	run;
	int64		rejected;
	int64		taken;
	char	   *first_reason;
	char	   *cursor;
	char	   *stage_relation;
	bool		done_forgotten;
	bool		needs_sample;
} FlushState;

/* How often what has failed so far. */
typedef struct FlushTries
{
	int			collisions;
	int			retries;		/* by onBatchError */
} FlushTries;

typedef enum FlushVerdict
{
	FLUSH_FAILS,
	FLUSH_AGAIN,				/* after a wait */
	FLUSH_GIVEN_UP				/* its items are rejected */
} FlushVerdict;

static ErrorData *attempt(StepRun *sr, void (*work) (RunContext *run, void *arg), MemoryContext errors);
static void keep_state(const StepRun *sr, FlushState *state);
static void restore_state(StepRun *sr, const FlushState *state);
static FlushVerdict judge(const StepRun *sr, const ErrorData *error, FlushTries *tries, int64 *delay);
static bool is_collision(int sqlstate);
static bool is_of_batch(const StepRun *sr, const ErrorData *error);
static bool may_be_given_up(const ErrorData *error);
static void wait_for_next(StepRun *sr, const ErrorData *error, int64 delay);
static void tell_tries(ErrorData *error, const FlushTries *tries);
static void note_tries(StepRun *sr, const FlushTries *tries, const ErrorData *error);
static void note_given_up(StepRun *sr, const ErrorData *error);

void
flush_write(StepRun *sr, void (*work) (RunContext *run, void *arg))
{
	MemoryContext errors = AllocSetContextCreate(sr->memory, "databite flush errors", ALLOCSET_SMALL_SIZES);
	FlushState	before;
	FlushTries	tries = {0};
	ErrorData  *error;

	keep_state(sr, &before);
	while ((error = attempt(sr, work, errors)) != NULL)
	{
		int64		delay;

		restore_state(sr, &before);
		switch (judge(sr, error, &tries, &delay))
		{
			case FLUSH_FAILS:
				tell_tries(error, &tries);
				error_rethrow(error);
				break;
			case FLUSH_AGAIN:
				wait_for_next(sr, error, delay);
				note_tries(sr, &tries, error);
				break;
			case FLUSH_GIVEN_UP:
				sr->given_up = error;
				note_tries(sr, &tries, error);
				note_given_up(sr, error);
				break;
		}
	}
	sr->given_up = NULL;
	list_free(before.run.notices);
	if (before.cursor != NULL)
		pfree(before.cursor);
	MemoryContextDelete(errors);
}

/* NULL where the transaction has been committed, else its error; what it was said in goes with the attempt's memory. */
static ErrorData *
attempt(StepRun *sr, void (*work) (RunContext *run, void *arg), MemoryContext errors)
{
	MemoryContext old = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	sr->stage = FLUSH_BOOKS;
	sr->run->publishing = false;
	PG_TRY();
	{
		run_in_transaction(sr->run, work, sr);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(errors);
		error = CopyErrorData();
		FlushErrorState();
		secret_mask_error(error);
		MemoryContextSwitchTo(old);
		MemoryContextReset(sr->write_memory);
	}
	PG_END_TRY();
	return error;
}

static void
keep_state(const StepRun *sr, FlushState *state)
{
	MemoryContext old = MemoryContextSwitchTo(sr->run->memory);

	state->run = *sr->run;
	state->run.notices = list_copy(sr->run->notices);
	state->rejected = sr->rejected;
	state->taken = sr->taken;
	state->first_reason = sr->first_reason;
	state->cursor = sr->state.cursor != NULL ? pstrdup(sr->state.cursor) : NULL;
	state->stage_relation = sr->stage_relation;
	state->done_forgotten = sr->done_forgotten;
	state->needs_sample = write_plan_needs_sample(sr->plan);
	MemoryContextSwitchTo(old);
}

static void
restore_state(StepRun *sr, const FlushState *state)
{
	MemoryContext old = MemoryContextSwitchTo(sr->run->memory);
	bool		publishing = sr->run->publishing;

	*sr->run = state->run;
	sr->run->publishing = publishing;	/* what becomes of the stage depends on it */
	sr->run->notices = list_copy(state->run.notices);
	sr->rejected = state->rejected;
	sr->taken = state->taken;
	sr->first_reason = state->first_reason;
	sr->stage_relation = state->stage_relation;
	sr->done_forgotten = state->done_forgotten;
	sr->state.cursor = state->cursor != NULL ? MemoryContextStrdup(sr->memory, state->cursor) : NULL;
	if (state->needs_sample && !write_plan_needs_sample(sr->plan))
		write_plan_unlearn(sr->plan);
	MemoryContextSwitchTo(old);
}

static FlushVerdict
judge(const StepRun *sr, const ErrorData *error, FlushTries *tries, int64 *delay)
{
	const JobErrorHandling *handling = &sr->run->job->error_handling;

	if (is_collision(error->sqlerrcode) && sr->run->mode != RUN_IN_FUNCTION && tries->collisions < MAX_COLLISIONS)
	{
		*delay = (COLLISION_DELAY_MS << tries->collisions++) * (0.5 + pg_prng_double(&pg_global_prng_state) / 2);
		return FLUSH_AGAIN;
	}
	if (sr->given_up != NULL || !is_of_batch(sr, error))
		return FLUSH_FAILS;
	if (handling->batch_error == BATCH_ERROR_RETRY && run_retry_is_worth_it(error) && tries->retries < handling->max_retries)
	{
		*delay = run_retry_delay(handling, ++tries->retries);
		return FLUSH_AGAIN;
	}
	return handling->rejects_failed_batches && may_be_given_up(error) ? FLUSH_GIVEN_UP : FLUSH_FAILS;
}

/* Did the transaction meet another one?  The next try may find that one gone. */
static bool
is_collision(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
		case ERRCODE_LOCK_NOT_AVAILABLE:
			return true;
		default:
			return false;
	}
}

/*
 * Has writing the items failed, or the commit, and no single item for it?  databite's own tables are not the batch's,
 * and what is published is more than it.
 */
static bool
is_of_batch(const StepRun *sr, const ErrorData *error)
{
	if (sr->run->publishing)
		return false;
	return sr->stage == FLUSH_COMMIT ||
		(sr->stage == FLUSH_ITEMS && !write_plan_failed_for_item(sr->plan, error));
}

/* The machine, the server's state and whoever cancels mean more than this batch. */
static bool
may_be_given_up(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_INVALID_TRANSACTION_STATE:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
		case ERRCODE_INTERNAL_ERROR:
			return false;
		default:
			return true;
	}
}

static void
wait_for_next(StepRun *sr, const ErrorData *error, int64 delay)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay);

	step_watch_wait(sr, "batch retry", until);
	time_limit_wait(sr->run, until);
	time_limit_check(sr->run, psprintf("The last batch could not be written: %s.", error->message));
	step_watch(sr, "database");
}

static void
tell_tries(ErrorData *error, const FlushTries *tries)
{
	int			n = tries->collisions + tries->retries;
	MemoryContext old;

	if (n == 0)
		return;
	old = MemoryContextSwitchTo(error->assoc_context);
	error->detail = psprintf("%s%sThe batch was tried %d times.",
							 error->detail != NULL ? error->detail : "", error->detail != NULL ? " " : "", n + 1);
	MemoryContextSwitchTo(old);
}

/* Written with the batch, if that is written at last. */
static void
note_tries(StepRun *sr, const FlushTries *tries, const ErrorData *error)
{
	int			n = tries->collisions + tries->retries;

	if (n > 0)
		run_note(sr->run,
				 psprintf("step \"%s\": a batch was tried again %d %s: %s",
						  sr->step->id, n, n == 1 ? "time" : "times", error->message));
}

static void
note_given_up(StepRun *sr, const ErrorData *error)
{
	if (sr->run->shortfall.batches < MAX_NOTED)
		run_note(sr->run,
				 psprintf("step \"%s\": a batch of %d %s was given up: %s",
						  sr->step->id, sr->batch->nitems, sr->batch->nitems == 1 ? "item" : "items", error->message));
}
