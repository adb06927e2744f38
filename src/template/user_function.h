/*
 * user_function.h
 *	  A function of the database as a filter: which ones can be, and how they are named.
 */
#ifndef DATABITE_USER_FUNCTION_H
#define DATABITE_USER_FUNCTION_H

#include "nodes/pg_list.h"

/* One call of a function: its arguments are those of the call, defaults left out and VARIADIC ones written out. */
typedef struct UserFunction
{
	Oid			oid;
	char	   *name;			/* qualified and quoted, for SQL text */
	Oid			result;
	int			nargs;			/* the value included */
	Oid		   *arg_types;
} UserFunction;

/* Why something cannot be called. */
typedef struct UserFunctionRefusal
{
	int			sqlstate;
	char	   *message;		/* errmsg style */
	char	   *hint;			/* or NULL */
} UserFunctionRefusal;

/*
 * schema.name(type, type): the same whatever search_path is; only types of
 * pg_catalog go without their schema.
 */
extern char *user_function_signature(Oid function);

/* The functions of that name in the schema, of any kind; a list of OIDs. */
extern List *user_functions_named(Oid schema, const char *name);

/* InvalidOid where there is none of that signature (any more). */
extern Oid	user_function_find(const char *schema, const char *name, const char *signature);

/* False, with the refusal, where the role has no USAGE of the schema, or it is databite's. */
extern bool user_function_schema_usable(const char *schema, Oid schema_oid, Oid role,
										UserFunctionRefusal *refusal);

/* False, with the refusal, where the function is no filter, or not for the role. */
extern bool user_function_usable(Oid function, Oid role, UserFunctionRefusal *refusal);

/*
 * The ways to call functions of that name with so many arguments, the value
 * included; a list of UserFunction *.  What SQL could not tell apart has
 * InvalidOid for oid.  The schema must be usable.
 */
extern List *user_function_calls(const char *schema, const char *name, int nargs);

#endif
