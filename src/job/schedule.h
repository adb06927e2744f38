/*
 * schedule.h
 *	  When a job runs: intervals and cron expressions with a time zone.
 */
#ifndef DATABITE_SCHEDULE_H
#define DATABITE_SCHEDULE_H

#include "base/problem.h"
#include "datatype/timestamp.h"

struct json_object;

typedef enum ScheduleType
{
	SCHEDULE_CRON,
	SCHEDULE_INTERVAL
} ScheduleType;

typedef struct JobSchedule
{
	ScheduleType type;
	char	   *expression;		/* cron, as written */
	char	   *timezone;		/* PostgreSQL time zone name, or NULL: the server's */
	struct CronExpression *cron;	/* parsed */
	int64		interval_us;	/* interval, microseconds */
} JobSchedule;

/* Parses {"type": ...}; NULL and problems (under pointer) where it is wrong.  value is a json-c object. */
extern JobSchedule *schedule_parse(struct json_object *value, const char *pointer, ProblemList *problems);

/*
 * The first moment strictly after "after" at which the schedule fires.
 * anchor: the scheduled start that an interval counts from (pass "after" where
 * there is none); ignored for cron.  Time zones and DST follow the rules of
 * Debian's cron: see schedule.c.  DT_NOEND where it never fires again.
 */
extern TimestampTz schedule_next(const JobSchedule *schedule, TimestampTz after, TimestampTz anchor);

/* One line for a person: "every 15 minutes", "cron 0 0-23/6 * * * in Europe/Riga". */
extern char *schedule_describe(const JobSchedule *schedule);

#endif
