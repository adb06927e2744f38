/*
 * rule_kind.c
 *	  What a rule of "validation" needs to know of its column's type.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "destination/rule_kind.h"
#include "parser/parse_coerce.h"
#include "template/coerce.h"
#include "utils/lsyscache.h"

static bool can_be_numeric(Oid type);

ColumnKind
rule_column_kind(Oid type)
{
	Oid			base = getBaseType(type);

	if (base == JSONBOID || base == JSONOID)
		return KIND_JSON;
	switch (base)
	{
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return KIND_TIME;
		case TIMEOID:
		case TIMETZOID:
		case INTERVALOID:
			return KIND_CLOCK;
	}
	if (OidIsValid(get_element_type(base)))
		return KIND_ARRAY;
	switch (TypeCategory(base))
	{
		case TYPCATEGORY_STRING:
			return KIND_TEXT;
		case TYPCATEGORY_NUMERIC:	/* to which names of objects belong, too (oid, regclass) */
			return can_be_numeric(base) ? KIND_NUMBER : KIND_OTHER;
		case TYPCATEGORY_BOOLEAN:
			return KIND_BOOLEAN;
		case TYPCATEGORY_COMPOSITE:
			return KIND_ROW;
		default:
			return KIND_OTHER;
	}
}

bool
rule_always_holds(Oid column, RuleType type)
{
	Oid			base = getBaseType(column);
	ColumnKind	kind = rule_column_kind(column);

	switch (type)
	{
		case RULE_TYPE_STRING:
			return kind == KIND_TEXT || kind == KIND_OTHER;
		case RULE_TYPE_NUMBER:
			return kind == KIND_NUMBER;
		case RULE_TYPE_INTEGER:
			return template_type_is_whole(base);
		case RULE_TYPE_BOOLEAN:
			return kind == KIND_BOOLEAN;
		case RULE_TYPE_DATETIME:
			return kind == KIND_TIME;
		case RULE_TYPE_DATE:
			return base == DATEOID;
		case RULE_TYPE_UUID:
			return base == UUIDOID;
		case RULE_TYPE_ARRAY:
			return kind == KIND_ARRAY;
		case RULE_TYPE_OBJECT:
			return kind == KIND_ROW;
		default:
			return false;
	}
}

bool
rule_can_hold(ColumnKind kind, RuleType type)
{
	switch (kind)
	{
		case KIND_TEXT:
		case KIND_JSON:
		case KIND_OTHER:
			return true;
		case KIND_NUMBER:
			return type == RULE_TYPE_INTEGER;
		case KIND_TIME:
			return type == RULE_TYPE_DATE;
		default:
			return false;
	}
}

const char *
rule_type_phrase(RuleType type)
{
	switch (type)
	{
		case RULE_TYPE_STRING:
			return "a string";
		case RULE_TYPE_NUMBER:
			return "a number";
		case RULE_TYPE_INTEGER:
			return "a whole number";
		case RULE_TYPE_BOOLEAN:
			return "true or false";
		case RULE_TYPE_DATETIME:
			return "a time";
		case RULE_TYPE_DATE:
			return "a date";
		case RULE_TYPE_EMAIL:
			return "an e-mail address";
		case RULE_TYPE_PHONE:
			return "a phone number";
		case RULE_TYPE_URL:
			return "a URL";
		case RULE_TYPE_UUID:
			return "a UUID";
		case RULE_TYPE_ARRAY:
			return "an array";
		case RULE_TYPE_OBJECT:
			return "an object";
		case RULE_TYPE_ANY:
			break;
	}
	return "";
}

static bool
can_be_numeric(Oid type)
{
	Oid			function;

	return find_coercion_pathway(NUMERICOID, type, COERCION_EXPLICIT, &function) != COERCION_PATH_NONE;
}
