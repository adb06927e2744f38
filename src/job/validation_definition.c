/*
 * validation_definition.c
 *	  What rows must be like: {required: [columns], <column>: template or checks}.
 *
 * Which columns there are and whether a check suits the column's type is for
 * destination/rules.c.
 */
#include "postgres.h"

#include "base/jsonc.h"

#include "job/definition_parts.h"

#define MAX_LISTED_VALUES 1000

static const Choice rule_types[] = {
	{"string", RULE_TYPE_STRING},
	{"number", RULE_TYPE_NUMBER},
	{"integer", RULE_TYPE_INTEGER},
	{"boolean", RULE_TYPE_BOOLEAN},
	{"datetime", RULE_TYPE_DATETIME},
	{"date", RULE_TYPE_DATE},
	{"email", RULE_TYPE_EMAIL},
	{"phone", RULE_TYPE_PHONE},
	{"url", RULE_TYPE_URL},
	{"uuid", RULE_TYPE_UUID},
	{"array", RULE_TYPE_ARRAY},
	{"object", RULE_TYPE_OBJECT},
	{NULL}
};

static void read_rule(ProblemList *problems, const char *column, struct json_object *value,
					  const char *pointer, JobValidation *validation);
static void check_range(ProblemList *problems, struct json_object *object, const char *pointer);
static void read_value(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					   const char *pointer, void *target);
static void read_list(ProblemList *problems, const KeyRule *rule, struct json_object *value,
					  const char *pointer, void *target);

static const KeyRule check_rules[] = {
	{.name = "type", .types = VALUE_STRING, .parse = read_choice, FIELD(JobRule, type), .choices = rule_types},
	{.name = "min", .types = VALUE_NUMBER | VALUE_STRING, .parse = read_value, FIELD(JobRule, min)},
	{.name = "max", .types = VALUE_NUMBER | VALUE_STRING, .parse = read_value, FIELD(JobRule, max)},
	{.name = "pattern", .types = VALUE_STRING, .parse = read_value, FIELD(JobRule, pattern)},
	{.name = "in", .types = VALUE_ARRAY, .parse = read_list, FIELD(JobRule, in)},
	{NULL}
};

/* "required" with a list is that list; with anything else it is the rule of a column of that name. */
void
read_validation(ProblemList *problems, const KeyRule *rule, struct json_object *value,
				const char *pointer, void *target)
{
	JobValidation **field = rule_field(rule, target);
	JobValidation *validation = palloc0(sizeof(JobValidation));

	if (json_object_object_length(value) > MAX_COLUMNS)
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must name at most %d columns", rule->name, MAX_COLUMNS);
	else
	{
		json_object_object_foreach(value, name, check)
		{
			char	   *place = pointer_key(pointer, name);

			if (strcmp(name, "required") == 0 && value_is(check, VALUE_ARRAY))
			{
				validation->required = read_names(problems, check, "a column of \"required\"", place);
				validation->required_pointer = place;
			}
			else if (check_column_name(problems, name, place))
				read_rule(problems, name, check, place, validation);
		}
	}
	*field = validation;
}

const char *
rule_type_name(RuleType type)
{
	for (const Choice *choice = rule_types; choice->name != NULL; choice++)
	{
		if (choice->value == (int) type)
			return choice->name;
	}
	return "";
}

static void
read_rule(ProblemList *problems, const char *column, struct json_object *value,
		  const char *pointer, JobValidation *validation)
{
	JobRule    *rule;

	if (!check_type(problems, value, VALUE_STRING | VALUE_OBJECT,
					psprintf("the check of \"%s\"", column), pointer))
		return;

	rule = palloc0(sizeof(JobRule));
	rule->column = pstrdup(column);
	rule->pointer = pstrdup(pointer);
	if (value_is(value, VALUE_STRING))
	{
		if (strstr(json_object_get_string(value), "{{") == NULL)
		{
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer,
						"Write a template, or an object as {\"type\": \"email\"}.",
						"the check of \"%s\" is no template", column);
			return;
		}
		rule->template = job_value(value, pointer);
	}
	else
	{
		if (json_object_object_length(value) == 0)
			problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
						"the check of \"%s\" checks nothing", column);
		read_object(problems, value, pointer, check_rules, ~0U, NULL, rule);
		check_range(problems, value, pointer);
	}
	validation->rules = lappend(validation->rules, rule);
}

/* No value is above the one and below the other. */
static void
check_range(ProblemList *problems, struct json_object *object, const char *pointer)
{
	struct json_object *min;
	struct json_object *max;

	if (jsonc_get(object, "min", &min) && value_is(min, VALUE_NUMBER) &&
		jsonc_get(object, "max", &max) && value_is(max, VALUE_NUMBER) &&
		json_object_get_double(min) > json_object_get_double(max))
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"min\" is above \"max\"");
}

static void
read_value(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		   const char *pointer, void *target)
{
	JobValue   *field = rule_field(rule, target);

	*field = job_value(value, pointer);
}

static void
read_list(ProblemList *problems, const KeyRule *rule, struct json_object *value,
		  const char *pointer, void *target)
{
	List	  **field = rule_field(rule, target);
	int			nvalues = json_object_array_length(value);

	if (nvalues == 0 || nvalues > MAX_LISTED_VALUES)
	{
		problem_add(problems, ERRCODE_INVALID_PARAMETER_VALUE, pointer, NULL,
					"\"%s\" must have between 1 and %d values", rule->name, MAX_LISTED_VALUES);
		return;
	}
	for (int i = 0; i < nvalues; i++)
	{
		struct json_object *element = json_object_array_get_idx(value, i);
		char	   *place = pointer_index(pointer, i);
		JobValue   *listed;

		if (!check_type(problems, element, VALUE_SCALAR, psprintf("a value of \"%s\"", rule->name), place))
			continue;
		listed = palloc(sizeof(JobValue));
		*listed = job_value(element, place);
		*field = lappend(*field, listed);
	}
}
