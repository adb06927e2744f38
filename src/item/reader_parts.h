/*
 * reader_parts.h
 *	  What the two halves of the item reader share: item_reader.c reads what is
 *	  around the list, list_reader.c the items in it.
 */
#ifndef DATABITE_READER_PARTS_H
#define DATABITE_READER_PARTS_H

#include "item/item_reader.h"
#include "item/list_finder.h"
#include "item/projector.h"
#include "item/scanner.h"

typedef enum ReaderState
{
	BEFORE_DOCUMENT,			/* maybe in a byte order mark */
	AT_VALUE,
	AT_ELEMENT_OR_END,
	AT_KEY_OR_END,
	AT_KEY,
	IN_KEY,
	AT_COLON,
	AFTER_VALUE,
	IN_VALUE,					/* that the scanner walks over */
	AT_ITEM_OR_END,
	AT_ITEM,
	IN_ITEM,					/* that is carried over */
	AFTER_ITEM,
	AFTER_DOCUMENT,
	FAILED
} ReaderState;

typedef struct ByteBuffer
{
	char	   *bytes;
	size_t		len;
	size_t		size;
} ByteBuffer;

struct ItemReader
{
	ItemReaderOptions options;
	MemoryContext context;
	ListFinder *finder;
	Projector  *projector;
	char	   *item_path;		/* from a list's element to the item; NULL: itself */
	size_t		max_key;		/* bytes of a key, as written, that may matter */

	/* of the document */
	ReaderState state;
	int64		skip;
	int64		count;
	int64		position;		/* in the body, of the bytes of the next push */
	bool		begun;			/* something but white space was met */
	int			bom;			/* bytes of the byte order mark that were met */
	Scanner		scanner;
	ByteBuffer	key;
	ByteBuffer	carry;
	size_t		item_bytes;		/* of the item at hand, carried or not */
	ByteBuffer	envelope;
	bool		envelope_lost;	/* above the bound */
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

/* A value outside of the list, or the list itself, has ended. */
extern void reader_end_value(ItemReader *reader);

/* Adds bytes, and a NUL that is not counted. */
extern void reader_buffer_add(ItemReader *reader, ByteBuffer *buffer, const char *bytes, size_t len);

/* Sets the error: the byte at p is not what is expected.  Returns false. */
extern bool reader_fail_at(ItemReader *reader, const char *p, const char *expected);

/* Sets the error that the scanner has found at p.  Returns false. */
extern bool reader_fail_scan(ItemReader *reader, const char *p);

/* The reader is inside of the list. */
static inline bool
reader_in_list(const ItemReader *reader)
{
	return reader->state >= AT_ITEM_OR_END && reader->state <= AFTER_ITEM;
}

#endif
