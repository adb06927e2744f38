/*
 * metrics_catalog.c
 *	  The views databite.metrics and databite.database_metrics as Prometheus reads them.
 *
 * What is written is the text exposition format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/): for each metric a block
 * of # HELP, # TYPE and its samples.
 *
 * The views say what there is.  A column is a metric of its name behind a
 * prefix, so it has the same name here and where an exporter reads the view;
 * its comment is the help.  One that ends in _total is a counter, any other a
 * gauge; NULL is no sample.
 *
 * Unlike other files of catalog/, this one reads as the current user: the views know who sees what.
 */
#include "postgres.h"

#include <math.h>

#include "base/version.h"
#include "catalog/metrics_catalog.h"
#include "catalog/pg_type.h"
#include "catalog/tables.h"
#include "common/shortest_dec.h"
#include "utils/guc.h"

typedef struct MetricsView
{
	const char *name;
	const char *prefix;			/* of its metrics */
	int			labels;			/* so many columns before the first metric */
} MetricsView;

static const MetricsView database_view = {"databite.database_metrics", "databite_", 0};
static const MetricsView jobs_view = {"databite.metrics", "databite_job_", 2};

static void append_view(StringInfo text, const MetricsView *view);
static char **read_comments(const MetricsView *view);
static char **read_labels(const MetricsView *view);
static void append_metric(StringInfo text, const MetricsView *view, int column, const char *help, char **labels);
static void append_head(StringInfo text, const char *name, const char *type, const char *help);
static void append_escaped(StringInfo text, const char *value, bool is_label);
static void append_value(StringInfo text, Datum value, Oid type);
static void append_float(StringInfo text, double value);

void
metrics_catalog_text(StringInfo text)
{
	append_head(text, "databite_up", "gauge", "Whether databite answers");
	appendStringInfoString(text, "databite_up 1\n");
	append_head(text, "databite_info", "gauge", "The version of databite, as a label");
	appendStringInfoString(text, "databite_info{version=\"" DATABITE_VERSION "\"} 1\n");
	append_view(text, &database_view);
	append_view(text, &jobs_view);
}

static void
append_view(StringInfo text, const MetricsView *view)
{
	char	  **comments;
	char	  **labels;
	int			guc_level = NewGUCNestLevel();

	/* Compiling the view would take longer than reading 10,000 jobs. */
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) SPI_connect();
	comments = read_comments(view);
	(void) catalog_check_code(SPI_execute(psprintf("SELECT v.* FROM %s AS v%s", view->name, view->labels > 0 ? " ORDER BY 1" : ""),
										  true, 0),
							  SPI_OK_SELECT);
	labels = read_labels(view);
	for (int column = view->labels + 1; column <= SPI_tuptable->tupdesc->natts; column++)
		append_metric(text, view, column, comments[column], labels);
	SPI_finish();
	AtEOXact_GUC(false, guc_level);
}

/* By the numbers of their columns; NULL where there is none. */
static char **
read_comments(const MetricsView *view)
{
	char	  **comments;

	(void) catalog_check_code(SPI_execute(psprintf("SELECT pg_catalog.col_description(a.attrelid, a.attnum)"
												   " FROM pg_catalog.pg_attribute AS a"
												   " WHERE a.attrelid OPERATOR(pg_catalog.=) '%s'::pg_catalog.regclass"
												   " AND a.attnum OPERATOR(pg_catalog.>) 0 ORDER BY a.attnum",
												   view->name),
										  true, 0),
							  SPI_OK_SELECT);
	comments = palloc0(sizeof(char *) * (SPI_processed + 1));
	for (uint64 row = 0; row < SPI_processed; row++)
		comments[row + 1] = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1);
	return comments;
}

/* What stands behind the name of a metric in each row: {job_id="a",owner="b"}, or nothing. */
static char **
read_labels(const MetricsView *view)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	char	  **labels = palloc(sizeof(char *) * (SPI_processed + 1));

	for (uint64 row = 0; row < SPI_processed; row++)
	{
		StringInfoData label;

		initStringInfo(&label);
		for (int column = 1; column <= view->labels; column++)
		{
			const char *value = SPI_getvalue(SPI_tuptable->vals[row], desc, column);

			appendStringInfo(&label, "%c%s=\"", column == 1 ? '{' : ',', NameStr(TupleDescAttr(desc, column - 1)->attname));
			append_escaped(&label, value != NULL ? value : "", true);
			appendStringInfoChar(&label, '"');
		}
		if (view->labels > 0)
			appendStringInfoChar(&label, '}');
		labels[row] = label.data;
	}
	return labels;
}

static void
append_metric(StringInfo text, const MetricsView *view, int column, const char *help, char **labels)
{
	TupleDesc	desc = SPI_tuptable->tupdesc;
	char	   *name = psprintf("%s%s", view->prefix, NameStr(TupleDescAttr(desc, column - 1)->attname));
	size_t		len = strlen(name);
	bool		is_counter = len > strlen("_total") && strcmp(name + len - strlen("_total"), "_total") == 0;

	append_head(text, name, is_counter ? "counter" : "gauge", help != NULL ? help : "");
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[row], desc, column, &isnull);

		if (isnull)
			continue;
		appendStringInfo(text, "%s%s ", name, labels[row]);
		append_value(text, value, TupleDescAttr(desc, column - 1)->atttypid);
		appendStringInfoChar(text, '\n');
	}
}

static void
append_head(StringInfo text, const char *name, const char *type, const char *help)
{
	appendStringInfo(text, "# HELP %s ", name);
	append_escaped(text, help, false);
	appendStringInfo(text, "\n# TYPE %s %s\n", name, type);
}

/* A quotation mark stands for itself in a help. */
static void
append_escaped(StringInfo text, const char *value, bool is_label)
{
	for (const char *c = value; *c != '\0'; c++)
	{
		if (*c == '\n')
			appendStringInfoString(text, "\\n");
		else if (*c == '\\' || (*c == '"' && is_label))
			appendStringInfo(text, "\\%c", *c);
		else
			appendStringInfoChar(text, *c);
	}
}

static void
append_value(StringInfo text, Datum value, Oid type)
{
	if (type == INT8OID)
		appendStringInfo(text, INT64_FORMAT, DatumGetInt64(value));
	else if (type == FLOAT8OID)
		append_float(text, DatumGetFloat8(value));
	else
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a metric of databite has type %u", type)));
}

/* Whatever extra_float_digits is. */
static void
append_float(StringInfo text, double value)
{
	char		digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isnan(value))
		appendStringInfoString(text, "NaN");
	else if (isinf(value))
		appendStringInfoString(text, value > 0 ? "+Inf" : "-Inf");
	else
	{
		double_to_shortest_decimal_buf(value, digits);
		appendStringInfoString(text, digits);
	}
}
