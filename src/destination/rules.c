/*
 * rules.c
 *	  "validation": what rows must be like, as conditions of the statement that writes them.
 *
 * A rule looks at the transformed row, r, in the column's type.  NULL passes
 * every rule but "required", as in a CHECK constraint.  A check is a condition
 * that is true where its rule fails; what it says of the row is a RuleFailure.
 */
#include "postgres.h"

#include "access/transam.h"
#include "base/clip.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "destination/rule_kind.h"
#include "destination/rules.h"
#include "lib/stringinfo.h"
#include "parser/parse_coerce.h"
#include "regex/regex.h"
#include "template/coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

/* Of a list or pattern, a message shows so many bytes. */
#define SHOWN_BYTES 100

typedef struct RuleCompile
{
	const JobStep *step;
	const Target *target;
	const List *columns;
	TemplateCompiler templates; /* for conditions over the item */
	TemplateCompiler literals;	/* for values */
	ProblemList *problems;
	Rules	   *rules;

	/* of the rule at hand */
	const TargetColumn *column;
	ColumnKind	kind;
	char	   *value;			/* r.column */
} RuleCompile;

static TemplateCompiler rule_templates(const TemplateCompiler *transform);
static void check_alone(const JobRule *rule, TemplateCompiler *templates);
static char *required_pointer(const JobValidation *validation, int index);
static void add_required(RuleCompile *compile, const char *name, const char *pointer);
static void add_rule(RuleCompile *compile, const JobRule *rule);
static void add_template(RuleCompile *compile, const JobRule *rule);
static void add_type(RuleCompile *compile, const JobRule *rule);
static void add_bound(RuleCompile *compile, const JobValue *bound, bool is_min);
static const char *bound_literal(RuleCompile *compile, const JobValue *bound, const char *name);
static void add_pattern(RuleCompile *compile, const JobRule *rule);
static bool pattern_is_right(const JobValue *pattern, ProblemList *problems);
static void add_list(RuleCompile *compile, const JobRule *rule);
static char *listed_values(RuleCompile *compile, const JobRule *rule, Oid type);
static bool find_column(RuleCompile *compile, const char *name, const char *pointer);
static void use_column(RuleCompile *compile, const TargetColumn *column);
static StatementCheck *add_check(RuleCompile *compile, const char *failed, const char *shown);
static StatementCheck *new_check(RuleCompile *compile, const char *failed, const char *shown);
static RuleFailure *failure_of(const RuleCompile *compile, const StatementCheck *check);
static char *as_text(const RuleCompile *compile);
static char *value_name(const RuleCompile *compile);
static bool is_filled(const JobStep *step, const List *columns, const char *name);
static char *described(const RuleCompile *compile);

Rules *
rules_create(const JobStep *step, const Target *target, const List *columns,
			 const TemplateCompiler *compiler)
{
	RuleCompile compile = {.step = step, .target = target, .columns = columns, .problems = compiler->problems};
	const JobValidation *validation = step->validation;
	ListCell   *lc;

	if (validation == NULL)
		return NULL;
	compile.rules = palloc0(sizeof(Rules));
	compile.templates = rule_templates(compiler);
	compile.literals = *template_compiler_create(0, compiler->problems);

	foreach(lc, validation->required)
		add_required(&compile, lfirst(lc), required_pointer(validation, foreach_current_index(lc)));
	foreach(lc, validation->rules)
		add_rule(&compile, lfirst(lc));
	return compile.rules;
}

void
rules_require_key(Rules *rules, const Target *target, const List *key)
{
	RuleCompile compile = {.target = target, .rules = rules};
	ListCell   *lc;

	foreach(lc, key)
	{
		StatementCheck *check;
		RuleFailure *failure;

		use_column(&compile, target_column(target, lfirst(lc)));
		check = new_check(&compile, psprintf("%s IS NULL", compile.value), NULL);
		check->of_key = true;
		rules->key_checks = lappend(rules->key_checks, check);
		failure = failure_of(&compile, check);
		failure->sqlstate = ERRCODE_NOT_NULL_VIOLATION;
		failure->constraint = "required";
		failure->before = psprintf("key column \"%s\" has no value", compile.column->name);
	}
}

