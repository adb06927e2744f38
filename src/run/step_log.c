/*
 * step_log.c
 *	  What a step says in the log of its run: its beginning and end, its batches, and what they were short of.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "run/run_log.h"
#include "run/step_data.h"

static bool is_only(const StepRun *sr);
static void add_batch(StepRun *sr, const RunCounters *counters);
static void add_rejected(StepRun *sr, int64 rejected);
static RunCounters difference(const RunCounters *now, const RunCounters *before);
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
step_log_batch(StepRun *sr, const RunCounters *before)
{
	RunContext *run = sr->run;
	RunCounters counters = difference(&sr->counters, before);
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
		add_batch(sr, &counters);
	if (run_log_wants(run, LEVEL_WARNING) && counters.rejected > 0)
		add_rejected(sr, counters.rejected);
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
add_batch(StepRun *sr, const RunCounters *counters)
{
	run_log_add(sr->run, LEVEL_DEBUG, sr->step->id,
				psprintf("a batch of " INT64_FORMAT " items was written", counters->processed), counters_json(counters));
}

/* Which they were, and why, is in databite.rejected_items: reasons have values of items in them. */
static void
add_rejected(StepRun *sr, int64 rejected)
{
	run_log_add(sr->run, LEVEL_WARNING, sr->step->id,
				psprintf(INT64_FORMAT " %s rejected", rejected, rejected == 1 ? "item was" : "items were"),
				psprintf("{\"records_rejected\": " INT64_FORMAT "}", rejected));
}

static RunCounters
difference(const RunCounters *now, const RunCounters *before)
{
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
