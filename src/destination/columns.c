/*
 * columns.c
 *	  Which columns a step fills, and from what.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "destination/columns.h"
#include "destination/create_table.h"
#include "destination/infer.h"
#include "destination/write_mode.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"

/* Scopes that a transform may use, beside those of its source. */
#define TRANSFORM_SCOPES \
	(TEMPLATE_SCOPE_ITEM | TEMPLATE_SCOPE_SYNC | TEMPLATE_SCOPE_CONTROL | TEMPLATE_SCOPE_CURSOR)

static void check_template(TemplateCompiler *compiler, const JobNamedValue *value);
static const TargetColumn *find_writable(const Target *target, const JobNamedValue *value, ProblemList *problems);
static bool fits_column(const TemplateExpr *expr, const TargetColumn *column,
						const char *pointer, ProblemList *problems);
static bool check_new_name(const char *name, const char *pointer, ProblemList *problems);
static const JobColumn *declared_column(const JobStep *step, const char *name);
static TemplateExpr *key_input(TemplateInputs *inputs, const TargetColumn *column);
static Oid	expression_type(const TemplateExpr *expr, const Sample *sample, bool *undecided);

void
columns_check(const JobStep *step, ProblemList *problems)
{
	TemplateCompiler *compiler = columns_compiler(step, problems);
	ListCell   *lc;

	foreach(lc, step->transform)
		check_template(compiler, lfirst(lc));
}

int
columns_scopes(const JobStep *step)
{
	TemplateCompiler *compiler = columns_compiler(step, problem_list_create(CurrentMemoryContext));
	ListCell   *lc;

	foreach(lc, step->transform)
		check_template(compiler, lfirst(lc));
	foreach(lc, step->validation ? step->validation->rules : NIL)
	{
		const JobRule *rule = lfirst(lc);

		if (rule->template.text != NULL)
			(void) template_compile(compiler, &rule->template, InvalidOid, -1);
	}
	return compiler->inputs->used;
}

TemplateCompiler *
columns_compiler(const JobStep *step, ProblemList *problems)
{
	TemplateCompiler *compiler = template_compiler_create(TRANSFORM_SCOPES | TEMPLATE_SCOPES_OF_SOURCE(&step->source), problems);

	compiler->validated = step->validation != NULL;
	compiler->batch_scopes = template_context_scopes(step);
	compiler->parents = step->parents;
	return compiler;
}

List *
columns_from_transform(const JobStep *step, const Target *target, TemplateCompiler *compiler)
{
	ProblemList *problems = compiler->problems;
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, step->transform)
	{
		const JobNamedValue *value = lfirst(lc);
		const TargetColumn *column = find_writable(target, value, problems);
		TemplateExpr *expr;
		PlanColumn *plan_column;

		if (column == NULL)
		{
			check_template(compiler, value);
			continue;
		}
		compiler->column = column->name;
		expr = template_compile(compiler, &value->value, column->type, column->typmod);
		if (expr == NULL || !fits_column(expr, column, value->value.pointer, problems))
			continue;

		plan_column = palloc0(sizeof(PlanColumn));
		plan_column->column = column;
		plan_column->expr = expr;
		plan_column->in_use = true;
		columns = lappend(columns, plan_column);
	}
	return columns;
}

List *
columns_map_by_name(const JobStep *step, const Target *target, TemplateInputs *inputs)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, target->columns)
	{
		const TargetColumn *column = lfirst(lc);

		if (column->generated || mode_owns_column(&step->destination, column->name))
			continue;
		if (step->destination.schema != NIL && declared_column(step, column->name) == NULL)
			continue;
		columns = lappend(columns, columns_of_key(inputs, column));
	}
	return columns;
}

PlanColumn *
columns_of_key(TemplateInputs *inputs, const TargetColumn *column)
{
	PlanColumn *plan_column = palloc0(sizeof(PlanColumn));

	plan_column->column = column;
	plan_column->expr = key_input(inputs, column);
	return plan_column;
}

const TargetColumn *
columns_find(const List *columns, const char *name)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		const TargetColumn *column = lfirst(lc);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

List *
columns_of_transform(const JobStep *step, const Target *existing, const Sample *sample,
					 bool *undecided, ProblemList *problems)
{
	TemplateCompiler *compiler = columns_compiler(step, problems);
	List	   *columns = NIL;
	ListCell   *lc;

	*undecided = false;
	foreach(lc, step->transform)
	{
		const JobNamedValue *value = lfirst(lc);
		TemplateExpr *expr;

		if (existing != NULL && target_column(existing, value->name) != NULL)
		{
			check_template(compiler, value);
			continue;
		}
		if (!check_new_name(value->name, value->value.pointer, problems))
			continue;
		expr = template_compile(compiler, &value->value, InvalidOid, -1);
		if (expr != NULL)
			columns = lappend(columns, new_column(value->name, expression_type(expr, sample, undecided), -1));
	}
	return columns;
}

