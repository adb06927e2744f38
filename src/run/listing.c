/*
 * listing.c
 *	  One listing: its pages, and what responses lead to.
 *
 * A listing goes from page to page: a request is sent, its body read, and what it
 * said of the next page is asked of the pager.  When pages can be told
 * beforehand it becomes a split one, whose parts are read instead (supply.c).
 * It ends with its last page, and with it the Listing.
 *
 * What a response means is decided in this order: a success is read, then judged
 * by errorWhen (also where it could not be read, which is an error if no rule
 * speaks); what is no success is judged by what the step knows of itself
 * (an access token that has expired, a sync token that the source has
 * forgotten), by onStatus, and else by its status (source/retry.c).
 */
#include "postgres.h"

#include "run/run_error.h"
#include "run/step_data.h"
#include "run/time_limit.h"
#include "source/envelope.h"
#include "template/template.h"
#include "utils/memutils.h"

#define HTTP_NOT_MODIFIED	304
#define HTTP_UNAUTHORIZED	401

static void begin_body(Listing *listing);
static void page_ended(Listing *listing);
static bool judge_success(Listing *listing, bool readable);
static ResponseRules *rules_of(const Listing *listing);
static void judge_error(Listing *listing);
static void act(Listing *listing, ResponseAction action, const char *message);
static void begin_smaller_page(Listing *listing);
static void ask_again(Listing *listing);
static void skip_delivered(Listing *listing);
static void replace_token(Listing *listing, const char *message);
static void begin_anew(Listing *listing);
static void close_parts(Listing *whole);
static Listing *whole_of(Listing *listing);
static void leave_out(Listing *listing, bool noted);
static void not_modified(Listing *listing);
static void advance(Listing *listing);
static const char *key_into_list(const Listing *listing);
static void close_page(Listing *listing);
static void forget_body(Listing *listing);
static void go_on(Listing *listing);
static bool may_be_split(const Listing *listing);
static void listing_ended(Listing *listing);
static bool next_window(Listing *listing);
static void part_ended(Listing *part);
static void failed(Listing *listing);
static bool was_refused(const Listing *listing);
static bool is_behind_end(const Listing *part);
static bool has_earlier_part(const Listing *part);
pg_noreturn static void raise_page_error(const Listing *listing, int sqlstate, const char *message, const char *hint);

void
listing_begin_page(Listing *listing)
{
	StepRun    *sr = listing->sr;
	MemoryContext old;

	sr->run->page = pager_page_number(listing->pager);
	listing->token_replaced = false;
	listing->reading = false;
	listing_prepare_request(listing);
	old = MemoryContextSwitchTo(listing->page_memory);
	listing->fetch = fetch_start(sr->run->client, listing_request(listing), &sr->policy);
	MemoryContextSwitchTo(old);
	MemoryContextReset(listing->page_memory);
}

void
listing_read(Listing *listing)
{
	const char *data;
	size_t		len;

	listing->sr->run->page = pager_page_number(listing->pager);
	switch (fetch_read(listing->fetch, &data, &len))
	{
		case FETCH_DATA:
			begin_body(listing);
			items_push(listing, data, len);
			if (items_are_given_up(listing) && fetch_stop(listing->fetch))
				page_ended(listing);
			break;
		case FETCH_RESTARTED:
			/* Items that were taken stay; the new body gives them again. */
			skip_delivered(listing);
			forget_body(listing);
			break;
		case FETCH_END:
			page_ended(listing);
			break;
		case FETCH_JUDGE:
			judge_error(listing);
			break;
		case FETCH_FAILED:
			failed(listing);
			break;
	}
}

void
listing_close(Listing *listing)
{
	StepRun    *sr = listing->sr;

	close_page(listing);
	if (listing->reader != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(sr->memory);

		sr->idle_readers = lappend(sr->idle_readers, listing->reader);
		MemoryContextSwitchTo(old);
	}
	sr->listings = list_delete_ptr(sr->listings, listing);
	if (sr->holder == listing)
		sr->holder = NULL;
	MemoryContextDelete(listing->memory);
}

