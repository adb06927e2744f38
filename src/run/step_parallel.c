/*
 * step_parallel.c
 *	  The batch to parallel writers, in rounds.
 *
 * The run reads, the writers write.  A full batch is a round: it is split into
 * parts, each writer gets one, and what the step's checkpoint will be when they
 * are written is kept.  Reading goes on meanwhile.  When the next batch is full,
 * the run waits for the round, hands out the next one, and then records the
 * one that is written: checkpoint, counters and all else that goes with a batch, in one
 * transaction.  So there are never more than two batches in memory.
 *
 * Each part is a transaction of its writer, in which it is also written down
 * (databite.writer_part); recording the round forgets that.  What a crash or an
 * error leaves behind of a round that is not recorded is taken up by the run
 * that goes on: its items are not written again (step_origins.c), and they
 * are counted once, by the run that has failed or, where that could not, by the next one.
 *
 * The items of a key all go to one writer in a round, and a round begins when the one
 * before is written: the last item of a key wins.
 *
 * The first batch of a step is written by the run itself: it shows the columns,
 * leaves the first checkpoint, and where it is the only one no writer is started.
 * So is what is left at the end, with which the step is complete.
 */
#include "postgres.h"

#include "base/errors.h"
#include "catalog/part_catalog.h"
#include "destination/route.h"
#include "item/batch_part.h"
#include "run/step_data.h"
#include "run/writers.h"
#include "utils/memutils.h"

#define DEFAULT_WRITERS				2
#define DEFAULT_IDLE_TIMEOUT_MS		30000

/* Less is not worth a transaction of its own. */
#define MIN_PART_ITEMS				16
#define MIN_PART_BYTES				(64 * 1024)

/* PostgreSQL takes no less. */
#define MIN_WORK_MEM_KB				64

/* The bytes of a batch are bounded, too. */
#define MAX_ROUND_ITEMS				100000

typedef struct Round
{
	MemoryContext memory;
	MemoryContext items_memory; /* of the parts' items, which are gone when they are written */
	int64		number;
	StepPlace	place;			/* where the step stood when it had read all of it */
	int64		nitems;
	int			nparts;
	SentPart   *parts;
	WriteCounts counts;			/* of all parts, when they are written */
} Round;

typedef struct Rounds
{
	StepRun    *sr;
	MemoryContext memory;
	Writers    *writers;
	WriterOrder order;
	WriteRoute *route;			/* NULL: not known yet, or all goes to one writer */
	int			batch_items;	/* of a part */
	int64		number;			/* of the last round */
	Round	   *out;			/* what the writers have, or NULL */
	Round	   *written;		/* they have written it, and it is not recorded yet; or NULL */
} Rounds;

/* How the items of a batch are spread. */
typedef struct Spread
{
	WriteRoute *route;
	const ItemBatch *batch;
	int			nparts;
	int		   *parts;			/* of each item */
} Spread;

static int	writers_wanted(const StepRun *sr);
static void make_order(StepRun *sr, WriterOrder *order);
static void make_route(RunContext *run, void *arg);
static void note_shortage(StepRun *sr);
static bool await_round(StepRun *sr);
static bool send_round(StepRun *sr);
static int	round_items(const StepRun *sr, int nwriters);
static int	parts_worthwhile(const ItemBatch *batch);
static Round *make_round(StepRun *sr, int nparts);
static void spread_items(RunContext *run, void *arg);
static void add_part(Round *round, const StepRun *sr, const ItemBatch *batch, const int *items, int nitems);
static void record_written(StepRun *sr);
static void record_round(RunContext *run, void *arg);
static void take_outcomes(StepRun *sr, Round *round);
static void take_shortfall(StepRun *sr, const SentPart *part);
static void finish_round(StepRun *sr);
static void finish_quietly(StepRun *sr);
static void take_up(RunContext *run, void *arg);
static void add_counts(RunCounters *counters, const RunCounters *more);

bool
rounds_possible(const StepRun *sr)
{
	const JobDestination *destination = &sr->step->destination;

	/*
	 * execute_job: all is in the caller's transaction, which no other process can be in.  A column that one
	 * writer adds the others would have to hear of.  Both are noted in history (run.c).
	 */
	return destination->mode == WRITE_PARALLEL && sr->run->mode != RUN_IN_FUNCTION &&
		destination->schema_changes != SCHEMA_ADD_COLUMNS;
}

/*
 * A batch is in memory as it is read, as the parts of the round that is out, and in the
 * writers, whose buffers double.  Each of them has statements of its own.
 */
void
rounds_bound_memory(StepRun *sr)
{
	MemoryBudget *budget = &sr->budget;
	int			writers = writers_wanted(sr);

	if (sr->run->job->memory_limit == 0 || !rounds_possible(sr))
		return;
	budget->batch_bytes /= 4;
	budget->cells_bytes /= 4;
	budget->rows_bytes /= writers;
	budget->work_mem_kb = Max(budget->work_mem_kb / writers, MIN_WORK_MEM_KB);
}

