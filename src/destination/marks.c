/*
 * marks.c
 *	  What becomes of each item of a batch, and the SQL functions that say it.
 *
 * The functions give NULL (or false), so that they can stand where a value
 * stands.  Where a batch is bound without marks, which is databite.evaluate, to
 * skip is to give NULL and to reject is an error.
 */
#include "postgres.h"

#include "destination/batch.h"
#include "destination/marks.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "template/validators.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* A value in a message is cut to that many bytes, and a message to so many. */
#define SHOWN_VALUE_BYTES	100
#define MESSAGE_BYTES		2000

PG_FUNCTION_INFO_V1(databite_skip_item);
PG_FUNCTION_INFO_V1(databite_reject_item);
PG_FUNCTION_INFO_V1(databite_reject_missing);
PG_FUNCTION_INFO_V1(databite_reject_invalid);
PG_FUNCTION_INFO_V1(databite_item_kept);
PG_FUNCTION_INFO_V1(databite_fail_rule);

static ItemMark *unmarked(Marks *marks, int64 item);
static char *argument_text(FunctionCallInfo fcinfo, int number);
static const char *kind_phrase(ValidatorKind kind);
static char *clipped(const char *text, int bytes);

Marks *
marks_create(int nitems)
{
	Marks	   *marks = palloc0(sizeof(Marks));

	marks->context = CurrentMemoryContext;
	marks->nitems = nitems;
	marks->items = palloc0(sizeof(ItemMark) * Max(nitems, 1));
	return marks;
}

void
marks_drop(Marks *marks, int64 item)
{
	ItemMark   *mark = unmarked(marks, item);

	if (mark != NULL)
		mark->kind = MARK_DROPPED;
}

void
marks_reject(Marks *marks, int64 item, int sqlstate, const char *message,
			 const char *column, const char *constraint)
{
	ItemMark   *mark = unmarked(marks, item);
	MemoryContext old;

	if (mark == NULL)
		return;
	old = MemoryContextSwitchTo(marks->context);
	mark->kind = MARK_REJECTED;
	mark->sqlstate = sqlstate;
	mark->message = clipped(message, MESSAGE_BYTES);
	mark->column = column ? pstrdup(column) : NULL;
	mark->constraint = constraint ? pstrdup(constraint) : NULL;
	MemoryContextSwitchTo(old);
}

bool
marks_has(const Marks *marks, int64 item)
{
	return marks != NULL && marks->items[item].kind != MARK_KEPT;
}

bool
marks_all(const Marks *marks, int nitems)
{
	for (int i = 0; i < nitems; i++)
	{
		if (!marks_has(marks, i))
			return false;
	}
	return true;
}

MarkCounts
marks_count(const Marks *marks)
{
	MarkCounts	counts = {0};

	for (int i = 0; marks != NULL && i < marks->nitems; i++)
	{
		MarkKind	kind = marks->items[i].kind;

		if (kind == MARK_REJECTED)
			counts.rejected++;
		else if (kind != MARK_KEPT)
			counts.skipped++;
	}
	return counts;
}

ItemMark *
marks_save(const Marks *marks)
{
	ItemMark   *saved;

	if (marks == NULL)
		return NULL;
	saved = palloc(sizeof(ItemMark) * Max(marks->nitems, 1));
	memcpy(saved, marks->items, sizeof(ItemMark) * marks->nitems);
	return saved;
}

void
marks_restore(Marks *marks, const ItemMark *saved)
{
	if (marks != NULL)
		memcpy(marks->items, saved, sizeof(ItemMark) * marks->nitems);
}

/* SQL: databite.skip_item(ord int8) RETURNS text: NULL. */
Datum
databite_skip_item(PG_FUNCTION_ARGS)
{
	Marks	   *marks = batch_marks("databite.skip_item()");

	if (marks != NULL)
	{
		ItemMark   *mark = unmarked(marks, PG_GETARG_INT64(0));

		if (mark != NULL)
			mark->kind = MARK_SKIPPED;
	}
	PG_RETURN_NULL();
}

