/*
 * form.h
 *	  Bodies of type application/x-www-form-urlencoded.
 */
#ifndef DATABITE_FORM_H
#define DATABITE_FORM_H

#include "nodes/pg_list.h"

typedef struct FormField
{
	char	   *name;
	char	   *value;
} FormField;

/*
 * The fields in their order (of FormField *), as the URL standard's parser of
 * such bodies has them: "+" is a blank, %XX a byte, a field without "=" has an
 * empty value.  Zero bytes end a text.
 */
extern List *form_parse(const char *body, size_t len);

#endif
