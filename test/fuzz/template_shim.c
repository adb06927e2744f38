/*
 * template_shim.c
 *	  What the template compiler needs of a backend, for a program that is none.
 *
 * Memory contexts are real enough that what a deleted one held cannot be used
 * any more: every chunk is memory of its own.  The catalog is a table of a few
 * types (its functions are in function_shim.c); input functions take some texts
 * and refuse others; an error that nothing catches ends the program.
 */
#include "postgres.h"

#include <setjmp.h>

#include "template_shim.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/errors.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "regex/regex.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

typedef struct Chunk
{
	struct Chunk *next;
	struct Chunk *previous;
	Size		size;
	MemoryContext context;		/* right before the memory, where GetMemoryChunkContext looks */
} Chunk;

/* A context of this program; the node is what others point to. */
typedef struct ShimContext
{
	MemoryContextData node;
	Chunk		chunks;			/* head of a ring */
} ShimContext;

static const struct
{
	Oid			oid;
	const char *name;
	char		category;
	Oid			base;			/* of a domain, else itself */
	int32		typmod;			/* of a domain with a length */
	Oid			element;
	bool		is_row;
}			types[] =
{
	{TEXTOID, "pg_catalog.text", TYPCATEGORY_STRING, TEXTOID, -1},
	{VARCHAROID, "character varying", TYPCATEGORY_STRING, VARCHAROID, -1},
	{NUMERICOID, "numeric", TYPCATEGORY_NUMERIC, NUMERICOID, -1},
	{INT4OID, "integer", TYPCATEGORY_NUMERIC, INT4OID, -1},
	{INT8OID, "bigint", TYPCATEGORY_NUMERIC, INT8OID, -1},
	{FLOAT8OID, "double precision", TYPCATEGORY_NUMERIC, FLOAT8OID, -1},
	{BOOLOID, "boolean", TYPCATEGORY_BOOLEAN, BOOLOID, -1},
	{TIMESTAMPTZOID, "timestamp with time zone", TYPCATEGORY_DATETIME, TIMESTAMPTZOID, -1},
	{TIMESTAMPOID, "timestamp without time zone", TYPCATEGORY_DATETIME, TIMESTAMPOID, -1},
	{TIMEOID, "time without time zone", TYPCATEGORY_DATETIME, TIMEOID, -1},
	{DATEOID, "pg_catalog.date", TYPCATEGORY_DATETIME, DATEOID, -1},
	{UUIDOID, "uuid", TYPCATEGORY_USER, UUIDOID, -1},
	{JSONBOID, "pg_catalog.jsonb", TYPCATEGORY_USER, JSONBOID, -1},
	{JSONOID, "pg_catalog.json", TYPCATEGORY_USER, JSONOID, -1},
	{BYTEAOID, "pg_catalog.bytea", TYPCATEGORY_USER, BYTEAOID, -1},
	{INT4ARRAYOID, "integer[]", TYPCATEGORY_ARRAY, INT4ARRAYOID, -1, INT4OID},
	{SHIM_DOMAIN, "public.\"a \"\"domain\"", TYPCATEGORY_NUMERIC, INT4OID, -1},
	{SHIM_DOMAIN_ARRAY, "public.\"a \"\"domain\"[]", TYPCATEGORY_ARRAY, SHIM_DOMAIN_ARRAY, -1, SHIM_DOMAIN},
	{SHIM_CODE, "public.code", TYPCATEGORY_STRING, VARCHAROID, 7},
	{SHIM_CODE_ARRAY, "public.code[]", TYPCATEGORY_ARRAY, SHIM_CODE_ARRAY, -1, SHIM_CODE},
	{SHIM_ROW, "public.\"row; --\"", TYPCATEGORY_COMPOSITE, SHIM_ROW, -1, InvalidOid, true},
	{SHIM_ENUM, "public.\"E'\"", TYPCATEGORY_ENUM, SHIM_ENUM, -1},
};

