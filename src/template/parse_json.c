/*
 * parse_json.c
 *	  A JSON document with templates in its strings in, AstNode out.
 *
 * The document is not taken apart: it stays text, so that numbers, the order of
 * keys and white space are what the user wrote, and only its strings are looked
 * at.  PostgreSQL's json type says beforehand that it is JSON at all.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "job/quoted.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "template/compile.h"
#include "template/parse_json.h"
#include "template/parser.h"

/* Bytes of a JSON pointer. */
#define MAX_POINTER 1000

/* An object or array that is open. */
typedef struct Container
{
	bool		is_object;
	bool		expects_key;
	int			index;			/* of an array */
	char	   *key;			/* of an object */
} Container;

typedef struct Walker
{
	SourceText *source;			/* the document */
	AstNode    *concat;
	List	   *containers;		/* of Container *, the innermost last */
	int			copied;			/* up to here the document is in concat */
} Walker;

static AstNode *parse_scalar(SourceText *source, int start);
static AstNode *parse_document(SourceText *source);
static char *decode_string(SourceText *source, int position, int len);
static AstNode *literal(AstLiteral kind, char *text, SourceText *source);
static void walk_string(Walker *walker, int position, int len);
static void walk_key(Walker *walker, int position, char *key);
static void walk_template(Walker *walker, int position, int len, char *text);
static void copy_until(Walker *walker, int position);
static char *current_pointer(const Walker *walker);
static Container *innermost(const Walker *walker);

AstNode *
template_parse_json(const char *text, const char *pointer, ProblemList *problems)
{
	SourceText *source = source_text_create(text, pointer, problems);
	int			start = strspn(text, " \t\r\n");
	ErrorData  *error;

	if (!template_literal_fits(JSONOID, -1, text, &error))
	{
		source_text_problem(source, start, error->sqlerrcode, NULL, "%s",
							text_clip(error->message, CLIP_MESSAGE));
		return NULL;
	}
	if (text[start] == '{' || text[start] == '[')
		return parse_document(source);
	return parse_scalar(source, start);
}

/*
 * A string (which may hold templates), number, boolean or null.
 */
static AstNode *
parse_scalar(SourceText *source, int start)
{
	const char *value = source->text + start;
	char	   *text;

	if (value[0] == '"')
	{
		text = decode_string(source, start, quoted_length(value, source->len - start));
		return text == NULL ? NULL : template_parse(source_text_create_inner(source, text, source->pointer), CONCAT_TEXT);
	}

	text = pnstrdup(value, strcspn(value, " \t\r\n"));
	switch (text[0])
	{
		case 'n':
			return literal(LITERAL_NULL, text, source);
		case 't':
		case 'f':
			return literal(LITERAL_BOOLEAN, text, source);
		default:
			return literal(LITERAL_NUMBER, text, source);
	}
}

/*
 * An object or array.
 */
static AstNode *
parse_document(SourceText *source)
{
	Walker		walker = {.source = source, .concat = ast_create(AST_CONCAT, source, 0)};
	int			len;

	walker.concat->mode = CONCAT_JSON;
	for (int i = 0; i < source->len; i++)
	{
		Container  *container;

		switch (source->text[i])
		{
			case '{':
			case '[':
				container = palloc0(sizeof(Container));
				container->is_object = container->expects_key = source->text[i] == '{';
				walker.containers = lappend(walker.containers, container);
				break;
			case '}':
			case ']':
				walker.containers = list_delete_last(walker.containers);
				break;
			case ',':
				container = innermost(&walker);
				container->expects_key = container->is_object;
				container->index++;
				break;
			case '"':
				CHECK_FOR_INTERRUPTS();
				len = quoted_length(source->text + i, source->len - i);
				walk_string(&walker, i, len);
				i += len - 1;
				break;
			default:
				break;
		}
	}

	if (walker.concat->operands == NIL)
		return literal(LITERAL_JSON, pstrdup(source->text), source);
	copy_until(&walker, source->len);
	return walker.concat;
}

