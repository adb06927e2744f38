/*
 * user_function.c
 *	  A function of the database as a filter: which ones can be, and how they are named.
 *
 * What is found here is written into SQL text by name, with arguments of
 * exactly the types of the function, so PostgreSQL finds the same one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "template/user_function.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static bool check_kind(const FormData_pg_proc *function, const char *signature, UserFunctionRefusal *refusal);
static bool check_types(const FormData_pg_proc *function, const char *signature, UserFunctionRefusal *refusal);
static bool refuse(UserFunctionRefusal *refusal, int sqlstate, char *message, char *hint);
static HeapTuple function_tuple(Oid function);
static const char *type_name(Oid type);

char *
user_function_signature(Oid function)
{
	HeapTuple	tuple = function_tuple(function);
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "%s(",
					 quote_qualified_identifier(get_namespace_name(form->pronamespace), NameStr(form->proname)));
	for (int i = 0; i < form->pronargs; i++)
		appendStringInfo(&text, "%s%s", i > 0 ? ", " : "", type_name(form->proargtypes.values[i]));
	appendStringInfoChar(&text, ')');
	ReleaseSysCache(tuple);
	return text.data;
}

List *
user_functions_named(Oid schema, const char *name)
{
	CatCList   *tuples = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
	List	   *functions = NIL;

	for (int i = 0; i < tuples->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&tuples->members[i]->tuple);

		if (form->pronamespace == schema)
			functions = lappend_oid(functions, form->oid);
	}
	ReleaseSysCacheList(tuples);
	return functions;
}

Oid
user_function_find(const char *schema, const char *name, const char *signature)
{
	Oid			schema_oid = get_namespace_oid(schema, true);
	ListCell   *lc;

	if (!OidIsValid(schema_oid))
		return InvalidOid;
	foreach(lc, user_functions_named(schema_oid, name))
	{
		if (strcmp(user_function_signature(lfirst_oid(lc)), signature) == 0)
			return lfirst_oid(lc);
	}
	return InvalidOid;
}

bool
user_function_schema_usable(const char *schema, Oid schema_oid, Oid role, UserFunctionRefusal *refusal)
{
	if (strcmp(schema, "databite") == 0)
		return refuse(refusal, ERRCODE_INVALID_PARAMETER_VALUE,
					  pstrdup("databite's own functions are no filters by their names in SQL"),
					  pstrdup("Its filters are written without the schema."));
	if (compat_schema_aclcheck(schema_oid, role, ACL_USAGE) != ACLCHECK_OK)
		return refuse(refusal, ERRCODE_INSUFFICIENT_PRIVILEGE,
					  psprintf("permission denied for schema %s", schema),
					  psprintf("GRANT USAGE ON SCHEMA %s TO %s", quote_identifier(schema),
							   quote_identifier(GetUserNameFromId(role, false))));
	return true;
}

bool
user_function_usable(Oid function, Oid role, UserFunctionRefusal *refusal)
{
	HeapTuple	tuple = function_tuple(function);
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	char	   *signature = user_function_signature(function);
	bool		usable = check_kind(form, signature, refusal) && check_types(form, signature, refusal);

	ReleaseSysCache(tuple);
	if (!usable)
		return false;
	if (compat_function_aclcheck(function, role, ACL_EXECUTE) != ACLCHECK_OK)
		return refuse(refusal, ERRCODE_INSUFFICIENT_PRIVILEGE,
					  psprintf("permission denied for function %s", signature),
					  psprintf("GRANT EXECUTE ON FUNCTION %s TO %s", signature,
							   quote_identifier(GetUserNameFromId(role, false))));
	return true;
}

List *
user_function_calls(const char *schema, const char *name, int nargs)
{
	List	   *names = list_make2(makeString(pstrdup(schema)), makeString(pstrdup(name)));
	FuncCandidateList candidates;
	List	   *calls = NIL;

	/* as the parser looks for functions: with defaults and VARIADIC arguments, missing is not an error */
	for (candidates = FuncnameGetCandidates(names, nargs, NIL, true, true, false, true);
		 candidates != NULL; candidates = candidates->next)
	{
		UserFunction *call = palloc(sizeof(UserFunction));

		call->oid = candidates->oid;
		call->name = quote_qualified_identifier(schema, name);
		call->result = OidIsValid(call->oid) ? get_func_rettype(call->oid) : InvalidOid;
		call->nargs = nargs;
		call->arg_types = candidates->args;
		calls = lappend(calls, call);
	}
	return calls;
}

/*
 * A normal function that gives one value for a value.
 */
static bool
check_kind(const FormData_pg_proc *function, const char *signature, UserFunctionRefusal *refusal)
{
	const char *kind = NULL;

	switch (function->prokind)
	{
		case PROKIND_PROCEDURE:
			kind = "a procedure";
			break;
		case PROKIND_AGGREGATE:
			kind = "an aggregate";
			break;
		case PROKIND_WINDOW:
			kind = "a window function";
			break;
	}
	if (kind != NULL)
		return refuse(refusal, ERRCODE_WRONG_OBJECT_TYPE,
					  psprintf("%s is %s and cannot be a filter", signature, kind), NULL);
	if (function->proretset)
		return refuse(refusal, ERRCODE_WRONG_OBJECT_TYPE,
					  psprintf("function %s returns a set and cannot be a filter", signature),
					  pstrdup("Return an array or jsonb instead."));
	if (function->pronargs == 0)
		return refuse(refusal, ERRCODE_WRONG_OBJECT_TYPE,
					  psprintf("function %s takes no argument and cannot be a filter", signature),
					  pstrdup("The value is the first argument."));
	return true;
}

/*
 * Arguments and result are of types that columns could have: none is internal,
 * and none is left open.
 */
static bool
check_types(const FormData_pg_proc *function, const char *signature, UserFunctionRefusal *refusal)
{
	if (get_typtype(function->prorettype) == TYPTYPE_PSEUDO)
		return refuse(refusal, ERRCODE_WRONG_OBJECT_TYPE,
					  psprintf("function %s returns %s and cannot be a filter", signature,
							   format_type_be(function->prorettype)),
					  pstrdup("Write a function around it that returns a definite type."));
	for (int i = 0; i < function->pronargs; i++)
	{
		Oid			type = function->proargtypes.values[i];

		if (get_typtype(type) == TYPTYPE_PSEUDO)
			return refuse(refusal, ERRCODE_WRONG_OBJECT_TYPE,
						  psprintf("function %s takes %s and cannot be a filter", signature, format_type_be(type)),
						  pstrdup("Write a function around it that takes a definite type, such as jsonb."));
	}
	return true;
}

/*
 * Always false.
 */
static bool
refuse(UserFunctionRefusal *refusal, int sqlstate, char *message, char *hint)
{
	refusal->sqlstate = sqlstate;
	refusal->message = message;
	refusal->hint = hint;
	return false;
}

static HeapTuple
function_tuple(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function with OID %u does not exist", function)));
	return tuple;
}

static const char *
type_name(Oid type)
{
	const char *name = format_type_be_qualified(type);

	return strncmp(name, "pg_catalog.", 11) == 0 ? name + 11 : name;
}
