/*
 * filters_user.c
 *	  Functions of users as filters: {{ x | my_schema.my_fn(1) }}, or named by create_transform.
 *
 * A function is looked up when the template is compiled, as the role that the
 * statement will run as: the owner of the job.  It may be asked anything but
 * what a secret is.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/transform_catalog.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "template/filters_user.h"
#include "template/scopes.h"
#include "template/user_function.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* Signatures that a hint lists. */
#define MAX_SIGNATURES 5

/* How well the types of a call's operands must fit those of a function. */
typedef enum TypeMatch
{
	SAME_TYPES,
	SAME_CATEGORIES
} TypeMatch;

static void resolve_qualified(AstNode *node);
static void resolve_transform(AstNode *node, const TransformRecord *transform);
static bool split_name(const AstNode *node, char **schema, char **name);
static char *trimmed(const char *text, size_t len);
static List *usable_calls(const List *calls, UserFunctionRefusal *refusal);
static List *matching_calls(const AstNode *node, List *calls, TypeMatch match);
static bool operands_match(const AstNode *node, const UserFunction *call, TypeMatch match);
static const UserFunction *call_of(const List *calls, Oid function);
static void use_function(AstNode *node, const UserFunction *call);
static const AstNode *find_secret(const AstNode *node);
static void unknown_schema(AstNode *node, const char *schema);
static void unknown_function(AstNode *node, const char *schema, Oid schema_oid, const char *name);
static void wrong_arguments(AstNode *node, const char *function, const List *functions);
static void ambiguous(AstNode *node, const char *name, const List *calls, const List *named);
static void refused(AstNode *node, const UserFunctionRefusal *refusal);
static char *signatures(const List *functions);
static const char *const *schema_names(void);
static const char *const *function_names(Oid schema);
static const char *const *names_of(Oid catalog, bool (*wanted) (HeapTuple tuple, Oid schema, const char **name), Oid schema);
static bool name_of_schema(HeapTuple tuple, Oid schema, const char **name);
static bool name_of_function(HeapTuple tuple, Oid schema, const char **name);

bool
template_user_filter_resolve(AstNode *node)
{
	TransformRecord transform;

	if (strchr(node->text, '.') != NULL)
	{
		resolve_qualified(node);
		return true;
	}
	if (strlen(node->text) >= NAMEDATALEN || !transform_catalog_get(GetUserId(), node->text, &transform))
		return false;
	resolve_transform(node, &transform);
	return true;
}

void
template_user_filter_compile(TemplateCompile *compile, const AstNode *node, Oid to)
{
	const UserFunction *function = node->function;
	Coercion	coercion = template_begin_as(compile, node, function->result, to);

	appendStringInfo(compile->out, "%s(", function->name);
	for (int i = 0; i < function->nargs; i++)
	{
		if (i > 0)
			appendStringInfoString(compile->out, ", ");
		template_compile_node(compile, ast_operand(node, i), function->arg_types[i]);
	}
	appendStringInfoChar(compile->out, ')');
	template_end_as(compile, &coercion);
}

/*
 * schema.function: the one that can be called with so many arguments, and if
 * there are several, the one that the operands' types decide for.
 */
static void
resolve_qualified(AstNode *node)
{
	UserFunctionRefusal refusal;
	char	   *schema;
	char	   *name;
	Oid			schema_oid;
	List	   *calls;
	List	   *usable;

	if (!split_name(node, &schema, &name))
		return;
	schema_oid = get_namespace_oid(schema, true);
	if (!OidIsValid(schema_oid))
	{
		unknown_schema(node, schema);
		return;
	}
	if (!user_function_schema_usable(schema, schema_oid, GetUserId(), &refusal))
	{
		refused(node, &refusal);
		return;
	}

	calls = user_function_calls(schema, name, list_length(node->operands));
	if (calls == NIL)
	{
		unknown_function(node, schema, schema_oid, name);
		return;
	}
	usable = usable_calls(calls, &refusal);
	if (usable == NIL)
	{
		refused(node, &refusal);
		return;
	}
	if (list_length(usable) > 1)
	{
		List	   *fitting = matching_calls(node, usable, SAME_TYPES);

		if (fitting == NIL)
			fitting = matching_calls(node, usable, SAME_CATEGORIES);
		if (fitting != NIL)
			usable = fitting;
	}
	if (list_length(usable) == 1 && OidIsValid(((UserFunction *) linitial(usable))->oid))
		use_function(node, linitial(usable));
	else
		ambiguous(node, quote_qualified_identifier(schema, name), usable, user_functions_named(schema_oid, name));
}