MemoryContext CurrentMemoryContext;
MemoryContext ErrorContext;
ResourceOwner CurrentResourceOwner;
sigjmp_buf *PG_exception_stack;
ErrorContextCallback *error_context_stack;
volatile sig_atomic_t InterruptPending;
pg_tz	   *session_timezone;
int			DateStyle;
int			DateOrder;
int			IntervalStyle;

const int	day_tab[2][13] = {
	{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0},
	{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0}
};

static ErrorData raised = {.elevel = ERROR, .message = "it does not fit"};
static int	contexts;
static char a_zone;				/* all time zones; its address is what counts */

static int	find_type(Oid oid);
static void *shim_alloc(MemoryContext context, Size size);
static Chunk *chunk_of(void *pointer);
static void raise_unless(bool fits);
static bool fits(Oid type, char *text);

/* ---- memory */

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name, Size min, Size init, Size max)
{
	ShimContext *context = calloc(1, sizeof(ShimContext));

	context->node.type = T_AllocSetContext;
	context->chunks.next = context->chunks.previous = &context->chunks;
	contexts++;
	return &context->node;
}

void
MemoryContextDelete(MemoryContext node)
{
	ShimContext *context = (ShimContext *) node;

	while (context->chunks.next != &context->chunks)
		pfree(context->chunks.next + 1);
	free(context);
	contexts--;
}

int
shim_contexts(void)
{
	return contexts;
}

void *
palloc(Size size)
{
	return shim_alloc(CurrentMemoryContext, size);
}

