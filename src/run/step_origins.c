/*
 * step_origins.c
 *	  Which items of the source those of the batch are.
 *
 * Parallel writers commit parts of a batch one by one, so after a crash some of
 * the items that were read behind the checkpoint are in the table and some are
 * not.  Each part is therefore written down with its items: the listing that they
 * are of, and their places in it.  A pass that is taken up again reads
 * those parts first; of the pages that it reads once more it leaves out the
 * items that are there already.
 *
 * A place is counted from the beginning of the listing, not of a page: pages may be
 * asked for in another size then.  A listing is told by a hash of its window and parent
 * row, and of where it has begun anew.  Of what a checkpoint has there are no parts (any more): they are forgotten
 * with the commit that writes it.
 */
#include "postgres.h"

#include "base/jsonc.h"
#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "run/step_data.h"
#include "utils/memutils.h"

#define ORIGINS_DEPTH 8

/* Items of the batch that follow each other in a listing. */
typedef struct OriginStretch
{
	uint64		listing;
	int			first_item;		/* in the batch */
	int			end_item;
	int64		first_place;	/* in the listing */
} OriginStretch;

/* Items of a listing that are in the table, though the checkpoint says nothing of them. */
typedef struct DoneItems
{
	uint64		listing;
	int64		first_place;
	int64		end_place;
	Bitmapset  *places;			/* from first_place on */
} DoneItems;

static void note_stretch(StepRun *sr, uint64 listing, int first, int end, int64 place);
static uint64 listing_hash(const Listing *listing, const PagePosition *position, int64 page);
static void mark_done(StepRun *sr, const OriginStretch *stretch, int first, int64 first_place);
static const int *append_stretch(StringInfo json, const StepRun *sr, const OriginStretch *stretch, const int *items, const int *end);
static void append_places(StringInfo json, const Bitmapset *places, int nplaces);
static void read_done(StepRun *sr, struct json_object *entry);
static int	digit_of(char c);
pg_noreturn static void raise_unreadable(void);

void
origins_note(Listing *listing, int first)
{
	StepRun    *sr = listing->sr;
	MemoryContext old = MemoryContextSwitchTo(sr->origin_memory);
	PagePosition position = {0};
	int			end = sr->batch->nitems;
	int			beyond = end;
	int64		place = item_reader_count(listing->reader) - (end - first);

	if (listing->pager != NULL)
		pager_position(listing->pager, &position);

	/* By number, a page begins where those before it would end that are as long as was asked; this one may be longer. */
	if (sr->step->source.pagination.type == PAGINATION_PAGE)
		beyond = (int) Min(end, first + Max(position.limit - place, 0));
	if (first < beyond)
		note_stretch(sr, listing_hash(listing, &position, 0), first, beyond, position.offset + place);
	if (beyond < end)
		note_stretch(sr, listing_hash(listing, &position, position.number), beyond, end, place + (beyond - first));
	MemoryContextSwitchTo(old);
}

void
origins_withdraw(StepRun *sr, const Bitmapset *items)
{
	MemoryContext old = MemoryContextSwitchTo(sr->origin_memory);

	sr->withdrawn = bms_add_members(sr->withdrawn, items);
	sr->in_table = bms_del_members(sr->in_table, items);
	MemoryContextSwitchTo(old);
}

void
origins_forget(StepRun *sr)
{
	sr->origins = NIL;
	sr->withdrawn = NULL;
	sr->in_table = NULL;
	MemoryContextReset(sr->origin_memory);
}

char *
origins_json(const StepRun *sr, const int *items, int nitems)
{
	const int  *end = items + nitems;
	const int  *next = items;
	StringInfoData json;
	ListCell   *lc;

	initStringInfo(&json);
	appendStringInfoChar(&json, '[');
	foreach(lc, sr->origins)
		next = append_stretch(&json, sr, lfirst(lc), next, end);
	appendStringInfoChar(&json, ']');
	return json.data;
}

void
origins_add_done(StepRun *sr, const char *json)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "databite origins", ALLOCSET_DEFAULT_SIZES);
	struct json_object *root;
	char	   *error;

	if (!jsonc_parse(json, strlen(json), ORIGINS_DEPTH, memory, &root, &error) ||
		!json_object_is_type(root, json_type_array))
		raise_unreadable();
	for (size_t i = 0; i < json_object_array_length(root); i++)
		read_done(sr, json_object_array_get_idx(root, i));
	MemoryContextDelete(memory);
}

void
origins_forget_done(StepRun *sr)
{
	sr->done_items = NIL;
	sr->done_forgotten = sr->has_origins;
}

/* Adds items of the batch to those that stand before them in the listing, or to a stretch of their own. */
static void
note_stretch(StepRun *sr, uint64 listing, int first, int end, int64 place)
{
	OriginStretch *last = sr->origins != NIL ? llast(sr->origins) : NULL;

	if (last != NULL && last->end_item == first && last->first_place + first - last->first_item == place &&
		last->listing == listing)
		last->end_item = end;
	else
	{
		last = palloc(sizeof(OriginStretch));
		last->listing = listing;
		last->first_item = first;
		last->end_item = end;
		last->first_place = place;
		sr->origins = lappend(sr->origins, last);
	}
	if (sr->done_items != NIL)
		mark_done(sr, last, first, place);
}

