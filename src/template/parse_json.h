/*
 * parse_json.h
 *	  A JSON document with templates in its strings in, AstNode out.
 */
#ifndef DATABITE_PARSE_JSON_H
#define DATABITE_PARSE_JSON_H

#include "template/ast.h"

/*
 * A scalar and a document without templates is a literal; a document with
 * templates an AST_CONCAT of its text, as it was written, and of the templates.
 * Every template has the JSON pointer of its string for its problems.  As
 * template_parse, it returns what could be parsed; NULL where the text is not
 * JSON.
 */
extern AstNode *template_parse_json(const char *text, const char *pointer, ProblemList *problems);

#endif
