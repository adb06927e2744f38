/*
 * function_shim.c
 *	  The functions of users that the template fuzzer knows, instead of those of a catalog.
 *
 * They stand for what template/user_function.c and catalog/transform_catalog.c
 * find; and for the one function of template/json_operator.c that the compiler
 * calls.
 */
#include "postgres.h"

#include "template_shim.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "catalog/transform_catalog.h"
#include "miscadmin.h"
#include "template/json_operator.h"
#include "template/user_function.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define MAX_ARGS	3

/* Functions that are not for the role, and those that SQL could not tell apart. */
#define FORBIDDEN	'f'
#define AMBIGUOUS	'a'

/* Its OID is its place in the table, from 1. */
typedef struct ShimFunction
{
	const char *schema;
	const char *name;
	Oid			result;
	int			nargs;
	Oid			args[MAX_ARGS];
	char		kind;
} ShimFunction;

static const ShimFunction functions[] = {
	{"public", "shout", TEXTOID, 1, {TEXTOID}},
	{"public", "price", NUMERICOID, 1, {NUMERICOID}},
	{"public", "price", NUMERICOID, 2, {NUMERICOID, INT4OID}},
	{"public", "price", FLOAT8OID, 2, {JSONBOID, TEXTOID}},
	{"public", "at", TIMESTAMPOID, 1, {TIMESTAMPTZOID}},
	{"public", "select", BOOLOID, 3, {DATEOID, BOOLOID, INT4ARRAYOID}},
	{"public", "Größe", SHIM_DOMAIN, 2, {SHIM_ROW, SHIM_ENUM}},
	{"public", "pair", SHIM_ROW, 1, {SHIM_DOMAIN}},
	{"public", "list", INT4ARRAYOID, 1, {BYTEAOID}},
	{"public", "code", SHIM_CODE, 1, {SHIM_CODE}},
	{"public", "secret", TEXTOID, 1, {TEXTOID}, FORBIDDEN},
	{"public", "twin", TEXTOID, 1, {TEXTOID}, AMBIGUOUS},
	{"a \"schema; --", "it's", JSONOID, 1, {JSONBOID}},
};

const char *const shim_functions[] = {
	"\"public\".\"shout\"", "\"public\".\"price\"", "\"public\".\"at\"", "\"public\".\"select\"", "\"public\".\"Größe\"",
	"\"public\".\"pair\"", "\"public\".\"list\"", "\"public\".\"code\"", "\"a \"\"schema; --\".\"it's\"", NULL
};

/* A NULL function has gone. */
static const struct
{
	const char *name;
	const ShimFunction *function;
}			transforms[] = {
	{"tidy", &functions[0]},
	{"title", &functions[2]},
	{"odd", &functions[lengthof(functions) - 1]},
	{"gone", NULL},
	{"forbidden", &functions[10]},
};

static const char *const schemas[] = {"public", "a \"schema; --", "databite", "locked"};

static const ShimFunction *function_of(Oid oid);
static bool refuse(UserFunctionRefusal *refusal, int sqlstate);

/* ---- template/user_function.h */

char *
user_function_signature(Oid function)
{
	return psprintf("%s(%d)", quote_qualified_identifier(function_of(function)->schema, function_of(function)->name), function);
}

List *
user_functions_named(Oid schema, const char *name)
{
	List	   *found = NIL;

	for (int i = 0; i < lengthof(functions); i++)
	{
		if (strcmp(functions[i].name, name) == 0 && get_namespace_oid(functions[i].schema, true) == schema)
			found = lappend_oid(found, i + 1);
	}
	return found;
}

Oid
user_function_find(const char *schema, const char *name, const char *signature)
{
	for (int i = 0; i < lengthof(functions); i++)
	{
		if (strcmp(user_function_signature(i + 1), signature) == 0)
			return i + 1;
	}
	return InvalidOid;
}

bool
user_function_schema_usable(const char *schema, Oid schema_oid, Oid role, UserFunctionRefusal *refusal)
{
	if (strcmp(schema, "databite") == 0 || strcmp(schema, "locked") == 0)
		return refuse(refusal, ERRCODE_INSUFFICIENT_PRIVILEGE);
	return true;
}

bool
user_function_usable(Oid function, Oid role, UserFunctionRefusal *refusal)
{
	if (function_of(function)->kind == FORBIDDEN)
		return refuse(refusal, ERRCODE_WRONG_OBJECT_TYPE);
	return true;
}

List *
user_function_calls(const char *schema, const char *name, int nargs)
{
	List	   *calls = NIL;

	for (int i = 0; i < lengthof(functions); i++)
	{
		const ShimFunction *function = &functions[i];
		UserFunction *call;

		if (strcmp(function->schema, schema) != 0 || strcmp(function->name, name) != 0 || function->nargs != nargs)
			continue;
		call = palloc(sizeof(UserFunction));
		call->oid = function->kind == AMBIGUOUS ? InvalidOid : i + 1;
		call->name = quote_qualified_identifier(schema, name);
		call->result = function->result;
		call->nargs = nargs;
		call->arg_types = palloc(sizeof(function->args));
		memcpy(call->arg_types, function->args, sizeof(function->args));
		calls = lappend(calls, call);
	}
	return calls;
}

static const ShimFunction *
function_of(Oid oid)
{
	if (oid < 1 || oid > lengthof(functions))
		abort();
	return &functions[oid - 1];
}

static bool
refuse(UserFunctionRefusal *refusal, int sqlstate)
{
	*refusal = (UserFunctionRefusal){.sqlstate = sqlstate, .message = pstrdup("it is not for you")};
	return false;
}

/* ---- catalog/transform_catalog.h */

bool
transform_catalog_get(Oid owner, const char *name, TransformRecord *transform)
{
	for (int i = 0; i < lengthof(transforms); i++)
	{
		const ShimFunction *function = transforms[i].function;

		if (strcmp(transforms[i].name, name) != 0)
			continue;
		transform->name = pstrdup(name);
		transform->schema = pstrdup(function != NULL ? function->schema : "public");
		transform->function = pstrdup(function != NULL ? function->name : "gone");
		transform->signature = function != NULL ? user_function_signature(function - functions + 1) : pstrdup("public.gone(text)");
		return true;
	}
	return false;
}

/* ---- template/json_operator.h */

JsonOperator
json_operator_find(const char *name)
{
	return strlen(name) <= 2 ? JSON_EQUAL : JSON_NO_OPERATOR;
}

/* ---- catalogs, which have nothing to suggest */

Oid
GetUserId(void)
{
	return 10;
}

Oid
get_namespace_oid(const char *schema, bool missing_ok)
{
	for (int i = 0; i < lengthof(schemas); i++)
	{
		if (strcmp(schemas[i], schema) == 0)
			return i + 1;
	}
	return InvalidOid;
}

Oid
get_func_namespace(Oid function)
{
	return get_namespace_oid(function_of(function)->schema, false);
}

Relation
table_open(Oid relation, LOCKMODE mode)
{
	return NULL;
}

void
table_close(Relation relation, LOCKMODE mode)
{
}

SysScanDesc
systable_beginscan(Relation relation, Oid index, bool use_index, Snapshot snapshot, int nkeys, ScanKey keys)
{
	return NULL;
}

HeapTuple
systable_getnext(SysScanDesc scan)
{
	return NULL;
}

void
systable_endscan(SysScanDesc scan)
{
}
