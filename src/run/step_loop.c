/*
 * step_loop.c
 *	  The steps of a run, as many at once as may be.
 *
 * A step begins when all those that it depends on have ended, in the order of the definition, while
 * fewer are under way than may be (job_steps_at_once).  There is one process and one wait for the network:
 * whatever comes for one of the steps is read, then it is the next one's turn; batches are
 * written one after another.  A source that is no API is read in pieces, between the others.
 *
 * Requests.  In the whole run there are at most performance.concurrency in flight, or as many as a step's own
 * parallel.maxConcurrency says where that is more.  Each step that is under way has its share; what it
 * has no use for, others may have.  It is given back at the end of a page: a listing of a step that has
 * its share or more waits there if another step needs the request (supply.c).
 *
 * run->step and run->page are those of the step whose turn it is, so that whatever goes wrong names
 * its own.  A step that fails ends the run: what the others have committed stays, with
 * their checkpoints, as run.c says.  Only where the time is over all of them are written once more.
 */
#include "postgres.h"

#include "base/errors.h"
#include "miscadmin.h"
#include "run/job_lock.h"
#include "run/run_log.h"
#include "run/shortfall.h"
#include "run/step_data.h"
#include "run/step_loop.h"
#include "run/time_limit.h"
#include "utils/memutils.h"

typedef struct StepLoop
{
	RunContext *run;
	MemoryContext memory;		/* reset with every turn */
	List	   *waiting;		/* of JobStep *: those that have not begun, in their order */
	List	   *done;			/* of JobStep *: those that an earlier run has completed, likewise */
	StepRun    *current;		/* whose turn it is, or NULL */
	uint32		turn;			/* goes up with each */
	Listing   **listings;		/* those that something may be read of */
	Fetch	  **fetches;		/* theirs */
} StepLoop;

static void run_loop(StepLoop *loop);
static void look_at_checkpoints(RunContext *run, void *arg);
static void pass_done(StepLoop *loop);
static void begin_ready(StepLoop *loop);
static bool is_ready(const StepLoop *loop, const JobStep *step);
static void take_turn(StepLoop *loop);
static bool end_exhausted(StepLoop *loop);
static void open_requests(StepLoop *loop);
static void open_some(StepLoop *loop, int most, int share);
static int	most_in_flight(const RunContext *run);
static int	in_flight(const RunContext *run);
static StepRun *first_local(const RunContext *run);
static int	find_fetches(StepLoop *loop, StepRun *sr, int n);
static int64 longest_pause(RunContext *run);
static void flush_due(StepLoop *loop, bool paused);
static void end_in_time(StepLoop *loop);
static void abandon(StepLoop *loop, const ErrorData *error);
static void write_quietly(StepRun *sr);
static StepRun *nth_step(const StepLoop *loop, int i);
static bool is_local(const StepRun *sr);
static void enter(StepLoop *loop, StepRun *sr);
static void leave(StepLoop *loop);

void
steps_run(RunContext *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	StepLoop   *loop = palloc0(sizeof(StepLoop));
	ErrorData  *volatile error = NULL;

	loop->run = run;
	loop->memory = AllocSetContextCreate(run->memory, "databite step loop", ALLOCSET_DEFAULT_SIZES);
	loop->waiting = list_copy(run->job->steps);
	loop->listings = palloc(sizeof(Listing *) * MAX_REQUESTS);
	loop->fetches = palloc(sizeof(Fetch *) * MAX_REQUESTS);
	run->steps_left = list_length(run->job->steps);
	run->steps_at_once = job_steps_at_once(run->job);
	PG_TRY();
	{
		run_loop(loop);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->memory);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();

	/* Parallel writers end with the run, however it ends. */
	if (error != NULL || run->failure != NULL)
		abandon(loop, error != NULL ? error : run->failure);
	if (error != NULL)
		error_rethrow(error);
	run->step = NULL;
	MemoryContextSwitchTo(old);
}

static void
run_loop(StepLoop *loop)
{
	RunContext *run = loop->run;

	run_in_transaction(run, look_at_checkpoints, loop);
	pass_done(loop);
	for (;;)
	{
		begin_ready(loop);
		if (run->active == NIL || run->failure != NULL)
			break;
		take_turn(loop);
	}
}

/*
 * Which steps are complete already, in a run that this one goes on with; and whether there is something that a failure
 * of any step must leave, as long as the step that it is of has not begun.
 */
static void
look_at_checkpoints(RunContext *run, void *arg)
{
	StepLoop   *loop = arg;
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "databite checkpoints", ALLOCSET_DEFAULT_SIZES);
	bool		parallel = false;
	ListCell   *lc;

	foreach(lc, run->job->steps)
	{
		JobStep    *step = lfirst(lc);
		MemoryContext old;
		StepState	state;
		bool		partial;
		bool		incomplete;
		bool		done;

		parallel |= step->destination.mode == WRITE_PARALLEL;
		if (list_length(run->job->steps) == 1)
			break;
		old = MemoryContextSwitchTo(memory);
		state_catalog_get(run->record->id, step->id, &state);
		done = checkpoint_is_done(state.checkpoint, &partial, &incomplete);
		run->keep_checkpoint |= checkpoint_is_kept(state.checkpoint);
		MemoryContextReset(memory);
		MemoryContextSwitchTo(old);
		if (done)
			loop->done = lappend(loop->done, step);
	}
	MemoryContextDelete(memory);

	/* What writers of a run that is gone are still writing must be there when this one looks what is. */
	if (parallel)
		job_writers_await(run->record->id);
}

