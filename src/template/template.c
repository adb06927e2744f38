/*
 * template.c
 *	  {{ }} templates, compiled once to SQL expressions: the way through.
 *
 * Text is parsed to a tree (parser.c, parse_json.c), the tree is checked
 * (check.c) and written as SQL (compile.c).  All of it lives in a context of
 * its own that is gone when a function here returns; what stays is the
 * expression, in the caller's context, and the inputs, in that of the compiler.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/check.h"
#include "template/compile.h"
#include "template/parse_json.h"
#include "template/parser.h"
#include "template/template.h"
#include "utils/memutils.h"

static TemplateExpr *compile_value(TemplateCompiler *compiler, const JobValue *value,
								   AstConcatMode mode, Oid want, int32 typmod);
static bool compile_root(TemplateCompiler *compiler, const JobValue *value, AstConcatMode mode,
						 Oid want, int32 typmod, StringInfo out, TemplateExpr *expr);
static void write_root(TemplateCompile *compile, Oid want, TemplateExpr *expr);

TemplateCompiler *
template_compiler_create(int scopes, ProblemList *problems)
{
	TemplateCompiler *compiler = palloc0(sizeof(TemplateCompiler));

	compiler->scopes = scopes;
	compiler->inputs = palloc0(sizeof(TemplateInputs));
	compiler->problems = problems;
	return compiler;
}

TemplateExpr *
template_compile(TemplateCompiler *compiler, const JobValue *value, Oid want, int32 typmod)
{
	return compile_value(compiler, value, CONCAT_TEXT, want, typmod);
}

TemplateExpr *
template_compile_url(TemplateCompiler *compiler, const JobValue *value)
{
	return compile_value(compiler, value, CONCAT_URL, TEXTOID, -1);
}

TemplateExpr *
template_compile_json(TemplateCompiler *compiler, const JobValue *value)
{
	return compile_value(compiler, value, CONCAT_TEXT, JSONOID, -1);
}

/* A literal that looks like the input's name is taken for one: it costs a message some precision. */
bool
template_uses_input(const char *sql, const TemplateInput *input)
{
	char	   *reference = psprintf("b.%s", input->name);
	int			length = strlen(reference);

	for (const char *at = strstr(sql, reference); at != NULL; at = strstr(at + 1, reference))
	{
		if (at[length] < '0' || at[length] > '9')
			return true;
	}
	return false;
}

bool
template_has_template(const char *text)
{
	return strstr(text, "{{") != NULL;
}

/*
 * Compiles in a context that holds everything but the result.
 */
static TemplateExpr *
compile_value(TemplateCompiler *compiler, const JobValue *value, AstConcatMode mode,
			  Oid want, int32 typmod)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(outer, "databite template", ALLOCSET_DEFAULT_SIZES);
	TemplateExpr found = {0};
	TemplateExpr *expr = NULL;
	StringInfoData out;

	MemoryContextSwitchTo(work);
	initStringInfo(&out);
	if (compile_root(compiler, value, mode, want, typmod, &out, &found))
	{
		MemoryContextSwitchTo(outer);
		expr = palloc(sizeof(TemplateExpr));
		*expr = found;
		expr->sql = pnstrdup(out.data, out.len);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(work);
	return expr;
}

/*
 * Parses, checks and writes; false where there was a problem.
 */
static bool
compile_root(TemplateCompiler *compiler, const JobValue *value, AstConcatMode mode,
			 Oid want, int32 typmod, StringInfo out, TemplateExpr *expr)
{
	int			problems = list_length(compiler->problems->problems);
	TemplateCompile compile = {.out = out, .compiler = compiler, .inputs = compiler->inputs, .typmod = typmod};
	AstNode    *root;

	if (value->is_json)
		root = template_parse_json(value->text, value->pointer, compiler->problems);
	else
		root = template_parse(source_text_create(value->text, value->pointer, compiler->problems),
							  mode);
	if (root == NULL)
		return false;

	template_check(root, compiler);
	if (list_length(compiler->problems->problems) > problems)
		return false;

	compile.root = root;
	write_root(&compile, want, expr);
	return list_length(compiler->problems->problems) == problems;
}

/*
 * Writes the expression as the type of its place, with the length or precision
 * the place has.  Only where a cast would cut a text silently, that is left to
 * the place, which refuses what is too long.
 */
static void
write_root(TemplateCompile *compile, Oid want, TemplateExpr *expr)
{
	const AstNode *root = compile->root;
	bool		decided = OidIsValid(want);
	bool		cast = decided && compile->typmod >= 0 && !template_cast_truncates(want);

	expr->type = decided ? want : template_natural_type(root);
	if (template_is_item_path(root))
	{
		expr->lone = template_path_input(compile, root, expr->type,
										 decided ? compile->typmod : -1, !decided);
		if (expr->lone != NULL)
			appendStringInfo(compile->out, "b.%s", expr->lone->name);
		return;
	}

	if (!decided && compile->compiler->batch_scopes != 0)
	{
		expr->scope_path = template_scope_path(compile, root);
		expr->in_context = expr->scope_path != NULL && template_is_in_context(compile, root);
	}
	if (cast)
		appendStringInfoString(compile->out, "CAST(");
	template_compile_node(compile, root, expr->type);
	if (cast)
		appendStringInfo(compile->out, " AS %s)", template_type_name(want, compile->typmod));
}
