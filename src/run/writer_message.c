/*
 * writer_message.c
 *	  What a run and its parallel writers send each other.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/errors.h"
#include "item/batch_arena.h"
#include "run/writer_message.h"

/* Where a decoder stands. */
typedef struct Decoder
{
	const char *p;
	const char *end;
} Decoder;

static void put_int(StringInfo buf, int64 value);
static void put_bytes(StringInfo buf, const void *data, Size len);
static void put_text(StringInfo buf, const char *text);
static void put_counts(StringInfo buf, const WriteCounts *counts);
static void put_error(StringInfo buf, const ErrorData *error);
static void put_bad(StringInfo buf, const List *bad);
static void put_contexts(StringInfo buf, const List *contexts);
static void put_dropped(StringInfo buf, const Bitmapset *dropped);
static void take(Decoder *from, void *to, Size len);
static int64 take_int(Decoder *from);
static const char *take_bytes(Decoder *from, Size *len);
static char *take_text(Decoder *from);
static ErrorData *take_error(Decoder *from);
static List *take_bad(Decoder *from);
static List *take_contexts(Decoder *from);
static Bitmapset *take_dropped(Decoder *from);
pg_noreturn static void raise_damaged(void);

void
writer_order_encode(StringInfo buf, const WriterOrder *order)
{
	put_text(buf, order->job_id);
	put_int(buf, order->owner);
	put_text(buf, order->search_path);
	put_int(buf, order->state_epoch);
	put_text(buf, order->definition);
	put_text(buf, order->step_id);
	put_int(buf, order->run_id);
	put_bytes(buf, order->scopes, VARSIZE_ANY(order->scopes));
	put_text(buf, order->paths);
	put_int(buf, order->idle_timeout_ms);
}

void
writer_order_decode(const void *data, Size len, WriterOrder *order)
{
	Decoder		from = {data, (const char *) data + len};
	const char *scopes;
	Size		size;

	order->job_id = take_text(&from);
	order->owner = (Oid) take_int(&from);
	order->search_path = take_text(&from);
	order->state_epoch = take_int(&from);
	order->definition = take_text(&from);
	order->step_id = take_text(&from);
	order->run_id = take_int(&from);
	scopes = take_bytes(&from, &size);
	order->scopes = palloc(size);
	memcpy(order->scopes, scopes, size);
	order->paths = take_text(&from);
	order->idle_timeout_ms = take_int(&from);
}

void
writer_part_encode(StringInfo buf, const WriterPart *part, const List *secrets, shm_mq_iovec *pieces)
{
	const ItemBatch *batch = part->batch;
	int64		head;
	ListCell   *lc;

	put_int(buf, 0);			/* the length of the head */
	put_int(buf, part->round);
	put_int(buf, part->number);
	put_int(buf, batch->nitems);
	put_int(buf, batch->npaths);
	put_text(buf, part->items);
	put_bad(buf, batch->bad);
	put_contexts(buf, batch->contexts);
	put_dropped(buf, batch->dropped);
	put_int(buf, list_length(secrets));
	foreach(lc, secrets)
		put_text(buf, lfirst(lc));
	while (buf->len % MAXIMUM_ALIGNOF != 0)
		appendStringInfoChar(buf, '\0');
	head = buf->len;
	memcpy(buf->data, &head, sizeof(head));

	pieces[0].data = buf->data;
	pieces[0].len = buf->len;
	pieces[1].data = (const char *) batch->cells;
	pieces[1].len = sizeof(Cell) * batch->nitems * batch->npaths;
	pieces[2].data = (const char *) batch->positions;
	pieces[2].len = sizeof(int64) * batch->nitems;
	pieces[3].data = batch->arena;
	pieces[3].len = batch->arena_used + BATCH_ARENA_SLACK;
}

/* The batch's arrays stay in the message. */
void
writer_part_decode(const void *data, Size len, WriterPart *part, List **secrets)
{
	Decoder		from = {data, (const char *) data + len};
	ItemBatch  *batch = palloc0(sizeof(ItemBatch));
	int64		head = take_int(&from);
	Size		cells;
	int64		nsecrets;

	part->round = take_int(&from);
	part->number = (int) take_int(&from);
	part->batch = batch;
	batch->context = CurrentMemoryContext;
	batch->nitems = batch->max_items = batch->cells_size = (int) take_int(&from);
	batch->npaths = (int) take_int(&from);
	part->items = take_text(&from);
	batch->bad = take_bad(&from);
	batch->contexts = take_contexts(&from);
	batch->dropped = take_dropped(&from);
	nsecrets = take_int(&from);
	*secrets = NIL;
	for (int64 i = 0; i < nsecrets; i++)
		*secrets = lappend(*secrets, take_text(&from));

	cells = sizeof(Cell) * batch->nitems * batch->npaths;
	if (head + cells + sizeof(int64) * batch->nitems > len)
		raise_damaged();
	batch->cells = (Cell *) ((const char *) data + head);
	batch->positions = (const int64 *) ((const char *) data + head + cells);
	batch->arena = (char *) data + head + cells + sizeof(int64) * batch->nitems;
	batch->arena_used = batch->arena_size = (const char *) data + len - batch->arena;
}

void
writer_reply_encode(StringInfo buf, const WriterReply *reply)
{
	put_int(buf, reply->kind);
	put_counts(buf, &reply->counts);
	put_text(buf, reply->first_reason);
	put_text(buf, reply->first);
	put_int(buf, reply->batches);
	if (reply->kind == REPLY_FAILED)
		put_error(buf, reply->error);
}

