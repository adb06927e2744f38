/*
 * spark.h
 *	  The last runs of a job as a row of bars.
 */
#ifndef DATABITE_SPARK_H
#define DATABITE_SPARK_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

typedef enum SparkMeasure
{
	SPARK_SECONDS,
	SPARK_ROWS
} SparkMeasure;

/* runs: of WatchRun *, at least one and WATCH_MAX_RUNS at most, the oldest first. */
extern void spark_append(StringInfo html, List *runs, SparkMeasure measure);

#endif
