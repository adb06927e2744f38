/*
 * ast.c
 *	  A parsed template: making nodes.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "template/ast.h"
#include "utils/json.h"

static void append_json(StringInfo out, const AstNode *node);

AstNode *
ast_create(AstKind kind, SourceText *source, int position)
{
	AstNode    *node = palloc0(sizeof(AstNode));

	node->kind = kind;
	node->source = source;
	node->position = position;
	node->depth = 1;
	node->constant = kind == AST_LITERAL || kind == AST_ARRAY || kind == AST_OBJECT;
	return node;
}

AstNode *
ast_literal(AstLiteral literal, char *text, SourceText *source, int position)
{
	AstNode    *node = ast_create(AST_LITERAL, source, position);

	node->literal = literal;
	node->text = text;
	return node;
}

AstNode *
ast_verbatim(const char *text, int len, SourceText *source, int position)
{
	AstNode    *node = ast_literal(LITERAL_STRING, pnstrdup(text, len), source, position);

	node->verbatim = true;
	return node;
}

void
ast_add_operand(AstNode *node, AstNode *operand)
{
	node->operands = lappend(node->operands, operand);
	node->depth = Max(node->depth, operand->depth + 1);
	node->constant = node->constant && operand->constant;
}

bool
ast_is_literal(const AstNode *node, AstLiteral literal)
{
	return node->kind == AST_LITERAL && node->literal == literal;
}

char *
ast_constant_json(const AstNode *node)
{
	StringInfoData out;

	initStringInfo(&out);
	append_json(&out, node);
	return out.data;
}

/*
 * Appends a constant node; its depth is bounded by TEMPLATE_MAX_DEPTH.
 */
static void
append_json(StringInfo out, const AstNode *node)
{
	ListCell   *lc;

	switch (node->kind)
	{
		case AST_LITERAL:
			if (node->literal == LITERAL_STRING)
				escape_json(out, node->text);
			else
				appendStringInfoString(out, node->literal == LITERAL_NULL ? "null" : node->text);
			break;
		case AST_ARRAY:
			appendStringInfoChar(out, '[');
			foreach(lc, node->operands)
			{
				if (foreach_current_index(lc) > 0)
					appendStringInfoString(out, ", ");
				append_json(out, lfirst(lc));
			}
			appendStringInfoChar(out, ']');
			break;
		case AST_OBJECT:
			appendStringInfoChar(out, '{');
			foreach(lc, node->operands)
			{
				int			n = foreach_current_index(lc);

				if (n > 0)
					appendStringInfoString(out, ", ");
				escape_json(out, list_nth(node->keys, n));
				appendStringInfoString(out, ": ");
				append_json(out, lfirst(lc));
			}
			appendStringInfoChar(out, '}');
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg_internal("not a constant")));
	}
}
