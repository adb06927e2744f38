/*
 * ast.h
 *	  A parsed template.
 *
 * The parser builds it, check.c fills in what names mean and the types, and
 * compile.c writes it as SQL.
 */
#ifndef DATABITE_AST_H
#define DATABITE_AST_H

#include "job/path.h"
#include "nodes/pg_list.h"
#include "template/source_text.h"

/* Bounds of one template, so that no definition can exhaust stack or memory here or in the SQL parser. */
#define TEMPLATE_MAX_BYTES	(1024 * 1024)
#define TEMPLATE_MAX_DEPTH	256
#define TEMPLATE_MAX_NODES	50000

typedef enum AstKind
{
	AST_LITERAL,
	AST_PATH,
	AST_UNARY,
	AST_BINARY,
	AST_CONDITIONAL,			/* operands: condition, then, else */
	AST_FILTER,					/* operands: the value, then the arguments */
	AST_ARRAY,					/* operands: the elements */
	AST_OBJECT,					/* operands: the values, of the members named in keys */
	AST_CONCAT					/* operands: parts of a text */
} AstKind;

typedef enum AstOperator
{
	OP_NONE,
	OP_NEGATE,
	OP_NOT,
	OP_ADD,
	OP_SUBTRACT,
	OP_MULTIPLY,
	OP_DIVIDE,
	OP_MODULO,
	OP_JOIN,					/* ~ */
	OP_EQUAL,
	OP_NOT_EQUAL,
	OP_LESS,
	OP_LESS_EQUAL,
	OP_GREATER,
	OP_GREATER_EQUAL,
	OP_IN,
	OP_NOT_IN,
	OP_AND,
	OP_OR,
	OP_COALESCE
} AstOperator;

typedef enum AstLiteral
{
	LITERAL_NULL,
	LITERAL_BOOLEAN,			/* text: "true", "false" */
	LITERAL_NUMBER,				/* text: as written */
	LITERAL_STRING,				/* text: decoded */
	LITERAL_JSON				/* text: an object or array as JSON */
} AstLiteral;

/* What the parts of an AST_CONCAT become; the verbatim ones stand for themselves. */
typedef enum AstConcatMode
{
	CONCAT_TEXT,				/* their text; NULL is empty */
	CONCAT_URL,					/* percent-encoded, but for one at the start; NULL makes all NULL */
	CONCAT_JSON					/* their JSON; NULL is null; the whole is a json */
} AstConcatMode;

typedef struct AstNode
{
	AstKind		kind;
	SourceText *source;
	int			position;		/* byte offset in the source */
	int			depth;			/* 1 + that of the deepest operand */
	bool		constant;		/* literals all the way down */
	bool		parenthesized;
	bool		verbatim;		/* stands in the definition itself, outside of templates */
	Oid			type;			/* natural type, by check.c; InvalidOid: whatever is wanted */

	AstLiteral	literal;
	char	   *text;			/* literals: see there; paths and filters: the name */
	JsonPath   *path;			/* behind the name */
	const struct TemplateScope *scope;	/* of a path, by check.c */
	const struct TemplateFilter *filter;	/* by check.c: a built-in filter, */
	const struct UserFunction *function;	/* or a user's */
	AstOperator op;
	AstConcatMode mode;
	List	   *operands;		/* of AstNode * */
	List	   *keys;			/* of char * */
} AstNode;

#define ast_operand(node, n) ((AstNode *) list_nth((node)->operands, (n)))

/* A node without operands. */
extern AstNode *ast_create(AstKind kind, SourceText *source, int position);

extern AstNode *ast_literal(AstLiteral literal, char *text, SourceText *source, int position);

/* The text around templates, as a part of an AST_CONCAT. */
extern AstNode *ast_verbatim(const char *text, int len, SourceText *source, int position);

/* Appends an operand; depth and constant follow from it. */
extern void ast_add_operand(AstNode *node, AstNode *operand);

/* The node is the literal of that kind. */
extern bool ast_is_literal(const AstNode *node, AstLiteral literal);

/* A constant node as JSON text. */
extern char *ast_constant_json(const AstNode *node);

#endif
