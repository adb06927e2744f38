/*
 * list_reader.c
 *	  The items of the list, one by one, to the batch.
 *
 * An item that is whole in the bytes at hand goes straight through the
 * projector.  One that is not, or that the projector does not like, goes
 * through the resumable scanner, which says where it ends or what is wrong; its
 * bytes are carried over until it is complete, and then projected.  So every
 * byte is looked at three times at most, however the body is split, and an
 * error is always the scanner's.
 */
#include "postgres.h"

#include "item/batch_arena.h"
#include "item/reader_parts.h"

/* Bytes of a carried item that are kept allocated for the next one. */
#define CARRY_KEEP		(256 * 1024)

/* Bytes after a carried item that may be read; the first ends a number. */
#define CARRY_PADDING	16

static bool read_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch);
static bool scan_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch);
static bool project_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch);
static void deliver(ItemReader *reader, ItemBatch *batch, size_t bytes, bool too_deep, const Projection *projection);
static void finish_carried(ItemReader *reader, ItemBatch *batch);

/*
 * Reads items until the bytes, the list or the batch's room end; false with the
 * error set where something is wrong.
 */
bool
reader_read_list(ItemReader *reader, const char **position, const char *end, ItemBatch *batch, bool *full)
{
	const char *p = *position;
	bool		right = true;

	while (right && p < end)
	{
		if (reader->state == IN_ITEM)
		{
			right = scan_item(reader, &p, end, batch);
			if (right && reader->state == AFTER_ITEM && batch_is_full(batch))
			{
				*full = true;
				break;
			}
			continue;
		}
		p = json_skip_space(p, end);
		if (p == end)
			break;
		if (reader->state == AFTER_ITEM)
		{
			if (likely(*p == ','))
			{
				p++;
				reader->state = AT_ITEM;
				continue;
			}
			if (*p != ']')
			{
				right = reader_fail_at(reader, p, "\",\" or \"]\"");
				continue;
			}
		}
		if (*p == ']' && reader->state != AT_ITEM)
		{
			reader->kept_from = p++;
			reader_end_value(reader);
			break;
		}
		if (batch_is_full(batch) && reader->count >= reader->skip)
		{
			*full = true;
			break;
		}
		right = read_item(reader, &p, end, batch);
		if (right && reader->state == AFTER_ITEM && batch_is_full(batch))
		{
			*full = true;
			break;
		}
	}
	*position = p;
	return right;
}

/* At the first byte of an item. */
static bool
read_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch)
{
	if (likely(project_item(reader, p, end, batch)))
	{
		reader->state = AFTER_ITEM;
		return true;
	}
	reader->state = IN_ITEM;
	reader->item_bytes = 0;
	reader->carry.len = 0;
	scanner_begin(&reader->scanner, SCANNER_MAX_DEPTH);
	return scan_item(reader, p, end, batch);
}

/*
 * Projects and delivers the item at *p if it is whole, right and not nested too
 * deep; otherwise returns false, with nothing changed.
 */
static bool
project_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch)
{
	Projection	projection;
	const char *after;

	if (reader->count >= reader->skip)
	{
		size_t		mark = batch->arena_used;

		after = projector_run(reader->projector, *p, end, batch, batch_next_cells(batch), &projection);
		if (after == NULL || after - *p > reader->options.max_item_bytes ||
			projection.unstorable != JSON_STORABLE || projection.missing)
			batch->arena_used = mark;
	}
	else
		after = projector_skip(reader->projector, *p, end, &projection);
	if (after == NULL)
		return false;
	deliver(reader, batch, after - *p, false, &projection);
	*p = after;
	return true;
}

/* Counts the item in; the batch gets it, or the reason why it is bad. */
static void
deliver(ItemReader *reader, ItemBatch *batch, size_t bytes, bool too_deep, const Projection *projection)
{
	int			sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
	char		reason[256];

	if (reader->count++ < reader->skip)
		return;
	if (unlikely(bytes > reader->options.max_item_bytes))
		snprintf(reason, sizeof(reason), "item of %zu bytes is larger than the limit of %zu bytes",
				 bytes, reader->options.max_item_bytes);
	else if (unlikely(too_deep))
		snprintf(reason, sizeof(reason), "item is nested deeper than the limit of %d levels",
				 reader->options.max_depth);
	else if (unlikely(projection->unstorable != JSON_STORABLE))
	{
		sqlstate = ERRCODE_UNTRANSLATABLE_CHARACTER;
		if (projection->unstorable == JSON_NUL_ESCAPE)
			strlcpy(reason, "item has \\u0000 in a string, which cannot be stored as text", sizeof(reason));
		else
			strlcpy(reason, "item has half of a Unicode surrogate pair in a string, which is no character", sizeof(reason));
	}
	else if (unlikely(projection->missing))
	{
		sqlstate = ERRCODE_SQL_JSON_MEMBER_NOT_FOUND;
		snprintf(reason, sizeof(reason), "element of the list has no \"%.150s\"", reader->item_path);
	}
	else
	{
		batch_add_item(batch);
		return;
	}
	batch_add_bad_item(batch, sqlstate, reason);
}

/* Goes on with an item that is carried over. */
static bool
scan_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch)
{
	const char *start = *p;
	ScanStatus	status = scanner_push(&reader->scanner, p, end);

	if (status == SCAN_ERROR)
		return reader_fail_scan(reader, *p);
	reader->item_bytes += *p - start;
	if (reader->item_bytes <= reader->options.max_item_bytes)
		reader_buffer_add(reader, &reader->carry, start, *p - start);
	else
		reader->carry.len = 0;
	if (status == SCAN_DONE)
	{
		finish_carried(reader, batch);
		reader->state = AFTER_ITEM;
	}
	return true;
}

/* The scanner has found the item that is carried over to be right. */
static void
finish_carried(ItemReader *reader, ItemBatch *batch)
{
	static const char padding[CARRY_PADDING];
	ByteBuffer *carry = &reader->carry;
	Projection	none = {.unstorable = reader->scanner.unstorable};
	bool		too_large = reader->item_bytes > reader->options.max_item_bytes;
	bool		too_deep = reader->scanner.deepest > reader->options.max_depth;

	if (too_large || too_deep)
		deliver(reader, batch, reader->item_bytes, too_deep, &none);
	else
	{
		const char *p;

		reader_buffer_add(reader, carry, padding, CARRY_PADDING);
		p = carry->bytes;
		if (!project_item(reader, &p, p + carry->len - CARRY_PADDING + 1, batch))
		{
			/* The scanner and the projector do not agree: rather no cells than wrong ones. */
			if (reader->count++ >= reader->skip)
				batch_add_bad_item(batch, ERRCODE_INTERNAL_ERROR, "item could not be read");
		}
	}
	if (carry->size > CARRY_KEEP)
	{
		pfree(carry->bytes);
		carry->bytes = NULL;
		carry->size = 0;
	}
	carry->len = 0;
}
