/*
 * json_value.c
 *	  Values inside of a jsonb: reaching, comparing and collecting them.
 */
#include "postgres.h"

#include "base/compat.h"
#include "miscadmin.h"
#include "template/json_value.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

static bool step_into(JsonbValue *value, const JsonPathStep *step);
static void collect(JsonbParseState **state, JsonbValue value, const JsonPath *path, int from);
static int	rank(const JsonbValue *value);
static const char *kind(const JsonbValue *value);

JsonList
json_list_of(Jsonb *value, const char *filter)
{
	JsonbValue	whole = json_value_of(value);
	JsonList	list;

	if (!json_list_of_value(&whole, &list))
		json_wrong_kind(filter, "an array", &whole);
	return list;
}

bool
json_list_of_value(const JsonbValue *value, JsonList *list)
{
	JsonbIterator *iterator;
	JsonbValue	element;

	if (!json_value_is_array(value))
		return false;
	list->count = 0;
	list->values = MemoryContextAllocHuge(CurrentMemoryContext,
										  Max(JsonContainerSize(value->val.binary.data), 1) * sizeof(JsonbValue));
	iterator = JsonbIteratorInit(value->val.binary.data);
	(void) JsonbIteratorNext(&iterator, &element, true);
	while (JsonbIteratorNext(&iterator, &element, true) == WJB_ELEM)
		list->values[list->count++] = element;
	return true;
}

void
json_wrong_kind(const char *filter, const char *needs, const JsonbValue *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("filter \"%s\" needs %s, not %s", filter, needs, kind(value))));
}

JsonbValue
json_value_of(Jsonb *value)
{
	JsonbValue	result;

	if (!JB_ROOT_IS_SCALAR(value) || !JsonbExtractScalar(&value->root, &result))
		JsonbToJsonbValue(value, &result);
	return result;
}

Datum
json_value_datum(FunctionCallInfo fcinfo, const JsonbValue *value)
{
	if (value->type == jbvNull)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(JsonbValueToJsonb(unconstify(JsonbValue *, value)));
}

JsonPath *
json_path_argument(const char *filter, text *path)
{
	char	   *error;
	JsonPath   *parsed = json_path_parse(text_to_cstring(path), &error);

	if (parsed == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"%s\" needs a path: %s", filter, error)));
	return parsed;
}

JsonbValue
json_value_at(const JsonbValue *value, const JsonPath *path)
{
	JsonbValue	at = *value;

	for (int i = 0; i < path->nsteps; i++)
	{
		if (path->steps[i].kind == PATH_ALL && json_value_is_array(&at))
		{
			JsonbParseState *state = NULL;

			(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
			collect(&state, at, path, i);
			return json_value_of(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
		}
		if (!step_into(&at, &path->steps[i]))
		{
			at.type = jbvNull;
			break;
		}
	}
	return at;
}

int
json_value_compare(const JsonbValue *a, const JsonbValue *b)
{
	int			result = rank(a) - rank(b);

	if (result != 0)
		return result;
	switch (a->type)
	{
		case jbvNumeric:
			return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a->val.numeric),
													 NumericGetDatum(b->val.numeric)));
		case jbvString:
			result = memcmp(a->val.string.val, b->val.string.val, Min(a->val.string.len, b->val.string.len));
			return result != 0 ? result : a->val.string.len - b->val.string.len;
		case jbvBool:
			return (int) a->val.boolean - (int) b->val.boolean;
		case jbvBinary:
			return compareJsonbContainers(a->val.binary.data, b->val.binary.data);
		default:
			return 0;
	}
}

bool
json_value_is_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
}

/*
 * Replaces the value by the member or element of it; false where there is none.
 */
static bool
step_into(JsonbValue *value, const JsonPathStep *step)
{
	JsonbValue *found = NULL;
	JsonbContainer *container;
	int64		index;

	if (value->type != jbvBinary)
		return false;
	container = value->val.binary.data;
	if (step->kind == PATH_KEY && JsonContainerIsObject(container))
		found = getKeyJsonValueFromContainer(container, step->key, step->keylen, NULL);
	else if (step->kind == PATH_INDEX && JsonContainerIsArray(container))
	{
		index = step->index >= 0 ? step->index : (int64) JsonContainerSize(container) + step->index;
		if (index >= 0 && index < JsonContainerSize(container))
			found = getIthJsonbValueFromContainer(container, (uint32) index);
	}
	if (found == NULL)
		return false;
	*value = *found;
	return true;
}

/*
 * Pushes what the rest of the path leads to, from the step on.
 */
static void
collect(JsonbParseState **state, JsonbValue value, const JsonPath *path, int from)
{
	JsonList	list;

	check_stack_depth();
	for (int i = from; i < path->nsteps; i++)
	{
		if (path->steps[i].kind == PATH_ALL)
		{
			if (!json_list_of_value(&value, &list))
				return;
			for (int n = 0; n < list.count; n++)
				collect(state, list.values[n], path, i + 1);
			return;
		}
		if (!step_into(&value, &path->steps[i]))
			return;
	}
	(void) pushJsonbValue(state, WJB_ELEM, &value);
}

static int
rank(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNumeric:
			return 0;
		case jbvString:
			return 1;
		case jbvBool:
			return 2;
		case jbvNull:
			return 4;
		default:
			return 3;
	}
}

/*
 * What the value is, for a person.
 */
static const char *
kind(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNumeric:
			return "a number";
		case jbvString:
			return "a text";
		case jbvBool:
			return "a boolean";
		case jbvNull:
			return "null";
		default:
			return json_value_is_array(value) ? "an array" : "an object";
	}
}
