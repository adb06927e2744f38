/*
 * deliveries.c
 *	  What the endpoint of a job has taken, as items: {"type": "webhook_data"}.
 *
 * Each delivery is a listing of its own, which lives while it is read.  A batch may have many of them, or a part of one; what
 * it has completely is deleted in its transaction, and of the rest the checkpoint knows how many items are in the table.
 * So a delivery is written once, whenever the run ends, and what has come after its last look is the next run's.
 *
 * One that cannot be read (it has no list where dataPath says that it is, or an item that is too large) would fail every run,
 * and with it all behind it: where bad items are rejected, it is set aside until the job is scheduled anew, and the list of
 * rejected items tells of it.
 */
#include "postgres.h"

#include "catalog/delivery_catalog.h"
#include "catalog/rejected_catalog.h"
#include "destination/batch.h"
#include "item/json_seek.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "run/shortfall.h"
#include "run/step_data.h"
#include "template/template.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Deliveries that are in memory at a time, and their bytes; one of them may be larger. */
#define MAX_AT_ONCE			500
#define MAX_BYTES_AT_ONCE	(4 * 1024 * 1024)

/* Deliveries that are settled by one transaction, where they have no items. */
#define MAX_SETTLED			10000

typedef struct UnreadDelivery
{
	int64		id;
	RejectedRecord record;
} UnreadDelivery;

/* What a delivery has for the reader: JSON, as that wants it in UTF-8. */
typedef struct Content
{
	const char *items;
	size_t		len;
	bool		is_list;
} Content;

/* What is taken up by one look. */
typedef struct Look
{
	StepRun    *sr;
	MemoryContext memory;
	int64		after;
	List	   *deliveries;
} Look;

static void look(RunContext *run, void *arg);
static void read_delivery(StepRun *sr, const Delivery *delivery);
static void find_content(StepRun *sr, const Delivery *delivery, Content *content);
static void put_aside(Listing *listing);
static Listing *listing_of(StepRun *sr, const Delivery *delivery);
static void note_delivered(StepRun *sr, int64 id);
static char *webhook_json(const Delivery *delivery);

void
deliveries_read_some(StepRun *sr)
{
	Listing    *open = sr->listings != NIL ? linitial(sr->listings) : NULL;
	Look		next = {.sr = sr, .after = sr->last_delivery};
	ListCell   *lc;

	if (open != NULL && sr->last_delivery == 0)
		next.after = open->delivery - 1;	/* of a checkpoint */
	next.memory = AllocSetContextCreate(sr->memory, "databite deliveries", ALLOCSET_DEFAULT_SIZES);
	run_in_transaction(sr->run, look, &next);
	sr->exhausted = next.deliveries == NIL;
	foreach(lc, next.deliveries)
	{
		const Delivery *delivery = lfirst(lc);

		sr->last_delivery = delivery->id;
		read_delivery(sr, delivery);
	}
	MemoryContextDelete(next.memory);
}

List *
deliveries_waiting(StepRun *sr)
{
	Look		next = {.sr = sr, .memory = CurrentMemoryContext};
	List	   *waiting = NIL;
	ListCell   *lc;

	look(sr->run, &next);
	foreach(lc, next.deliveries)
	{
		const Delivery *delivery = lfirst(lc);
		WaitingDelivery *one = palloc(sizeof(WaitingDelivery));
		Content		content;

		find_content(sr, delivery, &content);
		one->items = psprintf(content.is_list ? "%.*s" : "[%.*s]", (int) content.len, content.items);
		one->webhook = webhook_json(delivery);
		waiting = lappend(waiting, one);
	}
	return waiting;
}

static void
look(RunContext *run, void *arg)
{
	Look	   *next = arg;
	MemoryContext old = MemoryContextSwitchTo(next->memory);

	next->deliveries = delivery_catalog_next(run->record->id, next->after, MAX_AT_ONCE, MAX_BYTES_AT_ONCE);
	MemoryContextSwitchTo(old);
}

/* A delivery is one item, or a list of them. */
static void
read_delivery(StepRun *sr, const Delivery *delivery)
{
	Listing    *listing = listing_of(sr, delivery);
	MemoryContext old = MemoryContextSwitchTo(listing->memory);
	Content		content;
	bool		right;

	find_content(sr, delivery, &content);
	if ((sr->scopes_used & TEMPLATE_SCOPE_WEBHOOK) != 0)
		listing->webhook = webhook_json(delivery);
	MemoryContextSwitchTo(old);
	items_begin(listing, NULL);
	if (!content.is_list)
		items_push(listing, "[", 1);
	items_push(listing, content.items, content.len);
	if (!content.is_list)
		items_push(listing, "]", 1);
	right = items_finish(listing);
	if (right || !write_plan_rejects(sr->plan))
	{
		items_check(listing, right);
		note_delivered(sr, delivery->id);
	}
	else
		put_aside(listing);
	sr->pages_done++;
	listing_close(listing);
	if (items_flush_is_due(sr) || sr->ndelivered + list_length(sr->unread) >= MAX_SETTLED)
		step_flush(sr);
}

