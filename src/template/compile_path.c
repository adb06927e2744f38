/*
 * compile_path.c
 *	  Paths of a template as SQL: columns of the batch, members of $1, secrets.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "template/compile.h"
#include "template/scopes.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

/* Columns of the batch; a little room for what the statement adds. */
#define MAX_INPUTS (MaxTupleAttributeNumber - 64)

static void compile_item(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_index(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_secret(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_parameter(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_projection(TemplateCompile *compile, const AstNode *node, Oid to);
static char *parameter_path(const AstNode *node, int nsteps);
static int	steps_before_all(const JsonPath *path);
static char *jsonpath_literal(const JsonPath *path, int from);
static TemplateInput *find_input(TemplateCompile *compile, const AstNode *node,
								 const TemplateInput *wanted);
static JsonPath *copy_path(const JsonPath *path);

void
template_compile_path(TemplateCompile *compile, const AstNode *node, Oid to)
{
	if (steps_before_all(node->path) < node->path->nsteps)
	{
		compile_projection(compile, node, to);
		return;
	}
	switch (node->scope->kind)
	{
		case SCOPE_ITEM:
			compile_item(compile, node, to);
			break;
		case SCOPE_INDEX:
			compile_index(compile, node, to);
			break;
		case SCOPE_SECRET:
			compile_secret(compile, node, to);
			break;
		case SCOPE_PARAMETER:
			compile_parameter(compile, node, to);
			break;
		case SCOPE_CONTROL:
			template_compile_mark(compile, node, to);
			break;
		case SCOPE_UNSUPPORTED:
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg_internal("unsupported scope was not refused")));
	}
}

TemplateInput *
template_path_input(TemplateCompile *compile, const AstNode *node,
					Oid type, int32 typmod, bool undecided)
{
	TemplateInput wanted = {
		.path = node->path,
		.type = type,
		.typmod = typmod,
		.undecided = undecided
	};

	return find_input(compile, node, &wanted);
}

bool
template_is_item_path(const AstNode *node)
{
	return node->kind == AST_PATH && node->scope->kind == SCOPE_ITEM &&
		steps_before_all(node->path) == node->path->nsteps;
}

/*
 * A leaf of the item, delivered in the type that is wanted.
 */
static void
compile_item(TemplateCompile *compile, const AstNode *node, Oid to)
{
	TemplateInput *input = template_path_input(compile, node, to, -1, false);

	if (input != NULL)
		appendStringInfo(compile->out, "b.%s", input->name);
}

static void
compile_index(TemplateCompile *compile, const AstNode *node, Oid to)
{
	TemplateInput wanted = {
		.path = node->path,
		.is_index = true,
		.type = INT8OID,
		.typmod = -1
	};
	TemplateInput *input = find_input(compile, node, &wanted);
	Coercion	coercion = template_begin_as(compile, node, INT8OID, to);

	if (input != NULL)
		appendStringInfo(compile->out, "b.%s", input->name);
	template_end_as(compile, &coercion);
}

static void
compile_secret(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion = template_begin_as(compile, node, TEXTOID, to);

	appendStringInfo(compile->out, "databite.secret(%s::pg_catalog.text)",
					 quote_literal_cstr(node->path->steps[0].key));
	template_end_as(compile, &coercion);
}

/*
 * A member of $1; JSON null is NULL.
 */
static void
compile_parameter(TemplateCompile *compile, const AstNode *node, Oid to)
{
	char	   *path = parameter_path(node, node->path->nsteps);
	Coercion	coercion;

	if (template_type_is_json_like(to))
	{
		coercion = template_begin_as(compile, node, JSONBOID, to);
		appendStringInfo(compile->out,
						 "(CASE WHEN pg_catalog.jsonb_typeof(CAST($1 AS pg_catalog.jsonb) OPERATOR(pg_catalog.#>) %s)"
						 " OPERATOR(pg_catalog.<>) 'null'"
						 " THEN CAST($1 AS pg_catalog.jsonb) OPERATOR(pg_catalog.#>) %s END)",
						 path, path);
	}
	else
	{
		coercion = template_begin_as(compile, node, TEXTOID, to);
		appendStringInfo(compile->out,
						 "(CAST($1 AS pg_catalog.jsonb) OPERATOR(pg_catalog.#>>) %s)", path);
	}
	template_end_as(compile, &coercion);
}

/*
 * A path with [*]: an array of what was found.  The reader makes it of an item;
 * of a parameter, what is before the [*] as jsonb, and the rest by a jsonpath.
 */
static void
compile_projection(TemplateCompile *compile, const AstNode *node, Oid to)
{
	int			nsteps = steps_before_all(node->path);
	Coercion	coercion = template_begin_as(compile, node, JSONBOID, to);

	if (node->scope->kind == SCOPE_ITEM)
		compile_item(compile, node, JSONBOID);
	else
		appendStringInfo(compile->out,
						 "pg_catalog.jsonb_path_query_array(CAST($1 AS pg_catalog.jsonb)"
						 " OPERATOR(pg_catalog.#>) %s, %s::pg_catalog.jsonpath)",
						 parameter_path(node, nsteps), jsonpath_literal(node->path, nsteps));
	template_end_as(compile, &coercion);
}

/*
 * The name and the first steps as a constant text[].
 */
static char *
parameter_path(const AstNode *node, int nsteps)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfo(&out, "ARRAY[%s", quote_literal_cstr(node->text));
	for (int i = 0; i < nsteps; i++)
	{
		const JsonPathStep *step = &node->path->steps[i];

		if (step->kind == PATH_KEY)
			appendStringInfo(&out, ", %s", quote_literal_cstr(step->key));
		else
			appendStringInfo(&out, ", '%d'", step->index);
	}
	appendStringInfoString(&out, "]::pg_catalog.text[]");
	return out.data;
}

/*
 * The number of steps before the first [*], all where there is none.
 */
static int
steps_before_all(const JsonPath *path)
{
	int			n = 0;

	while (n < path->nsteps && path->steps[n].kind != PATH_ALL)
		n++;
	return n;
}

/*
 * The steps from one on as a quoted jsonpath.
 */
static char *
jsonpath_literal(const JsonPath *path, int from)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '$');
	for (int i = from; i < path->nsteps; i++)
	{
		const JsonPathStep *step = &path->steps[i];

		switch (step->kind)
		{
			case PATH_ALL:
				appendStringInfoString(&out, "[*]");
				break;
			case PATH_KEY:
				appendStringInfoChar(&out, '.');
				escape_json(&out, step->key);
				break;
			case PATH_INDEX:
				if (step->index >= 0)
					appendStringInfo(&out, "[%d]", step->index);
				else
					appendStringInfo(&out, "[last - %d]", -(step->index + 1));
				break;
		}
	}
	return quote_literal_cstr(out.data);
}

