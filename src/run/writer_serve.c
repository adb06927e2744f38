/*
 * writer_serve.c
 *	  What a parallel writer does: parts to rows, until the run has no more.
 *
 * It makes a plan of its own from the job's definition, which is that of the
 * run, and a StepRun of which only the half that writes is used.  Each part is a
 * transaction; its commit does not wait for the disk, as the run's last one
 * does.  A part that fails is tried again or given up as a batch of the run's
 * is (flush.c); an error that is left goes to the run, which fails with it.
 *
 * The process ends when its queue does, or when it has had nothing to do for long.
 */
#include "postgres.h"

#include "base/compat.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "run/job_lock.h"
#include "run/run_error.h"
#include "run/secret_mask.h"
#include "run/step_data.h"
#include "run/writers.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

typedef struct WriterState
{
	StepRun		sr;				/* the first: see write_in_transaction */
	WriterOrder order;
	shm_mq_handle *parts;
	shm_mq_handle *replies;
	WriterPart *part;			/* that is being written */
	WriterReply reply;			/* what it comes to */
} WriterState;

static bool take_order(WriterState *state);
static void make_run(WriterState *state);
static void make_plan(RunContext *run, void *arg);
static bool take_part(WriterState *state, void **data, Size *len);
static void write_part(WriterState *state, const void *data, Size len);
static ErrorData *try_to_write(WriterState *state);
static void write_in_transaction(RunContext *run, void *arg);
static ErrorData *try_in_transaction(WriterState *state, void (*work) (RunContext *run, void *arg));
static void send_reply(WriterState *state, WriterReplyKind kind);

void
writer_serve(shm_mq_handle *parts, shm_mq_handle *replies)
{
	MemoryContext memory = AllocSetContextCreate(TopMemoryContext, "databite writer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext part_memory = AllocSetContextCreate(memory, "databite part", ALLOCSET_DEFAULT_SIZES);
	WriterState *state = MemoryContextAllocZero(memory, sizeof(WriterState));
	void	   *data;
	Size		len;

	state->parts = parts;
	state->replies = replies;
	state->sr.memory = memory;
	state->sr.write_memory = AllocSetContextCreate(memory, "databite write", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(memory);
	if (!take_order(state))
		return;
	MemoryContextSwitchTo(part_memory);
	while (take_part(state, &data, &len))
	{
		pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_name);
		write_part(state, data, len);
		MemoryContextReset(part_memory);
		pgstat_report_activity(STATE_IDLE, NULL);
	}
}

/* False where there is nothing to do. */
static bool
take_order(WriterState *state)
{
	void	   *data;
	Size		len;
	ErrorData  *error;

	if (shm_mq_receive(state->parts, &len, &data, false) != SHM_MQ_SUCCESS)
		return false;
	writer_order_decode(data, len, &state->order);
	job_writers_enter(state->order.job_id);
	make_run(state);
	error = try_in_transaction(state, make_plan);
	state->reply.error = error;
	send_reply(state, error == NULL ? REPLY_READY : REPLY_FAILED);
	return error == NULL;
}

/* The run as far as writing needs it. */
static void
make_run(WriterState *state)
{
	RunContext *run = palloc0(sizeof(RunContext));
	JobRecord  *job = palloc0(sizeof(JobRecord));

	job->id = unconstify(char *, state->order.job_id);
	job->owner = state->order.owner;
	job->definition = unconstify(char *, state->order.definition);
	job->search_path = unconstify(char *, state->order.search_path);
	job->state_epoch = state->order.state_epoch;
	run->memory = CurrentMemoryContext;
	run->mode = RUN_IN_WORKER;
	run->record = job;
	run->run_id = state->order.run_id;
	run->more_to_come = true;
	state->sr.run = run;
	state->sr.scopes = state->order.scopes;
}

static void
make_plan(RunContext *run, void *arg)
{
	WriterState *state = arg;
	StepRun    *sr = &state->sr;
	MemoryContext old = MemoryContextSwitchTo(sr->memory);
	ProblemList *problems = problem_list_create(sr->memory);

	step_lock_extension();
	run->job = job_parse(run->record->definition, strlen(run->record->definition), problems);
	problem_raise_first(problems);
	run->step = sr->step = job_step_find(run->job->steps, state->order.step_id);
	if (sr->step == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg_internal("the job has no step \"%s\"", state->order.step_id)));
	/* The table is there: the run has written to it. */
	sr->plan = write_plan_create(sr->step, WRITE_PLAN_CHECK, problems, sr->memory);
	problem_raise_first(problems);
	if (write_plan_needs_sample(sr->plan) || strcmp(step_paths_text(sr->plan), state->order.paths) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s has changed while it is written to", write_plan_table(sr->plan)),
				 errdetail("What a parallel writer wants to know of the items is not what the run has read."),
				 errhint("Run the job again.")));
	sr->wanted = parents_deliveries(run->job, sr->step);
	sr->concurrency = 1;
	step_make_budget(sr);
	MemoryContextSwitchTo(old);
}

