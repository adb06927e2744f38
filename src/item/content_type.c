/*
 * content_type.c
 *	  What the Content-Type of a response says of its body (RFC 9110, 8.3).
 */
#include "postgres.h"

#include "item/content_type.h"

/* NDJSON has no registered name; these are in use. */
static const char *const ndjson_types[] = {
	"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonl", "application/jsonlines",
	"application/x-jsonlines", "application/json-lines", "application/stream+json", "text/x-ndjson", "text/jsonl", NULL
};

static const char *const csv_types[] = {"text/csv", "application/csv", "text/x-csv", "application/x-csv", NULL};

static bool is_one_of(const char *name, size_t len, const char *const *names);
static bool is_named(const char *name, size_t len, const char *expected);
static const char *read_parameter(const char *p, ContentType *type);
static void store_parameter(const char *name, size_t name_len, const char *value, size_t len, ContentType *type);

void
content_type_parse(const char *text, ContentType *type)
{
	size_t		len;

	memset(type, 0, sizeof(*type));
	type->format = FORMAT_JSON;
	if (text == NULL)
		return;

	text += strspn(text, " \t");
	len = strcspn(text, "; \t");
	if (is_one_of(text, len, ndjson_types))
		type->format = FORMAT_NDJSON;
	else if (is_one_of(text, len, csv_types))
		type->format = FORMAT_CSV;
	else if (is_named(text, len, "text/tab-separated-values"))
	{
		type->format = FORMAT_CSV;
		type->tabs = true;
	}
	text += len;
	while ((text = strchr(text, ';')) != NULL)
		text = read_parameter(text + 1, type);
}

/* Reads name=value or name="value"; returns the position after it. */
static const char *
read_parameter(const char *p, ContentType *type)
{
	char		quoted[CONTENT_CHARSET_LEN + 2];
	size_t		quoted_len = 0;
	const char *name;
	size_t		name_len;
	size_t		len;

	p += strspn(p, " \t");
	name = p;
	name_len = strcspn(p, "=; \t");
	p += name_len;
	if (*p != '=')
		return p;
	p++;
	if (*p != '"')
	{
		len = strcspn(p, "; \t");
		store_parameter(name, name_len, p, len, type);
		return p + len;
	}
	for (p++; *p != '"' && *p != '\0'; p++)
	{
		if (*p == '\\' && p[1] != '\0')
			p++;
		if (quoted_len < sizeof(quoted))
			quoted[quoted_len++] = *p;
	}
	store_parameter(name, name_len, quoted, quoted_len, type);
	return p;
}

/* The first of equal names counts. */
static void
store_parameter(const char *name, size_t name_len, const char *value, size_t len, ContentType *type)
{
	if (is_named(name, name_len, "charset") && type->charset[0] == '\0')
	{
		/* One that is cut is as unknown as it was. */
		len = Min(len, CONTENT_CHARSET_LEN);
		memcpy(type->charset, value, len);
		type->charset[len] = '\0';
	}
	else if (is_named(name, name_len, "header"))	/* RFC 4180 */
		type->headless = is_named(value, len, "absent");
}

static bool
is_one_of(const char *name, size_t len, const char *const *names)
{
	for (; *names != NULL; names++)
	{
		if (is_named(name, len, *names))
			return true;
	}
	return false;
}

/* Case does not count. */
static bool
is_named(const char *name, size_t len, const char *expected)
{
	return strlen(expected) == len && pg_strncasecmp(name, expected, len) == 0;
}
