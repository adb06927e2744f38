/*
 * reading.c
 *	  Reads one document through the item reader and keeps what came out.
 *
 * The outcome is a text, so that two readings can be compared and a test case
 * can be written down:  each item is a line of its cells, "missing", "null",
 * true, false, a number, "a string" (as it is, in double quotes) or =JSON; a
 * bad item is !SQLSTATE: reason.  Then comes the error and the hint, or the
 * envelope and where the list was.
 */
#include "postgres.h"

#include "item/batch_arena.h"
#include "reading.h"

static void take_items(Reading *reading);
static void print_cell(StringInfo out, const ItemBatch *batch, const Cell *cell);

void
reading_create(Reading *reading, const ReadingSetup *setup)
{
	ItemReaderOptions options = {0};
	const JsonPath **paths = palloc0(sizeof(JsonPath *) * (READING_MAX_PATHS + 1));
	char	   *error = NULL;

	if (setup->data_path)
		options.data_path = json_path_parse(setup->data_path, &error);
	while (setup->paths[options.npaths] != NULL)
	{
		paths[options.npaths] = json_path_parse(setup->paths[options.npaths], &error);
		options.npaths++;
	}
	options.paths = paths;
	options.max_item_bytes = setup->max_item_bytes ? setup->max_item_bytes : 16 * 1024 * 1024;
	options.max_depth = setup->max_depth ? setup->max_depth : 512;
	options.max_envelope_bytes = setup->max_envelope_bytes ? setup->max_envelope_bytes : 1024 * 1024;

	reading->npaths = options.npaths;
	reading->reader = item_reader_create(&options, NULL);
	reading->batch = item_batch_create(options.npaths, setup->max_items ? setup->max_items : 3, 1024 * 1024, NULL);
	initStringInfo(&reading->items);
	reading_begin(reading, setup->skip);
}

void
reading_begin(Reading *reading, int64 skip)
{
	item_reader_begin(reading->reader, skip);
	item_batch_reset(reading->batch);
	resetStringInfo(&reading->items);
	reading->accepted = true;
	reading->disagreed = false;
}

bool
reading_push(Reading *reading, const char *data, size_t len)
{
	while (reading->accepted)
	{
		size_t		taken;
		ItemReaderStatus status = item_reader_push(reading->reader, data, len, &taken, reading->batch);

		data += taken;
		len -= taken;
		if (status == ITEMS_ERROR)
			reading->accepted = false;
		else if (status == ITEMS_BATCH_FULL)
			take_items(reading);
		if (status == ITEMS_MORE && len == 0)
			break;
	}
	return reading->accepted;
}

void
reading_finish(Reading *reading)
{
	StringInfo	out = &reading->items;
	const char *hint;
	size_t		len;

	if (item_reader_finish(reading->reader, reading->batch) == ITEMS_ERROR)
		reading->accepted = false;
	take_items(reading);
	if (reading->accepted)
	{
		const char *envelope = item_reader_envelope(reading->reader, &len);
		const char *path = item_reader_list_path(reading->reader);

		appendStringInfo(out, "envelope %s", envelope ? envelope : "lost");
		appendStringInfo(out, " list %s", path ? path : "none");
		if (envelope && strlen(envelope) != len)
			appendStringInfoString(out, " WRONG LENGTH");
	}
	else
	{
		appendStringInfo(out, "error %s", item_reader_error(reading->reader, &hint));
		if (hint)
			appendStringInfo(out, " hint %s", hint);
	}
	appendStringInfo(out, " count " INT64_FORMAT, item_reader_count(reading->reader));
}

/* Prints the batch's items and empties it. */
static void
take_items(Reading *reading)
{
	ItemBatch  *batch = reading->batch;
	int			nbad = 0;

	for (int i = 0; i < batch->nitems; i++)
	{
		BadItem    *bad = nbad < list_length(batch->bad) ? list_nth(batch->bad, nbad) : NULL;

		if (bad && bad->item == i)
		{
			appendStringInfo(&reading->items, "!%s: %s\n",
							 bad->sqlstate == ERRCODE_UNTRANSLATABLE_CHARACTER ? "22P05" : bad->sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED ? "54000"
								 : bad->sqlstate == ERRCODE_SQL_JSON_MEMBER_NOT_FOUND                                                      ? "2203A"
																																		   : "XX000",
							 bad->reason);
			if (bad->sqlstate == ERRCODE_INTERNAL_ERROR)
				reading->disagreed = true;
			nbad++;
			continue;
		}
		for (int path = 0; path < reading->npaths; path++)
		{
			if (path > 0)
				appendStringInfoString(&reading->items, " | ");
			print_cell(&reading->items, batch, &batch->cells[i * reading->npaths + path]);
		}
		appendStringInfoChar(&reading->items, '\n');
	}
	item_batch_reset(batch);
}

static void
print_cell(StringInfo out, const ItemBatch *batch, const Cell *cell)
{
	const char *text = batch->arena + cell->offset;

	switch ((CellKind) cell->kind)
	{
		case CELL_MISSING:
			appendStringInfoString(out, "missing");
			return;
		case CELL_NULL:
			appendStringInfoString(out, "null");
			return;
		case CELL_FALSE:
			appendStringInfoString(out, "false");
			return;
		case CELL_TRUE:
			appendStringInfoString(out, "true");
			return;
		case CELL_NUMBER:
			appendBinaryStringInfo(out, text, cell->length);
			break;
		case CELL_STRING:
			appendStringInfoChar(out, '"');
			appendBinaryStringInfo(out, text, cell->length);
			appendStringInfoChar(out, '"');
			break;
		case CELL_JSON:
			appendStringInfoChar(out, '=');
			appendBinaryStringInfo(out, text, cell->length);
			break;
	}
	if (strlen(text) != cell->length)
		appendStringInfoString(out, "WRONG LENGTH");
}
