/*
 * parents.c
 *	  Which rows of a step the requests of later steps are made of.
 *
 * {{ customers.id }} in a step that depends on another: the step that is named
 * keeps the columns that are asked for (databite.parent_row, for each step that asks by itself),
 * each combination of values once, and the one that asks has a listing for each.
 */
#include "postgres.h"

#include "destination/target.h"
#include "run/parents.h"
#include "template/template.h"

/* A place of the definition whose templates may name rows of other steps. */
typedef void (*ValueVisitor) (const JobStep *step, const JobValue *value, void *arg);

/* What later steps name of a step. */
typedef struct Wanted
{
	const JobStep *step;
	List	   *names;			/* of char * */
	bool		unclear;		/* a template is wrong, so that it cannot be told what it names */
} Wanted;

/* What is wrong with the names in a step's templates beside its request. */
typedef struct ItemCheck
{
	const JobStep *parent;		/* whose rows the request names, or NULL */
	ProblemList *problems;
} ItemCheck;

static Wanted wanted_of(const Job *job, const JobStep *step);
static void want_fields(const JobStep *later, const JobValue *value, void *arg);
static List *delivered_to(const Job *job, const JobStep *step, const JobStep **parent);
static List *add_name(List *names, const char *name);
static void problem_two_steps(const JobStep *step, const TemplateParentField *first, const TemplateParentField *second,
							  ProblemList *problems);
static void check_value(const JobStep *step, const JobValue *value, void *arg);
static void check_filled(const JobStep *parent, const char *column, const char *pointer, ProblemList *problems);
static bool step_fills(const JobStep *step, const char *column);
static List *named_fields(const JobStep *step, const JobValue *value, ProblemList *problems);
static void visit_request(const JobStep *step, ValueVisitor visit, void *arg);
static void visit_items(const JobStep *step, ValueVisitor visit, void *arg);
static void visit_values(const JobStep *step, const List *values, ValueVisitor visit, void *arg);

List *
parents_wanted(const Job *job, const JobStep *step)
{
	return wanted_of(job, step).names;
}

List *
parents_deliveries(const Job *job, const JobStep *step)
{
	List	   *deliveries = NIL;
	ListCell   *lc;

	foreach(lc, job->steps)
	{
		const JobStep *later = lfirst(lc);
		Wanted		wanted = {step};
		ParentDelivery *delivery;

		if (!list_member_ptr(later->parents, step))
			continue;
		visit_request(later, want_fields, &wanted);
		if (wanted.names == NIL)
			continue;
		visit_items(later, want_fields, &wanted);
		delivery = palloc(sizeof(ParentDelivery));
		delivery->to = later;
		delivery->names = wanted.names;
		deliveries = lappend(deliveries, delivery);
	}
	return deliveries;
}

void
parents_link(const Job *job, ProblemList *problems)
{
	ListCell   *lc;

	foreach(lc, job->steps)
	{
		JobStep    *step = lfirst(lc);
		Wanted		wanted;

		if (!step->destination.none || step->delivers != NIL)
			continue;
		wanted = wanted_of(job, step);
		step->delivers = wanted.names;
		if (wanted.names == NIL && !wanted.unclear && problems != NULL)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, step->pointer,
						"Only a step does without of which a later one names a column, as {{ step.column }}.",
						"\"destination\" is missing");
	}
}

const JobStep *
parents_of_request(const JobStep *step, const List *fields, ProblemList *problems)
{
	char	   *pointer = psprintf("%s/source", step->pointer);
	const JobStep *parent = NULL;
	const TemplateParentField *last = NULL;
	ListCell   *lc;

	foreach(lc, fields)
	{
		const TemplateParentField *field = lfirst(lc);

		if (parent != NULL && field->step != parent)
			problem_two_steps(step, last, field, problems);
		parent = field->step;
		last = field;
		check_filled(parent, field->name, pointer, problems);
		if (field->member && step->source.batch_parents > 0)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
						psprintf("Have step \"%s\" fill a column with it.", parent->id),
						"with \"batchParents\" a column is an array, which has no members: a part of \"%s\" cannot be named",
						field->name);
	}
	if (parent == NULL && step->source.batch_parents > 0)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s/batchParents", pointer),
					"Name a column of a step in \"dependsOn\", as in {{ customers.id | join(\",\") }}.",
					"\"batchParents\" is for requests that name columns of another step, and this one names none");
	return parent;
}

