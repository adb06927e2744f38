/*
 * rule_kind.h
 *	  What a rule of "validation" needs to know of its column's type.
 */
#ifndef DATABITE_RULE_KIND_H
#define DATABITE_RULE_KIND_H

#include "job/definition.h"

typedef enum ColumnKind
{
	KIND_TEXT,
	KIND_NUMBER,
	KIND_BOOLEAN,
	KIND_TIME,					/* a date, or a date and time */
	KIND_CLOCK,					/* a time of day, or an interval */
	KIND_JSON,
	KIND_ARRAY,
	KIND_ROW,
	KIND_OTHER
} ColumnKind;

extern ColumnKind rule_column_kind(Oid type);

/* Is every value of the column's type of the rule's type anyway? */
extern bool rule_always_holds(Oid column, RuleType type);

/* Can a value of such a column be of the rule's type? */
extern bool rule_can_hold(ColumnKind kind, RuleType type);

/* "a whole number" */
extern const char *rule_type_phrase(RuleType type);

#endif
