/*
 * filters_coding.c
 *	  Filters for encoding, decoding and hashing.
 *
 * They work on bytes: those of a value that is bytes by itself, such as the
 * result of unbase64, else those of its text in UTF-8.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "template/filters.h"
#include "template/validators.h"
#include "utils/lsyscache.h"

static void compile_bytes(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_hmac(TemplateCompile *compile, const AstNode *node, Oid to);
static Oid	bytes_type(const AstNode *operand);
static void check_namespace(const AstNode *node);

const TemplateFilter template_coding_filters[] = {
	{
		.name = "base64", .function = "databite.filter_base64",
		.input = TEXTOID, .result = TEXTOID, .compile = compile_bytes
	},
	{
		.name = "hex", .function = "databite.filter_hex",
		.input = TEXTOID, .result = TEXTOID, .compile = compile_bytes
	},
	{
		.name = "hmac_sha256", .function = "databite.filter_hmac_sha256",
		.input = TEXTOID, .result = TEXTOID, .min_args = 1, .max_args = 1,
		.arg_types = {TEXTOID}, .compile = compile_hmac
	},
	{
		.name = "md5", .function = "databite.filter_md5",
		.input = TEXTOID, .result = TEXTOID, .compile = compile_bytes
	},
	{
		.name = "sha256", .function = "databite.filter_sha256",
		.input = TEXTOID, .result = TEXTOID, .compile = compile_bytes
	},
	{
		.name = "unbase64", .function = "databite.filter_unbase64",
		.input = TEXTOID, .result = BYTEAOID
	},
	{
		.name = "url_decode", .function = "databite.filter_url_decode",
		.input = TEXTOID, .result = TEXTOID
	},
	{
		.name = "url_encode", .function = "databite.filter_url_encode",
		.input = TEXTOID, .result = TEXTOID, .compile = compile_bytes
	},
	{
		.name = "uuid", .function = "databite.filter_uuid",
		.input = TEXTOID, .result = UUIDOID, .max_args = 1,
		.arg_types = {TEXTOID}, .arg_defaults = {"'url'::pg_catalog.text"},
		.check = check_namespace, .compile = compile_bytes
	},
	{NULL}
};

static void
compile_bytes(TemplateCompile *compile, const AstNode *node, Oid to)
{
	template_filter_call_as(compile, node, bytes_type(ast_operand(node, 0)), node->filter->result, to);
}

/*
 * The key may be bytes as well as the value.
 */
static void
compile_hmac(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion = template_begin_as(compile, node, TEXTOID, to);

	appendStringInfo(compile->out, "%s(", node->filter->function);
	template_compile_node(compile, ast_operand(node, 0), bytes_type(ast_operand(node, 0)));
	appendStringInfoString(compile->out, ", ");
	template_compile_node(compile, ast_operand(node, 1), bytes_type(ast_operand(node, 1)));
	appendStringInfoChar(compile->out, ')');
	template_end_as(compile, &coercion);
}

static Oid
bytes_type(const AstNode *operand)
{
	return OidIsValid(operand->type) && getBaseType(operand->type) == BYTEAOID ? BYTEAOID : TEXTOID;
}

static void
check_namespace(const AstNode *node)
{
	static const char *const names[] = {"dns", "url", "oid", "x500"};
	const AstNode *space = template_filter_literal(node, 1, LITERAL_STRING);

	if (space == NULL || validator_accepts(VALIDATOR_UUID, space->text, strlen(space->text)))
		return;
	for (int i = 0; i < lengthof(names); i++)
	{
		if (strcmp(names[i], space->text) == 0)
			return;
	}
	template_filter_problem(space, "It is \"dns\", \"url\", \"oid\", \"x500\" or a UUID.",
							"unknown namespace \"%s\"", text_clip(space->text, CLIP_NAME));
}
