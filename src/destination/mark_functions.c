/*
 * mark_functions.c
 *	  The SQL functions by which compiled statements mark items.
 *
 * They give NULL (or false), so that they can stand where a value stands.  Where
 * a batch is bound without marks, which is databite.evaluate, to skip is to give
 * NULL and to reject is an error.
 */
#include "postgres.h"

#include "base/clip.h"
#include "destination/batch.h"
#include "destination/marks.h"
#include "fmgr.h"
#include "template/validators.h"
#include "utils/builtins.h"

/* A value in a message is cut to that many bytes. */
#define SHOWN_VALUE_BYTES	100

PG_FUNCTION_INFO_V1(databite_skip_item);
PG_FUNCTION_INFO_V1(databite_reject_item);
PG_FUNCTION_INFO_V1(databite_reject_missing);
PG_FUNCTION_INFO_V1(databite_reject_invalid);
PG_FUNCTION_INFO_V1(databite_item_kept);
PG_FUNCTION_INFO_V1(databite_item_deleted);
PG_FUNCTION_INFO_V1(databite_fail_rule);

static char *argument_text(FunctionCallInfo fcinfo, int number);
static const char *kind_phrase(ValidatorKind kind);

bool
mark_is_function(Oid function)
{
	static const PGFunction functions[] = {
		databite_skip_item, databite_reject_item, databite_reject_missing, databite_reject_invalid,
		databite_item_kept, databite_fail_rule
	};
	FmgrInfo	info;

	fmgr_info(function, &info);
	for (int i = 0; i < lengthof(functions); i++)
	{
		if (info.fn_addr == functions[i])
			return true;
	}
	return false;
}

/* SQL: databite.skip_item(ord int8) RETURNS text: NULL. */
Datum
databite_skip_item(PG_FUNCTION_ARGS)
{
	Marks	   *marks = batch_marks("databite.skip_item()");

	if (marks != NULL)
		marks_skip(marks, PG_GETARG_INT64(0));
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
				 errmsg("%s", text_clip(reason, MARK_MESSAGE_BYTES))));
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
					 psprintf("\"%s\" is not %s", text_clip(value, SHOWN_VALUE_BYTES), kind_phrase(kind)),
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

/* SQL: databite.item_deleted(ord int8) RETURNS boolean: its row is to be deleted. */
Datum
databite_item_deleted(PG_FUNCTION_ARGS)
{
	Marks	   *marks = batch_marks("databite.item_deleted()");
	int64		item = PG_GETARG_INT64(0);

	PG_RETURN_BOOL(marks != NULL && item >= 0 && item < marks->nitems && marks_has_deleted(marks, item));
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
						  value ? text_clip(value, SHOWN_VALUE_BYTES) : "", quote, failure->after),
				 failure->column, failure->constraint);
	PG_RETURN_BOOL(false);
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
