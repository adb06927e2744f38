/*
 * parser.h
 *	  Template text in, AstNode out.
 */
#ifndef DATABITE_PARSER_H
#define DATABITE_PARSER_H

#include "template/ast.h"

/*
 * Parses a text with templates.  One template and nothing else is the node of
 * its expression, a text without templates a string literal, anything else an
 * AST_CONCAT of the given mode.  Mistakes are added as problems; what could be
 * parsed is returned nevertheless, so that it can be checked; NULL only for a
 * text that is too long to be looked at.
 */
extern AstNode *template_parse(SourceText *source, AstConcatMode mode);

#endif
