/*
 * functions_json.c
 *	  SQL functions of the filters for JSON arrays and objects.
 */
#include "postgres.h"

#include "base/compat.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "template/functions.h"
#include "template/json_value.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

/* Bytes of what the JSON parser says that an error shows. */
#define SHOWN_BYTES	200

PG_FUNCTION_INFO_V1(databite_filter_join);
PG_FUNCTION_INFO_V1(databite_filter_first);
PG_FUNCTION_INFO_V1(databite_filter_last);
PG_FUNCTION_INFO_V1(databite_filter_size);
PG_FUNCTION_INFO_V1(databite_filter_flatten);
PG_FUNCTION_INFO_V1(databite_filter_concat);
PG_FUNCTION_INFO_V1(databite_filter_keys);
PG_FUNCTION_INFO_V1(databite_filter_values);
PG_FUNCTION_INFO_V1(databite_filter_get);
PG_FUNCTION_INFO_V1(databite_filter_pick);
PG_FUNCTION_INFO_V1(databite_filter_omit);
PG_FUNCTION_INFO_V1(databite_filter_to_json);
PG_FUNCTION_INFO_V1(databite_filter_from_json);

static Datum element_at(FunctionCallInfo fcinfo, const char *filter, int index);
static void flatten_into(JsonbParseState **state, const JsonList *list, int depth);
static Datum member_list(FunctionCallInfo fcinfo, const char *filter, bool keys);
static JsonbContainer *object_argument(Jsonb *value, const char *filter);
static int	text_arguments(ArrayType *array, Datum **texts);
static int	compare_texts(const void *a, const void *b, void *unused);
static int	find_text(const void *key, const void *element);
static int	compare_bytes(const char *a, size_t alen, const char *b, size_t blen);

/*
 * databite.filter_join(jsonb, text) -> text
 *
 * The elements of an array as text, with the separator between them.  Null
 * elements are left out.
 */
Datum
databite_filter_join(PG_FUNCTION_ARGS)
{
	Jsonb	   *array = PG_GETARG_JSONB_P(0);
	text	   *separator = PG_GETARG_TEXT_PP(1);
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;
	StringInfoData out;
	bool		first = true;

	if (JB_ROOT_IS_SCALAR(array) || !JB_ROOT_IS_ARRAY(array))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"join\" needs an array")));

	initStringInfo(&out);
	iterator = JsonbIteratorInit(&array->root);
	JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_ELEM)
	{
		if (value.type == jbvNull)
			continue;
		if (!first)
			appendBinaryStringInfo(&out, VARDATA_ANY(separator), VARSIZE_ANY_EXHDR(separator));
		function_append_json(&out, &value);
		first = false;
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/*
 * databite.filter_first(jsonb) -> jsonb
 *
 * The first element of an array; NULL where it is empty.
 */
Datum
databite_filter_first(PG_FUNCTION_ARGS)
{
	return element_at(fcinfo, "first", 0);
}

/*
 * databite.filter_last(jsonb) -> jsonb
 */
Datum
databite_filter_last(PG_FUNCTION_ARGS)
{
	return element_at(fcinfo, "last", -1);
}

/*
 * databite.filter_size(jsonb) -> int8
 *
 * The number of elements, members or characters.
 */
Datum
databite_filter_size(PG_FUNCTION_ARGS)
{
	JsonbValue	value = json_value_of(PG_GETARG_JSONB_P(0));

	if (value.type == jbvNull)
		PG_RETURN_NULL();
	if (value.type == jbvString)
		PG_RETURN_INT64(pg_mbstrlen_with_len(value.val.string.val, value.val.string.len));
	if (value.type != jbvBinary)
		json_wrong_kind("size", "an array, an object or a text", &value);
	PG_RETURN_INT64(JsonContainerSize(value.val.binary.data));
}

/*
 * databite.filter_flatten(jsonb, depth int4) -> jsonb
 *
 * The array with the elements of its arrays in their place, so many levels deep.
 */
Datum
databite_filter_flatten(PG_FUNCTION_ARGS)
{
	JsonList	list = json_list_of(PG_GETARG_JSONB_P(0), "flatten");
	int			depth = PG_GETARG_INT32(1);
	JsonbParseState *state = NULL;

	if (depth < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("filter \"flatten\" needs a depth of 0 or more, not %d", depth)));
	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	flatten_into(&state, &list, depth);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

/*
 * databite.filter_concat(jsonb, VARIADIC jsonb[]) -> jsonb
 *
 * The elements of all arrays; one that is missing has none.
 */
Datum
databite_filter_concat(PG_FUNCTION_ARGS)
{
	JsonList	list = json_list_of(PG_GETARG_JSONB_P(0), "concat");
	JsonbParseState *state = NULL;
	Datum	   *others;
	bool	   *nulls;
	int			count;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), JSONBOID, -1, false, TYPALIGN_INT, &others, &nulls, &count);
	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	flatten_into(&state, &list, 0);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		list = json_list_of(DatumGetJsonbP(others[i]), "concat");
		flatten_into(&state, &list, 0);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

