/*
 * parse_expression.h
 *	  What stands inside of {{ and }}.
 */
#ifndef DATABITE_PARSE_EXPRESSION_H
#define DATABITE_PARSE_EXPRESSION_H

#include "template/ast.h"

/*
 * Parses the {{ }} that begins at *pos and moves *pos behind it.  After a
 * mistake it adds the problem, moves *pos behind the next }}, and returns NULL.
 * *nodes counts the nodes of the whole text.
 */
extern AstNode *template_parse_expression(SourceText *source, int *pos, int *nodes);

#endif
