/*
 * definition.c
 *	  The job definition: JSON in, typed and checked structs out.
 *
 * This file has the job and its steps; the objects in them have files of their
 * own (see definition_parts.h), and reader.c the means they share.
 *
 * The definition is the user's to get wrong in several places at once, so
 * parsing never stops at a problem: each is added to the list and what is wrong
 * is left out of the Job, which nobody uses then.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define MAX_DEPTH		512
#define MAX_STEPS		1000
#define MAX_NAME_LEN	1000

/* A job has either the keys of one step, or steps. */
#define ONE_STEP	(1 << 0)
#define STEPS		(1 << 1)

/* A job as it is read, with the step that a job without "steps" is. */
typedef struct JobReading
{
	Job			job;
	JobStep		step;
} JobReading;

static struct json_object *parse_root(const char *json, size_t len, const char *what, ProblemList *problems);
static void finish_error_handling(Job *job, struct json_object *root);
static bool states_item_error(struct json_object *root);
static void imply_destination(ProblemList *problems, const Job *job, JobDestination *destination);
static void finish_step(struct json_object *object, const char *id, const char *pointer, JobStep *step);
static void read_id(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					const char *pointer, void *target);
static bool is_id(const char *text);
static void read_schedule(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						  const char *pointer, void *target);
static void read_steps(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					   const char *pointer, void *target);
static void read_source(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						const char *pointer, void *target);
static void read_destination(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							 const char *pointer, void *target);
static void read_transform(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						   const char *pointer, void *target);
static void read_default_retry(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							   const char *pointer, void *target);
static void read_default_rate_limit(ProblemList *problems, const KeyRule *rule, struct json_object *value,
									const char *pointer, void *target);
static void read_depends_on(ProblemList *problems, const KeyRule *rule, struct json_object *value,
							const char *pointer, void *target);

static const KeyRule job_rules[] = {
	{.name = "id", .types = VALUE_STRING, .parse = read_id, .flags = KEY_REQUIRED, FIELD(JobReading, job.id)},
	{.name = "name", .types = VALUE_STRING, .parse = read_string, FIELD(JobReading, job.name), .max = MAX_NAME_LEN},
	{.name = "description", .types = VALUE_STRING, .parse = read_string, FIELD(JobReading, job.description)},
	{.name = "enabled", .types = VALUE_BOOLEAN, .parse = read_boolean, FIELD(JobReading, job.enabled)},
	{.name = "source", .types = VALUE_OBJECT, .parse = read_source, .flags = KEY_REQUIRED, .variants = ONE_STEP,
	FIELD(JobReading, step.source)},
	{.name = "destination", .types = VALUE_OBJECT, .parse = read_destination, .variants = ONE_STEP,
	FIELD(JobReading, step.destination)},
	{.name = "transform", .types = VALUE_OBJECT, .parse = read_transform, .variants = ONE_STEP,
	FIELD(JobReading, step.transform)},
	{.name = "validation", .types = VALUE_OBJECT, .parse = read_validation, .variants = ONE_STEP,
	FIELD(JobReading, step.validation)},
	{.name = "steps", .types = VALUE_ARRAY, .parse = read_steps, .variants = STEPS,
	FIELD(JobReading, job.steps)},
	{.name = "schedule", .types = VALUE_OBJECT, .parse = read_schedule, FIELD(JobReading, job.schedule)},
	{.name = "trigger", .types = VALUE_OBJECT, .parse = read_trigger, FIELD(JobReading, job.trigger)},
	{.name = "errorHandling", .types = VALUE_OBJECT, .parse = read_error_handling, FIELD(JobReading, job.error_handling)},
	{.name = "performance", .types = VALUE_OBJECT, .parse = read_performance, FIELD(JobReading, job)},
	{.name = "logging", .types = VALUE_OBJECT, .parse = read_logging, FIELD(JobReading, job.logging)},
	{.name = "hooks", .types = VALUE_OBJECT, .parse = read_hooks, FIELD(JobReading, job.hooks)},
	{NULL}
};