/* Those that are complete are first, so that it is known which one is the last. */
static void
pass_done(StepLoop *loop)
{
	ListCell   *lc;

	foreach(lc, loop->done)
	{
		loop->waiting = list_delete_ptr(loop->waiting, lfirst(lc));
		loop->run->step = lfirst(lc);
		step_free(step_begin(loop->run, lfirst(lc)));
		loop->run->steps_left--;
	}
}

/* Begins the steps that wait for none that has not ended. */
static void
begin_ready(StepLoop *loop)
{
	RunContext *run = loop->run;
	ListCell   *lc;

	foreach(lc, loop->waiting)
	{
		const JobStep *step = lfirst(lc);

		if (list_length(run->active) >= run->steps_at_once || run->failure != NULL)
			break;
		if (!is_ready(loop, step))
			continue;
		leave(loop);
		time_limit_check(run, NULL);
		loop->waiting = foreach_delete_current(loop->waiting, lc);
		run->step = step;
		run->page = 0;
		step_log_begin(step_begin(run, step));
	}
}

static bool
is_ready(const StepLoop *loop, const JobStep *step)
{
	ListCell   *lc;

	foreach(lc, step->parents)
	{
		ListCell   *active;

		if (list_member_ptr(loop->waiting, lfirst(lc)))
			return false;
		foreach(active, loop->run->active)
		{
			if (((const StepRun *) lfirst(active))->step == lfirst(lc))
				return false;
		}
	}
	return true;
}

/* Sends requests, waits until something has come, reads it, and writes what should not wait; or ends a step. */
static void
take_turn(StepLoop *loop)
{
	RunContext *run = loop->run;
	StepRun    *local;
	int64		longest;
	int			n = 0;
	int			ready = -1;

	MemoryContextReset(loop->memory);
	open_requests(loop);
	if (end_exhausted(loop))
		return;

	loop->turn++;
	local = first_local(run);
	for (int i = 0; i < list_length(run->active); i++)
		n = find_fetches(loop, nth_step(loop, i), n);
	Assert(n > 0 || local != NULL);
	leave(loop);
	step_watch(linitial(run->active), NULL);
	longest = longest_pause(run);
	if (n > 0)
	{
		ready = fetch_select(run->client, loop->fetches, n, local != NULL ? 0 : longest);
		if (ready < 0 && time_limit_is_over(run))
			end_in_time(loop);
	}
	if (ready >= 0)
	{
		Listing    *listing = loop->listings[ready];

		enter(loop, listing->sr);
		shortfall_try(listing, listing_read);
	}
	if (local != NULL)
	{
		enter(loop, local);
		step_read_piece(local);
	}
	flush_due(loop, ready < 0 && local == NULL);
}

/* True where a step has ended: others may begin. */
static bool
end_exhausted(StepLoop *loop)
{
	RunContext *run = loop->run;
	ListCell   *lc;

	foreach(lc, run->active)
	{
		StepRun    *sr = lfirst(lc);

		if (!sr->exhausted)
			continue;
		enter(loop, sr);
		step_end(sr);
		step_log_end(sr);
		leave(loop);
		step_free(sr);
		run->steps_left--;
		return true;
	}
	return false;
}

/* Of each step up to its share; then, where not all of them need theirs, more. */
static void
open_requests(StepLoop *loop)
{
	const RunContext *run = loop->run;
	int			most = most_in_flight(run);
	int			steps = 0;
	int			share;
	ListCell   *lc;

	foreach(lc, run->active)
		steps += !is_local(lfirst(lc));
	share = steps > 1 ? most / steps : MAX_REQUESTS;
	foreach(lc, run->active)
		((StepRun *) lfirst(lc))->fair_share = share;
	if (steps > 1)
		open_some(loop, most, share);
	if (steps > 0)
		open_some(loop, most, most);
}

/* Up to so many requests of all steps, and up to a number of each of them. */
static void
open_some(StepLoop *loop, int most, int most_of_one)
{
	RunContext *run = loop->run;

	for (int i = 0; i < list_length(run->active); i++)
	{
		StepRun    *sr = nth_step(loop, i);
		int			room;
		bool		more;

		if (is_local(sr))
			continue;
		enter(loop, sr);
		room = Max(most - in_flight(run), 0);
		more = supply_open(sr, Min(supply_in_flight(sr) + room, most_of_one));
		sr->exhausted = !more && supply_in_flight(sr) == 0;
	}
}

static int
most_in_flight(const RunContext *run)
{
	int			most = run->job->concurrency;
	ListCell   *lc;

	foreach(lc, run->active)
		most = Max(most, ((const StepRun *) lfirst(lc))->wish);
	return most;
}

