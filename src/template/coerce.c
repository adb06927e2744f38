/*
 * coerce.c
 *	  From the type of an expression to the type of its place.
 *
 * Every coercion stands around its operand, which is therefore written once:
 * the SQL of a template is never longer than a constant times the template.
 *
 * The rules, beside SQL's own casts: JSON strings are unwrapped for anything
 * but JSON; only a whole number fits an integer type; a number fits boolean only
 * as 0 or 1; a boolean fits boolean, text and JSON; a time without a zone is
 * UTC, and becomes text and JSON as ISO 8601 in UTC; JSON arrays and objects fit
 * arrays and composite types; a text is bytes as base64.
 */
#include "postgres.h"

#include "base/time_text.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "template/coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define UNWRAP " OPERATOR(pg_catalog.#>>) '{}'::pg_catalog.text[])"

static bool from_text(Oid base, Oid to, Coercion *coercion);
static bool from_number(Oid base, Oid to, Coercion *coercion);
static bool from_boolean(Oid base, Oid to, Coercion *coercion);
static bool from_time(Oid base, Oid to, Coercion *coercion);
static bool from_jsonb(Oid base, Oid to, Coercion *coercion);
static bool from_json(Oid base, Oid to, Coercion *coercion);
static bool from_bytes(Oid base, Oid to, Coercion *coercion);
static bool from_other(Oid source, Oid base, Oid to, Coercion *coercion);
static bool by_text(const char *before, const char *after, Oid base, Oid to, Coercion *coercion);
static bool converted(Coercion *coercion, const char *function, const char *before, const char *after, Oid to);
static bool around(Coercion *coercion, const char *before, const char *after, Oid result, Oid to);
static bool is_cast_from_text(Oid type);
static bool cuts_silently(Oid type);
static bool is_text_like(Oid type);
static bool is_number(Oid type);
static bool is_populated(Oid type);

bool
template_coercion(Oid from, Oid to, Coercion *coercion)
{
	Oid			source = getBaseType(from);
	Oid			base = getBaseType(to);

	if (from == to)
		return around(coercion, "", "", to, to);
	if (source == base && !(is_text_like(base) && cuts_silently(to)))
		return around(coercion, "", "", from, to);

	switch (source)
	{
		case TEXTOID:
			return from_text(base, to, coercion);
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return from_number(base, to, coercion);
		case FLOAT4OID:
		case FLOAT8OID:
			if (template_type_is_whole(to))
				return around(coercion, "databite.whole(databite.exact(", "))", NUMERICOID, to);
			if (base == NUMERICOID)
				return around(coercion, "databite.exact(", ")", NUMERICOID, to);
			return from_number(base, to, coercion);
		case NUMERICOID:
			if (template_type_is_whole(to))
				return around(coercion, "databite.whole(", ")", NUMERICOID, to);
			return from_number(base, to, coercion);
		case BOOLOID:
			return from_boolean(base, to, coercion);
		case TIMESTAMPTZOID:
			return from_time(base, to, coercion);
		case JSONBOID:
			return from_jsonb(base, to, coercion);
		case JSONOID:
			return from_json(base, to, coercion);
		case BYTEAOID:
			return from_bytes(base, to, coercion);
		case TIMESTAMPOID:
			if (base == TIMESTAMPTZOID)
				return around(coercion, "pg_catalog.timezone('UTC', ", ")", TIMESTAMPTZOID, to);
			return from_other(source, base, to, coercion);
		case DATEOID:
			if (base == TIMESTAMPTZOID)
				return around(coercion, "pg_catalog.timezone('UTC', CAST(", " AS pg_catalog.timestamp))", TIMESTAMPTZOID, to);
			return from_other(source, base, to, coercion);
		default:
			if (is_text_like(source))
				return by_text("CAST(", " AS pg_catalog.text)", base, to, coercion);
			return from_other(source, base, to, coercion);
	}
}

char *
template_type_name(Oid type, int32 typmod)
{
	return format_type_extended(type, typmod, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

bool
template_cast_truncates(Oid type)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);

	switch (OidIsValid(element) ? element : base)
	{
		case VARCHAROID:
		case BPCHAROID:
		case BITOID:
		case VARBITOID:
			return true;
		default:
			return false;
	}
}