void
parents_check_state(const JobStep *step, const JobStep *parent, ProblemList *problems)
{
	const JobIncremental *incremental = step->source.incremental;

	if (parent == NULL && incremental != NULL && incremental->per_parent_state)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s/source/incremental/perParentState", step->pointer),
					"Name a column of a step that this one depends on in the request, as {{customers.id}}, or leave it out.",
					"\"perParentState\" needs requests that are made of the rows of another step");
}

bool
parents_are_same(const Job *old, const Job *job, const JobStep *step)
{
	const JobStep *old_step = job_step_find(old->steps, step->id);
	const JobStep *parent = NULL;
	const JobStep *old_parent = NULL;
	List	   *names = delivered_to(job, step, &parent);
	List	   *old_names = old_step != NULL ? delivered_to(old, old_step, &old_parent) : NIL;
	ListCell   *lc;

	if (parent == NULL || old_parent == NULL)
		return parent == old_parent;
	foreach(lc, names)
	{
		if (!name_list_has(old_names, lfirst(lc)))
			return false;
	}
	return list_length(names) == list_length(old_names) && strcmp(parent->id, old_parent->id) == 0;
}

/* The columns of the rows that the requests of the step are made of, and whose they are. */
static List *
delivered_to(const Job *job, const JobStep *step, const JobStep **parent)
{
	ListCell   *lc;
	ListCell   *each;

	foreach(lc, step->parents)
	{
		foreach(each, parents_deliveries(job, lfirst(lc)))
		{
			const ParentDelivery *delivery = lfirst(each);

			if (delivery->to != step)
				continue;
			*parent = lfirst(lc);
			return delivery->names;
		}
	}
	return NIL;
}

void
parents_check_items(const JobStep *step, const JobStep *parent, ProblemList *problems)
{
	ItemCheck	check = {parent, problems};

	visit_items(step, check_value, &check);
}

bool
parents_check_query(const JobStep *step, ProblemList *problems)
{
	const JobValue *query = &step->source.sql_query;
	List	   *fields = named_fields(step, query, problem_list_create(CurrentMemoryContext));
	const JobStep *parent;
	const char *hint;

	if (fields == NIL)
		return true;
	parent = ((const TemplateParentField *) linitial(fields))->step;
	hint = parent->destination.none ? "Write what \"%s\" reads into the query." : "Join the table of \"%s\" in the query.";
	problem_add(problems, ERRCODE_FEATURE_NOT_SUPPORTED, query->pointer, psprintf(hint, parent->id),
				"a query is run once, and not for each row of step \"%s\"", parent->id);
	return false;
}

static Wanted
wanted_of(const Job *job, const JobStep *step)
{
	Wanted		wanted = {step};
	ListCell   *lc;

	foreach(lc, job->steps)
	{
		const JobStep *later = lfirst(lc);

		if (!list_member_ptr(later->parents, step))
			continue;
		visit_request(later, want_fields, &wanted);
		visit_items(later, want_fields, &wanted);
	}
	return wanted;
}

/* What is wrong with the templates was said when the job was scheduled, or is said when the step comes. */
static void
want_fields(const JobStep *later, const JobValue *value, void *arg)
{
	Wanted	   *wanted = arg;
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	ListCell   *lc;

	foreach(lc, named_fields(later, value, problems))
	{
		const TemplateParentField *field = lfirst(lc);

		if (field->step == wanted->step)
			wanted->names = add_name(wanted->names, field->name);
	}
	wanted->unclear |= problems->problems != NIL;
}

static List *
add_name(List *names, const char *name)
{
	return name_list_has(names, name) ? names : lappend(names, pstrdup(name));
}

