/*
 * reread.c
 *	  Items that are at hand as JSON, read into a batch.
 */
#include "postgres.h"

#include "item/convert.h"
#include "item/reread.h"
#include "item/scanner.h"
#include "utils/memutils.h"

typedef struct Rereading
{
	ItemReader *reader;
	ItemBatch  *batch;
} Rereading;

static Rereading begin(int nitems, int npaths, const JsonPath *const *paths, MemoryContext context);
static void add(const Rereading *reading, const char *text, bool first);
static void push(const Rereading *reading, const char *text);

ItemBatch *
item_batch_reread(const ItemBatch *whole, int path, int npaths, const JsonPath *const *paths, MemoryContext context)
{
	Rereading	reading = begin(whole->nitems, npaths, paths, context);
	ItemBatch  *batch = reading.batch;

	for (int i = 0; i < whole->nitems; i++)
	{
		char	   *text = cell_json_text(whole, &whole->cells[(int64) i * whole->npaths + path]);

		add(&reading, text, i == 0);
		if (text != NULL)
			pfree(text);
	}
	push(&reading, "]");		/* only what follows a number ends it */
	batch->bad = whole->bad;
	batch->contexts = whole->contexts;
	batch->dropped = whole->dropped;
	batch->max_rows_bytes = whole->max_rows_bytes;
	return batch;
}

ItemBatch *
item_batch_read(int nitems, char *const *texts, const ItemContext *contexts,
				int npaths, const JsonPath *const *paths, MemoryContext context)
{
	Rereading	reading = begin(nitems, npaths, paths, context);

	for (int i = 0; i < nitems; i++)
	{
		item_batch_set_context(reading.batch, &contexts[i]);
		add(&reading, texts[i], i == 0);
	}
	push(&reading, "]");
	return reading.batch;
}

/* An array of items begins.  The bounds were kept when they were read first. */
static Rereading
begin(int nitems, int npaths, const JsonPath *const *paths, MemoryContext context)
{
	ItemReaderOptions options = {
		.npaths = npaths,
		.paths = paths,
		.max_item_bytes = MaxAllocHugeSize,
		.patience_bytes = PG_INT64_MAX,
		.max_depth = SCANNER_MAX_DEPTH,
		.max_envelope_bytes = 0,
		.format = FORMAT_JSON,
	};
	Rereading	reading = {
		.reader = item_reader_create(&options, context),
		.batch = item_batch_create(npaths, Max(nitems, 1), MaxAllocHugeSize, context),
	};

	item_reader_begin(reading.reader, 0);
	push(&reading, "[");
	return reading;
}

/* NULL is a bad item, which stands in the list of those. */
static void
add(const Rereading *reading, const char *text, bool first)
{
	if (!first)
		push(reading, ",");
	push(reading, text ? text : "null");
}

static void
push(const Rereading *reading, const char *text)
{
	size_t		taken;

	if (item_reader_push(reading->reader, text, strlen(text), &taken, reading->batch) == ITEMS_ERROR)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("could not read an item a second time")));
}
