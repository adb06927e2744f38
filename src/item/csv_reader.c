/*
 * csv_reader.c
 *	  CSV with a header row (RFC 4180): an item a row.
 *
 * Each row becomes the text of a JSON object, which goes through the projector like
 * any other item: names of the header to strings.  A field that is empty and has no quotes
 * is null.  Rows end with LF, CRLF or CR; empty lines are none.  A quote inside
 * of a field that does not begin with one is a character like any other.
 *
 * The text of the row at hand is in the reader's carry, up to the bound on an item's
 * size.  A row that is not right is a bad item, and the next one begins
 * after its end.  Whether the bytes are UTF-8 is left to the projector.
 */
#include "postgres.h"

#include "item/batch_arena.h"
#include "item/name_table.h"
#include "item/reader_parts.h"
#include "utils/memutils.h"

/* Bytes after a row's text that may be read. */
#define ROW_PADDING		16

typedef enum CsvState
{
	AT_ROW,
	AT_FIELD,
	IN_FIELD,					/* without quotes, or after those that it had */
	IN_QUOTES,
	AFTER_QUOTE					/* the end of the field, or one half of a quote in it */
} CsvState;

struct CsvReader
{
	char		delimiter;
	NameTable	names;

	/* of the document */
	bool		has_header;
	CsvState	state;

	/* of the row */
	int			nfields;
	size_t		bytes;			/* as it was written, without its end */
	size_t		field_start;	/* in the text */
	bool		has_value;		/* the field is not null */
	bool		misquoted;
};

static void begin_row(ItemReader *reader);
static void begin_field(ItemReader *reader);
static void add_plain(ItemReader *reader, const char *bytes, size_t len);
static void begin_value(ItemReader *reader);
static bool end_field(ItemReader *reader);
static bool end_row(ItemReader *reader, ItemBatch *batch);
static bool finish_header(ItemReader *reader);
static void deliver_row(ItemReader *reader, ItemBatch *batch);
static const char *plain_end(const char *p, const char *end, char delimiter);
static bool is_large(const ItemReader *reader);

void
reader_begin_rows(ItemReader *reader, char delimiter)
{
	CsvReader  *csv = reader->csv;

	if (csv == NULL)
	{
		csv = reader->csv = MemoryContextAllocZero(reader->context, sizeof(CsvReader));
		name_table_init(&csv->names, reader->context);
	}
	name_table_reset(&csv->names);
	csv->delimiter = delimiter;
	csv->has_header = false;
	csv->state = AT_ROW;
}

/* Reads rows until the bytes or the batch's room end; false with the error set where something is wrong. */
bool
reader_read_rows(ItemReader *reader, const char **position, const char *end, ItemBatch *batch, bool *full)
{
	CsvReader  *csv = reader->csv;
	const char *p = *position;
	bool		right = true;

	while (right && p < end)
	{
		const char *start = p;

		switch (csv->state)
		{
			case AT_ROW:
				if (*p == '\n' || *p == '\r')
				{
					p++;
					continue;
				}
				if (batch_is_full(batch) && reader->count >= reader->skip)
				{
					*full = true;
					*position = p;
					return true;
				}
				begin_row(reader);
				csv->state = AT_FIELD;
				/* FALLTHROUGH */
			case AT_FIELD:
				begin_field(reader);
				csv->state = IN_FIELD;
				if (*p == '"')
				{
					begin_value(reader);
					csv->state = IN_QUOTES;
					csv->bytes++;
					p++;
				}
				continue;
			case IN_QUOTES:
				p = memchr(p, '"', end - p);
				if (p == NULL)
					p = end;
				csv->bytes += p - start;
				add_plain(reader, start, p - start);
				if (p < end)
				{
					csv->state = AFTER_QUOTE;
					csv->bytes++;
					p++;
				}
				continue;
			case AFTER_QUOTE:
				if (*p == '"')
				{
					add_plain(reader, "\"", 1);
					csv->state = IN_QUOTES;
					csv->bytes++;
					p++;
					continue;
				}
				csv->misquoted = csv->misquoted || plain_end(p, p + 1, csv->delimiter) != p;
				csv->state = IN_FIELD;
				/* FALLTHROUGH */
			case IN_FIELD:
				p = plain_end(p, end, csv->delimiter);
				csv->bytes += p - start;
				add_plain(reader, start, p - start);
				if (p == end)
					continue;
				if (*p == csv->delimiter)
				{
					right = end_field(reader);
					csv->state = AT_FIELD;
					csv->bytes++;
					p++;
					continue;
				}
				break;
		}

		/* at the end of a row */
		p++;
		right = end_row(reader, batch);
		if (right && batch_is_full(batch) && reader->count >= reader->skip)
		{
			*full = true;
			break;
		}
	}
	*position = p;
	return right;
}

/* The last row may end with the body. */
bool
reader_finish_rows(ItemReader *reader, ItemBatch *batch)
{
	CsvReader  *csv = reader->csv;

	if (csv->state == AT_ROW)
		return true;
	if (csv->state == IN_QUOTES)
		return reader_fail(reader, "invalid CSV: the response ends after byte " INT64_FORMAT ", inside of quotes",
						   reader->position + decoder_dropped(reader->decoder));
	if (csv->state == AT_FIELD)
		begin_field(reader);
	return end_row(reader, batch);
}