void
rules_check(const JobStep *step, ProblemList *problems)
{
	const JobValidation *validation = step->validation;
	TemplateCompiler templates;
	ListCell   *lc;

	if (validation == NULL)
		return;
	templates = rule_templates(columns_compiler(step, problems));
	foreach(lc, validation->required)
	{
		if (step->has_transform && !is_filled(step, NIL, lfirst(lc)))
			problem_add(problems, ERRCODE_UNDEFINED_COLUMN, required_pointer(validation, foreach_current_index(lc)), NULL,
						"column \"%s\" is not filled by the step", (char *) lfirst(lc));
	}
	foreach(lc, validation->rules)
	{
		const JobRule *rule = lfirst(lc);

		if (step->has_transform && !is_filled(step, NIL, rule->column))
			problem_add(problems, ERRCODE_UNDEFINED_COLUMN, rule->pointer, NULL,
						"column \"%s\" is not filled by the step", rule->column);
		check_alone(rule, &templates);
	}
}

bool
rules_have_column(const JobStep *step, const char *column)
{
	ListCell   *lc;

	if (step->validation == NULL)
		return false;
	foreach(lc, step->validation->rules)
	{
		if (strcmp(((const JobRule *) lfirst(lc))->column, column) == 0)
			return true;
	}
	return name_list_has(step->validation->required, column);
}

/* A rule looks at the item as the transform does, but leaves it alone. */
static TemplateCompiler
rule_templates(const TemplateCompiler *transform)
{
	TemplateCompiler templates = *transform;

	templates.scopes &= ~TEMPLATE_SCOPE_CONTROL;
	templates.validated = false;
	templates.column = NULL;
	return templates;
}

/* What is wrong with the rule whatever its column is. */
static void
check_alone(const JobRule *rule, TemplateCompiler *templates)
{
	if (rule->template.text != NULL)
		(void) template_compile(templates, &rule->template, InvalidOid, -1);
	if (rule->pattern.text != NULL)
		(void) pattern_is_right(&rule->pattern, templates->problems);
}

static char *
required_pointer(const JobValidation *validation, int index)
{
	return psprintf("%s/%d", validation->required_pointer, index);
}

static void
add_required(RuleCompile *compile, const char *name, const char *pointer)
{
	RuleFailure *failure;

	if (!find_column(compile, name, pointer))
		return;
	failure = failure_of(compile, add_check(compile, psprintf("%s IS NULL", compile->value), NULL));
	failure->sqlstate = ERRCODE_NOT_NULL_VIOLATION;
	failure->constraint = "required";
	failure->before = psprintf("column \"%s\" is required but has no value", name);
}

static void
add_rule(RuleCompile *compile, const JobRule *rule)
{
	if (!find_column(compile, rule->column, rule->pointer))
	{
		check_alone(rule, &compile->templates);
		return;
	}
	if (rule->template.text != NULL)
		add_template(compile, rule);
	if (rule->type != RULE_TYPE_ANY)
		add_type(compile, rule);
	if (rule->in != NIL)
		add_list(compile, rule);
	if (rule->min.text != NULL)
		add_bound(compile, &rule->min, true);
	if (rule->max.text != NULL)
		add_bound(compile, &rule->max, false);
	if (rule->pattern.text != NULL)
		add_pattern(compile, rule);
}

/*
 * A boolean must not be false.  Anything else is what the column was made of:
 * where there is something, the column must have a value.  JSON may be either.
 */
static void
add_template(RuleCompile *compile, const JobRule *rule)
{
	TemplateExpr *expr = template_compile(&compile->templates, &rule->template, InvalidOid, -1);
	StatementValue *value;
	const char *given;
	bool		is_json;
	RuleFailure *failure;

	if (expr == NULL)
		return;
	is_json = rule_column_kind(expr->type) == KIND_JSON;
	value = palloc0(sizeof(StatementValue));
	value->name = value_name(compile);
	value->expression = is_json ? psprintf("NULLIF(CAST(%s AS pg_catalog.jsonb), 'null')", expr->sql) : expr->sql;
	compile->rules->values = lappend(compile->rules->values, value);
	given = psprintf("r.%s", quote_identifier(value->name));

	if (is_json || expr->type == BOOLOID)
	{
		const char *test = is_json ? "OPERATOR(pg_catalog.=) 'false'::pg_catalog.jsonb" : "IS FALSE";
		const char *failed = psprintf("%s %s", given, test);

		failure = failure_of(compile, add_check(compile, failed, as_text(compile)));
		failure->constraint = compile->column->name;
		failure->after = ", which its check refuses";
	}
	if (expr->type != BOOLOID)
	{
		const char *as = is_json ? "(%s OPERATOR(pg_catalog.#>>) '{}')" : "CAST(%s AS pg_catalog.text)";
		const char *failed = psprintf("(%s IS NOT NULL AND %s IS NULL)", given, compile->value);

		failure = failure_of(compile, add_check(compile, failed, psprintf(as, given)));
		failure->constraint = compile->column->name;
		failure->before = psprintf("column \"%s\" does not take ", compile->column->name);
		failure->quoted = true;
	}
}

