/*
 * step_log.c
 *	  What a step says in the log of its run: its beginning and end, its batches, and what they were short of.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "run/run_log.h"
#include "run/step_data.h"

static bool is_only(const StepRun *sr);
static void add_batch(StepRun *sr);
static void add_rejected(StepRun *sr);
static RunCounters committed(const StepRun *sr);
static char *counters_json(const RunCounters *counters);

void
step_log_begin(StepRun *sr)
{
	if (!is_only(sr) && run_log_wants(sr->run, LEVEL_INFO))
		run_log_add(sr->run, LEVEL_INFO, sr->step->id,
					psprintf("step \"%s\" %s", sr->step->id, sr->done ? "was complete already" : "began"), NULL);
}

void
step_log_end(StepRun *sr)
{
	if (!is_only(sr) && !sr->done && run_log_wants(sr->run, LEVEL_INFO))
		run_log_add(sr->run, LEVEL_INFO, sr->step->id, psprintf("step \"%s\" ended", sr->step->id), counters_json(&sr->written));
}

void
step_log_batch(StepRun *sr)
{
	RunContext *run = sr->run;
	RunCounters counters = committed(sr);
	ListCell   *lc;

	sr->written.processed += counters.processed;
	sr->written.inserted += counters.inserted;
	sr->written.updated += counters.updated;
	sr->written.unchanged += counters.unchanged;
	sr->written.deleted += counters.deleted;
	sr->written.rejected += counters.rejected;
	sr->written.skipped += counters.skipped;
	sr->written.pages += counters.pages;
	if (run_log_wants(run, LEVEL_DEBUG) && (counters.processed > 0 || counters.deleted > 0))
		add_batch(sr);
	if (run_log_wants(run, LEVEL_WARNING) && counters.rejected > 0)
		add_rejected(sr);
	foreach(lc, run->noted)
		run_log_add(run, LEVEL_WARNING, sr->step->id, lfirst(lc), NULL);
	run->noted = NIL;
}

static bool
is_only(const StepRun *sr)
{
	return list_length(sr->run->job->steps) == 1;
}

static void
add_batch(StepRun *sr)
{
	RunCounters counters = committed(sr);

	run_log_add(sr->run, LEVEL_DEBUG, sr->step->id,
				psprintf("a batch of " INT64_FORMAT " items was written", counters.processed), counters_json(&counters));
}

/* Which they were, and why, is in databite.rejected_items: reasons have values of items in them. */
static void
add_rejected(StepRun *sr)
{
	int64		rejected = committed(sr).rejected;

	run_log_add(sr->run, LEVEL_WARNING, sr->step->id,
				psprintf(INT64_FORMAT " %s rejected", rejected, rejected == 1 ? "item was" : "items were"),
				psprintf("{\"records_rejected\": " INT64_FORMAT "}", rejected));
}

/* What the run does not have in its counters yet. */
static RunCounters
committed(const StepRun *sr)
{
	const RunCounters *now = &sr->counters;
	const RunCounters *before = &sr->run->counters;

	return (RunCounters){
		.processed = now->processed - before->processed,
		.inserted = now->inserted - before->inserted,
		.updated = now->updated - before->updated,
		.unchanged = now->unchanged - before->unchanged,
		.deleted = now->deleted - before->deleted,
		.rejected = now->rejected - before->rejected,
		.skipped = now->skipped - before->skipped,
		.pages = now->pages - before->pages,
	};
}

static char *
counters_json(const RunCounters *counters)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	run_counters_append(&json, counters);
	appendStringInfoChar(&json, '}');
	return json.data;
}