static const KeyRule step_rules[] = {
	{.name = "id", .types = VALUE_STRING, .parse = read_id, .flags = KEY_REQUIRED, FIELD(JobStep, id)},
	{.name = "dependsOn", .types = VALUE_ARRAY, .parse = read_depends_on, FIELD(JobStep, depends_on)},
	{.name = "source", .types = VALUE_OBJECT, .parse = read_source, .flags = KEY_REQUIRED, FIELD(JobStep, source)},
	{.name = "destination", .types = VALUE_OBJECT, .parse = read_destination, FIELD(JobStep, destination)},
	{.name = "transform", .types = VALUE_OBJECT, .parse = read_transform, FIELD(JobStep, transform)},
	{.name = "validation", .types = VALUE_OBJECT, .parse = read_validation, FIELD(JobStep, validation)},
	{NULL}
};

static const KeyRule settings_rules[] = {
	{.name = "schedule", .types = VALUE_OBJECT, .parse = read_schedule, FIELD(JobSettings, schedule)},
	{.name = "logging", .types = VALUE_OBJECT, .parse = read_logging, FIELD(JobSettings, logging)},
	{.name = "hooks", .types = VALUE_OBJECT, .parse = read_hooks, FIELD(JobSettings, hooks)},
	{.name = "retry", .types = VALUE_OBJECT, .parse = read_default_retry},
	{.name = "rateLimit", .types = VALUE_OBJECT, .parse = read_default_rate_limit},
	{NULL}
};

Job *
job_parse(const char *json, size_t len, ProblemList *problems)
{
	struct json_object *root = parse_root(json, len, "a job definition", problems);
	JobReading *reading;
	bool		has_steps;
	ListCell   *lc;

	if (root == NULL)
		return NULL;

	reading = palloc0(sizeof(JobReading));
	reading->job.enabled = true;
	reading->job.concurrency = DEFAULT_CONCURRENCY;
	error_definition_default(&reading->job.error_handling);
	has_steps = json_object_object_get_ex(root, "steps", NULL);

	read_object(problems, root, "", job_rules, has_steps ? STEPS : ONE_STEP, "\"steps\"", reading);

	if (!has_steps)
	{
		if (!json_object_object_get_ex(root, "destination", NULL))
			imply_destination(problems, &reading->job, &reading->step.destination);
		finish_step(root, "main", "", &reading->step);
		reading->job.steps = list_make1(&reading->step);
	}
	finish_error_handling(&reading->job, root);
	trigger_definition_check(problems, &reading->job);
	foreach(lc, reading->job.steps)
		destination_definition_check(problems, lfirst(lc));
	return &reading->job;
}

JobSettings *
job_parse_settings(const char *json, ProblemList *problems)
{
	JobSettings *settings = palloc0(sizeof(JobSettings));
	struct json_object *root;

	if (json != NULL && (root = parse_root(json, strlen(json), "settings", problems)) != NULL)
		read_object(problems, root, "", settings_rules, ~0U, NULL, settings);
	return settings;
}

/*
 * What the job says of its items' errors is for every destination that does not.  What a webhook brings comes once, and
 * a run that fails for one item would fail for it for ever: where nothing is said, it is rejected.
 */
static void
finish_error_handling(Job *job, struct json_object *root)
{
	bool		states = states_item_error(root);
	ListCell   *lc;

	foreach(lc, job->steps)
	{
		JobStep    *step = lfirst(lc);
		JobDestination *destination = &step->destination;

		if (!destination->states_on_error)
			destination->rejects_bad_items = job->error_handling.rejects_bad_items ||
				(step->source.type == SOURCE_WEBHOOK && !states);
		destination->rejects_failed_batches = job->error_handling.rejects_failed_batches;
	}
}

static bool
states_item_error(struct json_object *root)
{
	struct json_object *handling;

	return json_object_object_get_ex(root, "errorHandling", &handling) && value_is(handling, VALUE_OBJECT) &&
		json_object_object_get_ex(handling, "onItemError", NULL);
}

/* The object that the text is, or a problem and NULL. */
static struct json_object *
parse_root(const char *json, size_t len, const char *what, ProblemList *problems)
{
	struct json_object *root;
	char	   *error;

	if (!jsonc_parse(json, len, MAX_DEPTH, CurrentMemoryContext, &root, &error))
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, "", NULL,
					"%s must be JSON: %s", what, error);
		return NULL;
	}
	return check_type(problems, root, VALUE_OBJECT, what, "") ? root : NULL;
}

