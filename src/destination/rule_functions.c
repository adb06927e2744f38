/*
 * rule_functions.c
 *	  SQL functions that tell types of "validation" apart where the column's own type does not.
 */
#include "postgres.h"

#include "base/iso_time.h"
#include "base/jsonc.h"
#include "fmgr.h"
#include "template/validators.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#define MAX_DEPTH 512

PG_FUNCTION_INFO_V1(databite_text_is);
PG_FUNCTION_INFO_V1(databite_json_is);

static bool text_is(const char *text, int len, const char *type);
static bool is_number(const char *text, bool whole);
static bool is_json(const char *text, int len, enum json_type type);

/* SQL: databite.text_is(value text, type text) RETURNS boolean */
Datum
databite_text_is(PG_FUNCTION_ARGS)
{
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_BOOL(text_is(value, strlen(value), text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

/* SQL: databite.json_is(value jsonb, type text) RETURNS boolean; a number in quotes is a string. */
Datum
databite_json_is(PG_FUNCTION_ARGS)
{
	Jsonb	   *json = PG_GETARG_JSONB_P(0);
	char	   *type = text_to_cstring(PG_GETARG_TEXT_PP(1));
	JsonbValue	value;

	if (!JB_ROOT_IS_SCALAR(json))
		PG_RETURN_BOOL(strcmp(type, JB_ROOT_IS_ARRAY(json) ? "array" : "object") == 0);

	(void) JsonbExtractScalar(&json->root, &value);
	switch (value.type)
	{
		case jbvString:
			if (strcmp(type, "number") == 0 || strcmp(type, "integer") == 0 || strcmp(type, "boolean") == 0 ||
				strcmp(type, "array") == 0 || strcmp(type, "object") == 0)
				PG_RETURN_BOOL(false);
			PG_RETURN_BOOL(text_is(pnstrdup(value.val.string.val, value.val.string.len), value.val.string.len, type));
		case jbvNumeric:
			if (strcmp(type, "integer") == 0)
			{
				Datum		whole = DirectFunctionCall2(numeric_trunc, NumericGetDatum(value.val.numeric), Int32GetDatum(0));

				PG_RETURN_BOOL(DatumGetBool(DirectFunctionCall2(numeric_eq, whole, NumericGetDatum(value.val.numeric))));
			}
			PG_RETURN_BOOL(strcmp(type, "number") == 0);
		case jbvBool:
			PG_RETURN_BOOL(strcmp(type, "boolean") == 0);
		default:
			PG_RETURN_BOOL(true);	/* null passes, as SQL's does */
	}
}

static bool
text_is(const char *text, int len, const char *type)
{
	ValidatorKind kind;
	TimeValue	time;

	if (validator_find(type, &kind))
		return validator_accepts(kind, text, len);
	if (strcmp(type, "number") == 0 || strcmp(type, "integer") == 0)
		return is_number(text, type[0] == 'i');
	if (strcmp(type, "boolean") == 0)
		return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
	if (strcmp(type, "datetime") == 0)
		return iso_time_parse(text, len, &time);
	if (strcmp(type, "date") == 0)
		return strpbrk(text, "Tt ") == NULL && iso_time_parse(text, len, &time);
	if (strcmp(type, "array") == 0)
		return is_json(text, len, json_type_array);
	if (strcmp(type, "object") == 0)
		return is_json(text, len, json_type_object);
	return true;				/* "string" */
}

/* A JSON number; a whole one has no fraction and no exponent. */
static bool
is_number(const char *text, bool whole)
{
	static const char digits[] = "0123456789";
	size_t		count;

	if (*text == '-')
		text++;
	count = strspn(text, digits);
	if (count == 0 || (text[0] == '0' && count > 1))
		return false;
	text += count;
	if (!whole && *text == '.')
	{
		count = strspn(++text, digits);
		if (count == 0)
			return false;
		text += count;
	}
	if (!whole && (*text == 'e' || *text == 'E'))
	{
		text++;
		if (*text == '+' || *text == '-')
			text++;
		count = strspn(text, digits);
		if (count == 0)
			return false;
		text += count;
	}
	return *text == '\0';
}

static bool
is_json(const char *text, int len, enum json_type type)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "databite JSON check", ALLOCSET_DEFAULT_SIZES);
	struct json_object *root;
	char	   *error;
	bool		found;

	found = jsonc_parse(text, len, MAX_DEPTH, work, &root, &error) && json_object_is_type(root, type);
	MemoryContextDelete(work);
	return found;
}
