/*
 * parent_state.c
 *	  What a step keeps of each row of a parent step: a sync token, and with
 *	  incremental.perParentState a cursor.
 *
 * Lifecycle.  A row comes with what an earlier run has left for it
 * (parent_catalog_get), and its listing asks from there, with a cursor of its own.
 * When the listing has ended with all of its pages, what it has come to waits in
 * StepRun.ended_parents for the batch that holds its last items, and is written in that
 * batch's transaction.  So it never says more than what is in the table, and
 * what becomes of other listings, and of the run, is nothing to it: the next run asks of each parent from
 * where that one stands.  A listing that fails, or of which a rule leaves a page
 * out, leaves its row's state as it was.
 *
 * A pass that goes on at its checkpoint must repeat the requests that it was at, so what
 * a listing began with is in the checkpoint, and what it has seen since.
 */
#include "postgres.h"

#include "run/step_data.h"
#include "utils/memutils.h"

static char *copy_text(const char *text);

bool
parent_state_is_own(const StepRun *sr)
{
	const JobIncremental *incremental = sr->step->source.incremental;

	return incremental != NULL && incremental->per_parent_state;
}

void
parent_state_begin(Listing *listing, const ParentRow *row, const char *seen)
{
	StepRun    *sr = listing->sr;
	const JobIncremental *incremental = sr->step->source.incremental;
	MemoryContext old = MemoryContextSwitchTo(listing->memory);
	ParentRow  *parent = palloc0(sizeof(ParentRow));

	parent->number = row->number;
	parent->left_out = row->left_out;
	parent->hash = copy_text(row->hash);
	parent->json = pstrdup(row->json);
	parent->sync_token = copy_text(row->sync_token);
	if (parent_state_is_own(sr))
	{
		parent->saved = row->saved != NULL ? pstrdup(row->saved) : cursor_saved(incremental, row->cursor, row->last_sync_time);
		listing->cursor = cursor_create(incremental, parent->saved, sr->pass_started, listing->memory);
		cursor_see(listing->cursor, seen);
		if (sr->rules != NULL)
			listing->scopes = step_transform_scopes(sr, listing->cursor);
	}
	listing->parent = parent;
	listing->sent_token = parent->sync_token;
	sr->parents_go_on |= parent->sync_token != NULL || parent->saved != NULL;
	sr->new_parents += !row->has_state && row->saved == NULL;
	MemoryContextSwitchTo(old);
}

void
parent_state_ended(Listing *listing)
{
	StepRun    *sr = listing->sr;
	bool		is_own = parent_state_is_own(sr);
	MemoryContext old;
	ParentState *state;

	if (listing->skipped || listing->parent->hash == NULL || (listing->new_token == NULL && !is_own))
		return;
	old = MemoryContextSwitchTo(sr->ended_memory);
	state = palloc0(sizeof(ParentState));
	state->hash = pstrdup(listing->parent->hash);
	state->json = pstrdup(listing->parent->json);
	state->sync_token = copy_text(listing->new_token != NULL ? listing->new_token : listing->sent_token);
	if (is_own)
	{
		state->cursor = copy_text(changing_next_cursor(sr, listing->cursor, listing->parent->saved));
		state->last_sync_time = changing_pass_started(sr);
	}
	sr->ended_parents = lappend(sr->ended_parents, state);
	MemoryContextSwitchTo(old);
}

List *
parent_state_copy_ended(const StepRun *sr)
{
	List	   *copies = NIL;
	ListCell   *lc;

	foreach(lc, sr->ended_parents)
	{
		const ParentState *state = lfirst(lc);
		ParentState *copy = palloc(sizeof(ParentState));

		*copy = *state;
		copy->hash = pstrdup(state->hash);
		copy->json = pstrdup(state->json);
		copy->sync_token = copy_text(state->sync_token);
		copy->cursor = copy_text(state->cursor);
		copies = lappend(copies, copy);
	}
	return copies;
}

void
parent_state_write(StepRun *sr, const List *ended)
{
	const JobRecord *job = sr->run->record;

	if (ended != NIL)
		parent_catalog_put(job->id, job->state_epoch, sr->step->id, ended);
}

void
parent_state_forget_ended(StepRun *sr)
{
	sr->ended_parents = NIL;
	MemoryContextReset(sr->ended_memory);
}

/* In the first run all are. */
void
parent_state_note_new(StepRun *sr)
{
	if (parent_state_is_own(sr) && sr->state.has_last_sync_time && sr->new_parents > 0)
		run_note(sr->run,
				 psprintf("step \"%s\": " INT64_FORMAT " rows of step \"%s\" had no state yet and began at the initial value",
						  sr->step->id, sr->new_parents, request_plan_parent(sr->request_plan)->id));
}

static char *
copy_text(const char *text)
{
	return text != NULL ? pstrdup(text) : NULL;
}