/* A job that names no destination writes to the table of its own name. */
static void
imply_destination(ProblemList *problems, const Job *job, JobDestination *destination)
{
	if (job->id == NULL || strchr(job->id, '.') != NULL)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, "",
					"Only a job whose id can be the name of a table does without.",
					"\"destination\" is missing");
		return;
	}
	destination->table = pstrdup(job->id);
	destination->table_pointer = "/destination";
	destination->implied = true;
}

/* What a step has beside its keys; its own id wins. */
static void
finish_step(struct json_object *object, const char *id, const char *pointer, JobStep *step)
{
	if (step->id == NULL)
		step->id = pstrdup(id);
	step->pointer = pstrdup(pointer);
	step->has_transform = json_object_object_get_ex(object, "transform", NULL);
}

/* Ids stand in URLs, file names and log lines, so they are plain. */
static void
read_id(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		const char *pointer, void *target)
{
	const char *id = json_object_get_string(value);
	char	  **field = rule_field(rule, target);

	if (is_id(id))
		*field = pstrdup(id);
	else
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
					psprintf("An id has letters, digits, \"_\", \"-\" and \".\" only, at least 1 and at most %d of them.", JOB_ID_MAX),
					"\"%s\" is not an id", clip_text(id));
}

static bool
is_id(const char *text)
{
	size_t		len = strspn(text, "abcdefghijklmnopqrstuvwxyz"
							 "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
							 "0123456789_-.");

	return text[len] == '\0' && len >= 1 && len <= JOB_ID_MAX;
}

static void
read_schedule(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			  const char *pointer, void *target)
{
	JobSchedule **field = rule_field(rule, target);

	*field = schedule_parse(value, pointer, problems);
}

static void
read_steps(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	List	  **steps = rule_field(rule, target);
	int			nsteps = json_object_array_length(value);

	if (nsteps == 0 || nsteps > MAX_STEPS)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must have between 1 and %d elements", rule->name, MAX_STEPS);
		return;
	}

	for (int i = 0; i < nsteps; i++)
	{
		struct json_object *object = json_object_array_get_idx(value, i);
		char	   *place = pointer_index(pointer, i);
		JobStep    *step;

		if (!check_type(problems, object, VALUE_OBJECT, "a step", place))
			continue;
		step = palloc0(sizeof(JobStep));
		read_object(problems, object, place, step_rules, ~0U, NULL, step);
		finish_step(object, place, place, step);
		if (!json_object_object_get_ex(object, "destination", NULL))
			steps_without_destination(step);
		*steps = lappend(*steps, step);
	}
	*steps = steps_in_order(*steps, pointer, problems);
}

static void
read_source(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			const char *pointer, void *target)
{
	source_definition_parse(problems, value, pointer, rule_field(rule, target));
}

static void
read_destination(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				 const char *pointer, void *target)
{
	destination_definition_parse(problems, value, pointer, rule_field(rule, target));
}

/* {column: template or literal}.  None at all would write rows of defaults, which nobody means. */
static void
read_transform(ProblemList *problems, const KeyRule *rule, struct json_object *value,
			   const char *pointer, void *target)
{
	List	  **columns = rule_field(rule, target);

	if (check_column_count(problems, rule, json_object_object_length(value), MAX_COLUMNS,
						   "Without it, items map to columns by name.", pointer))
	{
		json_object_object_foreach(value, name, column)
		{
			char	   *place = pointer_key(pointer, name);

			if (check_column_name(problems, name, place))
				*columns = lappend(*columns, job_named_value(name, column, place));
		}
	}
}

static void
read_depends_on(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				const char *pointer, void *target)
{
	List	  **names = rule_field(rule, target);

	*names = read_names(problems, value, "a step of \"dependsOn\"", pointer);
}

/* Defaults for the sources of all jobs. */
static void
read_default_retry(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				   const char *pointer, void *target)
{
	JobSettings *settings = target;

	settings->retry = palloc0(sizeof(JobRetry));
	retry_definition_parse(problems, value, pointer, settings->retry);
	settings->retry_text = pstrdup(json_print(value));
}

static void
read_default_rate_limit(ProblemList *problems, const KeyRule *rule, struct json_object *value,
						const char *pointer, void *target)
{
	JobSettings *settings = target;
	JobSource	source = {0};

	read_rate_limit(problems, rule, value, pointer, &source);
	settings->rate_limit = source.rate_limit;
	settings->rate_limit_text = pstrdup(json_print(value));
}
