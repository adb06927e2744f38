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

static List *zip_of(const ReadingSetup *setup);
static JsonPath *path_of(const char *text);
static void take_items(Reading *reading);
static const char *code_of(int sqlstate);
static void print_cell(StringInfo out, const ItemBatch *batch, const Cell *cell);

void
reading_create(Reading *reading, const ReadingSetup *setup)
{
	ItemReaderOptions options = {0};
	const JsonPath **paths = palloc0(sizeof(JsonPath *) * (READING_MAX_PATHS + 1));

	if (setup->data_path)
		options.data_path = path_of(setup->data_path);
	while (setup->paths[options.npaths] != NULL)
	{
		paths[options.npaths] = path_of(setup->paths[options.npaths]);
		options.npaths++;
	}
	options.paths = paths;
	options.max_item_bytes = setup->max_item_bytes ? setup->max_item_bytes : 16 * 1024 * 1024;
	options.max_depth = setup->max_depth ? setup->max_depth : 512;
	options.max_envelope_bytes = setup->max_envelope_bytes ? setup->max_envelope_bytes : 1024 * 1024;

	options.format = setup->format;
	options.zip = zip_of(setup);
	options.fingerprint = true;

	reading->content_type = setup->content_type;
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
	reading->accepted = item_reader_set_content_type(reading->reader, reading->content_type);
	reading->disagreed = false;
}

void
reading_restart(Reading *reading)
{
	take_items(reading);
	item_reader_restart(reading->reader);
	reading->accepted = item_reader_set_content_type(reading->reader, reading->content_type);
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
	ItemReaderStatus status;
	const char *hint;
	size_t		len;

	while ((status = item_reader_finish(reading->reader, reading->batch)) == ITEMS_BATCH_FULL)
		take_items(reading);
	if (status == ITEMS_ERROR)
		reading->accepted = false;
	take_items(reading);
	reading->fingerprint = item_reader_fingerprint(reading->reader);
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

static List *
zip_of(const ReadingSetup *setup)
{
	List	   *zip = NIL;

	for (int i = 0; setup->zip[i] != NULL; i += 2)
	{
		JobZip	   *part = palloc0(sizeof(JobZip));

		zip = lappend(zip, part);
		if (strcmp(setup->zip[i], "header") == 0)
		{
			part->header_row = true;
			break;
		}
		part->names = path_of(setup->zip[i]);
		part->values = path_of(setup->zip[i + 1]);
	}
	return zip;
}

/* "rest.a.b": the members but a and b. */
static JsonPath *
path_of(const char *text)
{
	char	   *error = NULL;
	JsonPath   *path = json_path_parse_items(text, &error);

	if (path != NULL && strncmp(text, "rest.", 5) == 0)
		path->steps[0].kind = PATH_REST;
	return path;
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
			appendStringInfo(&reading->items, "!%s: %s\n", code_of(bad->sqlstate), bad->reason);
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

static const char *
code_of(int sqlstate)
{
	static char code[6];

	for (int i = 0; i < 5; i++)
	{
		code[i] = PGUNSIXBIT(sqlstate);
		sqlstate >>= 6;
	}
	return code;
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
