/*
 * context.c
 *	  What the files of run/ share about the run that is going on.
 */
#include "postgres.h"

#include "run/context.h"
#include "utils/timestamp.h"

void
run_note(RunContext *run, const char *notice)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	run->notices = lappend(run->notices, pstrdup(notice));
	MemoryContextSwitchTo(old);
}

void
run_write_notices(RunContext *run)
{
	ListCell   *lc;

	if (run->run_id != 0)
		foreach(lc, run->notices)
			run_catalog_notice(run->run_id, lfirst(lc));
	run->notices = NIL;
}

char *
run_time_text(TimestampTz time)
{
	pg_time_t	seconds = timestamptz_to_time_t(time);
	struct pg_tm *tm = pg_gmtime(&seconds);

	return psprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday,
					tm->tm_hour, tm->tm_min, tm->tm_sec);
}
