/*
 * json_operator.c
 *	  The conditions of {{ list | filter(path, operator, value) }}.
 *
 * Values are compared as JSON: numbers by value, texts by their bytes, and what
 * is of another kind is neither the same nor less nor greater.
 */
#include "postgres.h"

#include "template/json_operator.h"
#include "template/json_value.h"

struct JsonCondition
{
	const char *filter;
	JsonOperator op;
	const JsonbValue *value;
	JsonList	list;			/* of JSON_IN, in order */
};

static const struct
{
	const char *name;
	JsonOperator op;
}			operators[] = {
	{"==", JSON_EQUAL},
	{"!=", JSON_NOT_EQUAL},
	{"<", JSON_LESS},
	{"<=", JSON_LESS_EQUAL},
	{">", JSON_GREATER},
	{">=", JSON_GREATER_EQUAL},
	{"in", JSON_IN},
	{"contains", JSON_CONTAINS},
};

static bool is_less(const JsonCondition *condition, const JsonbValue *found);
static bool is_in(const JsonCondition *condition, const JsonbValue *found);
static bool contains(const JsonCondition *condition, const JsonbValue *found);
static bool text_contains(const JsonbValue *text, const JsonbValue *part);
static int	compare_values(const void *a, const void *b, void *unused);
static int	find_value(const void *key, const void *element);

JsonOperator
json_operator_find(const char *name)
{
	for (int i = 0; i < lengthof(operators); i++)
	{
		if (strcmp(operators[i].name, name) == 0)
			return operators[i].op;
	}
	return JSON_NO_OPERATOR;
}

JsonCondition *
json_condition_create(const char *filter, JsonOperator op, const JsonbValue *value)
{
	JsonCondition *condition = palloc0(sizeof(JsonCondition));

	condition->filter = filter;
	condition->op = op;
	condition->value = value;
	if (op == JSON_IN)
	{
		if (value->type != jbvNull && !json_list_of_value(value, &condition->list))
			json_wrong_kind(filter, "an array on the right side of \"in\"", value);
		if (condition->list.count > 1)
			qsort_interruptible(condition->list.values, condition->list.count, sizeof(JsonbValue),
								compare_values, NULL);
	}
	if (op >= JSON_LESS && op <= JSON_GREATER_EQUAL && value->type == jbvBinary)
		json_wrong_kind(filter, "a number or a text to compare with", value);
	return condition;
}

bool
json_condition_holds(const JsonCondition *condition, const JsonbValue *found)
{
	switch (condition->op)
	{
		case JSON_IS_TRUE:
			return found->type != jbvNull && !(found->type == jbvBool && !found->val.boolean);
		case JSON_EQUAL:
			return json_value_compare(found, condition->value) == 0;
		case JSON_NOT_EQUAL:
			return json_value_compare(found, condition->value) != 0;
		case JSON_LESS:
		case JSON_LESS_EQUAL:
		case JSON_GREATER:
		case JSON_GREATER_EQUAL:
			return is_less(condition, found);
		case JSON_IN:
			return is_in(condition, found);
		case JSON_CONTAINS:
			return contains(condition, found);
		case JSON_NO_OPERATOR:
			break;
	}
	return false;
}

/*
 * Less, greater and their like, of two values of the same kind.
 */
static bool
is_less(const JsonCondition *condition, const JsonbValue *found)
{
	int			order;

	if (found->type != condition->value->type || found->type == jbvNull)
		return false;
	order = json_value_compare(found, condition->value);
	switch (condition->op)
	{
		case JSON_LESS:
			return order < 0;
		case JSON_LESS_EQUAL:
			return order <= 0;
		case JSON_GREATER:
			return order > 0;
		default:
			return order >= 0;
	}
}

static bool
is_in(const JsonCondition *condition, const JsonbValue *found)
{
	return found->type != jbvNull && condition->list.count > 0 &&
		bsearch(found, condition->list.values, condition->list.count, sizeof(JsonbValue), find_value) != NULL;
}

/*
 * An array with the value in it, or a text with the text in it.
 */
static bool
contains(const JsonCondition *condition, const JsonbValue *found)
{
	const JsonbValue *value = condition->value;
	JsonList	list;

	if (found->type == jbvNull || value->type == jbvNull)
		return false;
	if (found->type == jbvString)
	{
		if (value->type != jbvString)
			json_wrong_kind(condition->filter, "a text to look for in a text", value);
		return text_contains(found, value);
	}
	if (!json_list_of_value(found, &list))
		json_wrong_kind(condition->filter, "an array or a text on the left side of \"contains\"", found);
	for (int i = 0; i < list.count; i++)
	{
		if (json_value_compare(&list.values[i], value) == 0)
			return true;
	}
	return false;
}

static bool
text_contains(const JsonbValue *text, const JsonbValue *part)
{
	return memmem(text->val.string.val, text->val.string.len,
				  part->val.string.val, part->val.string.len) != NULL;
}

static int
compare_values(const void *a, const void *b, void *unused)
{
	return json_value_compare(a, b);
}

static int
find_value(const void *key, const void *element)
{
	return json_value_compare(key, element);
}
