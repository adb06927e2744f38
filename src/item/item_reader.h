/*
 * item_reader.h
 *	  Bytes of a response in, projected items out: a push parser.
 *
 * The reader takes the body in pieces of any size, finds the list of items,
 * and for each item extracts in one pass just the wanted paths, as raw leaves.
 * It never holds the body: an item is finished into the batch, everything
 * outside of the list is kept as the envelope (the response with the list
 * emptied), up to a bound.  It gives the same items for any split of the bytes.
 *
 * The response is JSON, NDJSON (a JSON value a line) or CSV with a header row
 * (RFC 4180), in any charset that iconv knows.  Lines and rows are the items; there
 * is no list and no envelope around them.
 *
 * Of JSON it accepts and rejects what RFC 8259 says.  An item that PostgreSQL could not
 * store (\u0000, a lone surrogate) or that is above the size bound is a bad
 * item, and so is a row that does not fit its names: it is delivered with a reason
 * instead of cells, and the rest go on.
 *
 * The reader knows neither HTTP nor SQL and never raises an error itself (out
 * of memory aside).
 */
#ifndef DATABITE_ITEM_READER_H
#define DATABITE_ITEM_READER_H

#include "job/definition.h"
#include "job/path.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"

typedef enum CellKind
{
	CELL_MISSING = 0,			/* the path leads nowhere */
	CELL_NULL,
	CELL_FALSE,
	CELL_TRUE,
	CELL_NUMBER,				/* source text of the number */
	CELL_STRING,				/* unescaped, valid UTF-8, no NUL byte inside */
	CELL_JSON					/* object or array: its source text, white space as it was */
} CellKind;

/* A leaf of an item; the text is at batch->arena + offset, NUL-terminated (length does not count the NUL). */
typedef struct Cell
{
	uint32		kind;
	uint32		length;
	uint64		offset;
} Cell;

typedef struct BadItem
{
	int64		item;			/* position in the batch */
	int			sqlstate;
	char	   *reason;			/* errmsg style */
} BadItem;

/*
 * What the items of one page have in common: a JSON object by which templates see
 * page, response and parent.  Whoever fills batches owns it, and keeps it until
 * the batch is reset.
 */
typedef struct ItemContext
{
	const char *json;
} ItemContext;

/* From that item of the batch on, that context. */
typedef struct ContextStretch
{
	int64		first_item;
	const ItemContext *context;
} ContextStretch;

/*
 * A batch of items.  cells[item * npaths + path].  Filled by the reader, read
 * and reset by the writer.
 */
typedef struct ItemBatch
{
	MemoryContext context;
	int			npaths;
	int			max_items;		/* full at this many items */
	size_t		max_bytes;		/* or at this many bytes of arena */
	size_t		max_rows_bytes; /* that its rows may have in memory while they are written, rather than on disk; 0: all they need */
	int			nitems;
	Cell	   *cells;			/* grows up to max_items * npaths */
	int			cells_size;		/* items that cells has room for */
	char	   *arena;
	size_t		arena_used;
	size_t		arena_size;
	List	   *bad;			/* of BadItem * */
	List	   *contexts;		/* of ContextStretch *, in order; NIL: no item has a context */
	Bitmapset  *dropped;		/* items that are not to be written, as if source.where had dropped them */
	int64		before;			/* a part of another batch: so many items stand before it there, for contexts */
	const int64 *positions;		/* a selection from another batch: the items' positions in the run; NULL: they follow each other */
} ItemBatch;

/* An item's position in the run, from 0; first_item: that of the batch's first item, where they follow each other. */
static inline int64
item_batch_position(const ItemBatch *batch, int64 first_item, int64 item)
{
	return batch->positions != NULL ? batch->positions[item] : first_item + item;
}

typedef struct ItemReaderOptions
{
	const JsonPath *data_path;	/* where the list is, or with .* the object; NULL: a root array, else the one array under a usual name */
	int			npaths;
	const JsonPath *const *paths;	/* wanted paths; nsteps 0 is the whole item as CELL_JSON (or scalar) */
	size_t		max_item_bytes; /* 16 MiB */
	int64		patience_bytes; /* without the end of an item; 0: ITEM_READER_PATIENCE times as many as an item may have */
	size_t		keep_bytes;		/* of memory that one item has needed, kept for the next; 0: 256 KiB */
	int			max_depth;		/* 512 */
	size_t		max_envelope_bytes; /* 1 MiB; beyond it the envelope is given up */
	SourceFormat format;		/* FORMAT_BY_CONTENT_TYPE: JSON until item_reader_set_content_type says otherwise */
	const List *zip;			/* of JobZip *; NIL: items are items */
	bool		fingerprint;	/* see item_reader_fingerprint */
	bool		objects_only;	/* an item that is no object is a bad one, which keeps its cells */
} ItemReaderOptions;

