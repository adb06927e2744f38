/*
 * item_reader_fuzz.c
 *	  libFuzzer target: the same document gives the same items for any split.
 *
 * The first byte chooses one of a few setups, the second the size of the
 * pieces; the rest is the document.  It is read whole, in pieces of that size, and byte by byte,
 * each piece in memory of its own.
 */
#include "postgres.h"

#include "../item/reading.h"

static const ReadingSetup setups[] = {
	{.paths = {"$", "a", "a.b", "a[0]", "a[-1]", "a[*].b", "b[*][*]", "a[*]"}},
	{.data_path = "a", .paths = {"$", "b", "b.a", "[1]"}, .max_item_bytes = 40, .max_depth = 3},
	{.data_path = "a[*].b", .paths = {"$", "a", "[0]"}, .skip = 1},
	{.data_path = "$[*].a[*]", .paths = {"a"}, .max_envelope_bytes = 30, .max_items = 1},
	{.data_path = "$[1]", .paths = {"$"}},
	{.format = FORMAT_NDJSON, .paths = {"$", "a", "a[0]"}, .max_item_bytes = 40, .max_depth = 3},
	{.format = FORMAT_NDJSON, .zip = {"header"}, .paths = {"$", "a"}, .skip = 1},
	{.format = FORMAT_CSV, .paths = {"$", "a", "b"}, .max_item_bytes = 40},
	{.content_type = "text/csv; charset=utf-16", .paths = {"$", "a"}, .skip = 1, .max_items = 1},
	{.content_type = "application/json; charset=Shift_JIS", .paths = {"$", "a"}, .max_items = 1},
	{.content_type = "application/jsonl; charset=windows-1252", .paths = {"$", "a"}, .max_items = 1},
	{.data_path = "$.*", .paths = {"$", "_key", "_value", "a"}, .max_item_bytes = 40, .max_depth = 3},
	{.data_path = "a.*.b", .paths = {"$", "_key", "_value[0]"}, .max_items = 1},
	{.data_path = "$[*].*", .paths = {"$", "_key"}, .skip = 1},
	{.data_path = "a", .zip = {"header"}, .paths = {"$", "a", "b[-1]"}, .max_item_bytes = 40},
	{.data_path = "r", .zip = {"a[*].b", "a[*].b", "b", "b"}, .paths = {"$", "a"}, .max_envelope_bytes = 60},
};

int			LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

static char *read_pieces(Reading *reading, int64 skip, const uint8 *document, size_t len, size_t piece);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	static Reading readings[lengthof(setups)];
	int			which;
	Reading    *reading;
	char	   *whole;
	uint64		fingerprint;
	size_t		pieces[2];

	if (size < 2)
		return 0;
	which = data[0] % lengthof(setups);
	reading = &readings[which];
	if (reading->reader == NULL)
		reading_create(reading, &setups[which]);

	whole = pstrdup(read_pieces(reading, setups[which].skip, data + 2, size - 2, Max(size - 2, 1)));
	fingerprint = reading->fingerprint;
	pieces[0] = data[1] % 64 + 1;
	pieces[1] = 1;
	for (int i = 0; i < lengthof(pieces); i++)
	{
		char	   *split = read_pieces(reading, setups[which].skip, data + 2, size - 2, pieces[i]);

		if (reading->disagreed || strcmp(whole, split) != 0 || (reading->accepted && reading->fingerprint != fingerprint))
		{
			fprintf(stderr, "whole:\n%s\nin pieces of %zu:\n%s\n", whole, pieces[i], split);
			abort();
		}
	}
	pfree(whole);
	return 0;
}

/* The result is good until the reading is used again. */
static char *
read_pieces(Reading *reading, int64 skip, const uint8 *document, size_t len, size_t piece)
{
	reading_begin(reading, skip);
	for (size_t done = 0; done < len; done += piece)
	{
		size_t		n = Min(piece, len - done);
		char	   *bytes = palloc(n);
		bool		right;

		memcpy(bytes, document + done, n);
		right = reading_push(reading, bytes, n);
		pfree(bytes);
		if (!right)
			break;
	}
	reading_finish(reading);
	return reading->items.data;
}