void
listing_give_up(Listing *listing)
{
	if (listing->open_parts > 0)
	{
		listing->given_up = true;
		return;
	}
	if (listing->whole != NULL)
	{
		listing->whole->given_up = true;
		listing->whole->open_parts--;
	}
	listing_close(listing);
}

bool
listing_parts_ended(Listing *listing)
{
	StepRun    *sr = listing->sr;

	listing->split = listing->ended = false;
	if (listing->given_up)
		listing_close(listing);
	else
		listing_ended(listing);
	return list_member_ptr(sr->listings, listing);
}

/* The first bytes of a body, or its end where it has none. */
static void
begin_body(Listing *listing)
{
	if (listing->reading)
		return;
	changing_look_at_clock(listing);
	items_begin(listing, http_header(fetch_response(listing->fetch), "Content-Type"));
}

/* The whole body has come. */
static void
page_ended(Listing *listing)
{
	bool		readable;

	if (fetch_response(listing->fetch)->status == HTTP_NOT_MODIFIED)
	{
		not_modified(listing);
		return;
	}
	begin_body(listing);
	readable = items_finish(listing);
	if (judge_success(listing, readable))
	{
		items_check(listing, readable);
		if (listing->skip > 0 && changing_wants_page_again(listing))
		{
			ask_again(listing);
			return;
		}
		listing_keep_page_state(listing);
		advance(listing);
	}
}

/* By errorWhen.  False where the page is no page: what comes then is under way. */
static bool
judge_success(Listing *listing, bool readable)
{
	ResponseVerdict verdict;

	listing_judge_success(listing, readable, &verdict);
	if (verdict.action == ACTION_DEFAULT)
		return true;
	items_withdraw(listing);
	act(listing, verdict.action, verdict.message);
	return false;
}

void
listing_judge_success(const Listing *listing, bool readable, ResponseVerdict *verdict)
{
	const StepRun *sr = listing->sr;
	const char *body;
	size_t		len;

	verdict->action = ACTION_DEFAULT;
	verdict->message = NULL;
	if (!response_rules_for_successes(sr->rules))
		return;
	body = items_body(listing, readable, &len);
	response_rules_judge(rules_of(listing), sr->run, fetch_response(listing->fetch), body, len, verdict);
}

void
listing_judge_error(const Listing *listing, ResponseVerdict *verdict)
{
	const StepRun *sr = listing->sr;
	const char *body;
	size_t		len;

	verdict->action = ACTION_DEFAULT;
	verdict->message = NULL;
	if (!response_rules_for_errors(sr->rules))
		return;
	body = fetch_error_body(listing->fetch, &len);
	response_rules_judge(rules_of(listing), sr->run, fetch_response(listing->fetch), body, len, verdict);
}

/* They see the cursor of the listing's parent. */
static ResponseRules *
rules_of(const Listing *listing)
{
	ResponseRules *rules = listing->sr->rules;

	if (rules != NULL)
		response_rules_set_run(rules, listing->scopes);
	return rules;
}

/* A response that is no success. */
static void
judge_error(Listing *listing)
{
	StepRun    *sr = listing->sr;
	const HttpResponse *response = fetch_response(listing->fetch);
	const JobIncremental *incremental = sr->step->source.incremental;
	ResponseVerdict verdict;

	if (listing_sends_sync_token(listing) && response->status == incremental->sync_token_expired)
	{
		if (!write_plan_is_upsert(sr->plan))
			raise_page_error(listing, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
							 "the source has forgotten the sync token, and what it would give anew cannot be written twice",
							 "Write it with a key (mode \"upsert\"), or empty the table and call databite.reset_job.");
		run_note(sr->run, "the source has forgotten the sync token: everything is read anew");
		listing->sent_token = NULL;
		sr->sync_token_expired = listing->parent == NULL;
		begin_anew(listing);	/* no try: it is another request */
		return;
	}
	listing_judge_error(listing, &verdict);
	if (verdict.action == ACTION_DEFAULT && response->status == HTTP_UNAUTHORIZED && !listing->token_replaced)
		verdict.action = ACTION_REFRESH_TOKEN;
	act(listing, verdict.action, verdict.message);
}