/* The same whenever the listing is read; page: 0, or the number of a page whose items have places of their own. */
static uint64
listing_hash(const Listing *listing, const PagePosition *position, int64 page)
{
	StringInfoData text;
	uint64		hash;

	initStringInfo(&text);
	appendStringInfo(&text, "page " INT64_FORMAT, page);
	if (page != 0)
		appendStringInfo(&text, " of " INT64_FORMAT, position->limit);
	if (listing->parent != NULL)
		appendStringInfo(&text, " parent " INT64_FORMAT, listing->parent->number);
	if (listing->window.from != NULL)
		appendStringInfo(&text, " from %s to %s", listing->window.from, listing->window.to != NULL ? listing->window.to : "");
	if (position->after != NULL)
		appendStringInfo(&text, " after %s", position->after);
	hash = hash_bytes_extended((unsigned char *) text.data, text.len, 0);
	pfree(text.data);
	return hash;
}

/* Those of the items from first on, which stand at first_place and behind, that are in the table already. */
static void
mark_done(StepRun *sr, const OriginStretch *stretch, int first, int64 first_place)
{
	ListCell   *lc;

	foreach(lc, sr->done_items)
	{
		const DoneItems *done = lfirst(lc);

		if (done->listing != stretch->listing || done->first_place >= first_place + (stretch->end_item - first) ||
			done->end_place <= first_place)
			continue;
		for (int item = first; item < stretch->end_item; item++)
		{
			int64		place = first_place + (item - first) - done->first_place;

			if (place >= 0 && place <= INT_MAX && bms_is_member((int) place, done->places))
				sr->in_table = bms_add_member(sr->in_table, item);
		}
	}
}

/* Of the items, which rise, those of the stretch; returns the first behind it. */
static const int *
append_stretch(StringInfo json, const StepRun *sr, const OriginStretch *stretch, const int *items, const int *end)
{
	Bitmapset  *places = NULL;
	int			first = -1;
	int			last = -1;

	for (; items < end && *items < stretch->end_item; items++)
	{
		if (*items < stretch->first_item || bms_is_member(*items, sr->withdrawn))
			continue;			/* what is withdrawn is none of the listing's */
		if (first < 0)
			first = *items;
		last = *items - first;
		places = bms_add_member(places, last);
	}
	if (first < 0)
		return items;
	appendStringInfo(json, "%s{\"listing\": \"" UINT64_FORMAT "\", \"first\": " INT64_FORMAT ", \"places\": \"",
					 json->len > 1 ? ", " : "", stretch->listing, stretch->first_place + first - stretch->first_item);
	append_places(json, places, last + 1);
	appendStringInfoString(json, "\"}");
	bms_free(places);
	return items;
}

/* Four places a digit, the first of them its lowest bit. */
static void
append_places(StringInfo json, const Bitmapset *places, int nplaces)
{
	for (int place = 0; place < nplaces; place += 4)
	{
		int			digit = 0;

		for (int bit = 0; bit < 4; bit++)
			digit |= bms_is_member(place + bit, places) << bit;
		appendStringInfoChar(json, "0123456789abcdef"[digit]);
	}
}

static void
read_done(StepRun *sr, struct json_object *entry)
{
	MemoryContext old = MemoryContextSwitchTo(sr->memory);
	DoneItems  *done = palloc0(sizeof(DoneItems));
	struct json_object *listing;
	struct json_object *first;
	struct json_object *places;
	const char *digits;

	if (!jsonc_get(entry, "listing", &listing) || !json_object_is_type(listing, json_type_string) ||
		!jsonc_get(entry, "first", &first) || !json_object_is_type(first, json_type_int) ||
		!jsonc_get(entry, "places", &places) || !json_object_is_type(places, json_type_string))
		raise_unreadable();
	done->listing = strtou64(json_object_get_string(listing), NULL, 10);
	done->first_place = json_object_get_int64(first);
	digits = json_object_get_string(places);
	done->end_place = done->first_place + 4 * (int64) strlen(digits);
	for (int i = 0; digits[i] != '\0'; i++)
	{
		for (int bit = 0; bit < 4; bit++)
		{
			if ((digit_of(digits[i]) & (1 << bit)) != 0)
				done->places = bms_add_member(done->places, 4 * i + bit);
		}
	}
	sr->done_items = lappend(sr->done_items, done);
	MemoryContextSwitchTo(old);
}

static int
digit_of(char c)
{
	const char *digits = "0123456789abcdef";
	const char *found = strchr(digits, c);

	if (found == NULL)
		raise_unreadable();
	return (int) (found - digits);
}

static void
raise_unreadable(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("what parallel writers have written down of the step cannot be read"),
			 errhint("Forget it with databite.reset_job.")));
}
