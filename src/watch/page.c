/*
 * page.c
 *	  The page of the listener: how the jobs of this database are doing.
 *
 * It is made as a whole for each look, from a bounded number of rows, and holds
 * nothing that anybody could click on to change something.  All that comes from
 * the database goes through html_text, html_number and their like, or is one of our
 * own words (a status or a state, whose names are classes of the style, too).
 *
 * The parts that the script replaces have an id.
 */
#include "postgres.h"

#include <math.h>

#include "base/compat.h"
#include "base/digest.h"
#include "base/settings.h"
#include "base/version.h"
#include "catalog/watch_catalog.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "watch/html.h"
#include "watch/page.h"
#include "watch/reason.h"
#include "watch/spark.h"

#define MAX_JOBS		200
#define MAX_PROGRESS	50
#define MAX_ERRORS		10
#define MAX_REJECTIONS	10

static void append_head(StringInfo html, int64 failing);
static void append_header(StringInfo html, TimestampTz now);
static void append_alarms(StringInfo html, bool has_scheduler);
static void append_totals(StringInfo html, const WatchTotals *totals, int64 failing, TimestampTz now);
static void begin_tile(StringInfo html, const char *name, bool is_bad);
static void append_bounded(StringInfo html, int64 number);
static void append_progress(StringInfo html, List *runs);
static void append_run(StringInfo html, const WatchProgress *run);
static void append_jobs(StringInfo html, List *jobs, int64 all, TimestampTz now);
static void append_job(StringInfo html, const WatchJob *job, TimestampTz now);
static const char *class_of(const WatchJob *job);
static void append_last_run(StringInfo html, const WatchJob *job, TimestampTz now);
static void append_errors(StringInfo html, List *errors, TimestampTz now);
static void append_rejections(StringInfo html, List *rejections, TimestampTz now);
static void append_word(StringInfo html, const char *word);
static char *hash_of(const char *source);

void
page_append(StringInfo html, bool has_scheduler)
{
	TimestampTz now = GetCurrentTimestamp();
	WatchTotals totals;
	int64		failing;
	List	   *jobs = watch_catalog_jobs(MAX_JOBS, &failing);

	watch_catalog_totals(&totals);
	append_head(html, failing);
	append_header(html, now);
	appendStringInfoString(html, "<main>\n<div id=\"totals\">\n");
	append_alarms(html, has_scheduler);
	append_totals(html, &totals, failing, now);
	appendStringInfoString(html, "</div>\n");
	append_progress(html, watch_catalog_progress(MAX_PROGRESS));
	append_jobs(html, jobs, totals.jobs, now);
	append_errors(html, watch_catalog_errors(MAX_ERRORS), now);
	append_rejections(html, watch_catalog_rejections(MAX_REJECTIONS), now);
	appendStringInfo(html,
					 "</main>\n<footer>databite " DATABITE_VERSION " on PostgreSQL %s. Nothing can be changed here; "
					 "the views of schema <code>databite</code> have all of it.</footer>\n<script>%s</script>\n</body>\n</html>\n",
					 GetConfigOption("server_version", false, false), page_script);
}

char *
page_policy(void)
{
	return psprintf("default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; connect-src 'self'; img-src data:; "
					"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
					hash_of(page_style), hash_of(page_script));
}

static void
append_head(StringInfo html, int64 failing)
{
	appendStringInfoString(html,
						   "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
						   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
						   "<meta name=\"referrer\" content=\"no-referrer\">\n"
						   "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>\n"
						   "<link rel=\"icon\" href=\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
						   "%3Cpath d='M1 11h3v4H1zm5-5h3v9H6zm5-5h3v14h-3z' fill='%231f63b8'/%3E%3C/svg%3E\">\n<title>");
	if (failing > 0)
		appendStringInfo(html, "(" INT64_FORMAT " failing) ", failing);
	appendStringInfoString(html, "databite: ");
	html_text(html, get_database_name(MyDatabaseId));
	appendStringInfo(html, "</title>\n<style>%s</style>\n</head>\n<body>\n", page_style);
}

