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
 *
 * Where items are made of what the list has (item_shape.c), the text is walked
 * over first, and what is made of it is projected.
 */
#include "postgres.h"

#include "item/batch_arena.h"
#include "item/fingerprint.h"
#include "item/reader_parts.h"

/* Bytes after a carried item that may be read; the first ends a number. */
#define CARRY_PADDING	16

static bool project_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch);
static void deliver(ItemReader *reader, ItemBatch *batch, size_t bytes, bool too_deep, const Projection *projection);
static bool shape_and_deliver(ItemReader *reader, const char **p, const char *end, ItemBatch *batch);
static bool fail_names(ItemReader *reader);

/*
 * Reads items until the bytes, the list or the batch's room end; false with the
 * error set where something is wrong.
 */
bool
reader_read_list(ItemReader *reader, const char **position, const char *end, ItemBatch *batch, bool *full)
{
	const char *p = *position;
	bool		right = true;
	bool		members = reader_has_members(reader);
	char		closing = members ? '}' : ']';

	while (right && p < end)
	{
		if (reader->state == IN_ITEM)
		{
			right = reader_continue_item(reader, &p, end, batch);
			if (right && reader->state == AFTER_ITEM && batch_is_full(batch))
			{
				*full = true;
				break;
			}
			continue;
		}
		if (reader->state >= AT_MEMBER_OR_END && reader->state <= AT_MEMBER_COLON)
		{
			if (!reader_read_member(reader, &p, end))
			{
				right = false;
				continue;
			}
			if (!reader_in_list(reader))
				break;
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
				reader->state = members ? AT_MEMBER : AT_ITEM;
				continue;
			}
			if (*p != closing)
			{
				right = reader_fail_at(reader, p, members ? "\",\" or \"}\"" : "\",\" or \"]\"");
				continue;
			}
		}
		if (*p == closing && reader->state != AT_ITEM)
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
		right = reader_begin_item(reader, &p, end, batch);
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
bool
reader_begin_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch)
{
	if (likely(project_item(reader, p, end, batch)))
	{
		reader->state = AFTER_ITEM;
		return likely(reader->error[0] == '\0');
	}
	reader->state = IN_ITEM;
	reader->item_bytes = 0;
	reader->carry.len = 0;
	scanner_begin(&reader->scanner, SCANNER_MAX_DEPTH);
	return reader_continue_item(reader, p, end, batch);
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

	if (unlikely(reader->shape != NULL))
		return shape_and_deliver(reader, p, end, batch);
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
	if (reader->options.fingerprint)
		reader_note_text(reader, *p, after - *p);
	deliver(reader, batch, after - *p, false, &projection);
	*p = after;
	return true;
}

/* The same of an item that is made of the value at *p: true also where the error is set. */
static bool
shape_and_deliver(ItemReader *reader, const char **p, const char *end, ItemBatch *batch)
{
	JsonUnstorable unstorable = JSON_STORABLE;
	const char *after = shape_value_end(reader->shape, *p, end, &unstorable);
	bool		members = reader_has_members(reader);
	size_t		bytes;
	int			sqlstate;

	if (after == NULL)
		return false;
	bytes = after - *p + (members ? reader->key_bytes : 0);
	if (reader->options.fingerprint && !shape_awaits_names(reader->shape))
	{
		if (members)
			reader_note_text(reader, reader->key.bytes, reader->key_bytes);
		reader_note_text(reader, *p, after - *p);
	}
	if (reader->count < reader->skip && !shape_awaits_names(reader->shape))
		reader->count++;
	else if (bytes > reader->options.max_item_bytes)
	{
		if (shape_awaits_names(reader->shape))
			(void) fail_names(reader);
		else
			reader_deliver_large(reader, batch, bytes);
	}
	else
	{
		switch (shape_item(reader->shape, reader->key.bytes, reader->key.len, *p, end))
		{
			case SHAPE_ITEM:
			{
				const char *readable_end;
				const char *text = shape_text(reader->shape, &readable_end);

				if (!reader_deliver_text(reader, text, readable_end, unstorable, batch))
					reader_deliver_bad(reader, batch, ERRCODE_INTERNAL_ERROR, "item could not be read");
				shape_forget(reader->shape);
				break;
			}
			case SHAPE_NAMES:
				break;
			case SHAPE_BAD:
			{
				const char *reason = shape_problem(reader->shape, &sqlstate);

				reader_deliver_bad(reader, batch, sqlstate, reason);
				break;
			}
			case SHAPE_WRONG:
				(void) reader_fail(reader, "%s", shape_problem(reader->shape, &sqlstate));
				break;
		}
	}
	*p = after;
	return true;
}