static void
add_type(RuleCompile *compile, const JobRule *rule)
{
	const char *failed;
	RuleFailure *failure;

	if (rule_always_holds(compile->column->type, rule->type))
		return;
	if (!rule_can_hold(compile->kind, rule->type))
	{
		problem_add(compile->problems, ERRCODE_DATATYPE_MISMATCH, psprintf("%s/type", rule->pointer), NULL,
					"column \"%s\" is of type %s, which is never \"%s\"", compile->column->name,
					format_type_be(compile->column->type), rule_type_name(rule->type));
		return;
	}

	if (compile->kind == KIND_JSON)
		failed = psprintf("NOT databite.json_is(CAST(%s AS pg_catalog.jsonb), '%s')", compile->value, rule_type_name(rule->type));
	else if (compile->kind == KIND_NUMBER)
	{
		const char *number = psprintf("CAST(%s AS pg_catalog.numeric)", compile->value);

		/* as a difference: NaN and infinity are equal to what trunc makes of them */
		failed = psprintf("(%s OPERATOR(pg_catalog.-) pg_catalog.trunc(%s)) OPERATOR(pg_catalog.<>) 0", number, number);
	}
	else if (compile->kind == KIND_TIME)
	{
		bool		zoned = getBaseType(compile->column->type) == TIMESTAMPTZOID;

		failed = psprintf("CAST(%s%s%s AS pg_catalog.time) OPERATOR(pg_catalog.<>) '00:00'",
						  zoned ? "pg_catalog.timezone('UTC', " : "", compile->value, zoned ? ")" : "");
	}
	else
		failed = psprintf("NOT databite.text_is(%s, '%s')", as_text(compile), rule_type_name(rule->type));

	failure = failure_of(compile, add_check(compile, failed, as_text(compile)));
	failure->constraint = psprintf("%s.type", compile->column->name);
	failure->after = psprintf(", not %s", rule_type_phrase(rule->type));
}

static void
add_bound(RuleCompile *compile, const JobValue *bound, bool is_min)
{
	const char *name = is_min ? "min" : "max";
	const char *literal = bound_literal(compile, bound, name);
	const char *value = compile->value;
	const char *shown = as_text(compile);
	const char *failed;
	RuleFailure *failure;

	if (literal == NULL)
		return;
	if (compile->kind == KIND_NUMBER)
		value = psprintf("CAST(%s AS pg_catalog.numeric)", compile->value);
	else if (compile->kind == KIND_TEXT)
	{
		value = psprintf("pg_catalog.char_length(%s)", as_text(compile));
		shown = psprintf("CAST(%s AS pg_catalog.text)", value);
	}

	failed = psprintf("%s OPERATOR(pg_catalog.%s) %s", value, is_min ? "<" : ">", literal);
	failure = failure_of(compile, add_check(compile, failed, shown));
	failure->constraint = psprintf("%s.%s", compile->column->name, name);
	failure->after = psprintf(", %s of %s", is_min ? "below the minimum" : "above the maximum", bound->text);
	if (compile->kind == KIND_TEXT)
	{
		failure->before = psprintf("column \"%s\" has a length of ", compile->column->name);
		failure->quoted = false;
	}
}

/* The bound as a constant of the type in which it is compared; NULL and a problem where it is none. */
static const char *
bound_literal(RuleCompile *compile, const JobValue *bound, const char *name)
{
	TemplateExpr *expr;

	switch (compile->kind)
	{
		case KIND_NUMBER:
			if (!bound->is_json)
				break;
			return psprintf("%s::pg_catalog.numeric", quote_literal_cstr(bound->text));
		case KIND_TEXT:
			if (!bound->is_json || strspn(bound->text, "0123456789") != strlen(bound->text) || strlen(bound->text) > 9)
			{
				problem_add(compile->problems, ERRCODE_INVALID_PARAMETER_VALUE, bound->pointer, NULL,
							"\"%s\" of column \"%s\" must be a number of characters", name, compile->column->name);
				return NULL;
			}
			return bound->text;
		case KIND_TIME:
		case KIND_CLOCK:
			if (bound->is_json)
				break;
			expr = template_compile(&compile->literals, bound, getBaseType(compile->column->type), -1);
			return expr ? expr->sql : NULL;
		default:
			problem_add(compile->problems, ERRCODE_DATATYPE_MISMATCH, bound->pointer, NULL,
						"\"%s\" needs a column of numbers, times or texts, and \"%s\" is %s",
						name, compile->column->name, described(compile));
			return NULL;
	}
	problem_add(compile->problems, ERRCODE_DATATYPE_MISMATCH, bound->pointer, NULL,
				"\"%s\" of column \"%s\" must be a %s", name, compile->column->name,
				compile->kind == KIND_NUMBER ? "number" : "time in quotes");
	return NULL;
}

