/*
 * functions_null.c
 *	  SQL functions of the filters for values that are missing.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "template/functions.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(databite_filter_nullif);
PG_FUNCTION_INFO_V1(databite_filter_nullif_json);

static bool are_equal(Jsonb *a, Jsonb *b);
static bool are_equal_scalars(JsonbValue *a, JsonbValue *b);
static Datum scalar_number(JsonbValue *scalar);

/*
 * databite.filter_nullif(anyelement, anyelement) -> anyelement
 *
 * NULL where the two are equal.  SQL's NULLIF looks for its operator in the
 * search_path.
 */
Datum
databite_filter_nullif(PG_FUNCTION_ARGS)
{
	TypeCacheEntry *type = fcinfo->flinfo->fn_extra;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(1))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	if (type == NULL)
	{
		type = lookup_type_cache(get_fn_expr_argtype(fcinfo->flinfo, 0), TYPECACHE_EQ_OPR_FINFO);
		if (!OidIsValid(type->eq_opr_finfo.fn_oid))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_FUNCTION),
					 errmsg("could not identify an equality operator for type %s", format_type_be(type->type_id))));
		fcinfo->flinfo->fn_extra = type;
	}
	if (DatumGetBool(FunctionCall2Coll(&type->eq_opr_finfo, PG_GET_COLLATION(), PG_GETARG_DATUM(0), PG_GETARG_DATUM(1))))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/*
 * databite.filter_nullif(jsonb, jsonb) -> jsonb
 *
 * Compares as the language does: beside a number by number, beside a string as
 * text, else as JSON.
 */
Datum
databite_filter_nullif_json(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1) && are_equal(PG_GETARG_JSONB_P(0), PG_GETARG_JSONB_P(1)))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

static bool
are_equal(Jsonb *a, Jsonb *b)
{
	JsonbValue	x;
	JsonbValue	y;

	if (function_get_scalar(a, &x) && function_get_scalar(b, &y))
		return are_equal_scalars(&x, &y);
	return compareJsonbContainers(&a->root, &b->root) == 0;
}

/*
 * What is no number is not equal to one.
 */
static bool
are_equal_scalars(JsonbValue *a, JsonbValue *b)
{
	if (a->type == jbvNull || b->type == jbvNull)
		return a->type == b->type;
	if (a->type == jbvNumeric || b->type == jbvNumeric)
	{
		Datum		x = scalar_number(a);
		Datum		y = scalar_number(b);

		return x != (Datum) 0 && y != (Datum) 0 && DatumGetBool(DirectFunctionCall2(numeric_eq, x, y));
	}
	return DatumGetBool(DirectFunctionCall2Coll(texteq, DEFAULT_COLLATION_OID,
												PointerGetDatum(function_scalar_text(a)),
												PointerGetDatum(function_scalar_text(b))));
}

/*
 * 0 where it is none.
 */
static Datum
scalar_number(JsonbValue *scalar)
{
	if (scalar->type == jbvNumeric)
		return NumericGetDatum(scalar->val.numeric);
	if (scalar->type == jbvString)
		return function_text_number(scalar->val.string.val, scalar->val.string.len);
	return (Datum) 0;
}
