/*
 * compile_path.c
 *	  Paths of a template as SQL: columns of the batch, members of $1, secrets.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "template/compile.h"
#include "template/scopes.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* Columns of the batch; a little room for what the statement adds. */
#define MAX_INPUTS (MaxTupleAttributeNumber - 64)

static const char *name_in_scopes(const TemplateCompile *compile, const AstNode *node);
static void compile_item(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_index(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_secret(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_parameter(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_projection(TemplateCompile *compile, const AstNode *node, Oid to);
static void append_parameter(TemplateCompile *compile, const AstNode *node, int nsteps, const char *condition);
static void append_parameter_object(TemplateCompile *compile, const AstNode *node);
static void note_use(TemplateCompile *compile, const AstNode *node);
static int	steps_before_all(const JsonPath *path);
static void append_steps(StringInfo out, const JsonPath *path, int from, int to);
static void append_key(StringInfo out, const char *key);
static void append_index(StringInfo out, int index);
static TemplateInput *find_input(TemplateCompile *compile, const AstNode *node,
								 const TemplateInput *wanted);
static JsonPath *copy_path(const JsonPath *path, const TemplateInputs *inputs);

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
		case SCOPE_PARENT:
			compile_parameter(compile, node, to);
			break;
		case SCOPE_CONTROL:
			template_compile_mark(compile, node, to);
			break;
		case SCOPE_CLOCK:
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg_internal("a clock has not become a filter")));
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

JsonPath *
template_scope_path(const TemplateCompile *compile, const AstNode *node)
{
	const JsonPath *rest = node->path;
	const char *name;
	JsonPath	path;

	if (node->kind != AST_PATH || (node->scope->kind != SCOPE_PARAMETER && node->scope->kind != SCOPE_PARENT) ||
		OidIsValid(node->type))
		return NULL;
	name = name_in_scopes(compile, node);
	path.nsteps = rest->nsteps + 1;
	path.steps = palloc(path.nsteps * sizeof(JsonPathStep));
	path.steps[0] = (JsonPathStep){.kind = PATH_KEY, .key = unconstify(char *, name), .keylen = strlen(name)};
	memcpy(path.steps + 1, rest->steps, rest->nsteps * sizeof(JsonPathStep));
	return copy_path(&path, compile->inputs);
}

bool
template_is_in_context(const TemplateCompile *compile, const AstNode *node)
{
	return (node->scope->mask & compile->compiler->batch_scopes) != 0;
}

/* The key of the scope's values in $1 or in the context: of a parent, its id, by whatever name the template calls it. */
static const char *
name_in_scopes(const TemplateCompile *compile, const AstNode *node)
{
	return node->scope->kind == SCOPE_PARENT ? template_scope_parent(node->text, compile->compiler)->id : node->text;
}

/*
 * A leaf of the item, delivered in the type that is wanted.  In a branch, as
 * what every value is, and converted there: a value that the condition keeps
 * out of the branch need not be of that type.
 */
static void
compile_item(TemplateCompile *compile, const AstNode *node, Oid to)
{
	bool		fits_always = to == TEXTOID || to == JSONBOID || to == JSONOID;
	Oid			type = compile->in_branch && !fits_always ? JSONBOID : to;
	TemplateInput *input = template_path_input(compile, node, type, -1, false);
	Coercion	coercion = template_begin_as(compile, node, type, to);

	if (input != NULL)
		appendStringInfo(compile->out, "b.%s", input->name);
	template_end_as(compile, &coercion);
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

	appendStringInfo(compile->out, "databite.secret(%s::pg_catalog.text, $2)",
					 quote_literal_cstr(node->path->steps[0].key));
	template_end_as(compile, &coercion);
}

/*
 * A member of $1 or of the item's context; JSON null is NULL.
 */
static void
compile_parameter(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion = template_begin_as(compile, node, JSONBOID, to);

	append_parameter(compile, node, node->path->nsteps, "@.type() != \"null\"");
	template_end_as(compile, &coercion);
}

/*
 * A path with [*]: an array of what was found, NULL where there is no array to
 * look in.  The reader makes it of an item; of a parameter, the array before
 * the [*] is looked up first.
 */
static void
compile_projection(TemplateCompile *compile, const AstNode *node, Oid to)
{
	int			nsteps = steps_before_all(node->path);
	Coercion	coercion = template_begin_as(compile, node, JSONBOID, to);
	StringInfoData rest;

	if (node->scope->kind == SCOPE_ITEM)
		compile_item(compile, node, JSONBOID);
	else
	{
		appendStringInfoString(compile->out, "pg_catalog.jsonb_path_query_array(");
		append_parameter(compile, node, nsteps, "@.type() == \"array\"");
		initStringInfo(&rest);
		appendStringInfoString(&rest, "strict $");
		append_steps(&rest, node->path, nsteps, node->path->nsteps);
		appendStringInfo(compile->out, ", %s::pg_catalog.jsonpath)", quote_literal_cstr(rest.data));
	}
	template_end_as(compile, &coercion);
}

/*
 * The value of the name and the first steps in $1, if the jsonpath condition is
 * true of it, else NULL.
 */
static void
append_parameter(TemplateCompile *compile, const AstNode *node, int nsteps, const char *condition)
{
	StringInfoData path;

	note_use(compile, node);
	initStringInfo(&path);
	appendStringInfoString(&path, "strict $");
	append_key(&path, name_in_scopes(compile, node));
	append_steps(&path, node->path, 0, nsteps);
	appendStringInfo(&path, " ? (%s)", condition);
	appendStringInfoString(compile->out, "pg_catalog.jsonb_path_query_first(");
	append_parameter_object(compile, node);
	appendStringInfo(compile->out, ", %s::pg_catalog.jsonpath)", quote_literal_cstr(path.data));
}

/* The object that has the name: $1, or what the items of a page have in common. */
static void
append_parameter_object(TemplateCompile *compile, const AstNode *node)
{
	TemplateInput wanted = {
		.path = node->path,
		.is_context = true,
		.type = JSONBOID,
		.typmod = -1
	};
	TemplateInput *input;

	if (!template_is_in_context(compile, node))
	{
		appendStringInfoString(compile->out, "CAST($1 AS pg_catalog.jsonb)");
		return;
	}
	input = find_input(compile, node, &wanted);
	if (input != NULL)
		appendStringInfo(compile->out, "b.%s", input->name);
}

/* Remembers what the templates of the statement ask for beside the item. */
static void
note_use(TemplateCompile *compile, const AstNode *node)
{
	TemplateInputs *inputs = compile->inputs;
	const JsonPath *path = node->path;
	TemplateParentField *field;
	MemoryContext old;
	ListCell   *lc;

	inputs->used |= node->scope->mask;
	if (node->scope->kind != SCOPE_PARENT)
		return;
	old = MemoryContextSwitchTo(GetMemoryChunkContext(inputs));
	field = palloc(sizeof(TemplateParentField));
	field->step = template_scope_parent(node->text, compile->compiler);
	field->name = pstrdup(path->steps[0].key);
	field->member = path->nsteps > 1 && path->steps[1].kind == PATH_KEY;
	foreach(lc, inputs->parent_fields)
	{
		TemplateParentField *other = lfirst(lc);

		if (other->step == field->step && strcmp(other->name, field->name) == 0)
		{
			other->member |= field->member;
			break;
		}
	}
	if (lc == NULL)
		inputs->parent_fields = lappend(inputs->parent_fields, field);
	MemoryContextSwitchTo(old);
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
 * Steps of a path as jsonpath.  Its lax mode would look into arrays for a key
 * and take a lone value for an array, which no path of an item does; its strict
 * mode fails where something is missing, so every step asks first.
 */
static void
append_steps(StringInfo out, const JsonPath *path, int from, int to)
{
	for (int i = from; i < to; i++)
	{
		const JsonPathStep *step = &path->steps[i];

		switch (step->kind)
		{
			case PATH_ALL:
				appendStringInfoString(out, " ? (@.type() == \"array\")[*]");
				break;
			case PATH_MEMBERS:	/* in paths to items only */
			case PATH_REST:
				break;
			case PATH_KEY:
				append_key(out, step->key);
				break;
			case PATH_INDEX:
				append_index(out, step->index);
				break;
		}
	}
}

static void
append_key(StringInfo out, const char *key)
{
	appendStringInfoString(out, " ? (exists(@.");
	escape_json(out, key);
	appendStringInfoString(out, ")).");
	escape_json(out, key);
}

static void
append_index(StringInfo out, int index)
{
	char	   *subscript = index >= 0 ? psprintf("[%d]", index) : psprintf("[last - %d]", -(index + 1));

	appendStringInfo(out, " ? (exists(@%s))%s", subscript, subscript);
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
			input->is_index == wanted->is_index && input->is_context == wanted->is_context &&
			input->undecided == wanted->undecided &&
			(input->is_context || json_path_equal(input->path, wanted->path)))
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
	input->path = copy_path(wanted->path, inputs);
	input->name = psprintf("p%d", list_length(inputs->inputs) + 1);
	inputs->inputs = lappend(inputs->inputs, input);
	MemoryContextSwitchTo(old);
	return input;
}

/* It lives as long as the inputs. */
static JsonPath *
copy_path(const JsonPath *path, const TemplateInputs *inputs)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(unconstify(TemplateInputs *, inputs)));
	JsonPath   *copy = palloc(sizeof(JsonPath));

	copy->nsteps = path->nsteps;
	copy->steps = palloc(path->nsteps * sizeof(JsonPathStep));
	for (int i = 0; i < path->nsteps; i++)
	{
		copy->steps[i] = path->steps[i];
		if (path->steps[i].kind == PATH_KEY)
			copy->steps[i].key = pstrdup(path->steps[i].key);
	}
	MemoryContextSwitchTo(old);
	return copy;
}
