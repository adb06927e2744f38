/*
 * parser.c
 *	  Template text in, AstNode out.
 *
 * After a mistake the parser goes on behind the next }}, so that one call finds
 * the mistakes of all {{ }} of a text.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "template/parse_expression.h"
#include "template/parser.h"

static bool skip_comment(SourceText *source, int *pos);
static const char *find(const SourceText *source, int from, const char *what);

AstNode *
template_parse(SourceText *source, AstConcatMode mode)
{
	AstNode    *concat = ast_create(AST_CONCAT, source, 0);
	int			nodes = 0;
	int			pos = 0;

	if (source->len > TEMPLATE_MAX_BYTES)
	{
		source_text_problem(source, 0, ERRCODE_PROGRAM_LIMIT_EXCEEDED, NULL,
							"a template is longer than %d bytes", TEMPLATE_MAX_BYTES);
		return NULL;
	}

	concat->mode = mode;
	while (pos < source->len)
	{
		const char *open = find(source, pos, "{{");
		int			end = open == NULL ? source->len : open - source->text;
		AstNode    *node;

		CHECK_FOR_INTERRUPTS();
		if (end > pos)
			ast_add_operand(concat, ast_verbatim(source->text + pos, end - pos, source, pos));
		pos = end;
		if (open == NULL)
			break;
		if (open[2] == '#')
		{
			if (!skip_comment(source, &pos))
				break;
			continue;
		}
		node = template_parse_expression(source, &pos, &nodes);
		if (node != NULL)
			ast_add_operand(concat, node);
	}

	if (concat->operands == NIL)
		return ast_verbatim("", 0, source, 0);
	if (list_length(concat->operands) == 1)
		return linitial(concat->operands);
	return concat;
}

/*
 * Moves *pos behind the comment that begins there; false where it does not end.
 */
static bool
skip_comment(SourceText *source, int *pos)
{
	const char *close = find(source, *pos + 3, "#}}");

	if (close == NULL)
	{
		source_text_problem(source, *pos, ERRCODE_INVALID_PARAMETER_VALUE,
							"end it with #}}", "a comment is not closed");
		return false;
	}
	*pos = close + 3 - source->text;
	return true;
}

/* Where that comes next, or NULL.  Under the sanitizers strstr reads all that is left, each time. */
static const char *
find(const SourceText *source, int from, const char *what)
{
	const char *end = source->text + source->len;
	const char *at = source->text + from;

	while (at < end && (at = memchr(at, what[0], end - at)) != NULL)
	{
		if (strncmp(at, what, strlen(what)) == 0)
			return at;
		at++;
	}
	return NULL;
}