/* The part of the payload that source.payload names; null where it has none.  A list is what dataPath finds, or an array. */
static void
find_content(StepRun *sr, const Delivery *delivery, Content *content)
{
	const JobSource *source = &sr->step->source;
	size_t		len = strlen(delivery->payload);
	uint64		objects[DELIVERY_MAX_DEPTH / 64 + 1];
	JsonNesting nesting = {.max_depth = DELIVERY_MAX_DEPTH, .objects = objects};

	content->items = pg_server_to_any(delivery->payload, len, PG_UTF8);
	if (content->items != delivery->payload)
		len = strlen(content->items);
	content->len = len;
	if (source->payload_path != NULL)
	{
		const JsonPath *path = batch_utf8_path(source->payload_path);
		const char *end = NULL;

		content->items = json_seek(content->items, content->items + len, path->steps, path->nsteps, &nesting, &end);
		content->len = content->items != NULL ? end - content->items : strlen("null");
		if (content->items == NULL)
			content->items = "null";
	}
	content->is_list = source->data_path != NULL || content->items[strspn(content->items, " \t\r\n")] == '[';
}

/* What of it is in the batch leaves it again. */
static void
put_aside(Listing *listing)
{
	StepRun    *sr = listing->sr;
	MemoryContext old = MemoryContextSwitchTo(sr->memory);
	UnreadDelivery *unread = palloc0(sizeof(UnreadDelivery));
	const char *hint;

	unread->id = listing->delivery;
	unread->record.sqlstate = item_reader_sqlstate(listing->reader);
	unread->record.message = psprintf("delivery " INT64_FORMAT " cannot be read: %s", listing->delivery,
									  item_reader_error(listing->reader, &hint));
	sr->unread = lappend(sr->unread, unread);
	MemoryContextSwitchTo(old);
	items_withdraw(listing);
}

void
deliveries_settle(StepRun *sr, WriteCounts *counts)
{
	const JobRecord *job = sr->run->record;
	int			n = list_length(sr->unread);
	int64	   *ids = palloc(sizeof(int64) * Max(n, 1));
	RejectedRecord *records = palloc(sizeof(RejectedRecord) * Max(n, 1));
	ListCell   *lc;

	if (sr->ndelivered > 0)
		delivery_catalog_remove(job->id, sr->delivered, sr->ndelivered);
	if (n == 0)
		return;
	foreach(lc, sr->unread)
	{
		const UnreadDelivery *unread = lfirst(lc);

		ids[foreach_current_index(lc)] = unread->id;
		records[foreach_current_index(lc)] = unread->record;
	}
	delivery_catalog_set_aside(job->id, ids, n);
	shortfall_note_item(sr, &records[0]);
	if (sr->run->run_id != 0)
		rejected_catalog_add(job->id, job->owner, sr->run->run_id, sr->step->id, n, records);
	counts->processed += n;
	counts->rejected += n;
}

void
deliveries_forget_settled(StepRun *sr)
{
	sr->ndelivered = 0;
	list_free_deep(sr->unread);
	sr->unread = NIL;
}

/* Each by its id: one with a lower id may be committed later. */
static void
note_delivered(StepRun *sr, int64 id)
{
	if (sr->ndelivered == sr->delivered_room)
	{
		sr->delivered_room = Max(2 * sr->delivered_room, 256);
		sr->delivered = sr->delivered == NULL
			? MemoryContextAlloc(sr->memory, sizeof(int64) * sr->delivered_room)
			: repalloc(sr->delivered, sizeof(int64) * sr->delivered_room);
	}
	sr->delivered[sr->ndelivered++] = id;
}

/* That of a checkpoint, where a run has ended in the middle of the delivery. */
static Listing *
listing_of(StepRun *sr, const Delivery *delivery)
{
	Listing    *listing = sr->listings != NIL ? linitial(sr->listings) : NULL;
	MemoryContext old;

	if (listing != NULL && listing->delivery == delivery->id)
		return listing;
	if (listing != NULL)
		listing_close(listing); /* its delivery is gone */
	listing = listing_create(sr);
	listing->delivery = delivery->id;
	old = MemoryContextSwitchTo(sr->memory);
	sr->listings = lappend(sr->listings, listing);
	MemoryContextSwitchTo(old);
	return listing;
}

/* {"id", "received_at", "headers", "payload"} */
static char *
webhook_json(const Delivery *delivery)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfo(&json, "{\"id\": " INT64_FORMAT ", \"received_at\": ", delivery->id);
	escape_json(&json, run_time_text(delivery->received_at));
	appendStringInfo(&json, ", \"headers\": %s, \"payload\": %s}", delivery->headers, delivery->payload);
	return json.data;
}