/*
 * A document of which that many times max_item_bytes go by without the end of an
 * item has none: an item that large is no use, and neither is what is around the list.
 */
#define ITEM_READER_PATIENCE 64

typedef enum ItemReaderStatus
{
	ITEMS_MORE,					/* all bytes taken, give more (or finish) */
	ITEMS_BATCH_FULL,			/* the batch is full: flush it and push the rest */
	ITEMS_ERROR					/* not JSON, or no list: see item_reader_error */
} ItemReaderStatus;

typedef struct ItemReader ItemReader;

extern ItemReader *item_reader_create(const ItemReaderOptions *options, MemoryContext context);

/* Begins a new document; skip: that many items are read but not delivered (a page that is read again). */
extern void item_reader_begin(ItemReader *reader, int64 skip);

/* After that: the fingerprint that the items to be skipped had when they were delivered. */
extern void item_reader_expect(ItemReader *reader, uint64 fingerprint);

/* Were the items that have been skipped others than those?  False while not all have come. */
extern bool item_reader_skipped_others(const ItemReader *reader);

/*
 * Begins the same document anew (its transfer broke and was tried again): what was
 * delivered is skipped, and so is what was to be skipped, however early it broke.
 */
extern void item_reader_restart(ItemReader *reader);

/*
 * After begin or restart, before the first bytes: the Content-Type of the
 * response that the document is the body of, or NULL.  It tells the charset, and
 * the format where the options leave that open.  A byte order mark wins over the charset.
 * False where the charset is not known, or the format does not go with the
 * options: see item_reader_error.
 */
extern bool item_reader_set_content_type(ItemReader *reader, const char *content_type);

/*
 * Takes bytes; *taken tells how many.  Delivers into batch.  Where a charset is
 * converted the batch may be full with all bytes taken: what is left of their text comes
 * with the next push, or finish.
 */
extern ItemReaderStatus item_reader_push(ItemReader *reader, const char *data, size_t len,
										 size_t *taken, ItemBatch *batch);

/*
 * The body has ended: ITEMS_MORE if the document is complete and the list was found
 * (null counts as empty), else ITEMS_ERROR; ITEMS_BATCH_FULL where the batch must be
 * flushed and finish called again.
 */
extern ItemReaderStatus item_reader_finish(ItemReader *reader, ItemBatch *batch);

/* What is wrong: errmsg style, with the byte position in the body; hint may be NULL. */
extern const char *item_reader_error(const ItemReader *reader, const char **hint);

/* Its SQLSTATE: that of JSON which is wrong, or of a limit that is exceeded. */
extern int	item_reader_sqlstate(const ItemReader *reader);

/* Items of the current document so far, those skipped included. */
extern int64 item_reader_count(const ItemReader *reader);

/* Bytes of memory that hold what is not complete yet: an item, its name, the envelope. */
extern size_t item_reader_held(const ItemReader *reader);

/* Gives that memory back, and with it the envelope: nothing more of the document is wanted. */
extern void item_reader_forget(ItemReader *reader);

/* The response with the list emptied, NUL-terminated; NULL where it was above the bound, "null" for NDJSON and CSV. Valid until begin. */
extern const char *item_reader_envelope(const ItemReader *reader, size_t *len);

/*
 * The same while the document is still being read: what came up to the list that
 * began last, ended as JSON must be; in the current memory context.  NULL before the list.
 */
extern char *item_reader_envelope_so_far(const ItemReader *reader, size_t *len);

/*
 * A hash over the texts of the document's items so far, those skipped included, the same for any split of the bytes; 0 where
 * there are none.  Needs options.fingerprint.
 */
extern uint64 item_reader_fingerprint(const ItemReader *reader);

/* Where the list was found, printed as a path; NULL before. */
extern const char *item_reader_list_path(const ItemReader *reader);

extern ItemBatch *item_batch_create(int npaths, int max_items, size_t max_bytes, MemoryContext context);
extern void item_batch_reset(ItemBatch *batch);

/* The items that follow have that context. */
extern void item_batch_set_context(ItemBatch *batch, const ItemContext *context);

#endif