/* Sets the error: the row with the names is above a bound.  Returns false. */
static bool
fail_names(ItemReader *reader)
{
	return reader_fail(reader, "the first row of the list, which has the names, is too large or nested too deep");
}

bool
reader_deliver_text(ItemReader *reader, const char *p, const char *end, JsonUnstorable unstorable, ItemBatch *batch)
{
	size_t		mark = batch->arena_used;
	Projection	projection;

	if (reader->count < reader->skip)
	{
		reader->count++;
		return true;
	}
	if (projector_run(reader->projector, p, end, batch, batch_next_cells(batch), &projection) == NULL)
	{
		batch->arena_used = mark;
		return false;
	}
	if (unstorable != JSON_STORABLE)
		projection.unstorable = unstorable;
	if (projection.unstorable != JSON_STORABLE)
		batch->arena_used = mark;
	deliver(reader, batch, 0, false, &projection);
	return true;
}

void
reader_deliver_bad(ItemReader *reader, ItemBatch *batch, int sqlstate, const char *reason)
{
	if (reader->count++ >= reader->skip)
		batch_add_bad_item(batch, sqlstate, reason);
}

void
reader_deliver_large(ItemReader *reader, ItemBatch *batch, size_t bytes)
{
	deliver(reader, batch, bytes, false, NULL);
}

void
reader_note_text(ItemReader *reader, const char *text, size_t len)
{
	uint64		length = len;

	/* the first item behind those that are skipped */
	if (unlikely(reader->skipped != 0) && reader->count == reader->skip)
	{
		reader->differs = reader->fingerprint != reader->skipped;
		reader->skipped = 0;
	}
	if (len > reader->options.max_item_bytes)
		reader->fingerprint = fingerprint_add(reader->fingerprint, (const char *) &length, sizeof(length));
	else
		reader->fingerprint = fingerprint_add(reader->fingerprint, text, len);
	if (reader->fingerprint == 0)
		reader->fingerprint = 1;	/* 0 is that of no items */
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
		if (unlikely(reader->options.objects_only && !projection->object))
			batch_note_bad_item(batch, batch->nitems - 1, ERRCODE_DATATYPE_MISMATCH, "item is not an object");
		return;
	}
	batch_add_bad_item(batch, sqlstate, reason);
}

/* Goes on with an item that is carried over. */
bool
reader_continue_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch)
{
	const char *start = *p;
	ScanStatus	status = scanner_push(&reader->scanner, p, end);

	if (status == SCAN_ERROR)
		return reader_fail_scan(reader, *p);
	reader->item_bytes += *p - start;
	if (reader->item_bytes <= reader->options.max_item_bytes)
		buffer_add(&reader->carry, start, *p - start);
	else
		buffer_reset(&reader->carry, reader->options.keep_bytes);
	if (status == SCAN_DONE)
	{
		reader->state = AFTER_ITEM;
		return reader_finish_item(reader, batch);
	}
	return true;
}

/* The scanner has found the item that is carried over to be right. */
bool
reader_finish_item(ItemReader *reader, ItemBatch *batch)
{
	static const char padding[CARRY_PADDING];
	ByteBuffer *carry = &reader->carry;
	Projection	none = {.unstorable = reader->scanner.unstorable};
	bool		members = reader_has_members(reader);
	size_t		bytes = reader->item_bytes + (members ? reader->key_bytes : 0);
	bool		too_large = bytes > reader->options.max_item_bytes;
	bool		too_deep = reader->scanner.deepest > reader->options.max_depth;

	if ((too_large || too_deep) && reader->shape && shape_awaits_names(reader->shape))
		return fail_names(reader);
	if (too_large || too_deep)
	{
		if (reader->options.fingerprint)
		{
			if (members)
				reader_note_text(reader, reader->key.bytes, reader->key_bytes);
			reader_note_text(reader, carry->bytes, reader->item_bytes);
		}
		deliver(reader, batch, bytes, too_deep, &none);
	}
	else
	{
		const char *p;

		buffer_add(carry, padding, CARRY_PADDING);
		p = carry->bytes;
		/* Where the scanner and the projector do not agree, rather no cells than wrong ones. */
		if (!project_item(reader, &p, p + carry->len - CARRY_PADDING + 1, batch))
			reader_deliver_bad(reader, batch, ERRCODE_INTERNAL_ERROR, "item could not be read");
	}
	buffer_reset(carry, reader->options.keep_bytes);
	return reader->error[0] == '\0';
}