/*
 * databite.filter_keys(jsonb) -> jsonb
 *
 * The names of an object's members, in the order in which jsonb keeps them.
 */
Datum
databite_filter_keys(PG_FUNCTION_ARGS)
{
	return member_list(fcinfo, "keys", true);
}

/*
 * databite.filter_values(jsonb) -> jsonb
 *
 * The values of an object's members, in the order of the names.
 */
Datum
databite_filter_values(PG_FUNCTION_ARGS)
{
	return member_list(fcinfo, "values", false);
}

/*
 * databite.filter_get(jsonb, path text) -> jsonb
 *
 * The member of an object that has this very name, which need not be a path:
 * it may be a value that is looked up.  Else the value at the path; NULL where it
 * leads nowhere.
 */
Datum
databite_filter_get(PG_FUNCTION_ARGS)
{
	Jsonb	   *jsonb = PG_GETARG_JSONB_P(0);
	text	   *path = PG_GETARG_TEXT_PP(1);
	JsonbValue	value = json_value_of(jsonb);
	JsonbValue	found;

	if (JB_ROOT_IS_OBJECT(jsonb))
	{
		JsonbValue *member = getKeyJsonValueFromContainer(&jsonb->root, VARDATA_ANY(path), VARSIZE_ANY_EXHDR(path), NULL);
		char	   *error;
		JsonPath   *parsed;

		if (member != NULL)
			return json_value_datum(fcinfo, member);
		parsed = json_path_parse(text_to_cstring(path), &error);
		if (parsed == NULL)
			PG_RETURN_NULL();
		found = json_value_at(&value, parsed);
	}
	else
		found = json_value_at(&value, json_path_argument("get", path));
	return json_value_datum(fcinfo, &found);
}

/*
 * databite.filter_pick(jsonb, VARIADIC text[]) -> jsonb
 *
 * The object with the named members only.
 */
Datum
databite_filter_pick(PG_FUNCTION_ARGS)
{
	JsonbContainer *object = object_argument(PG_GETARG_JSONB_P(0), "pick");
	Datum	   *names;
	int			count = text_arguments(PG_GETARG_ARRAYTYPE_P(1), &names);
	JsonbParseState *state = NULL;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < count; i++)
	{
		text	   *name = DatumGetTextPP(names[i]);
		JsonbValue	key = {.type = jbvString};
		JsonbValue *value;

		key.val.string.val = VARDATA_ANY(name);
		key.val.string.len = VARSIZE_ANY_EXHDR(name);
		value = getKeyJsonValueFromContainer(object, key.val.string.val, key.val.string.len, NULL);
		if (value == NULL)
			continue;
		(void) pushJsonbValue(&state, WJB_KEY, &key);
		(void) pushJsonbValue(&state, WJB_VALUE, value);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/*
 * databite.filter_omit(jsonb, VARIADIC text[]) -> jsonb
 *
 * The object without the named members.
 */
Datum
databite_filter_omit(PG_FUNCTION_ARGS)
{
	JsonbContainer *object = object_argument(PG_GETARG_JSONB_P(0), "omit");
	Datum	   *names;
	int			count = text_arguments(PG_GETARG_ARRAYTYPE_P(1), &names);
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbParseState *state = NULL;
	JsonbValue	key;
	JsonbValue	value;

	if (count > 1)
		qsort_interruptible(names, count, sizeof(Datum), compare_texts, NULL);
	(void) JsonbIteratorNext(&iterator, &key, true);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (count > 0 && bsearch(&key, names, count, sizeof(Datum), find_text) != NULL)
			continue;
		(void) pushJsonbValue(&state, WJB_KEY, &key);
		(void) pushJsonbValue(&state, WJB_VALUE, &value);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/*
 * databite.filter_to_json(jsonb) -> text
 */
Datum
databite_filter_to_json(PG_FUNCTION_ARGS)
{
	Jsonb	   *value = PG_GETARG_JSONB_P(0);
	StringInfoData out;

	initStringInfo(&out);
	(void) JsonbToCString(&out, &value->root, VARSIZE(value));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/*
 * databite.filter_from_json(text) -> jsonb
 *
 * The value of a JSON text; null is NULL.
 */
Datum
databite_filter_from_json(PG_FUNCTION_ARGS)
{
	text	   *json = PG_GETARG_TEXT_PP(0);
	JsonLexContext *lexer = compat_json_lexer(VARDATA_ANY(json), VARSIZE_ANY_EXHDR(json));
	JsonParseErrorType error = pg_parse_json(lexer, &nullSemAction);
	JsonbValue	value;

	if (error != JSON_SUCCESS)
	{
		char	   *detail = json_errdetail(error, lexer);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("filter \"from_json\" needs a JSON text"),
				 errdetail_internal("%.*s", pg_mbcliplen(detail, strlen(detail), SHOWN_BYTES), detail)));
	}
	value = json_value_of(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(json)))));
	return json_value_datum(fcinfo, &value);
}