List *
columns_of_schema(const JobStep *step, const Target *existing, ProblemList *problems)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, step->destination.schema)
	{
		const JobColumn *declared = lfirst(lc);
		const TargetColumn *column;
		Oid			type;
		int32		typmod;

		if (!check_new_name(declared->name, declared->pointer, problems) ||
			!declared_type(declared, problems, &type, &typmod))
			continue;
		columns = lappend(columns, new_column(declared->name, type, typmod));
		if (existing == NULL)
			continue;

		column = target_column(existing, declared->name);
		if (column == NULL)
			problem_add(problems, ERRCODE_UNDEFINED_COLUMN, declared->pointer,
						problem_suggest(declared->name, target_column_names(existing)),
						"table %s has no column \"%s\"", existing->qualified, declared->name);
		else if (column->generated && !step->has_transform)
			problem_add(problems, ERRCODE_GENERATED_ALWAYS, declared->pointer, NULL,
						"column \"%s\" of table %s is generated and cannot be written",
						declared->name, existing->qualified);
		else if (!declared_type_fits(declared, type, typmod, column))
			problem_add(problems, ERRCODE_DATATYPE_MISMATCH, declared->pointer,
						"Correct the schema, or leave it out: the table's own types are used.",
						"column \"%s\" of table %s has type %s, not \"%s\"",
						declared->name, existing->qualified,
						format_type_with_typemod(column->type, column->typmod), declared->type);
	}
	return columns;
}

/* The problems that the template has wherever its value goes. */
static void
check_template(TemplateCompiler *compiler, const JobNamedValue *value)
{
	compiler->column = value->name;
	(void) template_compile(compiler, &value->value, InvalidOid, -1);
}

/* The table's column that a transform names; NULL with a problem where it cannot be written. */
static const TargetColumn *
find_writable(const Target *target, const JobNamedValue *value, ProblemList *problems)
{
	const TargetColumn *column = target_column(target, value->name);

	if (column == NULL)
	{
		problem_add(problems, ERRCODE_UNDEFINED_COLUMN, value->value.pointer,
					problem_suggest(value->name, target_column_names(target)),
					"table %s has no column \"%s\"", target->qualified, value->name);
		return NULL;
	}
	if (column->generated)
	{
		problem_add(problems, ERRCODE_GENERATED_ALWAYS, value->value.pointer,
					"Take the column out of the transform: PostgreSQL fills it.",
					"column \"%s\" of table %s is generated and cannot be written",
					value->name, target->qualified);
		return NULL;
	}
	return column;
}

/* Would an INSERT of the expression into the column be accepted? */
static bool
fits_column(const TemplateExpr *expr, const TargetColumn *column,
			const char *pointer, ProblemList *problems)
{
	if (expr->type == column->type ||
		can_coerce_type(1, &expr->type, &column->type, COERCION_ASSIGNMENT))
		return true;
	problem_add(problems, ERRCODE_DATATYPE_MISMATCH, pointer, NULL,
				"column \"%s\" is of type %s but the template is of type %s", column->name,
				format_type_with_typemod(column->type, column->typmod), format_type_be(expr->type));
	return false;
}

static bool
check_new_name(const char *name, const char *pointer, ProblemList *problems)
{
	int			sqlstate;
	char	   *error = target_check_column(name, &sqlstate);

	if (error == NULL)
		return true;
	problem_add(problems, sqlstate, pointer, NULL, "%s", error);
	return false;
}

static const JobColumn *
declared_column(const JobStep *step, const char *name)
{
	ListCell   *lc;

	foreach(lc, step->destination.schema)
	{
		const JobColumn *declared = lfirst(lc);

		if (strcmp(declared->name, name) == 0)
			return declared;
	}
	return NULL;
}

/* What {{ item["name"] }} compiles to for the column. */
static TemplateExpr *
key_input(TemplateInputs *inputs, const TargetColumn *column)
{
	TemplateInput *input = palloc0(sizeof(TemplateInput));
	TemplateExpr *expr = palloc0(sizeof(TemplateExpr));

	input->name = psprintf("p%d", list_length(inputs->inputs) + 1);
	input->path = palloc0(sizeof(JsonPath));
	input->path->nsteps = 1;
	input->path->steps = palloc0(sizeof(JsonPathStep));
	input->path->steps[0].kind = PATH_KEY;
	input->path->steps[0].key = pstrdup(column->name);
	input->path->steps[0].keylen = strlen(column->name);
	input->type = column->type;
	input->typmod = column->typmod;
	inputs->inputs = lappend(inputs->inputs, input);

	expr->sql = psprintf("b.%s", input->name);
	expr->type = column->type;
	expr->lone = input;
	return expr;
}

/* The type a new column gets for an expression. */
static Oid
expression_type(const TemplateExpr *expr, const Sample *sample, bool *undecided)
{
	if (expr->lone != NULL && expr->lone->undecided)
	{
		if (sample != NULL)
			return sample_path_type(sample, expr->lone->path);
		*undecided = true;
	}
	if (expr->scope_path != NULL)
	{
		if (sample != NULL)
			return expr->in_context ? sample_context_type(sample, expr->scope_path) : sample_scope_type(sample, expr->scope_path);
		*undecided = true;
	}
	return expr->type == UNKNOWNOID ? TEXTOID : expr->type;
}
