/*
 * functions_check.c
 *	  SQL functions of the filters that tell whether a value is valid.
 */
#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"
#include "template/functions.h"
#include "template/validators.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_FUNCTION_INFO_V1(databite_filter_is_empty);
PG_FUNCTION_INFO_V1(databite_filter_is_empty_text);
PG_FUNCTION_INFO_V1(databite_filter_validate_email);
PG_FUNCTION_INFO_V1(databite_filter_validate_phone);
PG_FUNCTION_INFO_V1(databite_filter_validate_url);
PG_FUNCTION_INFO_V1(databite_filter_validate_uuid);
PG_FUNCTION_INFO_V1(databite_valid_email);
PG_FUNCTION_INFO_V1(databite_valid_phone);
PG_FUNCTION_INFO_V1(databite_valid_url);
PG_FUNCTION_INFO_V1(databite_valid_uuid);

static Datum value_if_valid(FunctionCallInfo fcinfo, ValidatorKind kind);
static Datum is_valid(FunctionCallInfo fcinfo, ValidatorKind kind);

/*
 * databite.filter_is_empty(jsonb) -> boolean
 *
 * Nothing, an empty text, array or object.
 */
Datum
databite_filter_is_empty(PG_FUNCTION_ARGS)
{
	Jsonb	   *value;
	JsonbValue	scalar;

	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(true);
	value = PG_GETARG_JSONB_P(0);
	if (!function_get_scalar(value, &scalar))
		PG_RETURN_BOOL(JB_ROOT_COUNT(value) == 0);
	PG_RETURN_BOOL(scalar.type == jbvNull || (scalar.type == jbvString && scalar.val.string.len == 0));
}

/*
 * databite.filter_is_empty(text) -> boolean
 */
Datum
databite_filter_is_empty_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PG_ARGISNULL(0) || VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(0)) == 0);
}

/*
 * databite.filter_validate_email(text) -> text
 */
Datum
databite_filter_validate_email(PG_FUNCTION_ARGS)
{
	return value_if_valid(fcinfo, VALIDATOR_EMAIL);
}

/*
 * databite.filter_validate_phone(text) -> text
 */
Datum
databite_filter_validate_phone(PG_FUNCTION_ARGS)
{
	return value_if_valid(fcinfo, VALIDATOR_PHONE);
}

/*
 * databite.filter_validate_url(text) -> text
 */
Datum
databite_filter_validate_url(PG_FUNCTION_ARGS)
{
	return value_if_valid(fcinfo, VALIDATOR_URL);
}

/*
 * databite.filter_validate_uuid(text) -> text
 */
Datum
databite_filter_validate_uuid(PG_FUNCTION_ARGS)
{
	return value_if_valid(fcinfo, VALIDATOR_UUID);
}

/*
 * databite.valid_email(text) -> boolean
 */
Datum
databite_valid_email(PG_FUNCTION_ARGS)
{
	return is_valid(fcinfo, VALIDATOR_EMAIL);
}

/*
 * databite.valid_phone(text) -> boolean
 */
Datum
databite_valid_phone(PG_FUNCTION_ARGS)
{
	return is_valid(fcinfo, VALIDATOR_PHONE);
}

/*
 * databite.valid_url(text) -> boolean
 */
Datum
databite_valid_url(PG_FUNCTION_ARGS)
{
	return is_valid(fcinfo, VALIDATOR_URL);
}

/*
 * databite.valid_uuid(text) -> boolean
 */
Datum
databite_valid_uuid(PG_FUNCTION_ARGS)
{
	return is_valid(fcinfo, VALIDATOR_UUID);
}

/*
 * The function's argument, or NULL.
 */
static Datum
value_if_valid(FunctionCallInfo fcinfo, ValidatorKind kind)
{
	if (!DatumGetBool(is_valid(fcinfo, kind)))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

static Datum
is_valid(FunctionCallInfo fcinfo, ValidatorKind kind)
{
	text	   *value = PG_GETARG_TEXT_PP(0);

	PG_RETURN_BOOL(validator_accepts(kind, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
}
