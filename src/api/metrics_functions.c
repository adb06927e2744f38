/*
 * metrics_functions.c
 *	  SQL functions of metrics: metrics_text, and period_begin for get_job_metrics.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/extension.h"
#include "catalog/metrics_catalog.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* A longer period begins before history and before the calendar. */
#define PERIOD_MAX_DAYS	1000000.0

static double days_of(const Interval *period);

PG_FUNCTION_INFO_V1(databite_metrics_text);
PG_FUNCTION_INFO_V1(databite_period_begin);

/* metrics_text() returns text: what the listener sends for /metrics, of the jobs that the caller may see. */
Datum
databite_metrics_text(PG_FUNCTION_ARGS)
{
	StringInfoData text;

	catalog_check_extension();
	initStringInfo(&text);
	metrics_catalog_text(&text);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text.data, text.len));
}

/* period_begin(period interval) returns timestamptz: when it began, if it ends with this transaction's now(); NULL: never. */
Datum
databite_period_begin(PG_FUNCTION_ARGS)
{
	const Interval *period = PG_ARGISNULL(0) ? NULL : PG_GETARG_INTERVAL_P(0);

	if (period == NULL || days_of(period) > PERIOD_MAX_DAYS)
		PG_RETURN_TIMESTAMPTZ(DT_NOBEGIN);
	if (days_of(period) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a period must not be negative"),
				 errhint("It ends now; NULL is all that history has.")));
	return DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
							   PointerGetDatum(period));
}

/* As intervals are compared: a month has 30 days. */
static double
days_of(const Interval *period)
{
	return (double) period->month * DAYS_PER_MONTH + period->day + (double) period->time / USECS_PER_DAY;
}
