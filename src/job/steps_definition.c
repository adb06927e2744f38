/*
 * steps_definition.c
 *	  The order of steps: each comes after those it depends on; steps that write to no table.
 */
#include "postgres.h"

#include "job/definition_parts.h"
#include "lib/stringinfo.h"

static bool check_ids(const List *steps, const char *pointer, ProblemList *problems);
static bool check_names(const List *steps, const char *pointer, ProblemList *problems);
static bool place(JobStep *step, const List *steps, List **ordered, List *way,
				  const char *pointer, ProblemList *problems);
static void problem_circle(const List *way, const JobStep *step, const List *steps,
						   const char *pointer, ProblemList *problems);
static void find_parents(JobStep *step, const List *steps);

List *
steps_in_order(List *steps, const char *pointer, ProblemList *problems)
{
	List	   *ordered = NIL;
	ListCell   *lc;

	if (!check_ids(steps, pointer, problems) || !check_names(steps, pointer, problems))
		return steps;
	foreach(lc, steps)
	{
		if (!place(lfirst(lc), steps, &ordered, NIL, pointer, problems))
			return steps;
	}
	foreach(lc, ordered)
		find_parents(lfirst(lc), ordered);
	return ordered;
}

/* A list of plain values has one column, as nobody would know what else to call it. */
void
steps_without_destination(JobStep *step)
{
	JobNamedValue *value;

	step->destination.none = true;
	if (!step->source.plain_items || step->has_transform)
		return;
	value = palloc0(sizeof(JobNamedValue));
	value->name = pstrdup("value");
	value->value.text = pstrdup("{{ item }}");
	value->value.pointer = psprintf("%s/transform", step->pointer);
	step->transform = list_make1(value);
	step->has_transform = true;
}

static bool
check_ids(const List *steps, const char *pointer, ProblemList *problems)
{
	bool		right = true;
	ListCell   *lc;

	foreach(lc, steps)
	{
		JobStep    *step = lfirst(lc);

		if (job_step_find(steps, step->id) == step)
			continue;
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(step->pointer, "id"), NULL,
					"there are two steps with the id \"%s\"", step->id);
		right = false;
	}
	return right;
}

static bool
check_names(const List *steps, const char *pointer, ProblemList *problems)
{
	const char **ids = palloc(sizeof(char *) * (list_length(steps) + 1));
	bool		right = true;
	ListCell   *lc;
	ListCell   *name;

	foreach(lc, steps)
		ids[foreach_current_index(lc)] = ((JobStep *) lfirst(lc))->id;
	ids[list_length(steps)] = NULL;

	foreach(lc, steps)
	{
		JobStep    *step = lfirst(lc);

		foreach(name, step->depends_on)
		{
			if (job_step_find(steps, lfirst(name)) != NULL)
				continue;
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE,
						pointer_index(pointer_key(step->pointer, "dependsOn"), foreach_current_index(name)),
						problem_suggest(lfirst(name), ids),
						"there is no step \"%s\"", clip_text(lfirst(name)));
			right = false;
		}
	}
	return right;
}

JobStep *
job_step_find(const List *steps, const char *id)
{
	ListCell   *lc;

	foreach(lc, steps)
	{
		JobStep    *step = lfirst(lc);

		if (strcmp(step->id, id) == 0)
			return step;
	}
	return NULL;
}

/* Appends the step to those in order, after all that it depends on; way: the steps that wait for it. */
static bool
place(JobStep *step, const List *steps, List **ordered, List *way,
	  const char *pointer, ProblemList *problems)
{
	ListCell   *lc;

	if (list_member_ptr(*ordered, step))
		return true;
	if (list_member_ptr(way, step))
	{
		problem_circle(way, step, steps, pointer, problems);
		return false;
	}
	way = lappend(list_copy(way), step);
	foreach(lc, step->depends_on)
	{
		if (!place(job_step_find(steps, lfirst(lc)), steps, ordered, way, pointer, problems))
			return false;
	}
	*ordered = lappend(*ordered, step);
	return true;
}

/* "a" depends on "b" depends on "a" */
static void
problem_circle(const List *way, const JobStep *step, const List *steps,
			   const char *pointer, ProblemList *problems)
{
	StringInfoData circle;
	bool		inside = false;
	ListCell   *lc;

	initStringInfo(&circle);
	foreach(lc, way)
	{
		const JobStep *other = lfirst(lc);

		inside = inside || other == step;
		if (inside)
			appendStringInfo(&circle, "\"%s\" -> ", other->id);
	}
	appendStringInfo(&circle, "\"%s\"", step->id);
	problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer_key(step->pointer, "dependsOn"), NULL,
				"steps depend on each other in a circle: %s", circle.data);
}

/* The steps are in order, so those that it depends on have theirs. */
static void
find_parents(JobStep *step, const List *steps)
{
	ListCell   *lc;

	foreach(lc, step->depends_on)
	{
		JobStep    *parent = job_step_find(steps, lfirst(lc));

		step->parents = list_append_unique_ptr(step->parents, parent);
		step->parents = list_concat_unique_ptr(step->parents, parent->parents);
	}
}