void
writer_reply_decode(const void *data, Size len, WriterReply *reply)
{
	Decoder		from = {data, (const char *) data + len};

	memset(reply, 0, sizeof(WriterReply));
	reply->kind = (WriterReplyKind) take_int(&from);
	take(&from, &reply->counts, sizeof(WriteCounts));
	reply->first_reason = take_text(&from);
	reply->first = take_text(&from);
	reply->batches = take_int(&from);
	if (reply->kind == REPLY_FAILED)
		reply->error = take_error(&from);
}

static void
put_int(StringInfo buf, int64 value)
{
	appendBinaryStringInfo(buf, (const char *) &value, sizeof(value));
}

static void
put_bytes(StringInfo buf, const void *data, Size len)
{
	put_int(buf, (int64) len);
	appendBinaryStringInfo(buf, (const char *) data, (int) len);
}

/* NULL has the length -1; the NUL is sent too. */
static void
put_text(StringInfo buf, const char *text)
{
	if (text == NULL)
		put_int(buf, -1);
	else
		put_bytes(buf, text, strlen(text) + 1);
}

static void
put_counts(StringInfo buf, const WriteCounts *counts)
{
	appendBinaryStringInfo(buf, (const char *) counts, sizeof(WriteCounts));
}

static void
put_error(StringInfo buf, const ErrorData *error)
{
	put_int(buf, error->sqlerrcode);
	put_text(buf, error->message);
	put_text(buf, error->detail);
	put_text(buf, error->hint);
	put_text(buf, error->context);
	put_text(buf, error->schema_name);
	put_text(buf, error->table_name);
	put_text(buf, error->column_name);
	put_text(buf, error->datatype_name);
	put_text(buf, error->constraint_name);
}

static void
put_bad(StringInfo buf, const List *bad)
{
	ListCell   *lc;

	put_int(buf, list_length(bad));
	foreach(lc, bad)
	{
		const BadItem *item = lfirst(lc);

		put_int(buf, item->item);
		put_int(buf, item->sqlstate);
		put_text(buf, item->reason);
	}
}

static void
put_contexts(StringInfo buf, const List *contexts)
{
	ListCell   *lc;

	put_int(buf, list_length(contexts));
	foreach(lc, contexts)
	{
		const ContextStretch *stretch = lfirst(lc);

		put_int(buf, stretch->first_item);
		put_text(buf, stretch->context != NULL ? stretch->context->json : NULL);
	}
}

static void
put_dropped(StringInfo buf, const Bitmapset *dropped)
{
	put_int(buf, bms_num_members(dropped));
	for (int item = bms_next_member(dropped, -1); item >= 0; item = bms_next_member(dropped, item))
		put_int(buf, item);
}

static void
take(Decoder *from, void *to, Size len)
{
	if (len > from->end - from->p)
		raise_damaged();
	memcpy(to, from->p, len);
	from->p += len;
}

static int64
take_int(Decoder *from)
{
	int64		value;

	take(from, &value, sizeof(value));
	return value;
}

/* In the message; NULL for -1. */
static const char *
take_bytes(Decoder *from, Size *len)
{
	int64		length = take_int(from);
	const char *bytes = from->p;

	*len = 0;
	if (length < 0)
		return NULL;
	if (length > from->end - from->p)
		raise_damaged();
	from->p += length;
	*len = length;
	return bytes;
}

static char *
take_text(Decoder *from)
{
	Size		len;
	const char *text = take_bytes(from, &len);

	return text != NULL ? pstrdup(text) : NULL;
}

static ErrorData *
take_error(Decoder *from)
{
	ErrorData  *error = palloc0(sizeof(ErrorData));

	error->elevel = ERROR;
	error->output_to_server = error->output_to_client = true;
	error->assoc_context = CurrentMemoryContext;
	error->sqlerrcode = (int) take_int(from);
	error->message = take_text(from);
	error->detail = take_text(from);
	error->hint = take_text(from);
	error->context = take_text(from);
	error->schema_name = take_text(from);
	error->table_name = take_text(from);
	error->column_name = take_text(from);
	error->datatype_name = take_text(from);
	error->constraint_name = take_text(from);
	return error;
}

static List *
take_bad(Decoder *from)
{
	List	   *bad = NIL;

	for (int64 n = take_int(from); n > 0; n--)
	{
		BadItem    *item = palloc(sizeof(BadItem));

		item->item = take_int(from);
		item->sqlstate = (int) take_int(from);
		item->reason = take_text(from);
		bad = lappend(bad, item);
	}
	return bad;
}

static List *
take_contexts(Decoder *from)
{
	List	   *contexts = NIL;

	for (int64 n = take_int(from); n > 0; n--)
	{
		ContextStretch *stretch = palloc(sizeof(ContextStretch));
		ItemContext *context = palloc(sizeof(ItemContext));

		stretch->first_item = take_int(from);
		context->json = take_text(from);
		stretch->context = context->json != NULL ? context : NULL;
		contexts = lappend(contexts, stretch);
	}
	return contexts;
}

static Bitmapset *
take_dropped(Decoder *from)
{
	Bitmapset  *dropped = NULL;

	for (int64 n = take_int(from); n > 0; n--)
		dropped = bms_add_member(dropped, (int) take_int(from));
	return dropped;
}

static void
raise_damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg_internal("a message between a run and its writer is damaged")));
}