static void
add_pattern(RuleCompile *compile, const JobRule *rule)
{
	const char *text = as_text(compile);
	const char *failed;
	RuleFailure *failure;

	if (!pattern_is_right(&rule->pattern, compile->problems))
		return;
	failed = psprintf("NOT (%s COLLATE pg_catalog.\"default\" OPERATOR(pg_catalog.~) %s)",
					  text, quote_literal_cstr(rule->pattern.text));
	failure = failure_of(compile, add_check(compile, failed, text));
	failure->constraint = psprintf("%s.pattern", compile->column->name);
	failure->after = psprintf(", which does not match \"%s\"", text_clip(rule->pattern.text, SHOWN_BYTES));
}

static bool
pattern_is_right(const JobValue *pattern, ProblemList *problems)
{
	int			length = strlen(pattern->text);
	pg_wchar   *wide = palloc((length + 1) * sizeof(pg_wchar));
	regex_t		regex;
	char		reason[100];
	int			code;

	length = pg_mb2wchar_with_len(pattern->text, wide, length);
	code = pg_regcomp(&regex, wide, length, REG_ADVANCED, DEFAULT_COLLATION_OID);
	if (code == REG_OKAY)
	{
		pg_regfree(&regex);
		return true;
	}
	pg_regerror(code, &regex, reason, sizeof(reason));
	problem_add(problems, ERRCODE_INVALID_REGULAR_EXPRESSION, pattern->pointer, NULL,
				"invalid regular expression: %s", reason);
	return false;
}

static void
add_list(RuleCompile *compile, const JobRule *rule)
{
	Oid			type = getBaseType(compile->column->type);
	const char *type_name;
	char	   *values;
	const char *failed;
	RuleFailure *failure;

	if (compile->kind == KIND_NUMBER)
		type = NUMERICOID;
	else if (compile->kind == KIND_TEXT && type < FirstNormalObjectId)	/* another's type (citext) knows what is equal */
		type = TEXTOID;
	else if (compile->kind == KIND_JSON)
		type = JSONBOID;
	if (compile->kind == KIND_ARRAY || compile->kind == KIND_ROW ||
		!OidIsValid(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr))
	{
		problem_add(compile->problems, ERRCODE_DATATYPE_MISMATCH, psprintf("%s/in", rule->pointer), NULL,
					"\"in\" needs a column of single values, and \"%s\" is %s", compile->column->name, described(compile));
		return;
	}

	type_name = template_type_name(type, -1);
	values = listed_values(compile, rule, type);
	if (values == NULL)
		return;
	failed = psprintf("NOT (CAST(%s AS %s) %s ANY (ARRAY[%s]::%s[]))", compile->value, type_name,
					  statement_equality_operator(type), values, type_name);
	failure = failure_of(compile, add_check(compile, failed, as_text(compile)));
	failure->constraint = psprintf("%s.in", compile->column->name);
	failure->after = ", which is not in the list";
}

/* The values as constants of the type, separated by commas; NULL where there was a problem. */
static char *
listed_values(RuleCompile *compile, const JobRule *rule, Oid type)
{
	int			before = list_length(compile->problems->problems);
	StringInfoData values;
	ListCell   *lc;

	initStringInfo(&values);
	foreach(lc, rule->in)
	{
		const JobValue *value = lfirst(lc);
		bool		should_be_json = compile->kind == KIND_NUMBER || compile->kind == KIND_BOOLEAN;
		TemplateExpr *expr;

		if (compile->kind != KIND_JSON && value->is_json != should_be_json)
		{
			problem_add(compile->problems, ERRCODE_DATATYPE_MISMATCH, value->pointer, NULL,
						value->is_json ? "%s does not fit column \"%s\", which is %s"
						: "\"%s\" does not fit column \"%s\", which is %s",
						text_clip(value->text, SHOWN_BYTES), compile->column->name, described(compile));
			continue;
		}
		expr = template_compile(&compile->literals, value, type, -1);
		if (expr != NULL)
			appendStringInfo(&values, "%s%s", values.len > 0 ? ", " : "", expr->sql);
	}
	return list_length(compile->problems->problems) > before ? NULL : values.data;
}

