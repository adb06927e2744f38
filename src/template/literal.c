/*
 * literal.c
 *	  Constants of a template as SQL constants of the type of their place.
 *
 * A constant that does not fit its place is found here, when the template is
 * compiled, and not by the first statement that uses it.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "base/bytes.h"
#include "base/compat.h"
#include "base/errors.h"
#include "base/subtransaction.h"
#include "base/time_text.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "parser/parse_coerce.h"
#include "template/compile.h"
#include "utils/builtins.h"
#include "utils/elog.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

/* No number of so few digits, without an exponent, is too large for numeric. */
#define SAFE_NUMBER_LEN 100

/* A text that is read to see whether it can be. */
typedef struct LiteralReading
{
	Oid			type;
	int32		typmod;
	const char *text;
} LiteralReading;

static void read_literal(void *arg);
static void compile_bytes(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_string(TemplateCompile *compile, const AstNode *node, Oid to, Oid base);
static void compile_boolean(TemplateCompile *compile, const AstNode *node, Oid to);
static void compile_number(TemplateCompile *compile, const AstNode *node, Oid to, Oid base);
static void compile_json(TemplateCompile *compile, const AstNode *node, Oid to, Oid base);
static bool check_constant(TemplateCompile *compile, const AstNode *node, Oid type, const char *text);
static void append_constant(TemplateCompile *compile, Oid type, const char *text);
static bool is_plain_number(const char *text);
static char *whole_number(const char *text);

void
template_compile_literal(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Oid			base = getBaseType(to);

	if (base == BYTEAOID && node->literal != LITERAL_NULL)
	{
		compile_bytes(compile, node, to);
		return;
	}
	switch (node->literal)
	{
		case LITERAL_NULL:
			appendStringInfo(compile->out, "CAST(NULL AS %s)", template_type_name(to, -1));
			break;
		case LITERAL_BOOLEAN:
			compile_boolean(compile, node, to);
			break;
		case LITERAL_NUMBER:
			compile_number(compile, node, to, base);
			break;
		case LITERAL_STRING:
			compile_string(compile, node, to, base);
			break;
		case LITERAL_JSON:
			compile_json(compile, node, to, base);
			break;
	}
}

bool
template_literal_fits(Oid type, int32 typmod, const char *text, ErrorData **error)
{
	LiteralReading reading = {type, typmod, text};

	if (IsInParallelMode())
		return true;

	*error = subtransaction_run(read_literal, &reading, SUBTRANSACTION_KEEP);
	if (*error != NULL && !error_is_of_value(*error))
		error_rethrow(*error);
	return *error == NULL;
}

static void
read_literal(void *arg)
{
	const LiteralReading *reading = arg;
	Oid			input;
	Oid			param;

	if (reading->type == TIMESTAMPTZOID || reading->type == TIMESTAMPOID)
		(void) time_text_to_timestamptz(reading->text, reading->typmod);
	else if (reading->type == DATEOID)
		(void) time_text_to_date(reading->text);
	else
	{
		getTypeInputInfo(reading->type, &input, &param);
		(void) OidInputFunctionCall(input, pstrdup(reading->text), param, reading->typmod);
	}
}

/*
 * A text in base64.
 */
static void
compile_bytes(TemplateCompile *compile, const AstNode *node, Oid to)
{
	bytea	   *bytes = node->literal == LITERAL_STRING ? bytes_from_text(node->text, strlen(node->text)) : NULL;
	StringInfoData hex;

	if (bytes == NULL)
	{
		source_text_problem(node->source, node->verbatim ? -1 : node->position,
							ERRCODE_INVALID_TEXT_REPRESENTATION, NULL,
							"invalid base64 for type %s: \"%s\"", format_type_be(BYTEAOID),
							text_clip(node->text, CLIP_MESSAGE));
		return;
	}
	initStringInfo(&hex);
	appendStringInfoString(&hex, "\\x");
	for (int i = 0; i < VARSIZE_ANY_EXHDR(bytes); i++)
		appendStringInfo(&hex, "%02x", ((unsigned char *) VARDATA_ANY(bytes))[i]);
	append_constant(compile, to, hex.data);
}

static void
compile_string(TemplateCompile *compile, const AstNode *node, Oid to, Oid base)
{
	Coercion	coercion;

	if (base == JSONBOID || base == JSONOID)
		append_constant(compile, to, ast_constant_json(node));
	else if (check_constant(compile, node, to, node->text))
	{
		if (!time_type_holds_time(base))
		{
			append_constant(compile, to, node->text);
			return;
		}
		/* Read like the text of an item, and not as the session would. */
		coercion = template_begin_as(compile, node, TEXTOID, to);
		append_constant(compile, TEXTOID, node->text);
		template_end_as(compile, &coercion);
	}
}

static void
compile_boolean(TemplateCompile *compile, const AstNode *node, Oid to)
{
	Coercion	coercion = template_begin_as(compile, node, BOOLOID, to);

	appendStringInfoString(compile->out, node->text);
	template_end_as(compile, &coercion);
}

/*
 * A number keeps its text; 1e3 and 2.0 fit a whole number, 2.5 does not.
 */
static void
compile_number(TemplateCompile *compile, const AstNode *node, Oid to, Oid base)
{
	const char *text = node->text;

	if (TypeCategory(base) == TYPCATEGORY_DATETIME)
	{
		Coercion	coercion = template_begin_as(compile, node, NUMERICOID, to);

		template_end_as(compile, &coercion);
		return;
	}
	if (template_type_is_whole(base) && strspn(text, "-0123456789") != strlen(text))
	{
		if (!check_constant(compile, node, NUMERICOID, text))
			return;
		text = whole_number(text);
	}
	if (check_constant(compile, node, to, text))
		append_constant(compile, to, text);
}

static void
compile_json(TemplateCompile *compile, const AstNode *node, Oid to, Oid base)
{
	Coercion	coercion;

	if (base == JSONBOID || base == JSONOID || !template_type_is_json_like(to))
	{
		if (check_constant(compile, node, to, node->text))
			append_constant(compile, to, node->text);
		return;
	}
	if (!check_constant(compile, node, JSONBOID, node->text))
		return;
	coercion = template_begin_as(compile, node, JSONBOID, to);
	append_constant(compile, JSONBOID, node->text);
	template_end_as(compile, &coercion);
}

/*
 * Adds the problem where the constant is not a value of the type.
 */
static bool
check_constant(TemplateCompile *compile, const AstNode *node, Oid type, const char *text)
{
	int32		typmod = node == compile->root ? compile->typmod : -1;
	ErrorData  *error;

	if (type == TEXTOID ||
		((type == NUMERICOID || type == JSONBOID) && typmod < 0 &&
		 node->literal == LITERAL_NUMBER && is_plain_number(text)))
		return true;
	if (template_literal_fits(type, typmod, text, &error))
		return true;
	source_text_problem(node->source, node->verbatim ? -1 : node->position,
						error->sqlerrcode, error->hint,
						"%s", text_clip(error->message, CLIP_MESSAGE));
	return false;
}

static void
append_constant(TemplateCompile *compile, Oid type, const char *text)
{
	appendStringInfo(compile->out, "CAST(%s AS %s)",
					 quote_literal_cstr(text), template_type_name(type, -1));
}

/*
 * A number that needs no check.
 */
static bool
is_plain_number(const char *text)
{
	size_t		len = strlen(text);

	return len < SAFE_NUMBER_LEN && strspn(text, "-.0123456789") == len;
}

/*
 * The number without an exponent and without zeros at the end of its fraction.
 */
static char *
whole_number(const char *text)
{
	Datum		number = DirectFunctionCall3(numeric_in, CStringGetDatum(text),
											 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));

	number = DirectFunctionCall1(numeric_trim_scale, number);
	return DatumGetCString(DirectFunctionCall1(numeric_out, number));
}