static void
append_header(StringInfo html, TimestampTz now)
{
	const char *cluster = GetConfigOption("cluster_name", true, false);

	appendStringInfoString(html, "<header><h1>databite <span>");
	html_text(html, get_database_name(MyDatabaseId));
	if (cluster != NULL && cluster[0] != '\0')
	{
		appendStringInfoString(html, " on ");
		html_text(html, cluster);
	}
	appendStringInfoString(html, "</span></h1><div id=\"live\" role=\"status\" aria-live=\"off\">as of ");
	html_text(html, timestamptz_to_str(now - now % USECS_PER_SEC));
	appendStringInfoString(html, "</div></header>\n");
}

static void
append_alarms(StringInfo html, bool has_scheduler)
{
	if (!has_scheduler)
		appendStringInfoString(html, "<p class=\"alarm\"><strong>No scheduler.</strong> Nothing that is due is started.</p>\n");
	else if (databite_max_workers == 0)
		appendStringInfoString(html, "<p class=\"alarm\"><strong><code>databite.max_workers</code> is 0.</strong> "
							   "Nothing that is due is started.</p>\n");
}

static void
append_totals(StringInfo html, const WatchTotals *totals, int64 failing, TimestampTz now)
{
	appendStringInfoString(html, "<dl class=\"tiles\">\n");
	begin_tile(html, "Jobs", false);
	html_number(html, totals->jobs);
	appendStringInfoString(html, "</dd><dd>");
	html_number(html, totals->paused);
	appendStringInfoString(html, " paused</dd></div>\n");

	begin_tile(html, "Failing", failing > 0);
	html_number(html, failing);
	appendStringInfoString(html, "</dd><dd>by their last run</dd></div>\n");

	begin_tile(html, "Running", false);
	html_number(html, totals->running);
	appendStringInfoString(html, "</dd><dd>");
	append_bounded(html, totals->queued);
	appendStringInfoString(html, " queued");
	if (totals->deliveries > 0)
	{
		appendStringInfoString(html, ", ");
		append_bounded(html, totals->deliveries);
		appendStringInfoString(html, totals->deliveries == 1 ? " delivery waits" : " deliveries wait");
	}
	appendStringInfoString(html, "</dd></div>\n");

	begin_tile(html, totals->is_whole_day ? "Runs in 24 hours" : "Last runs", false);
	html_number(html, totals->runs);
	appendStringInfoString(html, "</dd><dd>");
	html_number(html, totals->failed);
	appendStringInfoString(html, " not completed");
	if (!totals->is_whole_day)
	{
		appendStringInfoString(html, ", since ");
		html_time(html, totals->since, now);
	}
	appendStringInfoString(html, "</dd></div>\n");

	begin_tile(html, "Rows written by them", false);
	html_number(html, totals->inserted + totals->updated + totals->deleted);
	appendStringInfoString(html, "</dd><dd>");
	html_number(html, totals->inserted);
	appendStringInfoString(html, " new, ");
	html_number(html, totals->updated);
	appendStringInfoString(html, " changed, ");
	html_number(html, totals->deleted);
	appendStringInfoString(html, " deleted</dd></div>\n");

	begin_tile(html, "Rejected items", totals->rejected > 0);
	html_number(html, totals->rejected);
	appendStringInfoString(html, "</dd><dd>of ");
	html_number(html, totals->processed);
	appendStringInfoString(html, "</dd></div>\n</dl>\n");
}

static void
begin_tile(StringInfo html, const char *name, bool is_bad)
{
	appendStringInfo(html, "<div%s><dt>%s</dt><dd>", is_bad ? " class=\"bad\"" : "", name);
}

