/*
 * deliveries.c
 *	  What the endpoint of a job has taken, as items: {"type": "webhook_data"}.
 *
 * Each delivery is a listing of its own, which lives while it is read.  A batch may have many of them, or a part of one; what
 * it has completely is deleted in its transaction, and of the rest the checkpoint knows how many items are in the table.
 * So a delivery is written once, whenever the run ends, and what has come after its last look is the next run's.
 */
#include "postgres.h"

#include "catalog/delivery_catalog.h"
#include "lib/stringinfo.h"
#include "run/step_data.h"
#include "template/template.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Deliveries that are in memory at a time, and their bytes; one of them may be larger. */
#define MAX_AT_ONCE			500
#define MAX_BYTES_AT_ONCE	(4 * 1024 * 1024)

/* What is taken up by one look. */
typedef struct Look
{
	StepRun    *sr;
	MemoryContext memory;
	int64		after;
	List	   *deliveries;
} Look;

static void look(RunContext *run, void *arg);
static List *path_texts(const JsonPath *path);
static void read_delivery(StepRun *sr, const Delivery *delivery);
static Listing *listing_of(StepRun *sr, const Delivery *delivery);
static void note_delivered(StepRun *sr, int64 id);
static char *webhook_json(const Delivery *delivery);
static bool is_list(const StepRun *sr, const char *items);

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
		const char *items = delivery->items != NULL ? delivery->items : "null";
		WaitingDelivery *one = palloc(sizeof(WaitingDelivery));

		one->items = is_list(sr, items) ? pstrdup(items) : psprintf("[%s]", items);
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

	next->deliveries = delivery_catalog_next(run->record->id, next->after, path_texts(next->sr->step->source.payload_path),
											 MAX_AT_ONCE, MAX_BYTES_AT_ONCE);
	MemoryContextSwitchTo(old);
}

static List *
path_texts(const JsonPath *path)
{
	List	   *texts = NIL;

	for (int i = 0; path != NULL && i < path->nsteps; i++)
	{
		const JsonPathStep *step = &path->steps[i];

		texts = lappend(texts, step->kind == PATH_KEY ? step->key : psprintf("%d", step->index));
	}
	return texts;
}

/* A delivery is one item, or a list of them. */
static void
read_delivery(StepRun *sr, const Delivery *delivery)
{
	Listing    *listing = listing_of(sr, delivery);
	MemoryContext old = MemoryContextSwitchTo(listing->memory);
	const char *items = delivery->items != NULL ? delivery->items : "null";
	bool		wrapped = !is_list(sr, items);

	if ((sr->scopes_used & TEMPLATE_SCOPE_WEBHOOK) != 0)
		listing->webhook = webhook_json(delivery);
	MemoryContextSwitchTo(old);
	items_begin(listing, NULL);
	if (wrapped)
		items_push(listing, "[", 1);
	items_push(listing, items, strlen(items));
	if (wrapped)
		items_push(listing, "]", 1);
	items_check(listing, items_finish(listing));
	note_delivered(sr, delivery->id);
	sr->pages_done++;
	listing_close(listing);
	if (items_flush_is_due(sr))
		step_flush(sr);
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

/* Where the definition says in which part of it the list is, the reader looks for it. */
static bool
is_list(const StepRun *sr, const char *items)
{
	return sr->step->source.data_path != NULL || items[strspn(items, " \t\r\n")] == '[';
}
