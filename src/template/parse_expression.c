/*
 * parse_expression.c
 *	  What stands inside of {{ and }}: recursive descent.
 *
 * The grammar is in doc/templates.md, which is tested against this file.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "template/lexer.h"
#include "template/parse_expression.h"

/* Binary operators; a higher precedence binds closer.  All are left associative. */
#define PRECEDENCE_COALESCE		1
#define PRECEDENCE_NOT			4
#define PRECEDENCE_COMPARISON	5

static const struct
{
	TokenKind	token;
	AstOperator op;
	int			precedence;
}			binary_operators[] =
{
	{TOKEN_COALESCE, OP_COALESCE, PRECEDENCE_COALESCE},
	{TOKEN_OR, OP_OR, 2},
	{TOKEN_AND, OP_AND, 3},
	{TOKEN_EQUAL, OP_EQUAL, PRECEDENCE_COMPARISON},
	{TOKEN_NOT_EQUAL, OP_NOT_EQUAL, PRECEDENCE_COMPARISON},
	{TOKEN_LESS, OP_LESS, PRECEDENCE_COMPARISON},
	{TOKEN_LESS_EQUAL, OP_LESS_EQUAL, PRECEDENCE_COMPARISON},
	{TOKEN_GREATER, OP_GREATER, PRECEDENCE_COMPARISON},
	{TOKEN_GREATER_EQUAL, OP_GREATER_EQUAL, PRECEDENCE_COMPARISON},
	{TOKEN_IN, OP_IN, PRECEDENCE_COMPARISON},
	{TOKEN_NOT, OP_NOT_IN, PRECEDENCE_COMPARISON},
	{TOKEN_TILDE, OP_JOIN, 6},
	{TOKEN_PLUS, OP_ADD, 7},
	{TOKEN_MINUS, OP_SUBTRACT, 7},
	{TOKEN_STAR, OP_MULTIPLY, 8},
	{TOKEN_SLASH, OP_DIVIDE, 8},
	{TOKEN_PERCENT, OP_MODULO, 8},
};

typedef struct Parser
{
	Lexer		lexer;
	SourceText *source;
	int			nesting;		/* of the functions here, bounded as the tree is */
	int		   *nodes;			/* made so far, of the whole text */
} Parser;

static AstNode *parse_template(Parser *parser);
static AstNode *parse_expression(Parser *parser);
static AstNode *parse_binary(Parser *parser, int min_precedence);
static AstNode *parse_not(Parser *parser);
static int	find_binary(const Parser *parser);
static bool check_filtered_number(Parser *parser, const AstNode *right);
static AstNode *parse_unary(Parser *parser);
static AstNode *parse_filtered(Parser *parser);
static AstNode *parse_filter(Parser *parser, AstNode *value);
static AstNode *parse_primary(Parser *parser);
static AstNode *parse_parenthesized(Parser *parser);
static AstNode *parse_array(Parser *parser);
static AstNode *parse_object(Parser *parser);
static bool parse_elements(Parser *parser, AstNode *node, TokenKind close, const char *close_text);
static AstNode *parse_path(Parser *parser);
static bool parse_bracket_step(Parser *parser, JsonPathStep *step);
static AstNode *new_node(Parser *parser, AstKind kind, int position);
static bool add_operand(Parser *parser, AstNode *node, AstNode *operand);
static bool enter(Parser *parser);
static bool expect(Parser *parser, TokenKind kind, const char *what);
static AstNode *unexpected(Parser *parser, const char *what);
static AstNode *fail_at(Parser *parser, int position, const char *hint, const char *message);
static bool fail_too_deep(Parser *parser, int position);

AstNode *
template_parse_expression(SourceText *source, int *pos, int *nodes)
{
	Parser		parser = {.source = source, .nodes = nodes};
	int			start = *pos;
	AstNode    *node;
	const char *close;

	parser.lexer.source = source;
	parser.lexer.pos = start + 2;
	lexer_next(&parser.lexer);
	node = parse_template(&parser);
	if (node != NULL)
	{
		*pos = parser.lexer.pos;
		return node;
	}

	close = strstr(source->text + Max(parser.lexer.token.position, start + 2), "}}");
	*pos = close == NULL ? source->len : close + 2 - source->text;
	return NULL;
}