static void
append_bounded(StringInfo html, int64 number)
{
	html_number(html, Min(number, WATCH_MAX_COUNT));
	if (number > WATCH_MAX_COUNT)
		appendStringInfoChar(html, '+');
}

static void
append_progress(StringInfo html, List *runs)
{
	ListCell   *lc;

	appendStringInfoString(html, "<section id=\"now\">\n");
	if (runs != NIL)
	{
		appendStringInfoString(html, "<h2>Running now</h2>\n<ul class=\"card\">\n");
		foreach(lc, runs)
			append_run(html, lfirst(lc));
		appendStringInfoString(html, "</ul>\n");
	}
	appendStringInfoString(html, "</section>\n");
}

static void
append_run(StringInfo html, const WatchProgress *run)
{
	appendStringInfoString(html, "<li><div><strong>");
	html_text(html, run->job_id);
	appendStringInfoString(html, "</strong> <span class=\"dim\">");
	html_text(html, run->step);
	appendStringInfoString(html, "</span></div>");
	if (run->total_items > 0)
	{
		appendStringInfo(html, "<progress max=\"" INT64_FORMAT "\" value=\"" INT64_FORMAT "\" aria-label=\"progress of ",
						 run->total_items, Min(run->items, run->total_items));
		html_text(html, run->job_id);
		appendStringInfo(html, "\">%d %%</progress>", (int) (100.0 * Min(run->items, run->total_items) / run->total_items));
	}
	else
		appendStringInfoString(html, "<div class=\"open\" aria-hidden=\"true\"></div>");
	appendStringInfoString(html, "<div>");
	html_number(html, run->items);
	if (run->total_items > 0)
	{
		appendStringInfoString(html, " of ");
		html_number(html, run->total_items);
	}
	appendStringInfoString(html, " items <span class=\"dim\">");
	if (run->items_per_second > 0)
	{
		appendStringInfoString(html, "&middot; ");
		html_number(html, (int64) rint(run->items_per_second));
		appendStringInfoString(html, "/s ");
	}
	appendStringInfoString(html, "&middot; page ");
	html_number(html, run->pages);
	appendStringInfoString(html, " &middot; for ");
	html_seconds(html, run->seconds);
	if (run->remaining >= 0)
	{
		appendStringInfoString(html, ", ");
		html_seconds(html, run->remaining);
		appendStringInfoString(html, " left");
	}
	if (run->waiting_for != NULL)
	{
		appendStringInfoString(html, " &middot; waits for ");
		html_text(html, run->waiting_for);
	}
	appendStringInfoString(html, "</span></div></li>\n");
}

static void
append_jobs(StringInfo html, List *jobs, int64 all, TimestampTz now)
{
	ListCell   *lc;

	appendStringInfoString(html, "<section id=\"jobs\">\n<h2>Jobs <small>");
	if (all > list_length(jobs))
	{
		appendStringInfo(html, "%d of ", list_length(jobs));
		html_number(html, all);
		appendStringInfoString(html, ": those that fail and those that run come first; <code>databite.jobs</code> has all. ");
	}
	if (jobs != NIL)
		appendStringInfo(html, "Bars: the last %d runs", WATCH_MAX_RUNS);
	appendStringInfoString(html, "</small></h2>\n<div class=\"card\">\n");
	if (jobs == NIL)
		appendStringInfoString(html, "<div class=\"none\">There is no job yet: <code>SELECT databite.schedule_job(...)</code></div>\n");
	else
	{
		appendStringInfoString(html,
							   "<table role=\"table\" class=\"jobs\"><caption>Jobs</caption><thead><tr role=\"row\">"
							   "<th scope=\"col\">Job</th><th scope=\"col\">State</th><th scope=\"col\">Next run</th>"
							   "<th scope=\"col\">Last run</th><th scope=\"col\">Duration</th>"
							   "<th scope=\"col\">Rows written</th></tr></thead>\n<tbody>\n");
		foreach(lc, jobs)
			append_job(html, lfirst(lc), now);
		appendStringInfoString(html, "</tbody></table>\n");
	}
	appendStringInfoString(html, "</div>\n</section>\n");
}