/*
 * The input that is like the wanted one, or a new one; it lives as long as the
 * inputs.
 */
static TemplateInput *
find_input(TemplateCompile *compile, const AstNode *node, const TemplateInput *wanted)
{
	TemplateInputs *inputs = compile->inputs;
	TemplateInput *input;
	MemoryContext old;
	ListCell   *lc;

	foreach(lc, inputs->inputs)
	{
		input = lfirst(lc);
		if (input->type == wanted->type && input->typmod == wanted->typmod &&
			input->is_index == wanted->is_index && input->undecided == wanted->undecided &&
			json_path_equal(input->path, wanted->path))
			return input;
	}

	if (list_length(inputs->inputs) >= MAX_INPUTS)
	{
		source_text_problem(node->source, node->position, ERRCODE_TOO_MANY_COLUMNS, NULL,
							"more than %d different paths of the item are used", MAX_INPUTS);
		return NULL;
	}

	old = MemoryContextSwitchTo(GetMemoryChunkContext(inputs));
	input = palloc(sizeof(TemplateInput));
	*input = *wanted;
	input->path = copy_path(wanted->path);
	input->name = psprintf("p%d", list_length(inputs->inputs) + 1);
	inputs->inputs = lappend(inputs->inputs, input);
	MemoryContextSwitchTo(old);
	return input;
}

static JsonPath *
copy_path(const JsonPath *path)
{
	JsonPath   *copy = palloc(sizeof(JsonPath));

	copy->nsteps = path->nsteps;
	copy->steps = palloc(path->nsteps * sizeof(JsonPathStep));
	for (int i = 0; i < path->nsteps; i++)
	{
		copy->steps[i] = path->steps[i];
		if (path->steps[i].kind == PATH_KEY)
			copy->steps[i].key = pstrdup(path->steps[i].key);
	}
	return copy;
}
