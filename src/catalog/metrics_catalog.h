/*
 * metrics_catalog.h
 *	  The views databite.metrics and databite.database_metrics as Prometheus reads them.
 */
#ifndef DATABITE_METRICS_CATALOG_H
#define DATABITE_METRICS_CATALOG_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* The media type of the text, for who sends it in UTF-8. */
#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/*
 * Appends all metrics that the current user may see, in the encoding of the database.  Needs a
 * transaction with an active snapshot.
 */
extern void metrics_catalog_text(StringInfo text);

#endif