/* Does what a rule says.  The listing may be gone when this returns. */
static void
act(Listing *listing, ResponseAction action, const char *message)
{
	switch (action)
	{
		case ACTION_DEFAULT:
			fetch_judge(listing->fetch, VERDICT_DEFAULT, NULL, message);
			break;
		case ACTION_FAIL:
			fetch_judge(listing->fetch, VERDICT_FAIL, NULL, message);
			break;
		case ACTION_RETRY:
			fetch_judge(listing->fetch, VERDICT_RETRY, NULL, message);
			break;
		case ACTION_EMPTY:
			leave_out(listing, false);
			break;
		case ACTION_SKIP:
			leave_out(listing, true);
			break;
		case ACTION_REFRESH_TOKEN:
			replace_token(listing, message);
			break;
		case ACTION_RESTART:
			if (++whole_of(listing)->restarts < listing->sr->step->source.retry.attempts)
				begin_anew(listing);
			else
				fetch_judge(listing->fetch, VERDICT_FAIL, NULL, message);
			break;
		case ACTION_HALVE_PAGE:
			if (pager_halve(listing->pager))
			{
				if (listing->whole != NULL)
					pager_follow(listing->whole->pager, listing->pager);
				begin_smaller_page(listing);
			}
			else
				fetch_judge(listing->fetch, VERDICT_FAIL, NULL, message);
			break;
	}
}

/* What of the page was taken before is not taken again; the smaller one is asked for as that of those items, too. */
static void
begin_smaller_page(Listing *listing)
{
	skip_delivered(listing);
	listing->smaller = listing->skip > 0;
	listing->rendered = NOT_RENDERED;
	ask_again(listing);
}

/* The items of the page are not taken a second time when it is read again. */
static void
skip_delivered(Listing *listing)
{
	uint64		print = items_print(listing);

	listing->skip = items_delivered(listing);
	listing->skip_print = print;
}

/* Another request for the page. */
static void
ask_again(Listing *listing)
{
	ItemContext *context = listing->context;

	close_page(listing);
	listing->context = context;
	listing_begin_page(listing);
}

/* The same request with a new access token, once. */
static void
replace_token(Listing *listing, const char *message)
{
	bool		is_success = fetch_response(listing->fetch)->status < 300;

	if (!listing_replace_token(listing))
		fetch_judge(listing->fetch, is_success ? VERDICT_FAIL : VERDICT_DEFAULT, NULL, message);
}

bool
listing_replace_token(Listing *listing)
{
	if (listing->token_replaced || !auth_session_expired(listing->sr->auth, listing->token))
		return false;
	listing->token_replaced = true;
	listing_prepare_request(listing);
	fetch_judge(listing->fetch, VERDICT_REPLACE, listing_request(listing), NULL);
	return true;
}

/* The listing from its first page; what is asked of a part is asked of the whole. */
static void
begin_anew(Listing *listing)
{
	Listing    *whole = whole_of(listing);

	if (!write_plan_is_upsert(listing->sr->plan) &&
		(whole != listing || items_delivered(listing) > 0 || pager_page_number(listing->pager) > 1))
		raise_page_error(listing, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						 "the listing would have to begin anew, but its items cannot be written twice",
						 "Write them with a key (mode \"upsert\").");
	close_parts(whole);
	close_page(whole);
	origins_forget_done(whole->sr);
	changing_forget_keys(whole);
	whole->skip = 0;
	whole->rendered = NOT_RENDERED;
	pager_restart(whole->pager);
	listing_begin_page(whole);
}

/* It is no split one any more. */
static void
close_parts(Listing *whole)
{
	List	   *open = list_copy(whole->sr->listings);
	ListCell   *lc;

	foreach(lc, open)
	{
		Listing    *part = lfirst(lc);

		if (part->whole == whole)
			listing_close(part);
	}
	list_free(open);
	whole->open_parts = 0;
	whole->split = false;
	whole->ended = false;
}

static Listing *
whole_of(Listing *listing)
{
	return listing->whole != NULL ? listing->whole : listing;
}

