/*
 * functions_json_list.c
 *	  SQL functions of the filters that look into the elements of an array.
 */
#include "postgres.h"

#include "base/compat.h"
#include "miscadmin.h"
#include "template/json_operator.h"
#include "template/json_value.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(databite_filter_map);
PG_FUNCTION_INFO_V1(databite_filter_filter);
PG_FUNCTION_INFO_V1(databite_filter_filter_equal);
PG_FUNCTION_INFO_V1(databite_filter_filter_operator);
PG_FUNCTION_INFO_V1(databite_filter_sort);
PG_FUNCTION_INFO_V1(databite_filter_unique);

/* An element with what it is ordered by. */
typedef struct SortEntry
{
	JsonbValue	key;
	int			position;
} SortEntry;

static Jsonb *filter_list(Jsonb *array, text *path, JsonOperator op, const JsonbValue *value);
static SortEntry *sort_entries(const JsonList *list, FunctionCallInfo fcinfo, const char *filter, bool *descending);
static int	compare_entries(const void *a, const void *b, void *descending);
static int	compare_positions(const void *a, const void *b, void *unused);
static Jsonb *list_of_entries(const JsonList *list, const SortEntry *entries, int count);

/*
 * databite.filter_map(jsonb, path text) -> jsonb
 *
 * The value at the path of each element, null where there is none.
 */
Datum
databite_filter_map(PG_FUNCTION_ARGS)
{
	JsonList	list = json_list_of(PG_GETARG_JSONB_P(0), "map");
	JsonPath   *path = json_path_argument("map", PG_GETARG_TEXT_PP(1));
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < list.count; i++)
	{
		JsonbValue	value = json_value_at(&list.values[i], path);

		CHECK_FOR_INTERRUPTS();
		(void) pushJsonbValue(&state, WJB_ELEM, &value);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

/*
 * databite.filter_filter(jsonb, path text) -> jsonb
 *
 * The elements in which the value at the path is neither null nor false.
 */
Datum
databite_filter_filter(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(filter_list(PG_GETARG_JSONB_P(0), PG_GETARG_TEXT_PP(1), JSON_IS_TRUE, NULL));
}

/*
 * databite.filter_filter(jsonb, path text, value jsonb) -> jsonb
 */
Datum
databite_filter_filter_equal(PG_FUNCTION_ARGS)
{
	JsonbValue	value = {.type = jbvNull};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(2))
		value = json_value_of(PG_GETARG_JSONB_P(2));
	PG_RETURN_JSONB_P(filter_list(PG_GETARG_JSONB_P(0), PG_GETARG_TEXT_PP(1), JSON_EQUAL, &value));
}

/*
 * databite.filter_filter(jsonb, path text, operator text, value jsonb) -> jsonb
 */
Datum
databite_filter_filter_operator(PG_FUNCTION_ARGS)
{
	JsonbValue	value = {.type = jbvNull};
	char	   *name;
	JsonOperator op;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	name = text_to_cstring(PG_GETARG_TEXT_PP(2));
	op = json_operator_find(name);
	if (op == JSON_NO_OPERATOR)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"filter\" does not know the operator \"%.*s\"",
						pg_mbcliplen(name, strlen(name), 32), name)));
	if (!PG_ARGISNULL(3))
		value = json_value_of(PG_GETARG_JSONB_P(3));
	PG_RETURN_JSONB_P(filter_list(PG_GETARG_JSONB_P(0), PG_GETARG_TEXT_PP(1), op, &value));
}

/*
 * databite.filter_sort(jsonb, path text, direction text) -> jsonb
 *
 * By the value at the path, or, where that is NULL, by the elements themselves.
 * Equal elements keep their order, and null is last in either direction.
 */
Datum
databite_filter_sort(PG_FUNCTION_ARGS)
{
	JsonList	list;
	SortEntry  *entries;
	char	   *direction;
	bool		descending;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	list = json_list_of(PG_GETARG_JSONB_P(0), "sort");
	direction = text_to_cstring(PG_GETARG_TEXT_PP(2));
	descending = strcmp(direction, "desc") == 0;
	if (!descending && strcmp(direction, "asc") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"sort\" needs \"asc\" or \"desc\" for the order")));
	entries = sort_entries(&list, fcinfo, "sort", &descending);
	PG_RETURN_JSONB_P(list_of_entries(&list, entries, list.count));
}

/*
 * databite.filter_unique(jsonb, path text) -> jsonb
 *
 * The first of the elements that have the same value at the path, or, where that
 * is NULL, are the same.
 */
Datum
databite_filter_unique(PG_FUNCTION_ARGS)
{
	JsonList	list;
	SortEntry  *entries;
	bool		descending = false;
	int			count = 0;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	list = json_list_of(PG_GETARG_JSONB_P(0), "unique");
	entries = sort_entries(&list, fcinfo, "unique", &descending);
	for (int i = 0; i < list.count; i++)
	{
		if (i == 0 || json_value_compare(&entries[i].key, &entries[count - 1].key) != 0)
			entries[count++] = entries[i];
	}
	qsort_interruptible(entries, count, sizeof(SortEntry), compare_positions, NULL);
	PG_RETURN_JSONB_P(list_of_entries(&list, entries, count));
}

static Jsonb *
filter_list(Jsonb *array, text *path, JsonOperator op, const JsonbValue *value)
{
	JsonList	list = json_list_of(array, "filter");
	JsonPath   *at = json_path_argument("filter", path);
	JsonCondition *condition = json_condition_create("filter", op, value);
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < list.count; i++)
	{
		JsonbValue	found = json_value_at(&list.values[i], at);

		CHECK_FOR_INTERRUPTS();
		if (json_condition_holds(condition, &found))
			(void) pushJsonbValue(&state, WJB_ELEM, &list.values[i]);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}

/*
 * The elements in order; the path is the second argument of the function.
 */
static SortEntry *
sort_entries(const JsonList *list, FunctionCallInfo fcinfo, const char *filter, bool *descending)
{
	JsonPath   *path = PG_ARGISNULL(1) ? NULL : json_path_argument(filter, PG_GETARG_TEXT_PP(1));
	SortEntry  *entries = MemoryContextAllocHuge(CurrentMemoryContext, Max(list->count, 1) * sizeof(SortEntry));

	for (int i = 0; i < list->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		entries[i].key = path != NULL ? json_value_at(&list->values[i], path) : list->values[i];
		entries[i].position = i;
	}
	qsort_interruptible(entries, list->count, sizeof(SortEntry), compare_entries, descending);
	return entries;
}

static int
compare_entries(const void *a, const void *b, void *descending)
{
	const SortEntry *x = a;
	const SortEntry *y = b;
	int			order = json_value_compare(&x->key, &y->key);

	if (order == 0)
		return compare_positions(a, b, NULL);
	if (*(bool *) descending && x->key.type != jbvNull && y->key.type != jbvNull)
		return order > 0 ? -1 : 1;
	return order;
}

static int
compare_positions(const void *a, const void *b, void *unused)
{
	return ((const SortEntry *) a)->position - ((const SortEntry *) b)->position;
}

static Jsonb *
list_of_entries(const JsonList *list, const SortEntry *entries, int count)
{
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < count; i++)
		(void) pushJsonbValue(&state, WJB_ELEM, &list->values[entries[i].position]);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL));
}
