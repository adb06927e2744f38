/*
 * parents.c
 *	  Which rows of a step the requests of later steps are made of.
 *
 * {{ customers.id }} in a step that depends on another: the step that is named
 * keeps the columns that are asked for (databite.parent_row), each combination of
 * values once, and the one that asks has a listing for each.
 */
#include "postgres.h"

#include "run/parents.h"
#include "template/template.h"

static List *add_name(List *names, const char *name);
static void compile_all(TemplateCompiler *compiler, const JobStep *step);
static void compile_values(TemplateCompiler *compiler, const List *values);
static void compile_value(TemplateCompiler *compiler, const JobValue *value);
static bool step_fills(const JobStep *step, const char *column);

List *
parents_wanted(const Job *job, const JobStep *step)
{
	List	   *names = NIL;
	ListCell   *lc;
	ListCell   *field;

	foreach(lc, job->steps)
	{
		const JobStep *later = lfirst(lc);
		TemplateCompiler *compiler;

		if (!list_member_ptr(later->parents, step))
			continue;

		/* What is wrong with them was said when the job was scheduled, or is said when the step comes. */
		compiler = template_compiler_create(TEMPLATE_SCOPE_ANY, problem_list_create(CurrentMemoryContext));
		compiler->parents = later->parents;
		compile_all(compiler, later);
		foreach(field, compiler->inputs->parent_fields)
		{
			const TemplateParentField *wanted = lfirst(field);

			if (wanted->step == step)
				names = add_name(names, wanted->name);
		}
	}
	return names;
}

const JobStep *
parents_of_request(const JobStep *step, const List *fields, ProblemList *problems)
{
	const JobStep *parent = NULL;
	ListCell   *lc;

	foreach(lc, fields)
	{
		const TemplateParentField *field = lfirst(lc);

		if (parent != NULL && field->step != parent)
			problem_add(problems, ERRCODE_FEATURE_NOT_SUPPORTED, psprintf("%s/source", step->pointer), NULL,
						"a request can be made of the rows of one step only, not of both \"%s\" and \"%s\"",
						parent->id, field->step->id);
		parent = field->step;
		if (!step_fills(parent, field->name))
			problem_add(problems, ERRCODE_UNDEFINED_COLUMN, psprintf("%s/source", step->pointer),
						psprintf("Add it to the transform of \"%s\".", parent->id),
						"step \"%s\" does not fill a column \"%s\"", parent->id, field->name);
	}
	return parent;
}

static List *
add_name(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (strcmp(lfirst(lc), name) == 0)
			return names;
	}
	return lappend(names, pstrdup(name));
}

/* All templates of the step that may name a parent. */
static void
compile_all(TemplateCompiler *compiler, const JobStep *step)
{
	const JobSource *source = &step->source;

	compile_value(compiler, &source->url);
	compile_values(compiler, source->headers);
	compile_values(compiler, source->query);
	compile_value(compiler, &source->body);
	compile_values(compiler, source->body_form);
	compile_value(compiler, &source->sql_query);
	compile_value(compiler, &source->where);
	compile_values(compiler, step->transform);
}

static void
compile_values(TemplateCompiler *compiler, const List *values)
{
	ListCell   *lc;

	foreach(lc, values)
		compile_value(compiler, &((const JobNamedValue *) lfirst(lc))->value);
}

static void
compile_value(TemplateCompiler *compiler, const JobValue *value)
{
	if (value->text != NULL && template_has_template(value->text))
		(void) template_compile(compiler, value, InvalidOid, -1);
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