/* The page has no items, and the listing ends with it. */
static void
leave_out(Listing *listing, bool noted)
{
	StepRun    *sr = listing->sr;

	whole_of(listing)->skipped |= noted;
	if (noted && ++sr->left_out <= MAX_NOTED)
	{
		const HttpResponse *response = fetch_response(listing->fetch);

		run_note(sr->run,
				 psprintf("step \"%s\": page " INT64_FORMAT " was left out: the source answered with status %d (%s)",
						  sr->step->id, pager_page_number(listing->pager), response->status, url_masked(response->url)));
	}
	sr->pages_done++;
	if (listing->whole != NULL)
		pager_leave_out(listing->pager, items_delivered(listing));
	listing_ended(listing);
}

/* RFC 9110 section 15.4.5: the source has nothing that is new. */
static void
not_modified(Listing *listing)
{
	StepRun    *sr = listing->sr;

	sr->unchanged = listing->conditional;
	sr->pages_done++;
	listing_ended(listing);
}

/* The page is complete and right: to the next one, if there is one. */
static void
advance(Listing *listing)
{
	StepRun    *sr = listing->sr;
	MemoryContext old = MemoryContextSwitchTo(listing->page_memory);
	PageResult	result = {
		.response = fetch_response(listing->fetch),
		.nitems = item_reader_count(listing->reader),
		.fingerprint = item_reader_fingerprint(listing->reader),
		.last_value = item_reader_count(listing->reader) > 0 ? listing->last_value : NULL,
		.last_is_number = listing->last_is_number,
	};
	PagePosition position;
	const char *hint;
	const char *key = key_into_list(listing);
	const char *problem = changing_key_problem(listing, &hint);
	int64		total = pager_total_items(listing->pager);
	PagerStatus status;

	if (key != NULL)
		raise_page_error(listing, ERRCODE_INVALID_PARAMETER_VALUE,
						 psprintf("\"%s\" leads into the list of items", key),
						 "what tells of the next page must stand outside of the list");
	if (problem != NULL)
		raise_page_error(listing, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, problem, hint);
	result.envelope = item_reader_envelope(listing->reader, &result.envelope_len);
	result.stop = response_rules_stop(rules_of(listing), sr->run, result.response, result.envelope, result.envelope_len);
	status = pager_advance(listing->pager, &result);
	if (status == PAGER_FAILED)
	{
		const char *message = pager_error(listing->pager, &hint);

		raise_page_error(listing, ERRCODE_EXTERNAL_ROUTINE_EXCEPTION, message, hint);
	}
	MemoryContextSwitchTo(old);
	changing_look_at_total(listing, total);

	/*
	 * What broke in the middle may have given more items than this page has,
	 * where a smaller one was asked for since.  What begins behind the last item
	 * that was taken has none of them.
	 */
	pager_position(listing->pager, &position);
	if (sr->watched_path >= 0 && (sr->step->source.pagination.type == PAGINATION_KEYSET || position.offset == 0))
		listing->skip = 0;
	else
		listing->skip = Max(listing->skip - result.nitems, 0);
	listing->skip_print = 0;
	listing->smaller &= listing->skip > 0;
	listing->retaken = 0;
	sr->pages_done++;
	close_page(listing);
	if (status == PAGER_NEXT)
		go_on(listing);
	else
		listing_ended(listing);
}

/* The key of the pagination that looks for the next page where the items are, or NULL. */
static const char *
key_into_list(const Listing *listing)
{
	const char *list = item_reader_list_path(listing->reader);
	JsonPath   *path;
	char	   *error;

	if (list == NULL)			/* null stood in its place */
		return NULL;
	path = json_path_parse(list, &error);
	return path ? envelope_path_into_list(&listing->sr->step->source.pagination, path) : NULL;
}

static void
close_page(Listing *listing)
{
	if (listing->fetch != NULL)
		fetch_close(listing->fetch);
	listing->fetch = NULL;
	forget_body(listing);
	bms_free(listing->fresh);
	listing->fresh = NULL;
	listing->context = NULL;	/* kept by its items; another try of the page goes on with it */
	MemoryContextReset(listing->page_memory);
}

/* Nothing more of the body comes. */
static void
forget_body(Listing *listing)
{
	listing->reading = false;
	if (listing->reader != NULL)
		item_reader_forget(listing->reader);
}

