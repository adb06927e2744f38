/*
 * step_stage.c
 *	  What a pass gathers before it is published: destination/stage.h.
 *
 * Lifecycle.  The stage is made when the pass begins, or with the first items
 * where the table is made of them.  Rows (or keys) of a batch are committed with
 * its checkpoint, so a pass that was killed goes on with what it has.  The last
 * transaction of the step publishes and drops the stage.  A run that fails, and is
 * not gone on with, drops it when it records the failure (run.c), a job that is
 * removed, replaced or reset when that is done (api/job_functions.c), and what is
 * left over after all that, the scheduler (worker/recovery.c).
 */
#include "postgres.h"

#include "catalog/stage_catalog.h"
#include "destination/stage.h"
#include "run/run_error.h"
#include "run/step_data.h"
#include "template/template.h"
#include "utils/memutils.h"

static void publish(StepRun *sr, WriteCounts *counts);
static void delete_missing(StepRun *sr, WriteCounts *counts);
static void say_nothing_deleted(StepRun *sr, const char *reason, bool usual);
static bool is_bounded(const StepRun *sr);
static bool parent_is_part(const StepRun *sr);

void
step_stage_find(StepRun *sr)
{
	char	   *columns;

	if (stage_content(sr->plan) == STAGE_NOTHING)
		return;
	sr->stage_relation = stage_catalog_find(sr->run->record->id, sr->step->id, &columns);

	/* The table may have been altered, or dropped, since. */
	if (write_plan_needs_sample(sr->plan))
		sr->stage_lost = sr->stage_relation != NULL;
	else
		sr->stage_lost = sr->stage_relation == NULL || strcmp(columns, stage_columns(sr->plan)) != 0;
}

void
step_stage_begin(StepRun *sr, bool goes_on)
{
	const char *job_id = sr->run->record->id;

	if (stage_content(sr->plan) == STAGE_NOTHING)
		return;
	if (goes_on)
	{
		if (sr->stage_relation != NULL)
			stage_use(sr->plan, sr->stage_relation);
		return;
	}

	/* Together: a run after this one must not go on at the one without the other. */
	stage_catalog_drop(job_id, sr->step->id);
	state_catalog_forget_checkpoint(job_id, sr->step->id);
	sr->stage_relation = NULL;
	if (!write_plan_needs_sample(sr->plan))
		step_stage_make(sr);
}

void
step_stage_make(StepRun *sr)
{
	char	   *relation;

	if (stage_content(sr->plan) == STAGE_NOTHING || sr->stage_relation != NULL || write_plan_needs_sample(sr->plan))
		return;
	relation = stage_catalog_create(sr->run->record->id, sr->step->id, sr->run->record->owner, stage_columns(sr->plan));
	sr->stage_relation = MemoryContextStrdup(sr->memory, relation);
	stage_use(sr->plan, relation);
}

void
step_stage_finish(StepRun *sr, WriteCounts *counts)
{
	StageContent content = stage_content(sr->plan);

	if (content == STAGE_NOTHING)
		return;
	sr->run->publishing = true;
	if (content == STAGE_ROWS)
		publish(sr, counts);
	else
		delete_missing(sr, counts);
	stage_catalog_drop(sr->run->record->id, sr->step->id);
}

const char *
step_is_part(const StepRun *sr)
{
	if (sr->unchanged)
		return "the source has nothing that is new (status 304)";
	if (is_bounded(sr))
		return "the source was asked for a part, not for all that it has";
	if (parent_is_part(sr))
		return psprintf("step \"%s\", of whose rows its requests are made, has not read all that there is",
						request_plan_parent(sr->request_plan)->id);
	if (sr->incomplete)
		return "a request failed, or a batch was given up";
	if (sr->shorter)
		return "the list has become shorter while it was read";
	if (sr->pages_changed > 0)
		return "a page has changed since some of its items were read";
	if (sr->left_out > 0)
		return psprintf("pages were left out: %d", sr->left_out);
	if (sr->rejected > 0)
		return psprintf("items were rejected: " INT64_FORMAT, sr->rejected);
	return NULL;
}

void
step_note_part(const StepRun *sr)
{
	MemoryContext old = MemoryContextSwitchTo(sr->run->memory);

	sr->run->partial_steps = lappend(sr->run->partial_steps, sr->step->id);
	MemoryContextSwitchTo(old);
}

/* A listing that is not whole leaves the table as it is; that items were rejected is what the user has asked for. */
static void
publish(StepRun *sr, WriteCounts *counts)
{
	if (sr->unchanged || sr->stage_relation == NULL)
		return;
	if (sr->left_out > 0 || sr->incomplete || sr->shorter || sr->pages_changed > 0 || is_bounded(sr) || parent_is_part(sr))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s cannot be replaced by a part of the listing: %s",
						write_plan_table(sr->plan), step_is_part(sr)),
				 errdetail("The table is as it was.")));
	stage_publish(sr->plan, counts);
}

static void
delete_missing(StepRun *sr, WriteCounts *counts)
{
	const char *reason = step_is_part(sr);

	if (reason != NULL)
		say_nothing_deleted(sr, reason, sr->unchanged || is_bounded(sr));
	else if (sr->taken == 0)
		say_nothing_deleted(sr, "the source gave no items, or all of them were dropped", false);
	else if ((reason = stage_delete_missing(sr->plan, counts)) != NULL)
		say_nothing_deleted(sr, reason, false);
}

/* usual: nobody has to do anything about it. */
static void
say_nothing_deleted(StepRun *sr, const char *reason, bool usual)
{
	char	   *notice = psprintf("step \"%s\": deleted nothing that is missing in the listing: %s", sr->step->id, reason);

	ereport(usual ? NOTICE : WARNING,
			(errmsg_internal("%s", notice)));
	run_note(sr->run, notice);
}

/*
 * Has the source been asked for what is newer, or older, than something?  What
 * is asked for by a value that no run has left and no definition states begins
 * at the beginning of time.
 */
static bool
is_bounded(const StepRun *sr)
{
	const JobIncremental *incremental = sr->step->source.incremental;
	int			used = stage_filter_scopes(sr->plan);
	CursorWindow bounds;

	if (sr->request_plan != NULL)
		used |= request_plan_uses(sr->request_plan);
	if (sr->sql != NULL)
		used |= sql_source_uses(sr->sql);
	if (sr->parents_go_on)
		return true;
	if (incremental == NULL && (used & TEMPLATE_USES_BOUNDS) == 0)
		return false;
	if (incremental != NULL && incremental->sync_token_param != NULL && sr->sync_token_expired)
		return false;			/* it was read anew */
	cursor_bounds(sr->cursor, &bounds);
	return sr->state.has_last_sync_time || sr->state.cursor != NULL || bounds.to != NULL ||
		(incremental != NULL && incremental->initial_value != NULL);
}

static bool
parent_is_part(const StepRun *sr)
{
	const JobStep *parent = sr->request_plan != NULL ? request_plan_parent(sr->request_plan) : NULL;
	ListCell   *lc;

	foreach(lc, sr->run->partial_steps)
	{
		if (parent != NULL && strcmp(lfirst(lc), parent->id) == 0)
			return true;
	}
	return false;
}
