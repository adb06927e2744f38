/*
 * member_reader.c
 *	  The names of items, where the list is an object and its members are the items.
 *
 * A name is kept as it was written, up to the bound on an item's size, and is a
 * part of the item's bytes.
 */
#include "postgres.h"

#include "item/reader_parts.h"

static bool read_name(ItemReader *reader, const char **p, const char *end);

/* Reads up to the value of a member of the list; false with the error set where something is wrong. */
bool
reader_read_member(ItemReader *reader, const char **p, const char *end)
{
	if (reader->state == IN_MEMBER)
		return read_name(reader, p, end);

	*p = json_skip_space(*p, end);
	if (*p == end)
		return true;
	if (reader->state == AT_MEMBER_COLON)
	{
		if (**p != ':')
			return reader_fail_at(reader, *p, "\":\"");
		(*p)++;
		reader->state = AT_ITEM;
		return true;
	}
	if (**p == '}' && reader->state == AT_MEMBER_OR_END)
	{
		reader->kept_from = (*p)++;
		reader_end_value(reader);
		return true;
	}
	if (**p != '"')
		return reader_fail_at(reader, *p, reader->state == AT_MEMBER ? "a string" : "a string or \"}\"");
	reader->state = IN_MEMBER;
	reader->key.len = 0;
	reader->key_bytes = 0;
	scanner_begin(&reader->scanner, 0);
	return read_name(reader, p, end);
}

/* Goes on with the name of a member. */
static bool
read_name(ItemReader *reader, const char **p, const char *end)
{
	const char *start = *p;
	ScanStatus	status = scanner_push(&reader->scanner, p, end);

	if (status == SCAN_ERROR)
		return reader_fail_scan(reader, *p);
	reader->key_bytes += *p - start;
	if (reader->key_bytes <= reader->options.max_item_bytes)
		buffer_add(&reader->key, start, *p - start);
	if (status == SCAN_DONE)
		reader->state = AT_MEMBER_COLON;
	return true;
}
