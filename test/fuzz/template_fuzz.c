/*
 * template_fuzz.c
 *	  libFuzzer target: whatever a template says, the SQL of it is one expression.
 *
 * The first byte chooses what the text is compiled as and where it stands, the
 * second the type that is wanted; the rest is the template.  The SQL must be
 * made of known words, quoted constants, $1, $2 and balanced brackets: no text of
 * the template may stand in it but in quotes.  What it does to items must be what
 * the compiler says it does.  No memory may be left behind.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "template/filters.h"
#include "template/template.h"
#include "template_shim.h"
#include "utils/memutils.h"

static const Oid wanted[] = {
	InvalidOid, TEXTOID, NUMERICOID, INT4OID, INT8OID, FLOAT8OID, BOOLOID, TIMESTAMPTZOID, TIMESTAMPOID, DATEOID, JSONBOID, JSONOID,
	BYTEAOID, INT4ARRAYOID, SHIM_DOMAIN, SHIM_ROW, SHIM_ENUM, SHIM_CODE, VARCHAROID, TIMEOID, UUIDOID
};

#define TRANSFORM	(TEMPLATE_SCOPE_ITEM | TEMPLATE_SCOPE_SYNC | TEMPLATE_SCOPE_PAYLOAD)

/* Where templates stand. */
static const struct
{
	int			scopes;
	bool		validated;
	const char *column;
}			places[] = {
	{TRANSFORM},
	{TEMPLATE_SCOPE_SECRETS | TEMPLATE_SCOPE_SYNC | TEMPLATE_SCOPE_PAYLOAD},
	{TEMPLATE_SCOPE_ITEM | TEMPLATE_SCOPE_ANY},
	{TRANSFORM | TEMPLATE_SCOPE_CONTROL, false, "a column"},
	{TRANSFORM | TEMPLATE_SCOPE_CONTROL, true, "it's \\ \"; --"}
};

/* The words of SQL and of type names that may stand for themselves. */
static const char *const words[] = {
	"AND", "ANY", "ARRAY", "AS", "CASE", "CAST", "COALESCE", "COLLATE", "ELSE", "END", "FROM", "IS", "NOT", "NULL", "OPERATOR", "OR", "SELECT", "THEN", "VARIADIC", "WHEN",
	"b", "r", "v", "true", "false", "bigint", "boolean", "character", "varying", "double", "precision", "integer", "numeric", "timestamp", "with",
	"without", "time", "zone", "uuid", NULL
};

/* And those behind a schema, besides the functions in the tables of filters: what hooks and coercions write. */
static const char *const qualified[] = {
	"pg_catalog.array_remove", "pg_catalog.bytea", "pg_catalog.convert_from", "pg_catalog.date", "pg_catalog.json", "pg_catalog.jsonb",
	"pg_catalog.jsonb_array_elements", "pg_catalog.jsonb_build_object", "pg_catalog.jsonb_path_query_array", "pg_catalog.jsonb_path_query_first",
	"pg_catalog.jsonpath", "pg_catalog.numeric", "pg_catalog.text", "pg_catalog.timestamp", "pg_catalog.timezone", "pg_catalog.to_json",
	"pg_catalog.to_jsonb", "pg_catalog.trim_scale", "databite.exact", "databite.filter_tz_local", "databite.from_json",
	"databite.from_json_domain", "databite.from_text", "databite.from_text_domain", "databite.iso8601", "databite.missing", "databite.secret",
	"databite.to_json", "databite.to_text", "databite.valid_email", "databite.valid_phone", "databite.valid_url", "databite.valid_uuid",
	"databite.whole", "b.ord", NULL
};

/* Those that mark an item, and how. */
static const struct
{
	const char *name;
	int			marks;
}			marking[] = {
	{"databite.skip_item", TEMPLATE_SKIPS},
	{"databite.reject_item", TEMPLATE_REJECTS},
	{"databite.reject_invalid", TEMPLATE_REJECTS},
	{"databite.reject_missing", TEMPLATE_REJECTS}
};

static const TemplateFilter *const groups[] = {
	template_null_filters, template_text_filters, template_number_filters, template_time_filters,
	template_json_filters, template_coding_filters, template_check_filters, template_control_filters
};

/* The names of the table of types, and what else is known in quotes. */
static const char *const quoted[] = {
	"public.\"a \"\"domain\"", "public.code", "public.\"row; --\"", "public.\"E'\"", "pg_catalog.\"default\"", NULL
};

int			LLVMFuzzerTestOneInput(const uint8 *data, size_t size);

static void compile(uint8 mode, uint8 type, const char *text);
static int	check_sql(const char *sql);
static const char *skip_constant(const char *p, bool escapes);
static const char *skip_word(const char *p, int *marks);
static const char *skip_listed(const char *const *list, const char *p);
static bool is_listed(const char *const *list, const char *word);
static bool is_filter_function(const char *name);
static bool is_word_char(char c);

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t size)
{
	MemoryContext top = AllocSetContextCreate(NULL, "fuzz", ALLOCSET_DEFAULT_SIZES);

	CurrentMemoryContext = top;
	if (size >= 2 && memchr(data + 2, '\0', size - 2) == NULL &&
		pg_encoding_verifymbstr(PG_UTF8, (const char *) data + 2, size - 2) == size - 2)
	{
		compile(data[0], data[1], pnstrdup((const char *) data + 2, size - 2));
		if (CurrentMemoryContext != top || shim_contexts() != 1)
			abort();
	}
	MemoryContextDelete(top);
	return 0;
}

