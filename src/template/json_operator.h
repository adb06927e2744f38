/*
 * json_operator.h
 *	  The conditions of {{ list | filter(path, operator, value) }}.
 */
#ifndef DATABITE_JSON_OPERATOR_H
#define DATABITE_JSON_OPERATOR_H

#include "utils/jsonb.h"

typedef enum JsonOperator
{
	JSON_NO_OPERATOR,
	JSON_IS_TRUE,				/* neither null nor false */
	JSON_EQUAL,
	JSON_NOT_EQUAL,
	JSON_LESS,
	JSON_LESS_EQUAL,
	JSON_GREATER,
	JSON_GREATER_EQUAL,
	JSON_IN,
	JSON_CONTAINS
} JsonOperator;

typedef struct JsonCondition JsonCondition;

/* Of "==", "in", ...; JSON_NO_OPERATOR: unknown. */
extern JsonOperator json_operator_find(const char *name);

/* What is compared with the value; errors name the filter.  The value has to stay. */
extern JsonCondition *json_condition_create(const char *filter, JsonOperator op, const JsonbValue *value);

extern bool json_condition_holds(const JsonCondition *condition, const JsonbValue *found);

#endif