void
function_append_json(StringInfo out, JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			appendBinaryStringInfo(out, value->val.string.val, value->val.string.len);
			break;
		case jbvNumeric:
			appendStringInfoString(out,
								   DatumGetCString(DirectFunctionCall1(numeric_out,
																	   NumericGetDatum(value->val.numeric))));
			break;
		case jbvBool:
			appendStringInfoString(out, value->val.boolean ? "true" : "false");
			break;
		default:
			JsonbToCString(out, value->val.binary.data, value->val.binary.len);
			break;
	}
}

/*
 * An element of an array, counted from the end where the index is negative.
 */
static Datum
element_at(FunctionCallInfo fcinfo, const char *filter, int index)
{
	JsonbValue	value = json_value_of(PG_GETARG_JSONB_P(0));
	JsonPathStep step = {.kind = PATH_INDEX, .index = index};
	JsonPath	path = {.nsteps = 1, .steps = &step};
	JsonbValue	found;

	if (!json_value_is_array(&value))
		json_wrong_kind(filter, "an array", &value);
	found = json_value_at(&value, &path);
	return json_value_datum(fcinfo, &found);
}

/*
 * Pushes the elements; arrays among them as their elements, so many levels deep.
 */
static void
flatten_into(JsonbParseState **state, const JsonList *list, int depth)
{
	JsonList	inner;

	check_stack_depth();
	for (int i = 0; i < list->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (depth > 0 && json_list_of_value(&list->values[i], &inner))
			flatten_into(state, &inner, depth - 1);
		else
			(void) pushJsonbValue(state, WJB_ELEM, &list->values[i]);
	}
}

/*
 * The names or the values of an object as an array.
 */
static Datum
member_list(FunctionCallInfo fcinfo, const char *filter, bool keys)
{
	JsonbIterator *iterator = JsonbIteratorInit(object_argument(PG_GETARG_JSONB_P(0), filter));
	JsonbParseState *state = NULL;
	JsonbValue	value;
	JsonbIteratorToken token;

	(void) JsonbIteratorNext(&iterator, &value, true);
	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_END_OBJECT)
	{
		if (token == (keys ? WJB_KEY : WJB_VALUE))
			(void) pushJsonbValue(&state, WJB_ELEM, &value);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

static JsonbContainer *
object_argument(Jsonb *value, const char *filter)
{
	JsonbValue	whole = json_value_of(value);

	if (whole.type != jbvBinary || !JsonContainerIsObject(whole.val.binary.data))
		json_wrong_kind(filter, "an object", &whole);
	return whole.val.binary.data;
}

/*
 * The texts of an array, without NULL.
 */
static int
text_arguments(ArrayType *array, Datum **texts)
{
	bool	   *nulls;
	int			count;
	int			kept = 0;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, texts, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			(*texts)[kept++] = (*texts)[i];
	}
	return kept;
}

static int
compare_texts(const void *a, const void *b, void *unused)
{
	text	   *x = DatumGetTextPP(*(const Datum *) a);
	text	   *y = DatumGetTextPP(*(const Datum *) b);

	return compare_bytes(VARDATA_ANY(x), VARSIZE_ANY_EXHDR(x), VARDATA_ANY(y), VARSIZE_ANY_EXHDR(y));
}

/* key: a JsonbValue, element: a Datum */
static int
find_text(const void *key, const void *element)
{
	const JsonbValue *name = key;
	text	   *other = DatumGetTextPP(*(const Datum *) element);

	return compare_bytes(name->val.string.val, name->val.string.len,
						 VARDATA_ANY(other), VARSIZE_ANY_EXHDR(other));
}

static int
compare_bytes(const char *a, size_t alen, const char *b, size_t blen)
{
	int			result = memcmp(a, b, Min(alen, blen));

	return result != 0 ? result : (alen > blen) - (alen < blen);
}