/* The column at hand, or a problem. */
static bool
find_column(RuleCompile *compile, const char *name, const char *pointer)
{
	const TargetColumn *column = target_column(compile->target, name);

	if (column == NULL)
		problem_add(compile->problems, ERRCODE_UNDEFINED_COLUMN, pointer,
					problem_suggest(name, target_column_names(compile->target)),
					"table %s has no column \"%s\"", compile->target->qualified, name);
	else if (!is_filled(compile->step, compile->columns, name))
		problem_add(compile->problems, ERRCODE_INVALID_COLUMN_REFERENCE, pointer, NULL,
					"column \"%s\" is not filled by the step", name);
	else
	{
		use_column(compile, column);
		return true;
	}
	return false;
}

static void
use_column(RuleCompile *compile, const TargetColumn *column)
{
	compile->column = column;
	compile->kind = rule_column_kind(column->type);
	compile->value = psprintf("r.%s", quote_identifier(column->name));
}

static StatementCheck *
add_check(RuleCompile *compile, const char *failed, const char *shown)
{
	StatementCheck *check = new_check(compile, failed, shown);

	compile->rules->checks = lappend(compile->rules->checks, check);
	return check;
}

/* A check, and its failure with what most of them say; shown: the value for the message, or NULL. */
static StatementCheck *
new_check(RuleCompile *compile, const char *failed, const char *shown)
{
	Rules	   *rules = compile->rules;
	StatementCheck *check = palloc0(sizeof(StatementCheck));
	RuleFailure *failure;

	check->number = rules->nfailures++;
	check->failed = failed;
	check->shown = shown;
	if (rules->failures == NULL)
		rules->failures = palloc(sizeof(RuleFailure));
	else
		rules->failures = repalloc(rules->failures, sizeof(RuleFailure) * rules->nfailures);

	failure = failure_of(compile, check);
	memset(failure, 0, sizeof(RuleFailure));
	failure->sqlstate = ERRCODE_CHECK_VIOLATION;
	failure->column = compile->column->name;
	failure->before = psprintf("column \"%s\" is ", compile->column->name);
	failure->after = "";
	failure->quoted = compile->kind != KIND_NUMBER && compile->kind != KIND_BOOLEAN && compile->kind != KIND_JSON;
	return check;
}

/* Good until the next add_check. */
static RuleFailure *
failure_of(const RuleCompile *compile, const StatementCheck *check)
{
	return &compile->rules->failures[check->number];
}

/* The column's value as text: a JSON string without its quotes, a time as ISO 8601. */
static char *
as_text(const RuleCompile *compile)
{
	if (compile->kind == KIND_JSON)
		return psprintf("(CAST(%s AS pg_catalog.jsonb) OPERATOR(pg_catalog.#>>) '{}')", compile->value);
	if (getBaseType(compile->column->type) == TIMESTAMPTZOID)
		return psprintf("databite.iso8601(%s)", compile->value);
	if (compile->kind == KIND_TIME)
		return psprintf("(pg_catalog.to_jsonb(%s) OPERATOR(pg_catalog.#>>) '{}')", compile->value);
	return psprintf("CAST(%s AS pg_catalog.text)", compile->value);
}

/* A name for what a rule's template gives that is none of the table's columns. */
static char *
value_name(const RuleCompile *compile)
{
	char	   *name = psprintf("check %d", list_length(compile->rules->values) + 1);

	while (target_column(compile->target, name) != NULL)
		name = psprintf("%s_", name);
	return name;
}

/* Does the step fill the column?  Its transform says it, where it has one; else the columns (of PlanColumn *). */
static bool
is_filled(const JobStep *step, const List *columns, const char *name)
{
	ListCell   *lc;

	if (!step->has_transform)
	{
		foreach(lc, columns)
		{
			if (strcmp(((const PlanColumn *) lfirst(lc))->column->name, name) == 0)
				return true;
		}
		return false;
	}
	foreach(lc, step->transform)
	{
		if (strcmp(((const JobNamedValue *) lfirst(lc))->name, name) == 0)
			return true;
	}
	return false;
}

static char *
described(const RuleCompile *compile)
{
	return psprintf("of type %s", format_type_be(compile->column->type));
}
