/*
 * spark.c
 *	  The last runs of a job as a row of bars.
 *
 * Inline SVG: a path for each color, in which each bar is a line from the bottom up.  The
 * highest bar is the highest of this job, so that bars compare its runs with each other; a run that did nothing has a
 * low one.  Colors are those of the style, and the label says in words what can be seen.
 */
#include "postgres.h"

#include "catalog/watch_catalog.h"
#include "watch/html.h"
#include "watch/spark.h"

#define BAR_STEP	6
#define WIDTH		(BAR_STEP * WATCH_MAX_RUNS + 2)
#define HEIGHT		26
#define LOWEST		2

static double measure_of(const WatchRun *run, SparkMeasure measure);
static void append_label(StringInfo html, List *runs, SparkMeasure measure, double highest);
static void append_value(StringInfo html, double value, SparkMeasure measure);
static void append_bars(StringInfo html, List *runs, SparkMeasure measure, double highest, char color);
static char color_of(const WatchRun *run);

void
spark_append(StringInfo html, List *runs, SparkMeasure measure)
{
	double		highest = 0;
	ListCell   *lc;

	foreach(lc, runs)
		highest = Max(highest, measure_of(lfirst(lc), measure));
	appendStringInfo(html, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
	append_label(html, runs, measure, highest);
	appendStringInfo(html, "\"><path class=\"z\" d=\"M0 %d.5h%d\"/>", HEIGHT - 1, WIDTH);
	append_bars(html, runs, measure, highest, 'c');
	append_bars(html, runs, measure, highest, 'p');
	append_bars(html, runs, measure, highest, 'f');
	appendStringInfoString(html, "</svg>");
}

static double
measure_of(const WatchRun *run, SparkMeasure measure)
{
	return measure == SPARK_SECONDS ? Max(run->seconds, 0) : (double) run->rows;
}

static void
append_label(StringInfo html, List *runs, SparkMeasure measure, double highest)
{
	html_count(html, list_length(runs), "run", "runs");
	appendStringInfoString(html, ", at most ");
	append_value(html, highest, measure);
	appendStringInfoString(html, ", the last one ");
	append_value(html, measure_of(llast(runs), measure), measure);
}

static void
append_value(StringInfo html, double value, SparkMeasure measure)
{
	if (measure == SPARK_SECONDS)
		html_seconds(html, value);
	else
		html_count(html, (int64) value, "row", "rows");
}

/* Those of one color; where there are few runs they are at the right. */
static void
append_bars(StringInfo html, List *runs, SparkMeasure measure, double highest, char color)
{
	int			first = WATCH_MAX_RUNS - list_length(runs);
	bool		is_open = false;
	ListCell   *lc;

	foreach(lc, runs)
	{
		const WatchRun *run = lfirst(lc);
		double		part = highest > 0 ? measure_of(run, measure) / highest : 0;

		if (color_of(run) != color)
			continue;
		if (!is_open)
			appendStringInfo(html, "<path class=\"%c\" d=\"", color);
		is_open = true;
		appendStringInfo(html, "M%d %dv-%.1f", (first + foreach_current_index(lc)) * BAR_STEP + BAR_STEP / 2 + 1, HEIGHT - 1,
						 LOWEST + part * (HEIGHT - 2 - LOWEST));
	}
	if (is_open)
		appendStringInfoString(html, "\"/>");
}

static char
color_of(const WatchRun *run)
{
	if (strcmp(run->status, "failed") == 0 || strcmp(run->status, "crashed") == 0)
		return 'f';
	return strcmp(run->status, "partial") == 0 ? 'p' : 'c';
}
