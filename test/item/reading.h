/*
 * reading.h
 *	  Reads one document through the item reader and keeps what came out.
 */
#ifndef DATABITE_TEST_READING_H
#define DATABITE_TEST_READING_H

#include "item/item_reader.h"
#include "lib/stringinfo.h"

#define READING_MAX_PATHS	8
#define READING_MAX_ZIP		2

typedef struct ReadingSetup
{
	const char *data_path;		/* NULL: none stated */
	const char *paths[READING_MAX_PATHS + 1];	/* NULL-terminated */
	int64		skip;
	int			max_items;		/* of a batch; 0: 3 */
	size_t		max_item_bytes; /* 0: 16 MiB */
	int			max_depth;		/* 0: 512 */
	size_t		max_envelope_bytes; /* 0: 1 MiB */
	SourceFormat format;
	const char *content_type;
	const char *zip[2 * READING_MAX_ZIP + 1];	/* "header", or names and values in turn; NULL-terminated */
} ReadingSetup;

typedef struct Reading
{
	ItemReader *reader;
	ItemBatch  *batch;
	int			npaths;
	StringInfoData items;		/* a line for each item */
	const char *content_type;
	uint64		fingerprint;	/* once the document has ended */
	bool		accepted;
	bool		disagreed;		/* a bad item that only a bug explains */
} Reading;

extern void reading_create(Reading *reading, const ReadingSetup *setup);
extern void reading_begin(Reading *reading, int64 skip);

/* Begins the document anew, as where its transfer broke; items keeps what came out. */
extern void reading_restart(Reading *reading);

/* Pushes bytes, taking the items out of the batch whenever it is full; false on an error. */
extern bool reading_push(Reading *reading, const char *data, size_t len);

/* Ends the document; items then has everything that came out, the error or the envelope included. */
extern void reading_finish(Reading *reading);

#endif
