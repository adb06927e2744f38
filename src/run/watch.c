/*
 * watch.c
 *	  Tells those who watch where a run is: see base/shared_progress.h.
 */
#include "postgres.h"

#include "run/watch.h"

void
watch_report(const RunContext *run, RunProgress *progress)
{
	progress->run_id = run->run_id;
	if (run->client)
	{
		const SourceCounters *source = source_client_counters(run->client);

		progress->requests = source->requests;
		progress->bytes = source->bytes_received;
	}
	progress_report(progress);
}