/*
 * An expression and the }} behind it.
 */
static AstNode *
parse_template(Parser *parser)
{
	Lexer	   *lexer = &parser->lexer;
	int			start = lexer->token.position;
	AstNode    *node;

	if (lexer->token.kind == TOKEN_CLOSE)
		return fail_at(parser, start, "write {{ '{{' }} for the braces themselves",
					   "a template is empty");
	node = parse_expression(parser);
	if (node == NULL || lexer->token.kind == TOKEN_CLOSE)
		return node;
	if (lexer->token.kind == TOKEN_END)
		return fail_at(parser, start, "end it with }}", "a template is not closed");
	if (lexer->token.kind == TOKEN_DOT || lexer->token.kind == TOKEN_LEFT_BRACKET)
		return fail_at(parser, lexer->token.position, "only a path has members; else write {{ ... | get(\"key\") }}",
					   psprintf("an operator, \"|\" or \"}}\" expected, not %s", lexer_describe(lexer)));
	return unexpected(parser, "an operator, \"|\" or \"}}\"");
}

static AstNode *
parse_expression(Parser *parser)
{
	Lexer	   *lexer = &parser->lexer;
	AstNode    *condition;
	AstNode    *node;

	if (!enter(parser))
		return NULL;
	condition = parse_binary(parser, PRECEDENCE_COALESCE);
	if (condition == NULL || lexer->token.kind != TOKEN_QUESTION)
	{
		parser->nesting--;
		return condition;
	}

	node = new_node(parser, AST_CONDITIONAL, lexer->token.position);
	lexer_next(lexer);
	if (node == NULL ||
		!add_operand(parser, node, condition) ||
		!add_operand(parser, node, parse_expression(parser)) ||
		!expect(parser, TOKEN_COLON, "\":\" and the value for when the condition is not true") ||
		!add_operand(parser, node, parse_expression(parser)))
		return NULL;
	parser->nesting--;
	return node;
}

/*
 * Parses operands joined by operators of at least that precedence.
 */
static AstNode *
parse_binary(Parser *parser, int min_precedence)
{
	Lexer	   *lexer = &parser->lexer;
	bool		negated = lexer->token.kind == TOKEN_NOT && min_precedence <= PRECEDENCE_NOT;
	AstNode    *left = negated ? parse_not(parser) : parse_unary(parser);
	bool		compared = false;
	int			n;

	while (left != NULL && (n = find_binary(parser)) >= 0 &&
		   binary_operators[n].precedence >= min_precedence)
	{
		int			precedence = binary_operators[n].precedence;
		AstNode    *node = new_node(parser, AST_BINARY, lexer->token.position);
		AstNode    *right;

		if (node == NULL)
			return NULL;
		if (precedence == PRECEDENCE_COMPARISON && compared)
			return fail_at(parser, lexer->token.position, "join two comparisons with \"and\"",
						   "comparisons cannot be chained");
		compared = precedence == PRECEDENCE_COMPARISON;

		node->op = binary_operators[n].op;
		lexer_next(lexer);
		if (node->op == OP_NOT_IN && !expect(parser, TOKEN_IN, "\"in\""))
			return NULL;
		right = parse_binary(parser, precedence + 1);
		if (!add_operand(parser, node, left) ||
			!add_operand(parser, node, right) ||
			!check_filtered_number(parser, right))
			return NULL;
		left = node;
	}
	return left;
}

/*
 * Parses "not", which takes a whole comparison.
 */
static AstNode *
parse_not(Parser *parser)
{
	AstNode    *node = new_node(parser, AST_UNARY, parser->lexer.token.position);
	AstNode    *operand;

	if (node == NULL || !enter(parser))
		return NULL;
	node->op = OP_NOT;
	lexer_next(&parser->lexer);
	if (parser->lexer.token.kind == TOKEN_NOT)
		operand = parse_not(parser);
	else
		operand = parse_binary(parser, PRECEDENCE_COMPARISON);
	if (!add_operand(parser, node, operand))
		return NULL;
	parser->nesting--;
	return node;
}

/*
 * The current token as an index of binary_operators, or -1.
 */