void
rounds_begin(StepRun *sr)
{
	const JobPool *pool = &sr->step->destination.pool;
	int			max = writers_wanted(sr);
	MemoryContext memory;
	MemoryContext old;
	Rounds	   *rounds;

	if (sr->rounds != NULL || !rounds_possible(sr) || write_plan_needs_sample(sr->plan) || sr->batch == NULL)
		return;
	memory = AllocSetContextCreate(sr->memory, "databite rounds", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(memory);
	rounds = palloc0(sizeof(Rounds));
	rounds->sr = sr;
	rounds->memory = memory;
	make_order(sr, &rounds->order);
	run_in_transaction(sr->run, make_route, rounds);
	if (rounds->route == NULL)
		max = 1;
	rounds->batch_items = sr->batch->max_items;
	rounds->writers = writers_create(&rounds->order, Min(pool->min, max), max,
									 pool->idle_timeout_ms > 0 ? pool->idle_timeout_ms : DEFAULT_IDLE_TIMEOUT_MS, memory);
	sr->rounds = rounds;
	for (int i = 0; i < Max(Min(pool->min, max), 1); i++)
		writers_add(rounds->writers);
	note_shortage(sr);
	MemoryContextSwitchTo(old);
}

bool
rounds_take(StepRun *sr)
{
	Rounds	   *rounds = sr->rounds;
	bool		taken;

	if (rounds == NULL)
		return false;
	if (await_round(sr) && !sr->finished)
		writers_add(rounds->writers);	/* they are what the run waits for */

	/* What is no more than a part is as well written with the end of the step. */
	taken = sr->batch != NULL && sr->batch->nitems > (sr->finished ? rounds->batch_items : 0) && send_round(sr);
	record_written(sr);
	if (taken && !sr->finished && !sr->cancelled)
		return true;
	finish_round(sr);
	if (sr->cancelled && !sr->finished)
		ereport(ERROR,
				(errcode(ERRCODE_QUERY_CANCELED),
				 errmsg("the run was cancelled")));
	return false;
}

void
rounds_outstanding(const StepRun *sr, int64 *items, int64 *pages)
{
	const Rounds *rounds = sr->rounds;

	*items = *pages = 0;
	if (rounds == NULL)
		return;
	if (rounds->out != NULL)
	{
		*items += rounds->out->nitems;
		*pages += rounds->out->place.pages;
	}
	if (rounds->written != NULL)
	{
		*items += rounds->written->nitems;
		*pages += rounds->written->place.pages;
	}
}

void
rounds_end(StepRun *sr)
{
	if (sr->rounds != NULL)
		writers_end(sr->rounds->writers);
}

/*
 * What the writers have is written, and recorded, as it would be had the run
 * written it itself before it failed; unless somebody has cancelled the
 * run, or it has failed for what they have.  What they had committed then is counted.
 */
void
rounds_abandon(StepRun *sr, const ErrorData *error)
{
	Rounds	   *rounds = sr->rounds;

	if (rounds == NULL)
		return;
	if (error->sqlerrcode != ERRCODE_QUERY_CANCELED)
		finish_quietly(sr);
	writers_end(rounds->writers);
	if (rounds->out != NULL || rounds->written != NULL)
		run_in_transaction(sr->run, take_up, sr);
}

void
rounds_take_up(StepRun *sr)
{
	const char *job = sr->run->record->id;
	List	   *parts = part_catalog_get(job, sr->step->id);
	ListCell   *lc;

	if (parts == NIL)
		return;
	sr->counters = sr->run->counters;
	foreach(lc, parts)
	{
		const PartRecord *part = lfirst(lc);

		origins_add_done(sr, part->items);
		sr->rejected += part->counts.rejected;
		sr->taken += part->counts.processed - part->counts.rejected - part->counts.skipped;
		if (!part->counted)
			add_counts(&sr->counters, &part->counts);
	}
	part_catalog_set_counted(job, sr->step->id);
	step_take_counters(sr);
	if (sr->run->run_id != 0 && sr->run->mode != RUN_IN_FUNCTION)
		(void) run_catalog_progress(sr->run->run_id, sr->step->id, &sr->counters, -1);
}

void
rounds_write_part(StepRun *sr, const WriterPart *part, WriteCounts *counts)
{
	PartRecord	record = {.run_id = sr->run->run_id, .round = part->round, .part = part->number, .items = part->items};

	memset(counts, 0, sizeof(WriteCounts));
	step_lock_extension();
	step_lower_work_mem(sr);
	sr->batch = part->batch;
	sr->batch->max_rows_bytes = sr->budget.rows_bytes;
	step_write_items(sr, counts);
	sr->stage = FLUSH_BOOKS;
	step_add_counts(&record.counts, counts);
	part_catalog_add(sr->run->record->id, sr->run->record->state_epoch, sr->step->id, &record);
	run_write_notices(sr->run);
	sr->stage = FLUSH_COMMIT;
}

char *
step_paths_text(const WritePlan *plan)
{
	const JsonPath *const *paths;
	int			npaths = write_plan_paths(plan, &paths);
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < npaths; i++)
		appendStringInfo(&text, "%s\n", json_path_print(paths[i]));
	return text.data;
}

