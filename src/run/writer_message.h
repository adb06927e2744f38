/*
 * writer_message.h
 *	  What a run and its parallel writers send each other.
 *
 * A writer is sent one order, then parts; it answers the order with
 * REPLY_READY and each part with REPLY_DONE or REPLY_FAILED.  A writer that has had
 * nothing to do for too long says REPLY_LEAVING and takes no part that comes after that.
 *
 * Messages are between processes of one server, so they are bytes as they stand in memory.
 */
#ifndef DATABITE_WRITER_MESSAGE_H
#define DATABITE_WRITER_MESSAGE_H

#include "destination/write_plan.h"
#include "item/item_reader.h"
#include "lib/stringinfo.h"
#include "storage/shm_mq.h"
#include "utils/jsonb.h"

/* What a writer needs to know of the run. */
typedef struct WriterOrder
{
	const char *job_id;
	Oid			owner;
	const char *search_path;
	int64		state_epoch;
	const char *definition;
	const char *step_id;
	int64		run_id;
	Jsonb	   *scopes;			/* $1 of the transform */
	const char *paths;			/* that the items were read by: the writer's plan must want the same */
	int64		idle_timeout_ms;	/* -1: it stays as long as the run */
} WriterOrder;

/* Items that one writer writes in one transaction. */
typedef struct WriterPart
{
	int64		round;
	int			number;			/* in the round */
	ItemBatch  *batch;			/* with the items' positions in the run */
	const char *items;			/* which items of the source they are: origins_json */
} WriterPart;

typedef enum WriterReplyKind
{
	REPLY_READY,
	REPLY_DONE,
	REPLY_FAILED,				/* the part, or the order */
	REPLY_LEAVING
} WriterReplyKind;

typedef struct WriterReply
{
	WriterReplyKind kind;
	WriteCounts counts;			/* REPLY_DONE */
	char	   *first_reason;
	char	   *first;			/* RunShortfall.first, or NULL */
	int64		batches;		/* given up */	/* of an item that was rejected, or NULL */
	ErrorData  *error;			/* REPLY_FAILED */
} WriterReply;

/* A part goes as a head and the arrays of its batch as they are. */
#define PART_PIECES 4

/* Encoders append to buf; what decoders give lives in the current context, or in the message itself. */
extern void writer_order_encode(StringInfo buf, const WriterOrder *order);
extern void writer_order_decode(const void *data, Size len, WriterOrder *order);

/* secrets: of char *, those that the writer has not been told yet; buf must live until the pieces are sent. */
extern void writer_part_encode(StringInfo buf, const WriterPart *part, const List *secrets, shm_mq_iovec *pieces);
extern void writer_part_decode(const void *data, Size len, WriterPart *part, List **secrets);

extern void writer_reply_encode(StringInfo buf, const WriterReply *reply);
extern void writer_reply_decode(const void *data, Size len, WriterReply *reply);

#endif