static int
find_binary(const Parser *parser)
{
	for (int i = 0; i < lengthof(binary_operators); i++)
	{
		if (binary_operators[i].token == parser->lexer.token.kind)
			return i;
	}
	return -1;
}

/*
 * A filter binds closer than any operator.  Where that leaves it a bare number,
 * as in {{ item.price * 1.2 | round(2) }}, the whole was meant: nobody filters
 * a constant.
 */
static bool
check_filtered_number(Parser *parser, const AstNode *right)
{
	const AstNode *value = right;

	if (right->kind != AST_FILTER || right->parenthesized)
		return true;
	while (value->kind == AST_FILTER)
		value = ast_operand(value, 0);
	if (!ast_is_literal(value, LITERAL_NUMBER) || value->parenthesized)
		return true;
	fail_at(parser, right->position, "put what the filter is for in parentheses",
			"the filter would apply to the number before it only");
	return false;
}

/*
 * A "-" right before a number is the number's: {{ -5 | abs }} is 5, and -5 is a
 * constant, also inside of an array.
 */
static AstNode *
parse_unary(Parser *parser)
{
	Lexer	   *lexer = &parser->lexer;
	int			position = lexer->token.position;
	AstNode    *node;

	if (lexer->token.kind != TOKEN_MINUS)
		return parse_filtered(parser);

	lexer_next(lexer);
	if (lexer->token.kind == TOKEN_NUMBER)
	{
		lexer->token.text = psprintf("-%s", lexer->token.text);
		lexer->token.position = position;
		return parse_filtered(parser);
	}

	node = new_node(parser, AST_UNARY, position);
	if (node == NULL || !enter(parser))
		return NULL;
	node->op = OP_NEGATE;
	if (!add_operand(parser, node, parse_unary(parser)))
		return NULL;
	parser->nesting--;
	return node;
}

/*
 * Parses a value and the filters behind it.
 */
static AstNode *
parse_filtered(Parser *parser)
{
	AstNode    *node = parse_primary(parser);

	while (node != NULL && parser->lexer.token.kind == TOKEN_PIPE)
		node = parse_filter(parser, node);
	return node;
}

/*
 * Parses "| name(arguments)" for the value.
 */
static AstNode *
parse_filter(Parser *parser, AstNode *value)
{
	Lexer	   *lexer = &parser->lexer;
	AstNode    *node;
	int			start;
	int			end;

	lexer_next(lexer);
	start = lexer->token.position;
	if (lexer->token.kind < TOKEN_NAME)
		return unexpected(parser, "the name of a filter");
	node = new_node(parser, AST_FILTER, start);
	if (node == NULL || !add_operand(parser, node, value))
		return NULL;

	end = lexer->token.end;
	lexer_next(lexer);
	while (lexer->token.kind == TOKEN_DOT)
	{
		lexer_next(lexer);
		if (lexer->token.kind < TOKEN_NAME)
			return unexpected(parser, "the name of a function");
		end = lexer->token.end;
		lexer_next(lexer);
	}
	node->text = pnstrdup(parser->source->text + start, end - start);

	if (lexer->token.kind == TOKEN_LEFT_PAREN)
	{
		lexer_next(lexer);
		if (!parse_elements(parser, node, TOKEN_RIGHT_PAREN, "\",\" or \")\""))
			return NULL;
	}
	return node;
}

static AstNode *
parse_primary(Parser *parser)
{
	Lexer	   *lexer = &parser->lexer;
	Token		token = lexer->token;
	AstNode    *node;

	switch (token.kind)
	{
		case TOKEN_NAME:
			return parse_path(parser);
		case TOKEN_LEFT_PAREN:
			return parse_parenthesized(parser);
		case TOKEN_LEFT_BRACKET:
			return parse_array(parser);
		case TOKEN_LEFT_BRACE:
			return parse_object(parser);
		case TOKEN_NUMBER:
		case TOKEN_STRING:
		case TOKEN_TRUE:
		case TOKEN_FALSE:
		case TOKEN_NULL:
			node = new_node(parser, AST_LITERAL, token.position);
			if (node == NULL)
				return NULL;
			node->text = token.text;
			node->literal = token.kind == TOKEN_NUMBER ? LITERAL_NUMBER : token.kind == TOKEN_STRING ? LITERAL_STRING
				: token.kind == TOKEN_NULL                                                           ? LITERAL_NULL
																									 : LITERAL_BOOLEAN;
			lexer_next(lexer);
			return node;
		default:
			return unexpected(parser, "a value");
	}
}

