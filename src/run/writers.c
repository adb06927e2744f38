/*
 * writers.c
 *	  The parallel writers of a step, seen from the run.
 *
 * A writer is a dynamic background worker.  It shares a segment of dynamic
 * shared memory with the run, with a queue for each direction; a queue tells
 * when the process at its other end is gone.  The run owns segments, handles and
 * queues until writers_end.
 *
 * Cases:
 * - No worker slot is free, or the writer cannot connect: there are fewer, or none.
 * - A writer that has no part ends, whether by itself because it was idle or
 *   because somebody terminated it: nothing is lost.
 * - It leaves at the very moment in which it is sent a part: it has said so
 *   before, and the part goes to another one.
 * - It ends with a part: whether that was committed can be read in
 *   databite.writer_part; the part has failed.
 * - The run ends: the writers see their queue end, finish what they write, and go.
 */
#include "postgres.h"

#include "base/background_worker.h"
#include "base/compat.h"
#include "base/errors.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "run/secret_mask.h"
#include "run/writers.h"
#include "storage/dsm.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* A part may be longer than the queue, it then goes in pieces. */
#define PARTS_QUEUE_BYTES	(256 * 1024)
#define REPLIES_QUEUE_BYTES (16 * 1024)

/* How long a writer may take for what it is writing when the run ends. */
#define END_GRACE_MS 1000

/* The beginning of the segment; behind it are the queues: parts, replies. */
typedef struct WriterSegment
{
	Oid			database;
	Oid			owner;
	Size		parts_bytes;
} WriterSegment;

struct Writer
{
	dsm_segment *segment;
	BackgroundWorkerHandle *worker;
	shm_mq_handle *parts;
	shm_mq_handle *replies;
	bool		ready;			/* it has said so */
	int			secrets;		/* so many it has been told */
	SentPart   *has;			/* the part that it has not answered, or NULL */
};

struct Writers
{
	MemoryContext memory;
	const WriterOrder *order;
	int			min;
	int			max;			/* lowered where no more can be had */
	int64		idle_timeout_ms;
	List	   *writers;		/* of Writer * */
	char	   *shortage;		/* not told yet, or NULL */
};

static bool start(Writers *writers);
static bool register_worker(Writers *writers, Writer *writer);
static bool create_segment(Writers *writers, Writer *writer, Size order_bytes);
static shm_mq *queue_of(dsm_segment *segment, bool replies);
static void detach(Writer *writer);
static void give_up(Writers *writers, const char *reason);
static void look(Writers *writers);
static void take_reply(Writers *writers, Writer *writer, const WriterReply *reply);
static void gone(Writers *writers, Writer *writer);
static int	count_ready(const Writers *writers);
static Writer *free_writer(const Writers *writers);
static bool send_part(Writers *writers, Writer *writer, SentPart *part);
static bool has_lost_its_process(const Writer *writer);
static ErrorData *lost_error(void);
static void sleep_until_something_happens(long timeout_ms);

Writers *
writers_create(const WriterOrder *order, int min, int max, int64 idle_timeout_ms, MemoryContext context)
{
	Writers    *writers = MemoryContextAllocZero(context, sizeof(Writers));

	writers->memory = AllocSetContextCreate(context, "databite writers", ALLOCSET_DEFAULT_SIZES);
	writers->order = order;
	writers->min = min;
	writers->max = max;
	writers->idle_timeout_ms = idle_timeout_ms;
	return writers;
}

void
writers_add(Writers *writers)
{
	if (list_length(writers->writers) < writers->max)
		(void) start(writers);
}

int
writers_await_ready(Writers *writers)
{
	int			ready;

	for (;;)
	{
		look(writers);
		ready = count_ready(writers);
		if (ready > 0)
			return ready;
		if (writers->writers == NIL && (writers->max == 0 || !start(writers)))
			return 0;
		sleep_until_something_happens(-1);
	}
}

char *
writers_shortage(Writers *writers)
{
	char	   *shortage = writers->shortage;

	writers->shortage = NULL;
	return shortage;
}

void
writers_send(Writers *writers, SentPart *parts, int nparts)
{
	for (int i = 0; i < nparts; i++)
	{
		Writer	   *writer = free_writer(writers);

		if (writer != NULL)
			(void) send_part(writers, writer, &parts[i]);
	}
}

bool
writers_are_busy(Writers *writers, SentPart *parts, int nparts)
{
	look(writers);
	for (int i = 0; i < nparts; i++)
	{
		if (parts[i].outcome == REPLY_READY)
			return true;
	}
	return false;
}

void
writers_await(Writers *writers, SentPart *parts, int nparts)
{
	while (writers_are_busy(writers, parts, nparts))
	{
		bool		sent = false;

		for (int i = 0; i < nparts; i++)
		{
			Writer	   *writer;

			if (parts[i].outcome != REPLY_READY || parts[i].writer != NULL)
				continue;
			writer = free_writer(writers);
			if (writer == NULL && writers->writers == NIL && !start(writers))
				ereport(ERROR,
						(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						 errmsg("no parallel writer is left"),
						 errdetail("No background worker slot is free to start one."),
						 errhint("You might need to increase %s.", "max_worker_processes")));
			sent |= writer != NULL && send_part(writers, writer, &parts[i]);
		}
		if (!sent)
			sleep_until_something_happens(-1);
	}
}

