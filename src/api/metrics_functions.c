/*
 * metrics_functions.c
 *	  SQL functions of metrics: metrics_text.
 */
#include "postgres.h"

#include "catalog/extension.h"
#include "catalog/metrics_catalog.h"
#include "fmgr.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(databite_metrics_text);

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