static void
compile(uint8 mode, uint8 type, const char *text)
{
	int			place = mode / 4 % lengthof(places);
	Oid			want = wanted[type % lengthof(wanted)];
	int32		typmod = want == VARCHAROID || (want == NUMERICOID && type >= lengthof(wanted)) ? 7 : -1;
	ProblemList *problems = problem_list_create(CurrentMemoryContext);
	TemplateCompiler *compiler = template_compiler_create(places[place].scopes, problems);
	JobValue	value = {.text = pstrdup(text), .is_json = mode % 4 >= 2, .pointer = "/place"};
	TemplateExpr *expr;

	compiler->validated = places[place].validated;
	compiler->column = places[place].column;
	if (mode % 4 == 1)
		expr = template_compile_url(compiler, &value);
	else if (mode % 4 == 3)
		expr = template_compile_json(compiler, &value);
	else
		expr = template_compile(compiler, &value, want, typmod);

	/* Either there is an expression or a reason why not. */
	if ((expr == NULL) != (problems->problems != NIL))
		abort();
	if (expr != NULL && check_sql(expr->sql) != compiler->inputs->marks)
		abort();
}

/*
 * Walks the SQL as PostgreSQL's lexer would.  What it does to items: a mask.
 */
static int
check_sql(const char *sql)
{
	char	   *brackets = palloc(strlen(sql) + 1);
	int			depth = 0;
	int			marks = 0;
	const char *p = sql;

	while (p != NULL && *p != '\0')
	{
		if (*p == '\'')
			p = skip_constant(p + 1, false);
		else if (*p == 'E' && p[1] == '\'')
			p = skip_constant(p + 2, true);
		else if (*p == '(' || *p == '[')
			brackets[depth++] = *p++ == '(' ? ')' : ']';
		else if (*p == ')' || *p == ']')
			p = depth > 0 && brackets[--depth] == *p ? p + 1 : NULL;
		else if (*p == '$')
			p = (p[1] == '1' || p[1] == '2') && !is_word_char(p[2]) ? p + 2 : NULL;
		else if (*p >= '0' && *p <= '9')
			p = is_word_char(p[1]) && !(p[1] >= '0' && p[1] <= '9') ? NULL : p + 1;
		else if (is_word_char(*p))
			p = skip_word(p, &marks);
		else if (*p == '"')
			p = skip_listed(shim_functions, p);
		else if (strncmp(p, "--", 2) == 0 || strncmp(p, "/*", 2) == 0)
			p = NULL;
		else
			p = strchr(" ,.:+-*/%<>=|#", *p) != NULL ? p + 1 : NULL;
	}
	if (p == NULL || depth > 0)
	{
		fprintf(stderr, "unsafe: %s\n", sql);
		abort();
	}
	return marks;
}

/* p: behind the opening quote.  The place behind the closing one, or NULL. */
static const char *
skip_constant(const char *p, bool escapes)
{
	for (; *p != '\0'; p++)
	{
		if (*p == '\\' && escapes && p[1] != '\0')
			p++;
		else if (*p == '\\')
			return NULL;		/* without E it means two things */
		else if (*p == '\'' && p[1] == '\'')
			p++;
		else if (*p == '\'')
			return p + 1;
	}
	return NULL;
}

/* The place behind a word, with its schema, if it is a known one; else NULL. */
static const char *
skip_word(const char *p, int *marks)
{
	const char *end = skip_listed(quoted, p);
	char	   *word;

	if (end != NULL)
		return end;
	end = p;
	while (is_word_char(*end))
		end++;
	word = pnstrdup(p, end - p);
	if (*end != '.')
		return is_listed(words, word) ? end : NULL;

	end++;
	if (strcmp(word, "pg_catalog") == 0 && !is_word_char(*end))
		return end;				/* an operator */
	while (is_word_char(*end))
		end++;
	word = pnstrdup(p, end - p);
	for (int i = 0; i < lengthof(marking); i++)
	{
		if (strcmp(marking[i].name, word) == 0)
		{
			*marks |= marking[i].marks;
			return end;
		}
	}
	if (strncmp(word, "b.p", 3) == 0 && word[3] != '\0' && strspn(word + 3, "0123456789") == strlen(word + 3))
		return end;
	return is_listed(qualified, word) || is_filter_function(word) ? end : NULL;
}

/* The place behind the one of the list that the text begins with, or NULL. */
static const char *
skip_listed(const char *const *list, const char *p)
{
	for (; *list != NULL; list++)
	{
		if (strncmp(*list, p, strlen(*list)) == 0 && !is_word_char(p[strlen(*list)]))
			return p + strlen(*list);
	}
	return NULL;
}

static bool
is_listed(const char *const *list, const char *word)
{
	for (; *list != NULL; list++)
	{
		if (strcmp(*list, word) == 0)
			return true;
	}
	return false;
}

static bool
is_filter_function(const char *name)
{
	for (int i = 0; i < lengthof(groups); i++)
	{
		for (const TemplateFilter *filter = groups[i]; filter->name != NULL; filter++)
		{
			if (filter->function != NULL && strcmp(filter->function, name) == 0)
				return true;
		}
	}
	return false;
}

static bool
is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || IS_HIGHBIT_SET(c);
}
