/*
 * concurrency_definition.c
 *	  How many requests are in flight: parallel of a source, performance of a job.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define MAX_CONCURRENCY		100
#define MAX_MEMORY			(INT64CONST(1) << 40)

static const KeyRule parallel_rules[] = {
	{.name = "enabled", .types = VALUE_BOOLEAN, .parse = read_boolean, FIELD(JobSource, parallel)},
	{.name = "maxConcurrency", .types = VALUE_NUMBER, .parse = read_int,
	FIELD(JobSource, max_concurrency), .min = 1, .max = MAX_CONCURRENCY},
	{.name = "chunkSize", .types = VALUE_NUMBER, .parse = read_int,
	FIELD(JobSource, chunk_size), .min = 1, .max = MAX_BATCH_SIZE},
	{NULL}
};

static const KeyRule performance_rules[] = {
	{.name = "concurrency", .types = VALUE_NUMBER, .parse = read_int,
	FIELD(Job, concurrency), .min = 1, .max = MAX_CONCURRENCY},
	{.name = "timeout", .types = VALUE_TIME, .parse = read_duration,
	FIELD(Job, timeout_ms), .min = 1, .max = 7 * MAX_TIME_MS},
	{.name = "memoryLimit", .types = VALUE_NUMBER | VALUE_STRING, .parse = read_size,
	FIELD(Job, memory_limit), .min = MIN_MEMORY_LIMIT, .max = MAX_MEMORY},
	{NULL}
};

/* {enabled, maxConcurrency, chunkSize} */
void
read_parallel(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	read_object(problems, value, pointer, parallel_rules, ~0U, NULL, target);
}

/* {concurrency, timeout, memoryLimit} */
void
read_performance(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				 const char *pointer, void *target)
{
	read_object(problems, value, pointer, performance_rules, ~0U, NULL, rule_field(rule, target));
}
