/*
 * functions_json.c
 *	  SQL functions of the filters for JSON arrays and objects.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "template/functions.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(databite_filter_join);

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