static void
begin_row(ItemReader *reader)
{
	CsvReader  *csv = reader->csv;

	reader->begun = true;
	buffer_reset(&reader->carry, reader->options.keep_bytes);
	csv->nfields = 0;
	csv->bytes = 0;
	csv->misquoted = false;
}

/* Fields of which there is no name are only counted. */
static void
begin_field(ItemReader *reader)
{
	CsvReader  *csv = reader->csv;

	csv->has_value = false;
	if (csv->has_header && csv->nfields < csv->names.count && !is_large(reader))
	{
		size_t		len;
		const char *name = name_table_get(&csv->names, csv->nfields, &len);

		buffer_add(&reader->carry, csv->nfields == 0 ? "{" : ",", 1);
		buffer_add(&reader->carry, name, len);
	}
	csv->field_start = reader->carry.len;
	csv->nfields++;
}

/* Adds to the field at hand. */
static void
add_plain(ItemReader *reader, const char *bytes, size_t len)
{
	CsvReader  *csv = reader->csv;

	if (len == 0)
		return;
	begin_value(reader);
	if (is_large(reader))
		buffer_reset(&reader->carry, reader->options.keep_bytes);
	else if (!csv->has_header || csv->nfields <= csv->names.count)
		buffer_add_escaped(&reader->carry, bytes, len);
}

/* The field is a string. */
static void
begin_value(ItemReader *reader)
{
	CsvReader  *csv = reader->csv;

	if (!csv->has_value && csv->has_header && csv->nfields <= csv->names.count && !is_large(reader))
		buffer_add(&reader->carry, "\"", 1);
	csv->has_value = true;
}

/* False with the error set where it is a name in the header that cannot be. */
static bool
end_field(ItemReader *reader)
{
	CsvReader  *csv = reader->csv;

	if (is_large(reader))
	{
		reader->carry.len = 0;
		return true;
	}
	if (csv->has_header)
	{
		if (csv->nfields <= csv->names.count)
			buffer_add(&reader->carry, csv->has_value ? "\"" : "null", csv->has_value ? 1 : 4);
		return true;
	}
	if (!name_table_add(&csv->names, reader->carry.bytes + csv->field_start, reader->carry.len - csv->field_start))
		return reader_fail(reader, "the header row of the CSV cannot be used: %s", csv->names.problem);
	return true;
}

/* False with the error set where it is the header and not right. */
static bool
end_row(ItemReader *reader, ItemBatch *batch)
{
	CsvReader  *csv = reader->csv;

	csv->state = AT_ROW;
	if (!end_field(reader))
		return false;
	if (!csv->has_header)
		return finish_header(reader);
	deliver_row(reader, batch);
	return true;
}

static bool
finish_header(ItemReader *reader)
{
	CsvReader  *csv = reader->csv;
	const char *text = csv->names.text.bytes;

	if (is_large(reader))
		return reader_fail(reader, "the header row of the CSV is larger than the limit of %zu bytes", reader->options.max_item_bytes);
	if (csv->misquoted)
		return reader_fail(reader, "the header row of the CSV has text behind the closing quote of a field");
	if (!json_utf8_valid(text, text + csv->names.text.len))
		return reader_fail(reader, "the header row of the CSV has bytes that are not UTF-8");
	if (text[1] == '<')
	{
		strlcpy(reader->hint, "the response looks like HTML or XML, check the url", sizeof(reader->hint));
		return reader_fail(reader, "the response is no CSV: its header row begins with \"<\"");
	}
	csv->has_header = true;
	return true;
}

static void
deliver_row(ItemReader *reader, ItemBatch *batch)
{
	static const char padding[ROW_PADDING];
	CsvReader  *csv = reader->csv;
	ByteBuffer *text = &reader->carry;
	char		reason[128];

	if (!is_large(reader))
	{
		buffer_add(text, "}", 1);
		if (reader->options.fingerprint)
			reader_note_text(reader, text->bytes, text->len);
	}
	else if (reader->options.fingerprint)
		reader_note_text(reader, NULL, csv->bytes);

	if (is_large(reader))
		reader_deliver_large(reader, batch, csv->bytes);
	else if (csv->misquoted)
		reader_deliver_bad(reader, batch, ERRCODE_BAD_COPY_FILE_FORMAT, "row has text behind the closing quote of a field");
	else if (csv->nfields != csv->names.count)
	{
		snprintf(reason, sizeof(reason), "row has %d fields, and the header row has %d", csv->nfields, csv->names.count);
		reader_deliver_bad(reader, batch, ERRCODE_BAD_COPY_FILE_FORMAT, reason);
	}
	else
	{
		buffer_add(text, padding, ROW_PADDING);
		if (!reader_deliver_text(reader, text->bytes, text->bytes + text->len, JSON_STORABLE, batch))
			reader_deliver_bad(reader, batch, ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "row has bytes that are not UTF-8");
	}
}

/* The first byte that ends a field without quotes, or end. */
static const char *
plain_end(const char *p, const char *end, char delimiter)
{
	while (p < end && *p != delimiter && *p != '\n' && *p != '\r')
		p++;
	return p;
}

/* The row's bytes are above the bound, and its text is given up. */
static bool
is_large(const ItemReader *reader)
{
	return reader->csv->bytes > reader->options.max_item_bytes;
}
