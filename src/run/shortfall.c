/*
 * shortfall.c
 *	  What a run that goes on after errors has left out, and how it ends for that.
 *
 * With strategy "partial_success" a request that fails for good ends its listing, and
 * the other listings, windows, parents and steps go on.  The state of
 * a step of which something was not read does not move: the next run asks for it again
 * (step_write.c).  Items that are rejected, and batches that are given up (flush.c), are
 * counted with it.  At the end the run is partial, or failed if nothing could be written.
 *
 * Who cannot be asked at all (no access token), who asks to be left alone for long, and whose time is over
 * ends the run as ever.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "run/run_error.h"
#include "run/secret_mask.h"
#include "run/shortfall.h"
#include "run/time_limit.h"
#include "template/template.h"
#include "utils/memutils.h"

static bool is_partial(const RunContext *run);
static bool may_be_left_out(const StepRun *sr);
static void leave_out(Listing *listing, ErrorData *error);
static void note(const Listing *listing, const ErrorData *error);
static void withdraw_items(Listing *listing);
static char *with_counts(const char *json, const RunContext *run, const RunCounters *counters);

void
shortfall_try(Listing *listing, void (*work) (Listing *listing))
{
	StepRun    *sr = listing->sr;
	MemoryContext old = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	if (!is_partial(sr->run))
	{
		work(listing);
		return;
	}
	run_error_forget();			/* what is there afterwards is of this work */
	PG_TRY();
	{
		work(listing);
	}
	PG_CATCH();
	{
		if (!may_be_left_out(sr) || !list_member_ptr(sr->listings, listing))
			PG_RE_THROW();
		MemoryContextSwitchTo(sr->run->memory);
		error = CopyErrorData();
		FlushErrorState();
		run_error_trim(error);
		secret_mask_error(error);
		MemoryContextSwitchTo(old);
	}
	PG_END_TRY();
	if (error != NULL)
		leave_out(listing, error);
}

static bool
is_partial(const RunContext *run)
{
	return run->job->error_handling.strategy == STRATEGY_PARTIAL_SUCCESS;
}

/* Was the error that has just been raised one of a page? */
static bool
may_be_left_out(const StepRun *sr)
{
	return run_error_is_of_source() && !sr->asks_for_token && run_error_retry_after() == 0 &&
		!time_limit_is_over(sr->run);
}

/* The listing ends here; the error lives as long as the run. */
static void
leave_out(Listing *listing, ErrorData *error)
{
	StepRun    *sr = listing->sr;
	RunContext *run = sr->run;
	bool		is_first = listing->whole == NULL || !listing->whole->given_up;
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	if (run->shortfall.first == NULL)
	{
		run->shortfall.first = run_error_json(error, sr->step->id);
		run->shortfall.first_error = error;
	}
	MemoryContextSwitchTo(old);
	if (is_first && ++run->shortfall.requests <= MAX_NOTED)
		note(listing, error);
	run_error_forget();
	sr->incomplete = true;
	withdraw_items(listing);
	shortfall_note_window(sr, listing);
	listing_give_up(listing);
}

static void
note(const Listing *listing, const ErrorData *error)
{
	const StepRun *sr = listing->sr;

	run_note(sr->run,
			 psprintf("step \"%s\": a listing ended at page " INT64_FORMAT ", as its request failed: %s",
					  sr->step->id, pager_page_number(listing->pager), error->message));
}

/* Items of the page that nobody may have, as the response that they belong to has not been judged, or is not known. */
static void
withdraw_items(Listing *listing)
{
	StepRun    *sr = listing->sr;
	ItemBatch  *batch = sr->batch;

	if (batch == NULL || batch->nitems == 0)
		return;
	if (response_rules_for_successes(sr->rules))
		items_withdraw(listing);
	if ((sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) != 0 && !listing->context_complete)
	{
		MemoryContext old = MemoryContextSwitchTo(batch->context);

		batch->dropped = bms_add_range(batch->dropped, 0, batch->nitems - 1);	/* such pages are in the batch alone */
		MemoryContextSwitchTo(old);
	}
}

