/*
 * transform_functions.c
 *	  SQL functions to name functions as filters: create_transform, drop_transform.
 */
#include "postgres.h"

#include <ctype.h>

#include "api/standby.h"
#include "catalog/transform_catalog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "template/user_function.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define TRANSFORM_NAME_MAX 63

static void check_name(const char *name);
static void check_function(Oid function);

PG_FUNCTION_INFO_V1(databite_create_transform);
PG_FUNCTION_INFO_V1(databite_drop_transform);

/*
 * create_transform(name text, function regprocedure): a filter for the jobs of
 * the current user; replaces one of that name.
 */
Datum
databite_create_transform(PG_FUNCTION_ARGS)
{
	Oid			function = PG_GETARG_OID(1);
	TransformRecord transform = {.name = text_to_cstring(PG_GETARG_TEXT_PP(0))};

	standby_refuse(fcinfo);
	check_name(transform.name);
	check_function(function);
	transform.schema = get_namespace_name(get_func_namespace(function));
	transform.function = get_func_name(function);
	transform.signature = user_function_signature(function);
	transform_catalog_set(GetUserId(), &transform);
	PG_RETURN_VOID();
}

/* drop_transform(name text) returns boolean: false where the current user has none of that name. */
Datum
databite_drop_transform(PG_FUNCTION_ARGS)
{
	standby_refuse(fcinfo);
	PG_RETURN_BOOL(transform_catalog_delete(GetUserId(), text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

/* What a template can write behind |. */
static void
check_name(const char *name)
{
	size_t		len = strlen(name);

	if (len == 0 || len > TRANSFORM_NAME_MAX || isdigit((unsigned char) name[0]) ||
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != len)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid transform name \"%s\"", name),
				 errdetail("A name has 1 to %d letters, digits and underscores, and does not begin with a digit.",
						   TRANSFORM_NAME_MAX)));
}

/* Raises what a template with the function would have as its problem. */
static void
check_function(Oid function)
{
	Oid			schema;
	UserFunctionRefusal refusal;

	if (!SearchSysCacheExists1(PROCOID, ObjectIdGetDatum(function)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist", function)));
	schema = get_func_namespace(function);
	if (!user_function_schema_usable(get_namespace_name(schema), schema, GetUserId(), &refusal) ||
		!user_function_usable(function, GetUserId(), &refusal))
		ereport(ERROR,
				(errcode(refusal.sqlstate),
				 errmsg_internal("%s", refusal.message),
				 refusal.hint ? errhint("%s", refusal.hint) : 0));
}