/* To the page that the pager stands at, or to all that are known by now; supply.c begins it where other steps come first. */
static void
go_on(Listing *listing)
{
	StepRun    *sr = listing->sr;

	if (may_be_split(listing) && listing->skip == 0 && pager_can_fork(listing->pager, sr->step->source.parallel))
		listing->split = true;	/* supply.c opens its parts */
	else if (!supply_gives_way(sr))
		listing_begin_page(listing);
}

/* A sync token comes with the last page, and which one that is nobody knows while parts of it are read. */
static bool
may_be_split(const Listing *listing)
{
	const StepRun *sr = listing->sr;
	const JobIncremental *incremental = sr->step->source.incremental;

	return listing->whole == NULL && sr->concurrency > 1 &&
		(incremental == NULL || incremental->sync_token_path == NULL);
}

static void
listing_ended(Listing *listing)
{
	if (listing->whole != NULL)
		part_ended(listing);
	else if (!next_window(listing))
	{
		StepRun    *sr = listing->sr;

		if (listing->parent != NULL)
			parent_state_ended(listing);
		else if (listing->new_token != NULL)
			sr->sync_token = MemoryContextStrdup(sr->memory, listing->new_token);
		listing_close(listing);
	}
}

/* The windows of a parent's listing come one after another. */
static bool
next_window(Listing *listing)
{
	StepRun    *sr = listing->sr;
	CursorWindow next;

	if (listing->parent == NULL || listing->window.to == NULL || !cursor_window(listing->cursor, listing->window.to, &next))
		return false;
	close_page(listing);
	listing_set_window(listing, &next);
	listing->skip = 0;
	changing_forget_keys(listing);
	listing->pager = NULL;		/* its position is that of another window */
	MemoryContextReset(listing->pager_memory);
	listing_render(listing);
	listing->pager = pager_create(&sr->step->source.pagination, listing->base, NULL, listing->pager_memory);
	if (!supply_gives_way(sr))
		listing_begin_page(listing);
	return true;
}

/* The listing that it was a part of hears of what it has learned. */
static void
part_ended(Listing *part)
{
	Listing    *whole = part->whole;

	pager_join(whole->pager, part->pager);
	whole->open_parts--;
	whole->ended = false;		/* there may be more, or less, than was known */
	listing_close(part);
}

/*
 * The request has failed.  Where parts are asked for ahead, one that is refused
 * may be behind the end of the listing, and sources have many ways to say that;
 * it is known when those before it have come.
 */
static void
failed(Listing *listing)
{
	if (listing->whole != NULL && listing->sr->step->source.parallel && was_refused(listing))
	{
		if (is_behind_end(listing))
		{
			part_ended(listing);
			return;
		}
		if (has_earlier_part(listing))
		{
			listing->held = true;
			return;
		}
	}

	/* Not for the request: the step ends where it waits for the next one. */
	if (time_limit_is_over(listing->sr->run))
		return;

	/* The windows that are complete are not asked for again; where items need the response, all have been written. */
	if (listing->sr->windowed && (listing->sr->scopes_used & TEMPLATE_SCOPE_RESPONSE) == 0)
		step_flush(listing->sr);
	run_raise_source_error(fetch_error(listing->fetch));
}

/* By the source, and not by the network, nor in the middle of a page that is there. */
static bool
was_refused(const Listing *listing)
{
	return fetch_response(listing->fetch)->status >= 400 && items_delivered(listing) == 0;
}

/* Nothing is left to be had of the whole listing, where this part was asked for ahead. */
static bool
is_behind_end(const Listing *part)
{
	return pager_is_behind_end(part->whole->pager, part->pager);
}

static bool
has_earlier_part(const Listing *part)
{
	ListCell   *lc;

	foreach(lc, part->sr->listings)
	{
		const Listing *other = lfirst(lc);

		if (other->whole == part->whole && other != part &&
			pager_page_number(other->pager) < pager_page_number(part->pager))
			return true;
	}
	return false;
}

static void
raise_page_error(const Listing *listing, int sqlstate, const char *message, const char *hint)
{
	run_raise_content_error(sqlstate, message, hint, listing->sr->step->source.method, fetch_response(listing->fetch));
}
