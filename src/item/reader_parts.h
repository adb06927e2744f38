/*
 * reader_parts.h
 *	  What the parts of the item reader share: item_reader.c reads what is around
 *	  the list, list_reader.c the items in it, and member_reader.c their names where
 *	  the list is an object; line_reader.c reads NDJSON, csv_reader.c CSV.
 */
#ifndef DATABITE_READER_PARTS_H
#define DATABITE_READER_PARTS_H

#include "item/body_decoder.h"
#include "item/byte_buffer.h"
#include "item/item_reader.h"
#include "item/item_shape.h"
#include "item/list_finder.h"
#include "item/projector.h"
#include "item/scanner.h"

typedef enum ReaderState
{
	AT_VALUE,
	AT_ELEMENT_OR_END,
	AT_KEY_OR_END,
	AT_KEY,
	IN_KEY,
	AT_COLON,
	AFTER_VALUE,
	IN_VALUE,					/* that the scanner walks over */
	AT_ITEM_OR_END,
	AT_MEMBER_OR_END,			/* where the list is an object */
	AT_MEMBER,
	IN_MEMBER,					/* in its name */
	AT_MEMBER_COLON,
	AT_ITEM,
	IN_ITEM,					/* that is carried over */
	AFTER_ITEM,
	AT_LINE,					/* of NDJSON */
	IN_ROWS,					/* of CSV: see csv_reader.c */
	AFTER_DOCUMENT,
	FAILED
} ReaderState;

typedef struct CsvReader CsvReader;

struct ItemReader
{
	ItemReaderOptions options;
	MemoryContext context;
	ListFinder *finder;
	Projector  *projector;
	ItemShape  *shape;			/* NULL: items are as they are in the list */
	BodyDecoder *decoder;
	CsvReader  *csv;			/* made for the first body that is CSV */
	char	   *item_path;		/* from a list's element to the item; NULL: itself */
	size_t		max_key;		/* bytes of a key, as written, that may matter */

	/* of the document */
	SourceFormat format;
	ReaderState state;
	const char *text;			/* that the decoder gave and is not read yet */
	size_t		text_left;
	uint64		fingerprint;
	int64		skip;
	uint64		skipped;		/* fingerprint of what is to be skipped, where that is known; 0: it is not */
	bool		differs;		/* it was another */
	int64		count;
	int64		position;		/* in the body, of the bytes of the next push */
	int64		item_end;		/* likewise, of the push in which an item has ended last */
	bool		endless;		/* the error is that nothing ends */
	bool		begun;			/* something but white space was met */
	Scanner		scanner;
	ByteBuffer	key;
	size_t		key_bytes;		/* of the member at hand, also where key has not all of them */
	ByteBuffer	carry;
	size_t		item_bytes;		/* of the item at hand, carried or not */
	ByteBuffer	envelope;
	bool		envelope_lost;	/* above the bound */
	size_t		envelope_whole; /* bytes of it up to the last list that began; 0: none has */
	ByteBuffer	envelope_closers;	/* what then would end it */
	char		error[512];
	char		hint[512];

	/* of the push */
	const char *data;
	const char *kept_from;		/* begin of bytes that belong to the envelope; NULL in the list */
};

/*
 * Reads items until the bytes, the list or the batch's room end; false with the
 * error set where something is wrong.
 */
extern bool reader_read_list(ItemReader *reader, const char **position, const char *end,
							 ItemBatch *batch, bool *full);

/* The same of the lines of NDJSON, and of the rows of CSV. */
extern bool reader_read_lines(ItemReader *reader, const char **position, const char *end,
							  ItemBatch *batch, bool *full);
extern bool reader_read_rows(ItemReader *reader, const char **position, const char *end,
							 ItemBatch *batch, bool *full);

/* The body has ended: delivers what it ends with.  The batch has room. */
extern bool reader_finish_lines(ItemReader *reader, ItemBatch *batch);
extern bool reader_finish_rows(ItemReader *reader, ItemBatch *batch);

/* A document of CSV begins. */
extern void reader_begin_rows(ItemReader *reader, char delimiter);

/* Reads up to the value of a member of the list; false with the error set where something is wrong. */
extern bool reader_read_member(ItemReader *reader, const char **p, const char *end);

/* At the first byte of an item, and in one that is carried over. */
extern bool reader_begin_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch);
extern bool reader_continue_item(ItemReader *reader, const char **p, const char *end, ItemBatch *batch);

/* The item that is carried over is whole, and the scanner has found it to be right. */
extern bool reader_finish_item(ItemReader *reader, ItemBatch *batch);

/* Counts a bad item in; the batch gets the reason. */
extern void reader_deliver_bad(ItemReader *reader, ItemBatch *batch, int sqlstate, const char *reason);

/* The same of one of so many bytes, which is too large. */
extern void reader_deliver_large(ItemReader *reader, ItemBatch *batch, size_t bytes);

/*
 * Delivers an item that was made of what the document has: the text at p, with
 * bytes up to end that can be read.  False, and nothing is changed, where it is not right.
 */
extern bool reader_deliver_text(ItemReader *reader, const char *p, const char *end,
								JsonUnstorable unstorable, ItemBatch *batch);

/* The item's text goes into the fingerprint; where it is above the bound, only its length. */
extern void reader_note_text(ItemReader *reader, const char *text, size_t len);

/* A value outside of the list, or the list itself, has ended. */
extern void reader_end_value(ItemReader *reader);

/* Sets the error.  Returns false. */
extern bool reader_fail(ItemReader *reader, const char *format,...) pg_attribute_printf(2, 3);

/* Sets the error: the byte at p is not what is expected.  Returns false. */
extern bool reader_fail_at(ItemReader *reader, const char *p, const char *expected);

/* Sets the error that the scanner has found at p.  Returns false. */
extern bool reader_fail_scan(ItemReader *reader, const char *p);

/* The items are members of an object. */
static inline bool
reader_has_members(const ItemReader *reader)
{
	return reader->format == FORMAT_JSON && finder_has_members(reader->finder);
}

/* The reader is inside of the list. */
static inline bool
reader_in_list(const ItemReader *reader)
{
	return reader->state >= AT_ITEM_OR_END && reader->state <= AFTER_ITEM;
}

#endif