void *
palloc0(Size size)
{
	return memset(palloc(size), 0, size);
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return shim_alloc(context, size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return memset(shim_alloc(context, size), 0, size);
}

void
pfree(void *pointer)
{
	Chunk	   *chunk = chunk_of(pointer);

	chunk->next->previous = chunk->previous;
	chunk->previous->next = chunk->next;
	free(chunk);
}

void *
repalloc(void *pointer, Size size)
{
	Chunk	   *chunk = chunk_of(pointer);
	void	   *copy = shim_alloc(chunk->context, size);

	memcpy(copy, pointer, Min(size, chunk->size));
	pfree(pointer);
	return copy;
}

char *
pnstrdup(const char *text, Size len)
{
	char	   *copy;

	len = strnlen(text, len);
	copy = palloc(len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *
pstrdup(const char *text)
{
	return pnstrdup(text, strlen(text));
}

char *
MemoryContextStrdup(MemoryContext context, const char *text)
{
	return strcpy(MemoryContextAlloc(context, strlen(text) + 1), text);
}

char *
psprintf(const char *format,...)
{
	va_list		args;
	char	   *result;
	int			len;

	va_start(args, format);
	len = pg_vsnprintf(NULL, 0, format, args);
	va_end(args);
	result = palloc(len + 1);
	va_start(args, format);
	pg_vsnprintf(result, len + 1, format, args);
	va_end(args);
	return result;
}

size_t
pvsnprintf(char *buffer, size_t size, const char *format, va_list args)
{
	size_t		len = pg_vsnprintf(buffer, size, format, args);

	return len < size ? len : len + 1;
}

/* Until 16 it is a macro of the header, which looks where Chunk has it. */
#if PG_VERSION_NUM >= 160000
MemoryContext
GetMemoryChunkContext(void *pointer)
{
	return chunk_of(pointer)->context;
}
#endif

static void *
shim_alloc(MemoryContext node, Size size)
{
	ShimContext *context = (ShimContext *) node;
	Chunk	   *chunk = malloc(sizeof(Chunk) + size);

	chunk->size = size;
	chunk->context = node;
	chunk->next = context->chunks.next;
	chunk->previous = &context->chunks;
	chunk->next->previous = chunk->previous->next = chunk;
	return chunk + 1;
}

static Chunk *
chunk_of(void *pointer)
{
	return (Chunk *) pointer - 1;
}

/* ---- lists */

List *
lappend(List *list, void *datum)
{
	if (list == NIL)
	{
		list = palloc0(sizeof(List));
		list->type = T_List;
		list->max_length = 4;
		list->elements = palloc(list->max_length * sizeof(ListCell));
	}
	else if (list->length == list->max_length)
	{
		list->max_length *= 2;
		list->elements = repalloc(list->elements, list->max_length * sizeof(ListCell));
	}
	list->elements[list->length++].ptr_value = datum;
	return list;
}

/* A cell that holds an OID has room for a pointer. */
List *
lappend_oid(List *list, Oid datum)
{
	list = lappend(list, NULL);
	list->type = T_OidList;
	list->elements[list->length - 1].oid_value = datum;
	return list;
}

List *
list_make1_impl(NodeTag type, ListCell a)
{
	List	   *list = lappend(NIL, NULL);

	list->type = type;
	list->elements[0] = a;
	return list;
}

List *
list_make3_impl(NodeTag type, ListCell a, ListCell b, ListCell c)
{
	List	   *list = list_make1_impl(type, a);

	list = lappend(lappend(list, NULL), NULL);
	list->elements[1] = b;
	list->elements[2] = c;
	return list;
}

List *
list_copy(const List *list)
{
	List	   *copy = NIL;

	for (int i = 0; i < list_length(list); i++)
	{
		copy = lappend(copy, NULL);
		copy->type = list->type;
		copy->elements[i] = list->elements[i];
	}
	return copy;
}

List *
list_delete_last(List *list)
{
	return --list->length == 0 ? NIL : list;
}

/* ---- texts */

char *
quote_literal_cstr(const char *text)
{
	char	   *result = palloc(2 * strlen(text) + 4);
	char	   *p = result;

	if (strchr(text, '\\') != NULL)
		*p++ = 'E';
	*p++ = '\'';
	for (; *text != '\0'; text++)
	{
		if (*text == '\'' || *text == '\\')
			*p++ = *text;
		*p++ = *text;
	}
	*p++ = '\'';
	*p = '\0';
	return result;
}

void
escape_json(StringInfo out, const char *text)
{
	appendStringInfoChar(out, '"');
	for (; *text; text++)
	{
		if ((unsigned char) *text < ' ')
			appendStringInfo(out, "\\u%04x", *text);
		else if (*text == '"' || *text == '\\')
			appendStringInfo(out, "\\%c", *text);
		else
			appendStringInfoChar(out, *text);
	}
	appendStringInfoChar(out, '"');
}

int
GetDatabaseEncoding(void)
{
	return PG_UTF8;
}

void
pg_unicode_to_server(pg_wchar c, unsigned char *s)
{
	unicode_to_utf8(c, s);
}

int
pg_mblen(const char *text)
{
	return pg_utf_mblen((const unsigned char *) text);
}

int
pg_dsplen(const char *text)
{
	return 1;
}

int
pg_mbstrlen_with_len(const char *text, int len)
{
	int			characters = 0;

	for (int i = 0; i < len; i++)
		characters += ((unsigned char) text[i] & 0xC0) != 0x80;
	return characters;
}

int
pg_mbcliplen(const char *text, int len, int limit)
{
	int			clipped = 0;

	while (clipped < len && clipped + pg_mblen(text + clipped) <= limit)
		clipped += pg_mblen(text + clipped);
	return clipped;
}

int
varstr_levenshtein_less_equal(const char *a, int alen, const char *b, int blen, int ins, int del, int sub, int max, bool trusted)
{
	return alen == blen && memcmp(a, b, alen) == 0 ? 0 : max + 1;
}

/* Always in quotes, so that what reads the SQL need not know the keywords. */
char *
quote_qualified_identifier(const char *schema, const char *name)
{
	const char *const parts[] = {schema, name};
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < lengthof(parts); i++)
	{
		appendStringInfoString(&out, i > 0 ? ".\"" : "\"");
		for (const char *p = parts[i]; *p != '\0'; p++)
		{
			if (*p == '"')
				appendStringInfoChar(&out, '"');
			appendStringInfoChar(&out, *p);
		}
		appendStringInfoChar(&out, '"');
	}
	return out.data;
}

int
pg_mb2wchar_with_len(const char *from, pg_wchar *to, int len)
{
	return pg_wchar_table[PG_UTF8].mb2wchar_with_len((const unsigned char *) from, to, len);
}

/* One that begins with "*" is none; any other has a group for every bracket. */
int
pg_regcomp(regex_t *regex, const pg_wchar *pattern, size_t len, int flags, Oid collation)
{
	if (len > 0 && pattern[0] == '*')
		return REG_BADRPT;
	regex->re_nsub = 0;
	for (size_t i = 0; i < len; i++)
		regex->re_nsub += pattern[i] == '(';
	return REG_OKAY;
}

size_t
pg_regerror(int error, const regex_t *regex, char *out, size_t size)
{
	return strlcpy(out, "it does not fit", size);
}

void
pg_regfree(regex_t *regex)
{
}

/* ---- times */

/* Every zone whose name has a capital letter at the front. */
pg_tz *
pg_tzset(const char *name)
{
	return name[0] >= 'A' && name[0] <= 'Z' ? (pg_tz *) &a_zone : NULL;
}

pg_tz *
pg_tzset_offset(long offset)
{
	return (pg_tz *) &a_zone;
}

bool
pg_tz_acceptable(pg_tz *zone)
{
	return true;
}

/* Days count up; that is all that is asked of them here. */
int
date2j(int year, int month, int day)
{
	return (year * 12 + month) * 31 + day;
}

int
isoweek2j(int year, int week)
{
	return date2j(year, 1, 7 * week);
}

/* ---- types */

Oid
getBaseType(Oid oid)
{
	return types[find_type(oid)].base;
}

Oid
getBaseTypeAndTypmod(Oid oid, int32 *typmod)
{
	int			i = find_type(oid);

	if (types[i].typmod >= 0)
		*typmod = types[i].typmod;
	return types[i].base;
}

Oid
get_array_type(Oid oid)
{
	for (int i = 0; i < lengthof(types); i++)
	{
		if (types[i].element == oid)
			return types[i].oid;
	}
	return InvalidOid;
}

Oid
get_element_type(Oid oid)
{
	return types[find_type(oid)].element;
}

/* No type of the table is a range. */
bool
type_is_multirange(Oid oid)
{
	return false;
}

Oid
get_range_subtype(Oid oid)
{
	return InvalidOid;
}

Oid
get_multirange_range(Oid oid)
{
	return InvalidOid;
}

TYPCATEGORY
TypeCategory(Oid oid)
{
	return types[find_type(oid)].category;
}

bool
type_is_rowtype(Oid oid)
{
	return types[find_type(oid)].is_row;
}

bool
can_coerce_type(int n, const Oid *from, const Oid *to, CoercionContext context)
{
	return TypeCategory(*from) == TypeCategory(*to);
}

char *
format_type_extended(Oid oid, int32 typmod, bits16 flags)
{
	const char *name = types[find_type(oid)].name;

	return typmod >= 0 ? psprintf("%s(%d)", name, typmod) : pstrdup(name);
}

char *
format_type_be(Oid oid)
{
	return format_type_extended(oid, -1, 0);
}

static int
find_type(Oid oid)
{
	for (int i = 0; i < lengthof(types); i++)
	{
		if (types[i].oid == oid)
			return i;
	}
	fprintf(stderr, "type %u is not in the table\n", oid);
	abort();
}

/* ---- functions: an input function is known by its type */

void
getTypeInputInfo(Oid type, Oid *input, Oid *param)
{
	*input = *param = type;
}

Datum
OidInputFunctionCall(Oid type, char *text, Oid param, int32 typmod)
{
	raise_unless(fits(type, text));
	return (Datum) 0;
}

static void
raise_unless(bool fits)
{
	if (!fits)
		ereport(ERROR, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION));
}

/* JSON is what the parser relies on, and whole numbers are looked into; others take some texts and refuse others. */
static bool
fits(Oid type, char *text)
{
	if (type == JSONOID || type == JSONBOID)
	{
		JsonLexContext *lex = compat_json_lexer(text, strlen(text));

		return pg_parse_json(lex, &nullSemAction) == JSON_SUCCESS;
	}
	switch (type)
	{
		case NUMERICOID:
		case INT4OID:
		case INT8OID:
		case FLOAT8OID:
		case SHIM_DOMAIN:
			return strspn(text, "-+.eE0123456789") == strlen(text);
		case TEXTOID:
			return true;
		default:
			return strlen(text) % 2 == 0;
	}
}

Datum
DirectFunctionCall1Coll(PGFunction function, Oid collation, Datum argument)
{
	return argument;
}

Datum
DirectFunctionCall2Coll(PGFunction function, Oid collation, Datum a, Datum b)
{
	return a;
}

/* An input function. */
Datum
DirectFunctionCall3Coll(PGFunction function, Oid collation, Datum text, Datum param, Datum typmod)
{
	if (function == timestamptz_in || function == date_in)
		raise_unless(fits(TIMESTAMPTZOID, DatumGetCString(text)));
	return CStringGetDatum(pstrdup(DatumGetCString(text)));
}

Datum
numeric_in(PG_FUNCTION_ARGS)
{
	abort();
}

Datum
numeric_out(PG_FUNCTION_ARGS)
{
	abort();
}

Datum
numeric_trim_scale(PG_FUNCTION_ARGS)
{
	abort();
}

Datum
timestamptz_in(PG_FUNCTION_ARGS)
{
	abort();
}

Datum
timestamptz_scale(PG_FUNCTION_ARGS)
{
	abort();
}

Datum
date_in(PG_FUNCTION_ARGS)
{
	abort();
}

/* ---- errors and transactions */

bool
errstart(int elevel, const char *domain)
{
	return true;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return true;
}

int
errcode(int sqlerrcode)
{
	raised.sqlerrcode = sqlerrcode;
	return 0;
}

int
errmsg(const char *format,...)
{
	return 0;
}

int
errmsg_internal(const char *format,...)
{
	return 0;
}

int
errdetail_internal(const char *format,...)
{
	return 0;
}

int
errhint(const char *format,...)
{
	return 0;
}

void
errfinish(const char *file, int line, const char *function)
{
	if (PG_exception_stack != NULL)
		pg_re_throw();
	fprintf(stderr, "raised in %s, %s:%d\n", function, file, line);
	abort();
}

void
pg_re_throw(void)
{
	siglongjmp(*PG_exception_stack, 1);
}

ErrorData *
CopyErrorData(void)
{
	return &raised;
}

void
ReThrowError(ErrorData *error)
{
	if (error_is_of_value(error) && PG_exception_stack != NULL)
	{
		raised = *error;
		pg_re_throw();
	}
	fprintf(stderr, "an error that no value is to blame for\n");
	abort();
}

/* Of errors that another process has sent, or that a run has made: templates do neither. */
void
ThrowErrorData(ErrorData *error)
{
	ReThrowError(error);
}

void
FlushErrorState(void)
{
}

bool
IsInParallelMode(void)
{
	return false;
}

void
BeginInternalSubTransaction(const char *name)
{
}

int
GetCurrentTransactionNestLevel(void)
{
	return 1;
}

void
ReleaseCurrentSubTransaction(void)
{
}

void
RollbackAndReleaseCurrentSubTransaction(void)
{
}

void
ProcessInterrupts(void)
{
}