/* SQL: databite.reject_item(ord int8, column_name text, reason text) RETURNS text: NULL. */
Datum
databite_reject_item(PG_FUNCTION_ARGS)
{
	Marks	   *marks = batch_marks("databite.reject_item()");
	char	   *column = argument_text(fcinfo, 1);
	char	   *reason = argument_text(fcinfo, 2);

	if (reason == NULL)
		reason = column ? psprintf("rejected by the transform of column \"%s\"", column) : "rejected";
	if (marks == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s", clipped(reason, MESSAGE_BYTES))));
	if (!PG_ARGISNULL(0))
		marks_reject(marks, PG_GETARG_INT64(0), ERRCODE_CHECK_VIOLATION, reason, column, "reject");
	PG_RETURN_NULL();
}

/* SQL: databite.reject_missing(ord int8, column_name text, name text) RETURNS text: NULL. */
Datum
databite_reject_missing(PG_FUNCTION_ARGS)
{
	Marks	   *marks = batch_marks("databite.reject_missing()");
	char	   *name = argument_text(fcinfo, 2);

	if (marks != NULL && name != NULL && !PG_ARGISNULL(0))
		marks_reject(marks, PG_GETARG_INT64(0), ERRCODE_NOT_NULL_VIOLATION,
					 psprintf("\"%s\" is required but has no value", name),
					 argument_text(fcinfo, 1), "required");
	PG_RETURN_NULL();
}

/*
 * SQL: databite.reject_invalid(ord int8, column_name text, filter text, value text)
 * RETURNS text: the value if the filter validate_x accepts it, else NULL.
 */
Datum
databite_reject_invalid(PG_FUNCTION_ARGS)
{
	Marks	   *marks = batch_marks("databite.reject_invalid()");
	char	   *filter = argument_text(fcinfo, 2);
	char	   *value = argument_text(fcinfo, 3);
	ValidatorKind kind;

	if (PG_ARGISNULL(0) || filter == NULL || value == NULL ||
		strncmp(filter, "validate_", strlen("validate_")) != 0 ||
		!validator_find(filter + strlen("validate_"), &kind))
		PG_RETURN_NULL();
	if (validator_accepts(kind, value, strlen(value)))
		PG_RETURN_DATUM(PG_GETARG_DATUM(3));
	if (marks != NULL)
		marks_reject(marks, PG_GETARG_INT64(0), ERRCODE_CHECK_VIOLATION,
					 psprintf("\"%s\" is not %s", clipped(value, SHOWN_VALUE_BYTES), kind_phrase(kind)),
					 argument_text(fcinfo, 1), filter);
	PG_RETURN_NULL();
}

/* SQL: databite.item_kept(ord int8) RETURNS boolean: nothing has marked it so far. */
Datum
databite_item_kept(PG_FUNCTION_ARGS)
{
	Marks	   *marks = batch_marks("databite.item_kept()");
	int64		item = PG_GETARG_INT64(0);

	PG_RETURN_BOOL(marks == NULL || (item >= 0 && item < marks->nitems && !marks_has(marks, item)));
}

/* SQL: databite.fail_rule(ord int8, rule int4, value text) RETURNS boolean: false, the item is rejected. */
Datum
databite_fail_rule(PG_FUNCTION_ARGS)
{
	Marks	   *marks = batch_marks("databite.fail_rule()");
	char	   *value = argument_text(fcinfo, 2);
	const RuleFailure *failure;
	const char *quote;

	if (marks == NULL || PG_ARGISNULL(0) || PG_ARGISNULL(1) ||
		PG_GETARG_INT32(1) < 0 || PG_GETARG_INT32(1) >= marks->nfailures)
		PG_RETURN_BOOL(false);

	failure = &marks->failures[PG_GETARG_INT32(1)];
	quote = failure->quoted && value ? "\"" : "";
	marks_reject(marks, PG_GETARG_INT64(0), failure->sqlstate,
				 psprintf("%s%s%s%s%s", failure->before, quote,
						  value ? clipped(value, SHOWN_VALUE_BYTES) : "", quote, failure->after),
				 failure->column, failure->constraint);
	PG_RETURN_BOOL(false);
}

/* The item's mark if it has none; NULL where it has, or is none of the batch. */
static ItemMark *
unmarked(Marks *marks, int64 item)
{
	if (item < 0 || item >= marks->nitems || marks->items[item].kind != MARK_KEPT)
		return NULL;
	return &marks->items[item];
}

static char *
argument_text(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(number));
}

static const char *
kind_phrase(ValidatorKind kind)
{
	switch (kind)
	{
		case VALIDATOR_EMAIL:
			return "an e-mail address";
		case VALIDATOR_PHONE:
			return "a phone number";
		case VALIDATOR_URL:
			return "a URL";
		case VALIDATOR_UUID:
			return "a UUID";
	}
	return "valid";
}

static char *
clipped(const char *text, int bytes)
{
	int			length = strlen(text);

	if (length <= bytes)
		return pstrdup(text);
	return psprintf("%.*s...", pg_mbcliplen(text, length, bytes), text);
}