void
writers_end(Writers *writers)
{
	TimestampTz since = GetCurrentTimestamp();
	bool		terminated = false;
	ListCell   *lc;

	foreach(lc, writers->writers)
		detach(lfirst(lc));
	for (;;)
	{
		bool		late = TimestampDifferenceExceeds(since, GetCurrentTimestamp(), END_GRACE_MS);
		bool		running = false;

		foreach(lc, writers->writers)
		{
			const Writer *writer = lfirst(lc);
			pid_t		pid;

			if (GetBackgroundWorkerPid(writer->worker, &pid) == BGWH_STOPPED)
				continue;
			running = true;
			if (late && !terminated)
				TerminateBackgroundWorker(writer->worker);
		}
		if (!running)
			break;
		terminated = late;
		sleep_until_something_happens(terminated ? -1 : END_GRACE_MS);
	}
	writers->writers = NIL;
	writers->max = 0;
}

/* One more; false, with the reason kept, where none can be had. */
static bool
start(Writers *writers)
{
	MemoryContext old = MemoryContextSwitchTo(writers->memory);
	Writer	   *writer = palloc0(sizeof(Writer));
	WriterOrder order = *writers->order;
	StringInfoData message;

	if (list_length(writers->writers) >= writers->min)
		order.idle_timeout_ms = writers->idle_timeout_ms;
	initStringInfo(&message);
	writer_order_encode(&message, &order);
	if (!create_segment(writers, writer, message.len) || !register_worker(writers, writer))
	{
		if (writer->segment == NULL)
			give_up(writers, "there are too many segments of dynamic shared memory");
		else
			give_up(writers, "no background worker slot is free (max_worker_processes)");
		detach(writer);
		MemoryContextSwitchTo(old);
		return false;
	}
	/* The queue has room for it, so that nobody has to wait for the writer. */
	(void) shm_mq_send(writer->parts, message.len, message.data, true, true);
	pfree(message.data);
	writers->writers = lappend(writers->writers, writer);
	MemoryContextSwitchTo(old);
	return true;
}

static bool
register_worker(Writers *writers, Writer *writer)
{
	BackgroundWorker worker;

	background_worker_init(&worker, "writer", "writer");
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(writer->segment));
	snprintf(worker.bgw_name, BGW_MAXLEN, "databite writer %s", writers->order->job_id);
	if (!RegisterDynamicBackgroundWorker(&worker, &writer->worker))
		return false;
	shm_mq_set_handle(writer->parts, writer->worker);
	shm_mq_set_handle(writer->replies, writer->worker);
	return true;
}

/* With our ends of the queues.  It outlives transactions: in a CALL there is always one. */
static bool
create_segment(Writers *writers, Writer *writer, Size order_bytes)
{
	Size		parts_bytes = Max(PARTS_QUEUE_BYTES, MAXALIGN(2 * order_bytes));
	WriterSegment *head;
	shm_mq	   *queue;

	writer->segment = dsm_create(MAXALIGN(sizeof(WriterSegment)) + parts_bytes + REPLIES_QUEUE_BYTES,
								 DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (writer->segment == NULL)
		return false;
	dsm_pin_mapping(writer->segment);
	head = dsm_segment_address(writer->segment);
	head->database = MyDatabaseId;
	head->owner = writers->order->owner;
	head->parts_bytes = parts_bytes;

	queue = shm_mq_create(queue_of(writer->segment, false), parts_bytes);
	shm_mq_set_sender(queue, MyProc);
	writer->parts = shm_mq_attach(queue, writer->segment, NULL);
	queue = shm_mq_create(queue_of(writer->segment, true), REPLIES_QUEUE_BYTES);
	shm_mq_set_receiver(queue, MyProc);
	writer->replies = shm_mq_attach(queue, writer->segment, NULL);
	return true;
}

static shm_mq *
queue_of(dsm_segment *segment, bool replies)
{
	const WriterSegment *head = dsm_segment_address(segment);
	char	   *first = (char *) head + MAXALIGN(sizeof(WriterSegment));

	return (shm_mq *) (replies ? first + head->parts_bytes : first);
}

/* The writer sees its queues end. */
static void
detach(Writer *writer)
{
	if (writer->segment == NULL)
		return;
	shm_mq_detach(writer->parts);
	shm_mq_detach(writer->replies);
	dsm_detach(writer->segment);
	writer->segment = NULL;
}

/* No more of them than there are. */
static void
give_up(Writers *writers, const char *reason)
{
	int			n = list_length(writers->writers);
	char	   *shortage;

	if (n >= writers->max)
		return;
	if (n == 0)
		shortage = psprintf("parallel writers are not used: %s", reason);
	else
		shortage = psprintf("there are %d parallel writers instead of %d: %s", n, writers->max, reason);
	writers->shortage = MemoryContextStrdup(writers->memory, shortage);
	writers->max = n;
}

/* Hears what the writers have said, and which of them are gone. */
static void
look(Writers *writers)
{
	List	   *all = list_copy(writers->writers);
	ListCell   *lc;

	foreach(lc, all)
	{
		Writer	   *writer = lfirst(lc);

		for (;;)
		{
			WriterReply reply;
			Size		len;
			void	   *data;
			shm_mq_result result = shm_mq_receive(writer->replies, &len, &data, true);

			if (result == SHM_MQ_SUCCESS)
			{
				writer_reply_decode(data, len, &reply);
				take_reply(writers, writer, &reply);
				if (reply.kind == REPLY_LEAVING)
					break;
			}
			else
			{
				if (result == SHM_MQ_DETACHED || has_lost_its_process(writer))
					gone(writers, writer);
				break;
			}
		}
	}
	list_free(all);
}

static void
take_reply(Writers *writers, Writer *writer, const WriterReply *reply)
{
	switch (reply->kind)
	{
		case REPLY_READY:
			writer->ready = true;
			break;
		case REPLY_LEAVING:
			/* It has not taken what it was sent meanwhile. */
			if (writer->has != NULL)
				writer->has->writer = NULL;
			writer->has = NULL;
			gone(writers, writer);
			break;
		case REPLY_DONE:
		case REPLY_FAILED:
			if (writer->has == NULL)	/* it could not do what it was ordered to */
				error_throw(reply->error);
			writer->has->outcome = reply->kind;
			writer->has->counts = reply->counts;
			writer->has->first_reason = reply->first_reason;
			writer->has->first = reply->first;
			writer->has->batches = reply->batches;
			writer->has->error = reply->error;
			writer->has = NULL;
			break;
	}
}

static void
gone(Writers *writers, Writer *writer)
{
	writers->writers = list_delete_ptr(writers->writers, writer);
	if (writer->has != NULL)
	{
		writer->has->outcome = REPLY_FAILED;
		writer->has->error = lost_error();
	}
	detach(writer);
	if (!writer->ready)
		give_up(writers, "a writer could not start (the server log says why)");
}

static int
count_ready(const Writers *writers)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, writers->writers)
		n += ((const Writer *) lfirst(lc))->ready;
	return n;
}