static void
append_job(StringInfo html, const WatchJob *job, TimestampTz now)
{
	const WatchRun *last = job->runs != NIL ? llast(job->runs) : NULL;

	appendStringInfo(html, "<tr role=\"row\"%s><th scope=\"row\" role=\"rowheader\">", class_of(job));
	html_text(html, job->id);
	appendStringInfoString(html, "<span class=\"sub\">");
	if (job->name != NULL && strcmp(job->name, job->id) != 0)
	{
		html_text(html, job->name);
		appendStringInfoString(html, " &middot; ");
	}
	html_text(html, job->owner);
	appendStringInfoString(html, "</span></th><td role=\"cell\" data-label=\"State\">");
	append_word(html, job->state);
	appendStringInfoString(html, "</td><td role=\"cell\" data-label=\"Next run\">");
	if (job->next_run_at != 0)
		html_time(html, job->next_run_at, now);
	else
		appendStringInfoString(html, "&ndash;");
	appendStringInfoString(html, "</td><td role=\"cell\" class=\"wide\" data-label=\"Last run\">");
	append_last_run(html, job, now);
	appendStringInfoString(html, "</td><td role=\"cell\" data-label=\"Duration\">");
	if (last != NULL)
	{
		spark_append(html, job->runs, SPARK_SECONDS);
		html_seconds(html, last->seconds);
	}
	appendStringInfoString(html, "</td><td role=\"cell\" data-label=\"Rows written\">");
	if (last != NULL)
	{
		spark_append(html, job->runs, SPARK_ROWS);
		html_number(html, last->rows);
	}
	appendStringInfoString(html, "</td></tr>\n");
}

/* Of its row. */
static const char *
class_of(const WatchJob *job)
{
	if (!job->is_failing)
		return "";
	return strcmp(job->last_status, "partial") == 0 ? " class=\"mild\"" : " class=\"bad\"";
}

static void
append_last_run(StringInfo html, const WatchJob *job, TimestampTz now)
{
	if (job->last_status == NULL)
	{
		appendStringInfoString(html, "<span class=\"dim\">never</span>");
		return;
	}
	append_word(html, job->last_status);
	appendStringInfoChar(html, ' ');
	html_time(html, job->last_finished_at, now);
	appendStringInfoString(html, "<span class=\"sub\">");
	html_count(html, job->last_processed, "item", "items");
	if (job->last_rejected > 0)
	{
		appendStringInfoString(html, ", ");
		html_number(html, job->last_rejected);
		appendStringInfoString(html, " rejected");
	}
	appendStringInfoString(html, "</span>");
	if (job->last_error != NULL)
	{
		appendStringInfoString(html, "<span class=\"why\">");
		html_text(html, job->last_error);
		appendStringInfoString(html, "</span>");
	}
}

