/*
 * context.c
 *	  What the files of run/ share about the run that is going on.
 */
#include "postgres.h"

#include "run/context.h"
#include "utils/timestamp.h"

static void append_counter(StringInfo json, const char *name, int64 value);

Job *
run_parse_job(const char *definition, const char *defaults, ProblemList *problems)
{
	Job		   *job = job_parse(definition, strlen(definition), problems);
	JobSettings *settings = job_parse_settings(defaults, problems);

	if (job != NULL)
		job_apply_settings(job, settings);
	return job;
}

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
	run->noted = run->notices;
	run->notices = NIL;
}

void
run_counters_append(StringInfo json, const RunCounters *counters)
{
	append_counter(json, "records_processed", counters->processed);
	append_counter(json, "records_inserted", counters->inserted);
	append_counter(json, "records_updated", counters->updated);
	append_counter(json, "records_unchanged", counters->unchanged);
	append_counter(json, "records_deleted", counters->deleted);
	append_counter(json, "records_rejected", counters->rejected);
	append_counter(json, "records_skipped", counters->skipped);
	append_counter(json, "pages", counters->pages);
}

void
run_count_traffic(const RunContext *run, RunCounters *counters)
{
	const SourceCounters *source;

	if (run->client == NULL)
		return;
	source = source_client_counters(run->client);
	counters->requests = source->requests;
	counters->retries = source->retries;
	counters->bytes_received = source->bytes_received;
}

void
run_traffic_append(StringInfo json, const RunCounters *counters)
{
	append_counter(json, "requests", counters->requests);
	append_counter(json, "retries", counters->retries);
	append_counter(json, "bytes_received", counters->bytes_received);
}

static void
append_counter(StringInfo json, const char *name, int64 value)
{
	appendStringInfo(json, "%s\"%s\": " INT64_FORMAT, json->data[json->len - 1] == '{' ? "" : ", ", name, value);
}

char *
run_time_text(TimestampTz time)
{
	pg_time_t	seconds = timestamptz_to_time_t(time);
	struct pg_tm *tm = pg_gmtime(&seconds);

	return psprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday,
					tm->tm_hour, tm->tm_min, tm->tm_sec);
}