/* The next message; false where there will be none. */
static bool
take_part(WriterState *state, void **data, Size *len)
{
	static uint32 wait_event = 0;
	TimestampTz since = GetCurrentTimestamp();
	int64		timeout = state->order.idle_timeout_ms;

	if (wait_event == 0)
		wait_event = compat_wait_event("DatabiteWriter");
	for (;;)
	{
		long		rest = -1;

		CHECK_FOR_INTERRUPTS();
		switch (shm_mq_receive(state->parts, len, data, true))
		{
			case SHM_MQ_SUCCESS:
				return true;
			case SHM_MQ_DETACHED:
				return false;
			case SHM_MQ_WOULD_BLOCK:
				break;
		}
		if (timeout >= 0)
		{
			rest = timeout - (GetCurrentTimestamp() - since) / 1000;
			if (rest <= 0)
			{
				send_reply(state, REPLY_LEAVING);
				return false;
			}
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout >= 0 ? WL_TIMEOUT : 0), rest, wait_event);
		ResetLatch(MyLatch);
	}
}

static void
write_part(WriterState *state, const void *data, Size len)
{
	WriterPart	part;
	List	   *secrets;
	ListCell   *lc;

	writer_part_decode(data, len, &part, &secrets);
	foreach(lc, secrets)
		secret_mask_adopt(lfirst(lc));
	memset(&state->reply, 0, sizeof(WriterReply));
	state->part = &part;
	state->sr.batch = part.batch;
	state->sr.first_reason = NULL;
	memset(&state->sr.run->shortfall, 0, sizeof(RunShortfall));
	state->reply.error = try_to_write(state);
	state->reply.first_reason = state->sr.first_reason;
	state->reply.first = state->sr.run->shortfall.first;
	state->reply.batches = state->sr.run->shortfall.batches;
	send_reply(state, state->reply.error == NULL ? REPLY_DONE : REPLY_FAILED);
	if (state->sr.first_reason != NULL)
		pfree(state->sr.first_reason);
	if (state->reply.first != NULL)
		pfree(state->reply.first);
}

/* The error with which the part has failed after all that is done against it (flush.c); NULL: it is written, or given up. */
static ErrorData *
try_to_write(WriterState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->sr.write_memory);
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		flush_write(&state->sr, write_in_transaction);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->sr.write_memory);
	return error;
}

static void
write_in_transaction(RunContext *run, void *arg)
{
	WriterState *state = (WriterState *) arg;	/* whose StepRun comes first */

	rounds_write_part(&state->sr, state->part, &state->reply.counts);
}

/* The error of the work, or of its commit; NULL: there is none. */
static ErrorData *
try_in_transaction(WriterState *state, void (*work) (RunContext *run, void *arg))
{
	MemoryContext old = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		run_in_transaction(state->sr.run, work, state);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

/* Nobody may be listening any more. */
static void
send_reply(WriterState *state, WriterReplyKind kind)
{
	StringInfoData buf;

	state->reply.kind = kind;
	initStringInfo(&buf);
	writer_reply_encode(&buf, &state->reply);
	(void) shm_mq_send(state->replies, buf.len, buf.data, false, true);
	pfree(buf.data);
}
