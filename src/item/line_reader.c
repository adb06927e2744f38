/*
 * line_reader.c
 *	  NDJSON: an item a line.
 *
 * Lines end with LF or CRLF, the last one also with the body; lines of white space are
 * none.  An item is read as one of a list (list_reader.c), but the line break
 * that ends its line is the last byte it may have.  As the scanner takes a line break
 * for white space, an item that goes on behind it has to be told from one that ends there.
 */
#include "postgres.h"

#include "item/batch_arena.h"
#include "item/reader_parts.h"

static const char *line_end(const char *p, const char *end);
static bool continue_line(ItemReader *reader, const char **p, const char *end, ItemBatch *batch);

/* Reads items until the bytes or the batch's room end; false with the error set where something is wrong. */
bool
reader_read_lines(ItemReader *reader, const char **position, const char *end, ItemBatch *batch, bool *full)
{
	const char *p = *position;
	bool		right = true;

	while (right && p < end && !*full)
	{
		if (reader->state == IN_ITEM)
			right = continue_line(reader, &p, end, batch);
		else if (reader->state == AFTER_ITEM)
		{
			while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
				p++;
			if (p == end)
				break;
			if (*p != '\n')
				right = reader_fail_at(reader, p, "the end of the line");
			else
			{
				p++;
				reader->state = AT_LINE;
			}
			continue;
		}
		else
		{
			p = json_skip_space(p, end);
			if (p == end)
				break;
			if (batch_is_full(batch) && reader->count >= reader->skip)
			{
				*full = true;
				break;
			}
			right = reader_begin_item(reader, &p, line_end(p, end), batch);
			if (right && reader->state == IN_ITEM && p[-1] == '\n')
				right = reader_fail_at(reader, p - 1, "the rest of the value in the same line");
		}
		if (right && reader->state == AFTER_ITEM && batch_is_full(batch))
			*full = true;
	}
	*position = p;
	return right;
}

bool
reader_finish_lines(ItemReader *reader, ItemBatch *batch)
{
	if (reader->state == IN_ITEM)
	{
		/* Only a number ends with the body. */
		if (!scanner_end(&reader->scanner))
			return reader_fail(reader, "invalid NDJSON: the response ends after byte " INT64_FORMAT ", in the middle of a line",
							   reader->position + decoder_dropped(reader->decoder));
		reader->state = AFTER_ITEM;
		return reader_finish_item(reader, batch);
	}
	return true;
}

/* After the line break of the line at p, or where the bytes end. */
static const char *
line_end(const char *p, const char *end)
{
	const char *line_break = memchr(p, '\n', end - p);

	return line_break != NULL ? line_break + 1 : end;
}

/* Goes on with an item that is carried over, up to the end of its line. */
static bool
continue_line(ItemReader *reader, const char **p, const char *end, ItemBatch *batch)
{
	if (!reader_continue_item(reader, p, line_end(*p, end), batch))
		return false;
	if (reader->state == IN_ITEM && (*p)[-1] == '\n')
		return reader_fail_at(reader, *p - 1, "the rest of the value in the same line");
	return true;
}