bool
template_type_is_json_like(Oid type)
{
	Oid			base = getBaseType(type);

	return base == JSONBOID || base == JSONOID || is_populated(base);
}

bool
template_type_is_whole(Oid type)
{
	Oid			base = getBaseType(type);

	return base == INT2OID || base == INT4OID || base == INT8OID;
}

const char *
template_describe_type(Oid type)
{
	switch (type)
	{
		case TEXTOID:
			return "a text";
		case NUMERICOID:
			return "a number";
		case BOOLOID:
			return "a boolean";
		case TIMESTAMPTZOID:
			return "a time";
		case JSONBOID:
			return "a JSON value";
		default:
			return format_type_be(type);
	}
}

static bool
from_text(Oid base, Oid to, Coercion *coercion)
{
	if (base == JSONBOID)
		return around(coercion, "pg_catalog.to_jsonb(", ")", JSONBOID, to);
	if (base == JSONOID)
		return around(coercion, "pg_catalog.to_json(", ")", JSONOID, to);
	if (base == TIMESTAMPTZOID)
		return around(coercion, "databite.to_datetime(", ")", TIMESTAMPTZOID, to);
	if (is_cast_from_text(base) && !cuts_silently(to))
		return around(coercion, "", "", TEXTOID, to);
	return converted(coercion, "from_text", "", "", to);
}

/*
 * All numbers.
 */
static bool
from_number(Oid base, Oid to, Coercion *coercion)
{
	if (is_number(base))
		return around(coercion, "", "", InvalidOid, to);
	if (base == JSONBOID)
		return around(coercion, "pg_catalog.to_jsonb(", ")", JSONBOID, to);
	if (base == JSONOID)
		return around(coercion, "pg_catalog.to_json(", ")", JSONOID, to);
	if (TypeCategory(base) == TYPCATEGORY_DATETIME || base == BYTEAOID)
		return false;
	return by_text("CAST(", " AS pg_catalog.text)", base, to, coercion);
}

static bool
from_boolean(Oid base, Oid to, Coercion *coercion)
{
	if (base == JSONBOID)
		return around(coercion, "pg_catalog.to_jsonb(", ")", JSONBOID, to);
	if (base == JSONOID)
		return around(coercion, "pg_catalog.to_json(", ")", JSONOID, to);
	if (!is_text_like(base))
		return false;
	return by_text("CAST(", " AS pg_catalog.text)", base, to, coercion);
}

/*
 * timestamptz; nothing here depends on the session's time zone or date style.
 */
static bool
from_time(Oid base, Oid to, Coercion *coercion)
{
	if (base == JSONBOID)
		return around(coercion, "pg_catalog.to_jsonb(databite.iso8601(", "))", JSONBOID, to);
	if (base == JSONOID)
		return around(coercion, "pg_catalog.to_json(databite.iso8601(", "))", JSONOID, to);
	if (TypeCategory(base) == TYPCATEGORY_DATETIME && base != TIMETZOID)
		return around(coercion, "pg_catalog.timezone('UTC', ", ")", TIMESTAMPOID, to);
	if (!is_text_like(base))
		return false;
	return by_text("databite.iso8601(", ")", base, to, coercion);
}

static bool
from_jsonb(Oid base, Oid to, Coercion *coercion)
{
	if (base == JSONOID)
		return around(coercion, "", "", InvalidOid, to);
	if (is_cast_from_text(base) && !cuts_silently(to))
		return around(coercion, "(", UNWRAP, TEXTOID, to);
	return converted(coercion, "from_json", "", "", to);
}

/*
 * json, which is what a document with templates is put together as.
 */
static bool
from_json(Oid base, Oid to, Coercion *coercion)
{
	Coercion	rest;

	if (base == JSONBOID)
		return around(coercion, "", "", InvalidOid, to);
	if (!from_jsonb(base, to, &rest))
		return false;
	coercion->before = psprintf("%sCAST(", rest.before);
	coercion->after = psprintf(" AS pg_catalog.jsonb)%s", rest.after);
	return true;
}

/*
 * bytea, which is a text where it is wanted as one: it must be UTF-8 then.
 */