void
shortfall_note_window(StepRun *sr, const Listing *listing)
{
	const char *from = listing->window.from;

	if (listing->parent == NULL && from != NULL &&
		(sr->failed_window == NULL || strcmp(from, sr->failed_window) < 0))
		sr->failed_window = MemoryContextStrdup(sr->memory, from);
}

void
shortfall_note_item(StepRun *sr, const RejectedRecord *record)
{
	RunContext *run = sr->run;
	MemoryContext old;
	ErrorData	error = {0};

	if (sr->first_reason == NULL)
		sr->first_reason = MemoryContextStrdup(sr->memory, record->message);
	if (run->shortfall.first_reason == NULL)
		run->shortfall.first_reason = MemoryContextStrdup(run->memory, record->message);
	if (run->shortfall.first != NULL || !is_partial(run))
		return;
	error.sqlerrcode = record->sqlstate;
	error.message = unconstify(char *, record->message);
	if (sr->given_up == NULL)
		error.message = psprintf("an item was rejected: %s", record->message);
	error.column_name = unconstify(char *, record->column);
	error.constraint_name = unconstify(char *, record->constraint);
	old = MemoryContextSwitchTo(run->memory);
	run->shortfall.first = run_error_json(&error, sr->step->id);
	MemoryContextSwitchTo(old);
}

ErrorData *
shortfall_failure(StepRun *sr)
{
	RunContext *run = sr->run;
	bool		rejected = sr->rejected > 0 || sr->counters.rejected > 0;

	if (!is_partial(run))
		return sr->rejected > 0 && sr->taken == 0 ? shortfall_all_rejected(run, sr->first_reason) : NULL;
	run->shortfall.taken |= sr->taken > 0 && !sr->step->destination.none;
	if (run->shortfall.taken || !step_is_last(sr))
		return NULL;
	if (run->shortfall.first_error != NULL && (rejected || sr->counters.pages == run->shortfall.delivered_pages))
		return run->shortfall.first_error;
	return rejected ? shortfall_all_rejected(run, run->shortfall.first_reason) : NULL;
}

ErrorData *
shortfall_all_rejected(RunContext *run, const char *reason)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	ErrorData  *error = palloc0(sizeof(ErrorData));

	error->elevel = ERROR;
	error->sqlerrcode = ERRCODE_CHECK_VIOLATION;
	error->message = psprintf("every item was rejected");
	if (reason != NULL)
		error->detail = psprintf("The first of them: %s.", reason);
	error->hint = pstrdup("The view databite.rejected_items has the items and the reasons.");
	error->assoc_context = run->memory;
	MemoryContextSwitchTo(old);
	return error;
}

RunStatus
shortfall_status(const RunContext *run, const RunCounters *counters)
{
	const RunShortfall *shortfall = &run->shortfall;
	bool		lost = shortfall->requests > 0 || shortfall->batches > 0 || shortfall->earlier || counters->rejected > 0;

	return lost && is_partial(run) ? RUN_PARTIAL : RUN_COMPLETED;
}

char *
shortfall_json(const RunContext *run, const RunCounters *counters)
{
	char	   *first;

	if (shortfall_status(run, counters) == RUN_COMPLETED)
		return NULL;
	if (run->shortfall.first != NULL)
		return with_counts(run->shortfall.first, run, counters);
	first = run_error_json_simple("partial", "something was left out before the run was taken up again", NULL);
	return with_counts(first, run, counters);
}

char *
shortfall_failure_json(const RunContext *run, const RunCounters *counters, const ErrorData *error, const char *step)
{
	if (error == run->shortfall.first_error && error != NULL)
		return with_counts(run->shortfall.first, run, counters);
	return run_error_json(error, step);
}

/* The JSON object, with how many things went wrong. */
static char *
with_counts(const char *json, const RunContext *run, const RunCounters *counters)
{
	StringInfoData text;

	initStringInfo(&text);
	appendBinaryStringInfo(&text, json, strlen(json) - 1);
	appendStringInfo(&text, ", \"requests_failed\": " INT64_FORMAT, run->shortfall.requests);
	appendStringInfo(&text, ", \"batches_failed\": " INT64_FORMAT, run->shortfall.batches);
	appendStringInfo(&text, ", \"items_rejected\": " INT64_FORMAT "}", counters->rejected);
	return text.data;
}