static AstNode *
parse_parenthesized(Parser *parser)
{
	AstNode    *node;

	lexer_next(&parser->lexer);
	node = parse_expression(parser);
	if (node == NULL || !expect(parser, TOKEN_RIGHT_PAREN, "\")\""))
		return NULL;
	node->parenthesized = true;
	return node;
}

static AstNode *
parse_array(Parser *parser)
{
	AstNode    *node = new_node(parser, AST_ARRAY, parser->lexer.token.position);

	if (node == NULL)
		return NULL;
	lexer_next(&parser->lexer);
	return parse_elements(parser, node, TOKEN_RIGHT_BRACKET, "\",\" or \"]\"") ? node : NULL;
}

static AstNode *
parse_object(Parser *parser)
{
	Lexer	   *lexer = &parser->lexer;
	AstNode    *node = new_node(parser, AST_OBJECT, lexer->token.position);

	if (node == NULL)
		return NULL;
	lexer->braces++;
	lexer_next(lexer);
	while (lexer->token.kind != TOKEN_RIGHT_BRACE)
	{
		if (node->keys != NIL && !expect(parser, TOKEN_COMMA, "\",\" or \"}\""))
			return NULL;
		if (lexer->token.kind != TOKEN_STRING && lexer->token.kind < TOKEN_NAME)
			return unexpected(parser, "a key");
		node->keys = lappend(node->keys, lexer->token.text);
		lexer_next(lexer);
		if (!expect(parser, TOKEN_COLON, "\":\"") ||
			!add_operand(parser, node, parse_expression(parser)))
			return NULL;
	}
	lexer->braces--;
	lexer_next(lexer);
	return node;
}

/*
 * Parses expressions up to the closing bracket as operands of the node.
 */
static bool
parse_elements(Parser *parser, AstNode *node, TokenKind close, const char *close_text)
{
	Lexer	   *lexer = &parser->lexer;
	bool		first = true;

	while (lexer->token.kind != close)
	{
		if (!first && !expect(parser, TOKEN_COMMA, close_text))
			return false;
		if (!add_operand(parser, node, parse_expression(parser)))
			return false;
		first = false;
	}
	lexer_next(lexer);
	return true;
}

static AstNode *
parse_path(Parser *parser)
{
	Lexer	   *lexer = &parser->lexer;
	AstNode    *node = new_node(parser, AST_PATH, lexer->token.position);
	JsonPath   *path = palloc0(sizeof(JsonPath));
	int			allocated = 4;

	if (node == NULL)
		return NULL;
	node->text = lexer->token.text;
	node->path = path;
	path->steps = palloc(allocated * sizeof(JsonPathStep));
	lexer_next(lexer);

	while (lexer->token.kind == TOKEN_DOT || lexer->token.kind == TOKEN_LEFT_BRACKET)
	{
		JsonPathStep step = {.kind = PATH_KEY};

		if (path->nsteps == JSON_PATH_MAX_STEPS)
			return fail_at(parser, lexer->token.position, NULL, "too many steps in a path");
		if (lexer->token.kind == TOKEN_LEFT_BRACKET)
		{
			if (!parse_bracket_step(parser, &step))
				return NULL;
		}
		else
		{
			lexer_next(lexer);
			if (lexer->token.kind < TOKEN_NAME)
				return fail_at(parser, lexer->token.position,
							   "write [0] for an element, [\"odd key\"] for a key that is not a plain word",
							   psprintf("a key expected, not %s", lexer_describe(lexer)));
			step.key = lexer->token.text;
			step.keylen = strlen(step.key);
			lexer_next(lexer);
		}

		if (path->nsteps == allocated)
		{
			allocated *= 2;
			path->steps = repalloc(path->steps, allocated * sizeof(JsonPathStep));
		}
		path->steps[path->nsteps++] = step;
	}

	if (lexer->token.kind == TOKEN_LEFT_PAREN)
	{
		const JsonPathStep *last = path->nsteps > 0 ? &path->steps[path->nsteps - 1] : NULL;
		const char *called = last != NULL && last->kind == PATH_KEY ? last->key : node->text;

		return fail_at(parser, node->position,
					   psprintf("write a filter: {{ value | %s }}", text_clip(called, CLIP_NAME)),
					   "functions cannot be called");
	}
	return node;
}