/*
 * The function that a transform names, which may have gone since.
 */
static void
resolve_transform(AstNode *node, const TransformRecord *transform)
{
	Oid			function = user_function_find(transform->schema, transform->function, transform->signature);
	UserFunctionRefusal refusal;
	const UserFunction *call;

	if (!OidIsValid(function))
	{
		source_text_problem(node->source, node->position, ERRCODE_UNDEFINED_FUNCTION,
							psprintf("Create the function, or give the name to another one: SELECT databite.create_transform(%s, ...).",
									 quote_literal_cstr(transform->name)),
							"transform \"%s\" names function %s, which does not exist",
							transform->name, transform->signature);
		return;
	}
	if (!user_function_schema_usable(transform->schema, get_func_namespace(function), GetUserId(), &refusal) ||
		!user_function_usable(function, GetUserId(), &refusal))
	{
		refused(node, &refusal);
		return;
	}
	call = call_of(user_function_calls(transform->schema, transform->function, list_length(node->operands)),
				   function);
	if (call == NULL)
		wrong_arguments(node, psprintf("transform \"%s\"", transform->name), list_make1_oid(function));
	else
		use_function(node, call);
}

/*
 * Splits "schema.function", white space aside.  False, with a problem, for more
 * than two names.
 */
static bool
split_name(const AstNode *node, char **schema, char **name)
{
	const char *dot = strchr(node->text, '.');

	*schema = trimmed(node->text, dot - node->text);
	*name = trimmed(dot + 1, strlen(dot + 1));
	if (strchr(*name, '.') == NULL && strlen(*name) < NAMEDATALEN && strlen(*schema) < NAMEDATALEN)
		return true;
	source_text_problem(node->source, node->position, ERRCODE_INVALID_PARAMETER_VALUE,
						"a function is written schema.function",
						"unknown filter \"%s\"", text_clip(node->text, CLIP_NAME));
	return false;
}

static char *
trimmed(const char *text, size_t len)
{
	while (len > 0 && isspace((unsigned char) *text))
	{
		text++;
		len--;
	}
	while (len > 0 && isspace((unsigned char) text[len - 1]))
		len--;
	return pnstrdup(text, len);
}

/*
 * Those that can be filters of the current user.  Where there is none, *refusal
 * is that of the last.
 */
static List *
usable_calls(const List *calls, UserFunctionRefusal *refusal)
{
	List	   *usable = NIL;
	ListCell   *lc;

	foreach(lc, calls)
	{
		UserFunction *call = lfirst(lc);

		if (!OidIsValid(call->oid) || user_function_usable(call->oid, GetUserId(), refusal))
			usable = lappend(usable, call);
	}
	return usable;
}

static List *
matching_calls(const AstNode *node, List *calls, TypeMatch match)
{
	List	   *matching = NIL;
	ListCell   *lc;

	foreach(lc, calls)
	{
		if (operands_match(node, lfirst(lc), match))
			matching = lappend(matching, lfirst(lc));
	}
	return matching;
}

/*
 * An operand without a type of its own, such as a path, goes with anything.
 */
static bool
operands_match(const AstNode *node, const UserFunction *call, TypeMatch match)
{
	for (int i = 0; i < call->nargs; i++)
	{
		Oid			operand = ast_operand(node, i)->type;
		Oid			wanted = call->arg_types[i];

		if (!OidIsValid(operand) || operand == wanted)
			continue;
		if (match == SAME_TYPES || TypeCategory(operand) != TypeCategory(wanted))
			return false;
	}
	return true;
}

static const UserFunction *
call_of(const List *calls, Oid function)
{
	ListCell   *lc;

	foreach(lc, calls)
	{
		if (((UserFunction *) lfirst(lc))->oid == function)
			return lfirst(lc);
	}
	return NULL;
}

/*
 * A secret goes into requests only: given to a function, it could be read.
 */
static void
use_function(AstNode *node, const UserFunction *call)
{
	const AstNode *secret = find_secret(node);

	if (secret != NULL)
	{
		source_text_problem(secret->source, secret->position, ERRCODE_INSUFFICIENT_PRIVILEGE,
							"a secret can be written into a request, with databite's own filters at most",
							"a secret cannot be given to function %s", user_function_signature(call->oid));
		return;
	}
	node->function = call;
	node->type = call->result;
}

/*
 * A path to a secret in the node or anywhere below it, or NULL.
 */
