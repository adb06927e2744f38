/*
 * convert_functions.c
 *	  The conversion of leaves as SQL functions, for values that a template computes.
 *
 * So what an expression gives becomes a column's value by the same rules as a
 * path does.  The type is that of the second argument, which is NULL.  That of a
 * domain may be refused by the domain, so its functions take an array.  And the
 * other way for values with times in them, which PostgreSQL writes by settings of
 * the session.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/time_text.h"
#include "fmgr.h"
#include "item/convert.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

static CellConverter *result_converter(FmgrInfo *function);
static CellKind jsonb_cell(Jsonb *value, char **text);
static Datum convert(FunctionCallInfo fcinfo, CellKind kind, char *text);

PG_FUNCTION_INFO_V1(databite_from_json);
PG_FUNCTION_INFO_V1(databite_from_text);
PG_FUNCTION_INFO_V1(databite_to_json);
PG_FUNCTION_INFO_V1(databite_to_text);

/* from_json(value jsonb, type anyelement) returns anyelement: JSON null is NULL, a string what is in it. */
Datum
databite_from_json(PG_FUNCTION_ARGS)
{
	char	   *text = "";
	CellKind	kind = PG_ARGISNULL(0) ? CELL_NULL : jsonb_cell(PG_GETARG_JSONB_P(0), &text);

	return convert(fcinfo, kind, text);
}

/* from_text(value text, type anyelement) returns anyelement: as a JSON string. */
Datum
databite_from_text(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		return convert(fcinfo, CELL_NULL, "");
	return convert(fcinfo, CELL_STRING, text_to_cstring(PG_GETARG_TEXT_PP(0)));
}

static Datum
convert(FunctionCallInfo fcinfo, CellKind kind, char *text)
{
	CellConverter *converter = result_converter(fcinfo->flinfo);
	char	   *utf8 = pg_server_to_any(text, strlen(text), PG_UTF8);
	bool		isnull;
	Datum		result = cell_convert(converter, kind, utf8, strlen(utf8), &isnull);

	if (isnull)
		PG_RETURN_NULL();
	return result;
}

/* to_json(value anyelement) returns jsonb: as PostgreSQL's to_jsonb, with times as in no session but ours. */
Datum
databite_to_json(PG_FUNCTION_ARGS)
{
	TimeSession saved;
	volatile Datum result = (Datum) 0;

	time_session_neutral(&saved, pg_tzset("GMT"));
	PG_TRY();
	{
		result = to_jsonb(fcinfo);
	}
	PG_FINALLY();
	{
		time_session_restore(&saved);
	}
	PG_END_TRY();
	return result;
}

/* to_text(value anyelement) returns text: as the type writes it, likewise. */
Datum
databite_to_text(PG_FUNCTION_ARGS)
{
	TimeSession saved;
	Oid			output;
	bool		varlena;
	char	   *volatile text = NULL;

	getTypeOutputInfo(get_fn_expr_argtype(fcinfo->flinfo, 0), &output, &varlena);
	time_session_neutral(&saved, pg_tzset("GMT"));
	PG_TRY();
	{
		text = OidOutputFunctionCall(output, PG_GETARG_DATUM(0));
	}
	PG_FINALLY();
	{
		time_session_restore(&saved);
	}
	PG_END_TRY();
	PG_RETURN_TEXT_P(cstring_to_text(text));
}

/* The converter to the type of the result, made once for each place of a statement. */
static CellConverter *
result_converter(FmgrInfo *function)
{
	if (function->fn_extra == NULL)
	{
		Oid			type = get_fn_expr_rettype(function);

		if (!OidIsValid(type))
			ereport(ERROR,
					(errcode(ERRCODE_INDETERMINATE_DATATYPE),
					 errmsg("could not determine the type of the result")));
		function->fn_extra = cell_converter_create(type, -1, function->fn_mcxt);
	}
	return function->fn_extra;
}

/* What the value would be in an item. */
static CellKind
jsonb_cell(Jsonb *value, char **text)
{
	JsonbValue	scalar;

	if (!JB_ROOT_IS_SCALAR(value) || !JsonbExtractScalar(&value->root, &scalar))
	{
		*text = JsonbToCString(NULL, &value->root, VARSIZE(value));
		return CELL_JSON;
	}
	switch (scalar.type)
	{
		case jbvNull:
			return CELL_NULL;
		case jbvBool:
			return scalar.val.boolean ? CELL_TRUE : CELL_FALSE;
		case jbvNumeric:
			*text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(scalar.val.numeric)));
			return CELL_NUMBER;
		default:
			*text = pnstrdup(scalar.val.string.val, scalar.val.string.len);
			return CELL_STRING;
	}
}