/*
 * Parses [0], [-1], [*] or ["key"].
 */
static bool
parse_bracket_step(Parser *parser, JsonPathStep *step)
{
	Lexer	   *lexer = &parser->lexer;
	bool		negative;
	int64		value;

	lexer_next(lexer);
	negative = lexer->token.kind == TOKEN_MINUS;
	if (negative)
		lexer_next(lexer);

	if (lexer->token.kind == TOKEN_NUMBER &&
		strspn(lexer->token.text, "0123456789") == strlen(lexer->token.text))
	{
		if (strlen(lexer->token.text) > 10 ||
			(value = strtoll(lexer->token.text, NULL, 10)) > PG_INT32_MAX)
		{
			fail_at(parser, lexer->token.position, NULL, "an index is out of range");
			return false;
		}
		step->kind = PATH_INDEX;
		step->index = negative ? -(int) value : (int) value;
	}
	else if (lexer->token.kind == TOKEN_STAR && !negative)
		step->kind = PATH_ALL;
	else if (lexer->token.kind == TOKEN_STRING && !negative)
	{
		step->key = lexer->token.text;
		step->keylen = strlen(step->key);
	}
	else
	{
		unexpected(parser, "an index, a quoted key or \"*\"");
		return false;
	}

	lexer_next(lexer);
	return expect(parser, TOKEN_RIGHT_BRACKET, "\"]\"");
}

/*
 * A new node, or NULL where the template has too many.
 */
static AstNode *
new_node(Parser *parser, AstKind kind, int position)
{
	CHECK_FOR_INTERRUPTS();
	if (++*parser->nodes > TEMPLATE_MAX_NODES)
	{
		source_text_problem(parser->source, position, ERRCODE_STATEMENT_TOO_COMPLEX, NULL,
							"a template has more than %d parts", TEMPLATE_MAX_NODES);
		return NULL;
	}
	return ast_create(kind, parser->source, position);
}

/*
 * Adds an operand; false where it is NULL (its problem has been added) or too deep.
 */
static bool
add_operand(Parser *parser, AstNode *node, AstNode *operand)
{
	if (operand == NULL)
		return false;
	ast_add_operand(node, operand);
	return node->depth <= TEMPLATE_MAX_DEPTH || fail_too_deep(parser, node->position);
}

/*
 * Goes one level deeper.  A level is left on the good way only: after a mistake
 * nothing more is parsed.
 */
static bool
enter(Parser *parser)
{
	return ++parser->nesting <= TEMPLATE_MAX_DEPTH ||
		fail_too_deep(parser, parser->lexer.token.position);
}

/*
 * Takes the token, or adds a problem that says what stands there instead.
 */
static bool
expect(Parser *parser, TokenKind kind, const char *what)
{
	if (parser->lexer.token.kind != kind)
	{
		unexpected(parser, what);
		return false;
	}
	lexer_next(&parser->lexer);
	return true;
}

/*
 * Adds a problem with the current token; always NULL.
 */
static AstNode *
unexpected(Parser *parser, const char *what)
{
	Lexer	   *lexer = &parser->lexer;

	if (lexer->token.kind != TOKEN_ERROR)
		fail_at(parser, lexer->token.position, NULL,
				psprintf("%s expected, not %s", what, lexer_describe(lexer)));
	return NULL;
}

/*
 * Adds a problem with the grammar; always NULL.
 */
static AstNode *
fail_at(Parser *parser, int position, const char *hint, const char *message)
{
	source_text_problem(parser->source, position, ERRCODE_INVALID_PARAMETER_VALUE,
						hint, "%s", message);
	return NULL;
}

/*
 * Adds a problem; always false.
 */
static bool
fail_too_deep(Parser *parser, int position)
{
	source_text_problem(parser->source, position, ERRCODE_STATEMENT_TOO_COMPLEX, NULL,
						"a template is nested deeper than %d levels", TEMPLATE_MAX_DEPTH);
	return false;
}