static int
in_flight(const RunContext *run)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, run->active)
		n += supply_in_flight(lfirst(lc));
	return n;
}

/* A step whose source is no API: there is always more of it to read, so one is read to its end before the next. */
static StepRun *
first_local(const RunContext *run)
{
	ListCell   *lc;

	foreach(lc, run->active)
	{
		if (is_local(lfirst(lc)))
			return lfirst(lc);
	}
	return NULL;
}

/*
 * Adds the requests of the step for whose bytes there is memory, beginning behind the one that was served
 * last; returns how many there are with the n before them.
 */
static int
find_fetches(StepLoop *loop, StepRun *sr, int n)
{
	int			total = list_length(sr->listings);

	if (is_local(sr))
		return n;
	step_look_at_memory(sr);
	for (int i = 0; i < total; i++)
	{
		Listing    *listing = list_nth(sr->listings, (sr->turn + i) % total);

		if (listing->fetch == NULL || listing->held || !step_memory_lets_read(listing))
			continue;
		loop->listings[n] = listing;
		loop->fetches[n++] = listing->fetch;
	}
	sr->turn++;
	return n;
}

/* items_longest_pause of all steps, and until the log is to be written, which is done here where it is due. */
static int64
longest_pause(RunContext *run)
{
	int64		longest = run_log_write_due(run);
	ListCell   *lc;

	foreach(lc, run->active)
	{
		int64		its = items_longest_pause(lfirst(lc));

		if (its >= 0)
			longest = longest < 0 ? its : Min(longest, its);
	}
	return longest;
}

/* paused: nothing has come for as long as longest_pause said. */
static void
flush_due(StepLoop *loop, bool paused)
{
	ListCell   *lc;

	foreach(lc, loop->run->active)
	{
		StepRun    *sr = lfirst(lc);

		if (!sr->exhausted &&
			((sr->pages_done > 0 && items_flush_is_due(sr)) || (paused && items_longest_pause(sr) == 0)))
		{
			enter(loop, sr);
			step_flush(sr);
		}
		MemoryContextReset(sr->loop_memory);
	}
}

/* The time of the run is over: what has come is written, and where it came from is in the checkpoint. */
static void
end_in_time(StepLoop *loop)
{
	ListCell   *lc;

	foreach(lc, loop->run->active)
	{
		StepRun    *sr = lfirst(lc);

		enter(loop, sr);
		if (items_may_be_written(sr))
			step_write(sr);
	}
	leave(loop);
	time_limit_check(loop->run, NULL);
}

/* The run has failed, in a step or between them: what its other steps have under way ends. */
static void
abandon(StepLoop *loop, const ErrorData *error)
{
	RunContext *run = loop->run;
	const JobStep *failed_step = run->step;
	int64		failed_page = run->page;
	bool		publishing = run->publishing;
	StepRun    *failed = loop->current;
	bool		in_time = failed != NULL && run->mode != RUN_IN_FUNCTION && error->sqlerrcode == TIME_LIMIT_SQLSTATE &&
		time_limit_is_over(run);
	ListCell   *lc;

	foreach(lc, run->active)
	{
		StepRun    *sr = lfirst(lc);

		if (!sr->begun)
			continue;
		enter(loop, sr);
		if (in_time && sr != failed && items_may_be_written(sr))
			write_quietly(sr);
		rounds_abandon(sr, error);
	}
	run->step = failed_step;
	run->page = failed_page;
	run->publishing = publishing;
	MemoryContextSwitchTo(run->memory);
}

/* Whatever keeps us from that: the error that the run fails with is another one. */
static void
write_quietly(StepRun *sr)
{
	MemoryContext old = CurrentMemoryContext;

	PG_TRY();
	{
		step_write(sr);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		FlushErrorState();
		sr->run->more_to_come = false;
	}
	PG_END_TRY();
}

/* The steps that are under way, beginning with another one each turn. */
static StepRun *
nth_step(const StepLoop *loop, int i)
{
	int			n = list_length(loop->run->active);

	return list_nth(loop->run->active, (loop->turn + i) % n);
}

static bool
is_local(const StepRun *sr)
{
	return sr->step->source.type != SOURCE_API;
}

/* It is the turn of that step. */
static void
enter(StepLoop *loop, StepRun *sr)
{
	RunContext *run = loop->run;

	if (loop->current != NULL)
		loop->current->page = run->page;
	loop->current = sr;
	run->step = sr->step;
	run->page = sr->page;
	MemoryContextSwitchTo(sr->loop_memory);
}

/* It is no step's turn: what goes wrong now is the run's, unless there is one step only. */
static void
leave(StepLoop *loop)
{
	RunContext *run = loop->run;

	if (loop->current != NULL)
		loop->current->page = run->page;
	loop->current = NULL;
	MemoryContextSwitchTo(loop->memory);
	run->step = NULL;
	run->page = 0;
	if (list_length(run->active) == 1)
	{
		const StepRun *only = linitial(run->active);

		run->step = only->step;
		run->page = only->page;
	}
}
