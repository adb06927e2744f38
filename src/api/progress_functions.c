/*
 * progress_functions.c
 *	  The SQL function behind the view databite.progress.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/shared_progress.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Columns of databite.live_progress, in order. */
#define LIVE_PROGRESS_COLUMNS 15

static void put_row(ReturnSetInfo *rsinfo, const LiveRun *run);

PG_FUNCTION_INFO_V1(databite_live_progress);

/*
 * live_progress() returns setof (run_id, job_id, ...): what the runs of this
 * database say of themselves just now; those of roles whose privileges the
 * caller has, or all for members of pg_monitor.  Takes no lock on anything.
 */
Datum
databite_live_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LiveRun    *runs;
	int			count;
	bool		sees_all = has_privs_of_role(GetUserId(), ROLE_PG_MONITOR);

	InitMaterializedSRF(fcinfo, 0);
	if (rsinfo->setDesc->natts != LIVE_PROGRESS_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("function databite.live_progress does not fit this library"),
				 errhint("Run ALTER EXTENSION databite UPDATE.")));
	count = progress_read(&runs);
	for (int i = 0; i < count; i++)
	{
		if (sees_all || has_privs_of_role(GetUserId(), runs[i].owner))
			put_row(rsinfo, &runs[i]);
	}
	PG_RETURN_NULL();
}

static void
put_row(ReturnSetInfo *rsinfo, const LiveRun *run)
{
	const RunProgress *progress = &run->progress;
	Datum		values[LIVE_PROGRESS_COLUMNS];
	bool		nulls[LIVE_PROGRESS_COLUMNS] = {false};
	int			i = 0;

	nulls[i] = progress->run_id == 0;
	values[i++] = Int64GetDatum(progress->run_id);
	values[i++] = CStringGetTextDatum(run->job_id);
	values[i++] = ObjectIdGetDatum(run->owner);
	values[i++] = Int32GetDatum(run->pid);
	values[i++] = TimestampTzGetDatum(run->started_at);
	nulls[i] = progress->step[0] == '\0';
	values[i++] = CStringGetTextDatum(progress->step);
	values[i++] = Int64GetDatum(progress->page);
	values[i++] = Int64GetDatum(progress->items);
	nulls[i] = progress->total_items < 0;
	values[i++] = Int64GetDatum(progress->total_items);
	values[i++] = Int64GetDatum(progress->bytes);
	values[i++] = Int64GetDatum(progress->requests);
	values[i++] = Int32GetDatum(progress->in_flight);
	nulls[i] = progress->waiting_for[0] == '\0';
	values[i++] = CStringGetTextDatum(progress->waiting_for);
	nulls[i] = progress->waiting_until == 0;
	values[i++] = TimestampTzGetDatum(progress->waiting_until);
	values[i++] = TimestampTzGetDatum(progress->updated_at);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}
