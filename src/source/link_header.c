/*
 * link_header.c
 *	  The Link header of RFC 8288, read as its appendix B.2 says.
 *
 *	  Link: <https://api.example.com/items?page=2>; rel="next", </items>; rel=first
 */
#include "postgres.h"

#include "source/link_header.h"

/* One parameter of a link. */
typedef struct LinkParameter
{
	const char *name;
	size_t		name_len;
	char	   *value;			/* unescaped */
} LinkParameter;

static bool next_parameter(const char **cursor, LinkParameter *parameter);
static char *read_value(const char **cursor);
static bool has_relation(const char *relations, const char *relation);
static bool named(const LinkParameter *parameter, const char *name);
static const char *skip_space(const char *p);

char *
link_header_find(const char *value, const char *relation)
{
	const char *p = value;

	for (;;)
	{
		const char *target;
		size_t		target_len;
		bool		matches = false;
		bool		rel_seen = false;
		bool		anchored = false;
		LinkParameter parameter;

		/* empty members of a list are allowed */
		while (*p == ',' || *p == ' ' || *p == '\t')
			p++;
		if (*p != '<')
			return NULL;
		target = ++p;
		target_len = strcspn(p, ">");
		p += target_len;
		if (*p != '>')
			return NULL;
		p++;

		while (next_parameter(&p, &parameter))
		{
			if (named(&parameter, "rel") && !rel_seen)
			{
				/* only the first counts (section 3.3) */
				rel_seen = true;
				matches = has_relation(parameter.value, relation);
			}
			else if (named(&parameter, "anchor"))
				anchored = true;
			pfree(parameter.value);
		}
		if (matches && !anchored)
			return pnstrdup(target, target_len);
	}
}

/* Reads "; name=value", "; name="value"" or "; name"; false at the end of the link. */
static bool
next_parameter(const char **cursor, LinkParameter *parameter)
{
	const char *p = skip_space(*cursor);

	while (*p == ';')
		p = skip_space(p + 1);
	if (*p == '\0' || *p == ',')
	{
		*cursor = p;
		return false;
	}

	parameter->name = p;
	parameter->name_len = strcspn(p, " \t=;,");
	p = skip_space(p + parameter->name_len);
	if (*p == '=')
	{
		p = skip_space(p + 1);
		parameter->value = read_value(&p);
	}
	else
		parameter->value = pstrdup("");
	*cursor = p;
	return true;
}

/* Reads a token or a quoted string and steps behind it. */
static char *
read_value(const char **cursor)
{
	const char *start = *cursor;
	const char *end;
	char	   *value;
	char	   *out;

	if (*start != '"')
	{
		*cursor = start + strcspn(start, ";, \t");
		return pnstrdup(start, *cursor - start);
	}

	for (end = ++start; *end != '\0' && *end != '"'; end++)
	{
		if (*end == '\\' && end[1] != '\0')
			end++;
	}
	*cursor = *end == '"' ? end + 1 : end;

	value = out = palloc(end - start + 1);
	for (const char *p = start; p < end; p++)
	{
		if (*p == '\\' && p + 1 < end)
			p++;
		*out++ = *p;
	}
	*out = '\0';
	return value;
}

/* Is relation one of these, separated by spaces?  Case does not count. */
static bool
has_relation(const char *relations, const char *relation)
{
	const char *p = relations;

	for (;;)
	{
		size_t		len;

		p = skip_space(p);
		if (*p == '\0')
			return false;
		len = strcspn(p, " \t");
		if (len == strlen(relation) && pg_strncasecmp(p, relation, len) == 0)
			return true;
		p += len;
	}
}

static bool
named(const LinkParameter *parameter, const char *name)
{
	return parameter->name_len == strlen(name) &&
		pg_strncasecmp(parameter->name, name, parameter->name_len) == 0;
}

static const char *
skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}
