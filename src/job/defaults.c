/*
 * defaults.c
 *	  What databite.configure says for jobs that do not say it themselves.
 *
 * A key of the job, or of its source, wins as a whole: nothing is mixed.  The schedule is not among them, because the
 * time of the next run is stored with the job.
 */
#include "postgres.h"

#include "job/definition.h"

static void apply_to_source(JobSource *source, const JobSettings *settings);

void
job_apply_settings(Job *job, const JobSettings *settings)
{
	ListCell   *lc;

	if (!job->logging.stated)
	{
		job->logging = settings->logging;
		job->logging.stated = false;
	}
	foreach(lc, job->steps)
		apply_to_source(&((JobStep *) lfirst(lc))->source, settings);
}

/* Those that make requests. */
static void
apply_to_source(JobSource *source, const JobSettings *settings)
{
	if (source->type != SOURCE_API)
		return;
	if (!source->states_retry && settings->retry != NULL)
	{
		source->retry = *settings->retry;
		source->default_retry = settings->retry_text;
	}
	if (!source->states_rate_limit && settings->rate_limit != NULL)
	{
		source->rate_limit = settings->rate_limit;
		source->default_rate_limit = settings->rate_limit_text;
	}
}
