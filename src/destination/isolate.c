/*
 * isolate.c
 *	  A batch of which some items are bad: these are rejected, the others are written.
 *
 * The batch is halved until a part is written or is one item.  What is written
 * stays, and parts are written in the order of the items, so that of several
 * items with one key the last that is good wins, as without the bad ones, and
 * of two new rows that exclude each other the first is there and the second
 * refused.  A part that can only fail, because the whole failed and its first half did not,
 * is not tried before it is halved.
 *
 * A row that is refused may be one that a later item of its key would have
 * replaced; it is rejected all the same.
 */
#include "postgres.h"

#include "base/errors.h"
#include "base/subtransaction.h"
#include "destination/culprit.h"
#include "destination/isolate.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct Isolation
{
	void		(*work) (void *arg);
	const PlanRun *whole;
	MemoryContext memory;		/* of what is tried just now */
} Isolation;

static void halve(Isolation *isolation, int64 begin, int64 end, const ErrorData *error);
static bool write_part(Isolation *isolation, int64 begin, int64 end);
static ErrorData *try_part(Isolation *isolation, int64 begin, int64 end);
static void reject(const PlanRun *run, int64 item, const ErrorData *error);

bool
isolate_is_possible(const ErrorData *error)
{
	/* A policy refuses a row by the code by which a table is refused to a role; this is where it does. */
	if (error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE)
		return error->funcname != NULL && strcmp(error->funcname, "ExecWithCheckOptions") == 0;
	return culprit_is_possible(error->sqlerrcode);
}

void
isolate_bad_items(void (*work) (void *arg), const PlanRun *run, ErrorData *error)
{
	Isolation	isolation = {.work = work, .whole = run};
	ErrorData  *without_items;

	isolation.memory = AllocSetContextCreate(CurrentMemoryContext, "databite isolation", ALLOCSET_DEFAULT_SIZES);
	/* What fails without any item is no item's fault; and who cancels meanwhile is heard. */
	without_items = try_part(&isolation, 0, 0);
	if (without_items != NULL)
		error_rethrow(isolate_is_possible(without_items) ? error : without_items);
	halve(&isolation, 0, run->batch->nitems, error);
	MemoryContextDelete(isolation.memory);
}

/* Writes what can be written of a part that fails as a whole; error: of a part that is one item. */
static void
halve(Isolation *isolation, int64 begin, int64 end, const ErrorData *error)
{
	int64		middle = begin + (end - begin) / 2;

	if (end - begin == 1)
		reject(isolation->whole, begin, error);
	else if (!write_part(isolation, begin, middle) || end - middle == 1)
		(void) write_part(isolation, middle, end);
	else
		halve(isolation, middle, end, NULL);
}

/* Writes a part that was not tried yet; false where that took more than one statement. */
static bool
write_part(Isolation *isolation, int64 begin, int64 end)
{
	ErrorData  *error = try_part(isolation, begin, end);

	if (error == NULL)
		return true;
	if (!isolate_is_possible(error))
		error_rethrow(error);
	halve(isolation, begin, end, error);
	return false;
}

/* NULL where the part is written, with its marks; else the error, which the next try frees. */
static ErrorData *
try_part(Isolation *isolation, int64 begin, int64 end)
{
	const PlanRun *whole = isolation->whole;
	Size		size = sizeof(ItemMark) * (end - begin);
	ItemBatch	batch = *whole->batch;
	Marks		marks = *whole->marks;
	PlanRun		part = *whole;
	MemoryContext old;
	ErrorData  *error = NULL;

	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(isolation->memory);
	old = MemoryContextSwitchTo(isolation->memory);
	batch.nitems = end - begin;
	batch.cells = whole->batch->cells + begin * batch.npaths;
	batch.bad = NIL;			/* they have their marks */
	batch.before = whole->batch->before + begin;
	if (batch.positions != NULL)
		batch.positions += begin;
	marks.nitems = end - begin;
	marks.items = palloc(Max(size, 1));
	memcpy(marks.items, whole->marks->items + begin, size);
	part.batch = &batch;
	part.first_item = whole->first_item + begin;
	part.marks = &marks;
	if (begin == end || !marks_all(&marks, marks.nitems))
		error = subtransaction_run(isolation->work, &part, SUBTRANSACTION_KEEP);
	if (error == NULL)
		memcpy(whole->marks->items + begin, marks.items, size);
	MemoryContextSwitchTo(old);
	return error;
}

static void
reject(const PlanRun *run, int64 item, const ErrorData *error)
{
	marks_reject(run->marks, item, error->sqlerrcode, error->message,
				 culprit_refused_column(run->plan, error), error->constraint_name);
}