static const AstNode *
find_secret(const AstNode *node)
{
	ListCell   *lc;

	if (node->kind == AST_PATH && node->scope != NULL && node->scope->kind == SCOPE_SECRET)
		return node;
	foreach(lc, node->operands)
	{
		const AstNode *secret = find_secret(lfirst(lc));

		if (secret != NULL)
			return secret;
	}
	return NULL;
}

static void
unknown_schema(AstNode *node, const char *schema)
{
	source_text_problem(node->source, node->position, ERRCODE_UNDEFINED_SCHEMA,
						source_text_more_problems(node->source) ? source_text_suggest(schema, schema_names()) : NULL,
						"schema \"%s\" does not exist", text_clip(schema, CLIP_NAME));
}

/*
 * No function of the name can be called so: there is none, or it takes another
 * number of arguments.
 */
static void
unknown_function(AstNode *node, const char *schema, Oid schema_oid, const char *name)
{
	List	   *functions = user_functions_named(schema_oid, name);

	if (functions != NIL)
	{
		wrong_arguments(node, psprintf("function %s", quote_qualified_identifier(schema, name)), functions);
		return;
	}
	source_text_problem(node->source, node->position, ERRCODE_UNDEFINED_FUNCTION,
						source_text_more_problems(node->source)
							? source_text_suggest(name, function_names(schema_oid))
							: NULL,
						"schema \"%s\" has no function \"%s\"", schema, text_clip(name, CLIP_NAME));
}

static void
wrong_arguments(AstNode *node, const char *function, const List *functions)
{
	int			nargs = list_length(node->operands) - 1;

	source_text_problem(node->source, node->position, ERRCODE_UNDEFINED_FUNCTION,
						psprintf("there is %s; the first argument is the value", signatures(functions)),
						"%s cannot be called with a value and %d %s", function, nargs,
						nargs == 1 ? "argument" : "arguments");
}

/*
 * Several functions fit, or SQL itself could not tell which of those of the name
 * is called.
 */
static void
ambiguous(AstNode *node, const char *name, const List *calls, const List *named)
{
	List	   *functions = NIL;
	ListCell   *lc;

	foreach(lc, calls)
	{
		UserFunction *call = lfirst(lc);

		if (OidIsValid(call->oid))
			functions = lappend_oid(functions, call->oid);
	}
	if (list_length(functions) < 2)
		functions = list_copy(named);
	source_text_problem(node->source, node->position, ERRCODE_AMBIGUOUS_FUNCTION,
						psprintf("there is %s; name one with databite.create_transform", signatures(functions)),
						"function %s is not the only one that fits", name);
}

static void
refused(AstNode *node, const UserFunctionRefusal *refusal)
{
	source_text_problem(node->source, node->position, refusal->sqlstate, refusal->hint, "%s", refusal->message);
}

/*
 * The signatures of the functions, or of the first of them.
 */
static char *
signatures(const List *functions)
{
	StringInfoData text;
	ListCell   *lc;

	initStringInfo(&text);
	foreach(lc, functions)
	{
		int			n = foreach_current_index(lc);

		if (n == MAX_SIGNATURES)
		{
			appendStringInfoString(&text, ", ...");
			break;
		}
		appendStringInfo(&text, "%s%s", n > 0 ? ", " : "", user_function_signature(lfirst_oid(lc)));
	}
	return text.data;
}

static const char *const *
schema_names(void)
{
	return names_of(NamespaceRelationId, name_of_schema, InvalidOid);
}

static const char *const *
function_names(Oid schema)
{
	return names_of(ProcedureRelationId, name_of_function, schema);
}

/*
 * The wanted names of a catalog, ended by NULL.
 */
static const char *const *
names_of(Oid catalog, bool (*wanted) (HeapTuple tuple, Oid schema, const char **name), Oid schema)
{
	Relation	relation = table_open(catalog, AccessShareLock);
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false, NULL, 0, NULL);
	List	   *names = NIL;
	const char **array;
	HeapTuple	tuple;
	const char *name;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (wanted(tuple, schema, &name))
			names = lappend(names, pstrdup(name));
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);

	array = palloc0((list_length(names) + 1) * sizeof(char *));
	for (int i = 0; i < list_length(names); i++)
		array[i] = list_nth(names, i);
	return array;
}

static bool
name_of_schema(HeapTuple tuple, Oid schema, const char **name)
{
	*name = NameStr(((Form_pg_namespace) GETSTRUCT(tuple))->nspname);
	return true;
}

static bool
name_of_function(HeapTuple tuple, Oid schema, const char **name)
{
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

	*name = NameStr(form->proname);
	return form->pronamespace == schema;
}