/* connectionPool.max, or what it is when that is not stated. */
static int
writers_wanted(const StepRun *sr)
{
	const JobPool *pool = &sr->step->destination.pool;

	return pool->max > 0 ? pool->max : Max(pool->min, DEFAULT_WRITERS);
}

static void
make_order(StepRun *sr, WriterOrder *order)
{
	const JobRecord *job = sr->run->record;

	order->job_id = job->id;
	order->owner = job->owner;
	order->search_path = job->search_path;
	order->state_epoch = job->state_epoch;
	order->definition = job->definition;
	order->step_id = sr->step->id;
	order->run_id = sr->run->run_id;
	order->scopes = sr->scopes;
	order->paths = step_paths_text(sr->plan);
	order->idle_timeout_ms = -1;
}

/* In a transaction, in the memory of the rounds. */
static void
make_route(RunContext *run, void *arg)
{
	Rounds	   *rounds = arg;
	const StepRun *sr = rounds->sr;
	char	   *why_not;

	rounds->route = write_route_create(sr->plan, &why_not);
	if (why_not != NULL)
		run_note(run, psprintf("step \"%s\" writes with one parallel writer: %s", sr->step->id, why_not));
}

static void
note_shortage(StepRun *sr)
{
	char	   *shortage = writers_shortage(sr->rounds->writers);

	if (shortage != NULL)
		run_note(sr->run, psprintf("step \"%s\": %s", sr->step->id, shortage));
}

/* Waits for the round that is out, whose error is raised; true where it had to wait. */
static bool
await_round(StepRun *sr)
{
	Rounds	   *rounds = sr->rounds;
	Round	   *round = rounds->out;
	MemoryContext old;
	bool		late;

	if (round == NULL)
		return false;
	old = MemoryContextSwitchTo(round->memory);
	late = writers_are_busy(rounds->writers, round->parts, round->nparts);
	writers_await(rounds->writers, round->parts, round->nparts);
	take_outcomes(sr, round);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(round->items_memory);
	rounds->written = round;
	rounds->out = NULL;
	return late;
}

/* Of several parts that have failed, the first. */
static void
take_outcomes(StepRun *sr, Round *round)
{
	memset(&round->counts, 0, sizeof(WriteCounts));
	for (int i = 0; i < round->nparts; i++)
	{
		const SentPart *part = &round->parts[i];

		if (part->outcome == REPLY_FAILED)
			error_throw(part->error);
		round->counts.processed += part->counts.processed;
		round->counts.inserted += part->counts.inserted;
		round->counts.updated += part->counts.updated;
		round->counts.unchanged += part->counts.unchanged;
		round->counts.deleted += part->counts.deleted;
		round->counts.rejected += part->counts.rejected;
		round->counts.skipped += part->counts.skipped;
		take_shortfall(sr, part);
	}
}

/* What the run would have noted of the part's items if it had written them itself. */
static void
take_shortfall(StepRun *sr, const SentPart *part)
{
	RunContext *run = sr->run;

	run->shortfall.batches += part->batches;
	if (sr->first_reason == NULL && part->first_reason != NULL)
		sr->first_reason = MemoryContextStrdup(sr->memory, part->first_reason);
	if (run->shortfall.first_reason == NULL && part->first_reason != NULL)
		run->shortfall.first_reason = MemoryContextStrdup(run->memory, part->first_reason);
	if (run->shortfall.first == NULL && part->first != NULL)
		run->shortfall.first = MemoryContextStrdup(run->memory, part->first);
}

/* The batch as a round; false where there is no writer to be had. */
static bool
send_round(StepRun *sr)
{
	Rounds	   *rounds = sr->rounds;
	int			nwriters = writers_await_ready(rounds->writers);
	Round	   *round;

	note_shortage(sr);
	if (nwriters == 0)
		return false;
	round = make_round(sr, Min(nwriters, parts_worthwhile(sr->batch)));
	rounds->out = round;
	writers_send(rounds->writers, round->parts, round->nparts);
	step_batch_done(sr);
	sr->batch->max_items = round_items(sr, nwriters);
	return true;
}