static bool
from_bytes(Oid base, Oid to, Coercion *coercion)
{
	if (base == JSONBOID)
		return around(coercion, "pg_catalog.to_jsonb(pg_catalog.convert_from(", ", 'UTF8'))", JSONBOID, to);
	if (base == JSONOID)
		return around(coercion, "pg_catalog.to_json(pg_catalog.convert_from(", ", 'UTF8'))", JSONOID, to);
	if (!is_text_like(base))
		return false;
	/* The collation of the encoding's name is "C", in which there are no letters but ASCII's. */
	return by_text("(pg_catalog.convert_from(", ", 'UTF8') COLLATE pg_catalog.\"default\")", base, to, coercion);
}

/*
 * Any other type, of a filter or of a user's function: as its JSON, as its text,
 * as SQL casts it, or an array element by element.
 */
static bool
from_other(Oid source, Oid base, Oid to, Coercion *coercion)
{
	/* times the same in every session */
	bool		holds_time = time_type_holds_time(source);
	const char *to_jsonb = holds_time ? "databite.to_json(" : "pg_catalog.to_jsonb(";

	if (base == JSONBOID || base == JSONOID)
		return around(coercion, to_jsonb, ")", JSONBOID, to);
	if (is_text_like(base))
	{
		if (TypeCategory(source) == TYPCATEGORY_DATETIME)
			return by_text("(databite.to_json(", ")" UNWRAP, base, to, coercion);
		if (holds_time)
			return by_text("databite.to_text(", ")", base, to, coercion);
		return by_text("CAST(", " AS pg_catalog.text)", base, to, coercion);
	}
	if (can_coerce_type(1, &source, &base, COERCION_EXPLICIT))
		return around(coercion, "", "", InvalidOid, to);
	if (OidIsValid(get_element_type(source)) && OidIsValid(get_element_type(base)))
		return converted(coercion, "from_json", to_jsonb, ")", to);
	return false;
}

/*
 * To text by what is given, and from there to the place.  Always true.
 */
static bool
by_text(const char *before, const char *after, Oid base, Oid to, Coercion *coercion)
{
	Coercion	rest;

	(void) from_text(base, to, &rest);
	coercion->before = psprintf("%s%s", rest.before, before);
	coercion->after = psprintf("%s%s", after, rest.after);
	return true;
}

/*
 * Has databite's own conversion bring the text or jsonb to the type of the place,
 * as it does it for a path (item/convert_functions.c).  Always true.
 */
static bool
converted(Coercion *coercion, const char *function, const char *before, const char *after, Oid to)
{
	bool		domain = getBaseType(to) != to;

	coercion->before = psprintf("databite.%s%s(%s", function, domain ? "_domain" : "", before);
	coercion->after = psprintf("%s, CAST(NULL AS %s))", after,
							   template_type_name(domain ? get_array_type(to) : to, -1));
	return true;
}

/*
 * Sets the coercion to what is given, and casts its result to the type of the
 * place where that is another one.  Always true.
 */
static bool
around(Coercion *coercion, const char *before, const char *after, Oid result, Oid to)
{
	if (result == to)
	{
		coercion->before = pstrdup(before);
		coercion->after = pstrdup(after);
	}
	else
	{
		coercion->before = psprintf("CAST(%s", before);
		coercion->after = psprintf("%s AS %s)", after, template_type_name(to, -1));
	}
	return true;
}

/*
 * The types to which SQL's cast from text is what a string of an item becomes
 * them by, also where it fails: it never shows a long value whole.
 */
static bool
is_cast_from_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
}

/*
 * A domain with a length: a cast to it cuts what is longer, and says nothing.
 */
static bool
cuts_silently(Oid type)
{
	int32		typmod = -1;

	return getBaseTypeAndTypmod(type, &typmod) != type && typmod >= 0 && template_cast_truncates(type);
}

static bool
is_text_like(Oid type)
{
	return TypeCategory(type) == TYPCATEGORY_STRING;
}

/*
 * The numbers that numeric is cast to.
 */
static bool
is_number(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return true;
		default:
			return false;
	}
}

/*
 * The types that are filled from a JSON array or object, member by member.
 */
static bool
is_populated(Oid type)
{
	return OidIsValid(get_element_type(type)) || type_is_rowtype(type);
}