/* Where one of them comes before the other, that can take what is wanted along. */
static void
problem_two_steps(const JobStep *step, const TemplateParentField *first, const TemplateParentField *second,
				  ProblemList *problems)
{
	const TemplateParentField *before = NULL;
	const JobStep *middle = NULL;
	const char *hint = "Have one of them depend on the other and fill a column with what is wanted of that.";

	if (list_member_ptr(first->step->parents, second->step))
	{
		before = second;
		middle = first->step;
	}
	else if (list_member_ptr(second->step->parents, first->step))
	{
		before = first;
		middle = second->step;
	}
	if (middle != NULL)
		hint = psprintf("Have step \"%s\" fill a column with {{ %s.%s }}, and name that column.",
						middle->id, before->step->id, before->name);
	problem_add(problems, ERRCODE_FEATURE_NOT_SUPPORTED, psprintf("%s/source", step->pointer), hint,
				"a request can be made of the rows of one step only, not of both \"%s\" and \"%s\"",
				first->step->id, second->step->id);
}

/* A template over items sees the row that the request was made of, if there is one. */
static void
check_value(const JobStep *step, const JobValue *value, void *arg)
{
	ItemCheck  *check = arg;
	ProblemList *problems = check->problems;
	ListCell   *lc;

	/* What else is wrong with it is for the part that compiles it. */
	foreach(lc, named_fields(step, value, problem_list_create(CurrentMemoryContext)))
	{
		const TemplateParentField *field = lfirst(lc);
		const char *id = field->step->id;

		if (check->parent == NULL)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, value->pointer,
						"Name a column of it in the request, or take the value from the item.",
						"no row of step \"%s\" is known here: no request of this step is made of one", id);
		else if (field->step != check->parent)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, value->pointer,
						psprintf("Have step \"%s\" fill a column with it, and name that.", check->parent->id),
						"no row of step \"%s\" is known here: the requests are made of rows of \"%s\"",
						id, check->parent->id);
		else if (step->source.batch_parents > 0)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, value->pointer, "Take the value from the item.",
						"which row of step \"%s\" an item belongs to is not known: a request is made of up to %d of them",
						id, step->source.batch_parents);
		else
			check_filled(check->parent, field->name, value->pointer, problems);
	}
}

static void
check_filled(const JobStep *parent, const char *column, const char *pointer, ProblemList *problems)
{
	if (!step_fills(parent, column))
		problem_add(problems, ERRCODE_UNDEFINED_COLUMN, pointer,
					parent->destination.none && parent->source.plain_items
					? "The one column of a list of plain values is \"value\"."
					: psprintf("Add it to the transform of \"%s\".", parent->id),
					"step \"%s\" does not fill a column \"%s\"", parent->id, column);
}

/* Without a transform, any key of an item may be a column. */
static bool
step_fills(const JobStep *step, const char *column)
{
	ListCell   *lc;

	if (!step->has_transform)
		return true;
	foreach(lc, step->transform)
	{
		if (strcmp(((const JobNamedValue *) lfirst(lc))->name, column) == 0)
			return true;
	}
	return false;
}

/* Of TemplateParentField *. */
static List *
named_fields(const JobStep *step, const JobValue *value, ProblemList *problems)
{
	TemplateCompiler *compiler;

	if (value->text == NULL || !template_has_template(value->text))
		return NIL;
	compiler = template_compiler_create(TEMPLATE_SCOPE_ANY, problems);
	compiler->parents = step->parents;
	(void) template_compile(compiler, value, InvalidOid, -1);
	return compiler->inputs->parent_fields;
}

static void
visit_request(const JobStep *step, ValueVisitor visit, void *arg)
{
	const JobSource *source = &step->source;

	visit(step, &source->url, arg);
	visit_values(step, source->headers, visit, arg);
	visit_values(step, source->query, visit, arg);
	visit(step, &source->body, arg);
	visit_values(step, source->body_form, visit, arg);
	visit(step, &source->sql_query, arg);
}

/* All over items. */
static void
visit_items(const JobStep *step, ValueVisitor visit, void *arg)
{
	ListCell   *lc;

	visit(step, &step->source.where, arg);
	visit_values(step, step->transform, visit, arg);
	if (step->destination.deletes != NULL)
		visit(step, &step->destination.deletes->when, arg);
	if (step->validation == NULL)
		return;
	foreach(lc, step->validation->rules)
		visit(step, &((const JobRule *) lfirst(lc))->template, arg);
}

static void
visit_values(const JobStep *step, const List *values, ValueVisitor visit, void *arg)
{
	ListCell   *lc;

	foreach(lc, values)
		visit(step, &((const JobNamedValue *) lfirst(lc))->value, arg);
}