/* A batch for each writer, as far as there is memory for its cells. */
static int
round_items(const StepRun *sr, int nwriters)
{
	int64		items = Min((int64) sr->rounds->batch_items * nwriters, MAX_ROUND_ITEMS);
	size_t		cells = sr->budget.cells_bytes / (sizeof(Cell) * Max(sr->batch->npaths, 1));

	return (int) Max(Min(items, cells), 1);
}

static int
parts_worthwhile(const ItemBatch *batch)
{
	int			by_items = batch->nitems / MIN_PART_ITEMS;
	int			by_bytes = (int) (batch->arena_used / MIN_PART_BYTES);

	return Max(Min(batch->nitems, Max(by_items, by_bytes)), 1);
}

static Round *
make_round(StepRun *sr, int nparts)
{
	Rounds	   *rounds = sr->rounds;
	MemoryContext memory = AllocSetContextCreate(rounds->memory, "databite round", ALLOCSET_DEFAULT_SIZES);
	Round	   *round = MemoryContextAllocZero(memory, sizeof(Round));
	Spread		spread = {rounds->route, sr->batch, nparts};
	int		   *items = palloc(sizeof(int) * Max(sr->batch->nitems, 1));
	MemoryContext old;

	if (sr->sampling)
	{
		const JsonPath *const *paths;
		int			npaths = write_plan_paths(sr->plan, &paths);

		spread.batch = step_reread(sr->batch, npaths, paths, CurrentMemoryContext);
	}
	spread.parts = palloc0(sizeof(int) * Max(sr->batch->nitems, 1));
	if (nparts > 1)
		run_in_transaction(sr->run, spread_items, &spread);

	old = MemoryContextSwitchTo(memory);
	round->memory = memory;
	round->items_memory = AllocSetContextCreate(memory, "databite round items", ALLOCSET_DEFAULT_SIZES);
	round->number = ++rounds->number;
	round->nitems = sr->batch->nitems;
	step_take_place(sr, &round->place);
	round->parts = palloc0(sizeof(SentPart) * nparts);
	for (int part = 0; part < nparts; part++)
	{
		int			nitems = 0;

		for (int item = 0; item < sr->batch->nitems; item++)
		{
			if (spread.parts[item] == part && !bms_is_member(item, sr->in_table))
				items[nitems++] = item;
		}
		if (nitems > 0)
			add_part(round, sr, spread.batch, items, nitems);
	}
	MemoryContextSwitchTo(old);
	return round;
}

/* In a transaction: a key is converted to the type of its column. */
static void
spread_items(RunContext *run, void *arg)
{
	Spread	   *spread = arg;

	write_route_items(spread->route, spread->batch, spread->nparts, spread->parts);
}

static void
add_part(Round *round, const StepRun *sr, const ItemBatch *batch, const int *items, int nitems)
{
	WriterPart *part = &round->parts[round->nparts].part;
	const JsonPath *const *paths;
	int			npaths = write_plan_paths(sr->plan, &paths);

	MemoryContext old = MemoryContextSwitchTo(round->items_memory);

	part->round = round->number;
	part->number = round->nparts++;
	part->batch = batch_part_create(batch, npaths, items, nitems, sr->position);
	part->items = origins_json(sr, items, nitems);
	MemoryContextSwitchTo(old);
}

/* A round that is written becomes the step's checkpoint. */
static void
record_written(StepRun *sr)
{
	Rounds	   *rounds = sr->rounds;
	Round	   *round = rounds->written;

	if (round == NULL)
		return;
	sr->run->more_to_come = true;
	run_in_transaction(sr->run, record_round, sr);
	sr->run->more_to_come = false;
	step_take_counters(sr);
	rounds->written = NULL;
	MemoryContextDelete(round->memory);
}

static void
record_round(RunContext *run, void *arg)
{
	StepRun    *sr = arg;
	Round	   *round = sr->rounds->written;

	step_lock_extension();
	step_record(sr, &round->counts, &round->place, false);
	part_catalog_forget_round(run->record->id, sr->step->id, run->run_id, round->number);
}

/* Nothing is out any more when this returns, and all is recorded. */
static void
finish_round(StepRun *sr)
{
	record_written(sr);
	(void) await_round(sr);
	record_written(sr);
}

/* Whatever keeps us from that: the error that the run fails with is another one. */
static void
finish_quietly(StepRun *sr)
{
	MemoryContext old = CurrentMemoryContext;

	PG_TRY();
	{
		finish_round(sr);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		FlushErrorState();
		sr->run->more_to_come = false;
	}
	PG_END_TRY();
}

static void
take_up(RunContext *run, void *arg)
{
	rounds_take_up(arg);
}

static void
add_counts(RunCounters *counters, const RunCounters *more)
{
	counters->processed += more->processed;
	counters->inserted += more->inserted;
	counters->updated += more->updated;
	counters->unchanged += more->unchanged;
	counters->deleted += more->deleted;
	counters->rejected += more->rejected;
	counters->skipped += more->skipped;
}