/*
 * The string at a place of the document, quotes included; NULL and a problem
 * where PostgreSQL cannot store it.
 */
static char *
decode_string(SourceText *source, int position, int len)
{
	const char *error;
	int			error_at;
	int			decoded_len;
	char	   *string = quoted_decode(source->text + position + 1, len - 2,
									   &decoded_len, &error, &error_at);

	if (string == NULL)
		source_text_problem(source, position + 1 + error_at, ERRCODE_INVALID_PARAMETER_VALUE,
							NULL, "%s in a string", error);
	return string;
}

/*
 * A constant that stands in the definition itself.
 */
static AstNode *
literal(AstLiteral kind, char *text, SourceText *source)
{
	AstNode    *node = ast_literal(kind, text, source, 0);

	node->verbatim = true;
	return node;
}

/*
 * A key or a value of the document, quotes included.
 */
static void
walk_string(Walker *walker, int position, int len)
{
	Container  *container = innermost(walker);
	char	   *string = decode_string(walker->source, position, len);

	if (string == NULL)
		return;
	if (container->expects_key)
		walk_key(walker, position, string);
	else if (template_has_template(string))
		walk_template(walker, position, len, string);
}

static void
walk_key(Walker *walker, int position, char *key)
{
	Container  *container = innermost(walker);

	container->key = key;
	container->expects_key = false;
	if (template_has_template(key))
		source_text_problem(walker->source, position, ERRCODE_INVALID_PARAMETER_VALUE,
							"templates may stand in values", "a template in a key");
}

/*
 * A value with templates: parsed as a text of its own.
 */
static void
walk_template(Walker *walker, int position, int len, char *text)
{
	AstNode    *node;

	if (walker->source->len > TEMPLATE_MAX_BYTES)
	{
		if (walker->source->nproblems == 0)
			source_text_problem(walker->source, position, ERRCODE_PROGRAM_LIMIT_EXCEEDED, NULL,
								"a document with templates is longer than %d bytes",
								TEMPLATE_MAX_BYTES);
		return;
	}

	copy_until(walker, position);
	walker->copied = position + len;
	node = template_parse(source_text_create_inner(walker->source, text, current_pointer(walker)),
						  CONCAT_TEXT);
	if (node == NULL)
		return;

	/* A text of nothing but a comment is a value like any other here. */
	node->verbatim = false;
	ast_add_operand(walker->concat, node);
}

/*
 * Puts the document up to a place into the result, as it is.
 */
static void
copy_until(Walker *walker, int position)
{
	if (position > walker->copied)
		ast_add_operand(walker->concat,
						ast_verbatim(walker->source->text + walker->copied,
									 position - walker->copied, walker->source, walker->copied));
	walker->copied = position;
}

/*
 * The JSON pointer (RFC 6901) of the value the walker is at; cut where keys or
 * depth are out of all proportion, since every template has one.
 */
static char *
current_pointer(const Walker *walker)
{
	StringInfoData out;
	ListCell   *lc;

	initStringInfo(&out);
	appendStringInfoString(&out, walker->source->pointer);
	foreach(lc, walker->containers)
	{
		Container  *container = lfirst(lc);

		if (out.len > MAX_POINTER)
			break;
		appendStringInfoChar(&out, '/');
		if (!container->is_object)
			appendStringInfo(&out, "%d", container->index);
		for (const char *p = container->key;
			 p != NULL && *p != '\0' && out.len <= MAX_POINTER; p++)
		{
			if (*p == '~')
				appendStringInfoString(&out, "~0");
			else if (*p == '/')
				appendStringInfoString(&out, "~1");
			else
				appendStringInfoChar(&out, *p);
		}
	}
	return text_clip(out.data, MAX_POINTER);
}

static Container *
innermost(const Walker *walker)
{
	return llast(walker->containers);
}