static Writer *
free_writer(const Writers *writers)
{
	ListCell   *lc;

	foreach(lc, writers->writers)
	{
		Writer	   *writer = lfirst(lc);

		if (writer->ready && writer->has == NULL)
			return writer;
	}
	return NULL;
}

/* False where the writer is gone, or about to be: writers_await then finds another one. */
static bool
send_part(Writers *writers, Writer *writer, SentPart *part)
{
	const List *secrets = secret_mask_list();
	shm_mq_iovec pieces[PART_PIECES];
	StringInfoData head;
	bool		sent;

	initStringInfo(&head);
	writer_part_encode(&head, &part->part, list_copy_tail(secrets, writer->secrets), pieces);

	/* It watches for interrupts, and for the end of the writer. */
	sent = shm_mq_sendv(writer->parts, pieces, PART_PIECES, false, true) == SHM_MQ_SUCCESS;
	pfree(head.data);
	writer->secrets = list_length(secrets);
	part->writer = sent ? writer : NULL;
	writer->has = sent ? part : NULL;
	return sent;
}

/* What it said before it ended has been heard by then. */
static bool
has_lost_its_process(const Writer *writer)
{
	pid_t		pid;

	return !writer->ready && GetBackgroundWorkerPid(writer->worker, &pid) == BGWH_STOPPED;
}

static ErrorData *
lost_error(void)
{
	ErrorData  *error = palloc0(sizeof(ErrorData));

	error->elevel = ERROR;
	error->output_to_server = error->output_to_client = true;
	error->assoc_context = CurrentMemoryContext;
	error->sqlerrcode = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
	error->message = pstrdup("a parallel writer of the run has ended before it had written its part");
	error->detail = pstrdup("What it has committed is not written again when the run goes on.");
	error->hint = pstrdup("The server log may say why the process ended.");
	return error;
}

static void
sleep_until_something_happens(long timeout_ms)
{
	static uint32 wait_event = 0;

	if (wait_event == 0)
		wait_event = compat_wait_event("DatabiteWriters");
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout_ms >= 0 ? WL_TIMEOUT : 0), timeout_ms, wait_event);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

bool
writer_attach(uint32 handle, Oid *database, Oid *owner, shm_mq_handle **parts, shm_mq_handle **replies)
{
	dsm_segment *segment = dsm_attach(handle);
	const WriterSegment *head;
	shm_mq	   *queue;

	if (segment == NULL)
		return false;
	dsm_pin_mapping(segment);
	head = dsm_segment_address(segment);
	*database = head->database;
	*owner = head->owner;
	queue = queue_of(segment, false);
	shm_mq_set_receiver(queue, MyProc);
	*parts = shm_mq_attach(queue, segment, NULL);
	queue = queue_of(segment, true);
	shm_mq_set_sender(queue, MyProc);
	*replies = shm_mq_attach(queue, segment, NULL);
	return true;
}