static void
append_errors(StringInfo html, List *errors, TimestampTz now)
{
	ListCell   *lc;

	appendStringInfoString(html, "<section id=\"errors\">\n<h2>Last errors</h2>\n<div class=\"card\">\n");
	if (errors == NIL)
		appendStringInfoString(html, "<div class=\"none\">None in 24 hours.</div>\n");
	else
		appendStringInfoString(html,
							   "<table role=\"table\"><caption>Last errors</caption><thead><tr role=\"row\">"
							   "<th scope=\"col\">Job</th><th scope=\"col\">Run</th><th scope=\"col\">When</th>"
							   "<th scope=\"col\">Error</th></tr></thead>\n<tbody>\n");
	foreach(lc, errors)
	{
		const WatchError *error = lfirst(lc);

		appendStringInfoString(html, "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">");
		html_text(html, error->job_id);
		appendStringInfoString(html, "<span class=\"sub\">");
		html_text(html, error->step);
		appendStringInfo(html, "</span></th><td role=\"cell\" class=\"nowrap\" data-label=\"Run\">" INT64_FORMAT " ", error->run_id);
		append_word(html, error->status);
		appendStringInfoString(html, "</td><td role=\"cell\" data-label=\"When\">");
		html_time(html, error->finished_at, now);
		appendStringInfoString(html, "</td><td role=\"cell\" class=\"wide\" data-label=\"Error\">");
		html_text(html, error->message);
		appendStringInfoString(html, " <code class=\"dim\">");
		html_text(html, error->code);
		appendStringInfoString(html, "</code></td></tr>\n");
	}
	appendStringInfo(html, "%s</div>\n</section>\n", errors != NIL ? "</tbody></table>\n" : "");
}

static void
append_rejections(StringInfo html, List *rejections, TimestampTz now)
{
	ListCell   *lc;

	appendStringInfoString(html,
						   "<section id=\"rejected\">\n<h2>Last rejected items <small>what they hold is in "
						   "<code>databite.rejected_items</code></small></h2>\n<div class=\"card\">\n");
	if (rejections == NIL)
		appendStringInfoString(html, "<div class=\"none\">None.</div>\n");
	else
		appendStringInfoString(html,
							   "<table role=\"table\"><caption>Last rejected items</caption><thead><tr role=\"row\">"
							   "<th scope=\"col\">Job</th><th scope=\"col\">Run</th><th scope=\"col\">When</th>"
							   "<th scope=\"col\">Items</th><th scope=\"col\">Reason</th></tr></thead>\n<tbody>\n");
	foreach(lc, rejections)
	{
		const WatchRejection *rejection = lfirst(lc);
		const char *reason = rejection_reason(rejection->code);

		appendStringInfoString(html, "<tr role=\"row\"><th scope=\"row\" role=\"rowheader\">");
		html_text(html, rejection->job_id);
		appendStringInfoString(html, "<span class=\"sub\">");
		html_text(html, rejection->step);
		appendStringInfo(html, "</span></th><td role=\"cell\" data-label=\"Run\">" INT64_FORMAT, rejection->run_id);
		appendStringInfoString(html, "</td><td role=\"cell\" data-label=\"When\">");
		html_time(html, rejection->rejected_at, now);
		appendStringInfoString(html, "</td><td role=\"cell\" data-label=\"Items\">");
		html_number(html, rejection->items);
		appendStringInfoString(html, "</td><td role=\"cell\" class=\"wide\" data-label=\"Reason\">");
		if (rejection->column != NULL)
		{
			appendStringInfoString(html, "column <strong>");
			html_text(html, rejection->column);
			appendStringInfoString(html, "</strong>: ");
		}
		appendStringInfoString(html, reason);
		if (rejection->constraint != NULL)
		{
			appendStringInfoString(html, " <strong>");
			html_text(html, rejection->constraint);
			appendStringInfoString(html, "</strong>");
		}
		appendStringInfoString(html, " <code class=\"dim\">");
		html_text(html, rejection->code);
		appendStringInfoString(html, "</code></td></tr>\n");
	}
	appendStringInfo(html, "%s</div>\n</section>\n", rejections != NIL ? "</tbody></table>\n" : "");
}

/* A status of a run or the state of a job. */
static void
append_word(StringInfo html, const char *word)
{
	appendStringInfo(html, "<span class=\"is %s\">%s</span>", word, word);
}

/* As a Content-Security-Policy wants it. */
static char *
hash_of(const char *source)
{
	bytea	   *hash = palloc(VARHDRSZ + DIGEST_BYTES);

	SET_VARSIZE(hash, VARHDRSZ + DIGEST_BYTES);
	digest_sha256(source, strlen(source), (uint8 *) VARDATA(hash));
	return TextDatumGetCString(DirectFunctionCall2(binary_encode, PointerGetDatum(hash), CStringGetTextDatum("base64")));
}
