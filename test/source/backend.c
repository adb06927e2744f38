/*
 * backend.c
 *	  What the tested sources use of the server, in its simplest form.
 *
 * palloc, StringInfo and hash functions are PostgreSQL's own (libpgcommon).
 * Memory contexts are malloc without release, except that reset callbacks of a
 * deleted context are called.  An ERROR jumps to error_jump.
 */
#include "postgres.h"

#include "backend.h"
#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

typedef struct TestContext
{
	MemoryContextCallback *callbacks;
} TestContext;

MemoryContext CurrentMemoryContext = NULL;
sigjmp_buf	error_jump;
int			warnings = 0;

MemoryContext
AllocSetContextCreateInternal(MemoryContext parent, const char *name,
							  Size minContextSize, Size initBlockSize, Size maxBlockSize)
{
	return (MemoryContext) palloc0(sizeof(TestContext));
}

/* libpgcommon's digests want no owner outside of the server. */
ResourceOwner CurrentResourceOwner = NULL;

ResourceOwner
ResourceOwnerCreate(ResourceOwner parent, const char *name)
{
	return palloc(1);
}

void
ResourceOwnerDelete(ResourceOwner owner)
{
	pfree(owner);
}

void
MemoryContextDelete(MemoryContext context)
{
	TestContext *test = (TestContext *) context;

	for (MemoryContextCallback *c = test->callbacks; c != NULL; c = c->next)
		c->func(c->arg);
	pfree(test);
}

void
MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *callback)
{
	TestContext *test = (TestContext *) context;

	callback->next = test->callbacks;
	test->callbacks = callback;
}

void *
MemoryContextAlloc(MemoryContext context, Size size)
{
	return palloc(size);
}

void *
MemoryContextAllocZero(MemoryContext context, Size size)
{
	return palloc0(size);
}

char *
MemoryContextStrdup(MemoryContext context, const char *string)
{
	return pstrdup(string);
}

List *
lappend(List *list, void *datum)
{
	if (list == NIL)
	{
		list = palloc0(sizeof(List));
		list->type = T_List;
	}
	list->elements = realloc(list->elements, (list->length + 1) * sizeof(ListCell));
	list->elements[list->length++].ptr_value = datum;
	return list;
}

bool
errstart(int elevel, const char *domain)
{
	if (elevel < ERROR)
		warnings++;
	return elevel >= ERROR;
}

bool
errstart_cold(int elevel, const char *domain)
{
	return errstart(elevel, domain);
}

void
errfinish(const char *filename, int lineno, const char *funcname)
{
	siglongjmp(error_jump, 1);
}

int
errcode(int sqlerrcode)
{
	return 0;
}

int
errmsg(const char *fmt,...)
{
	return 0;
}

int
errdetail(const char *fmt,...)
{
	return 0;
}

int
errhint(const char *fmt,...)
{
	return 0;
}

/* The tests' strings are UTF-8. */
int
GetDatabaseEncoding(void)
{
	return PG_UTF8;
}

const char *
GetDatabaseEncodingName(void)
{
	return "UTF8";
}

void
pg_unicode_to_server(pg_wchar c, unsigned char *s)
{
	unicode_to_utf8(c, s);
}

bool
pg_verify_mbstr(int encoding, const char *mbstr, int len, bool noError)
{
	return pg_encoding_verifymbstr(encoding, mbstr, len) == len;
}

int
pg_mbcliplen(const char *mbstr, int len, int limit)
{
	return Min(len, limit);
}

void
check_stack_depth(void)
{
}

/* In libpgcommon since 17, and then that one is used. */
__attribute__((weak)) char *
json_errdetail(JsonParseErrorType error, JsonLexContext *lex)
{
	return pstrdup("invalid");
}

int
pg_mbstrlen_with_len(const char *mbstr, int limit)
{
	int			characters = 0;

	for (int i = 0; i < limit; i++)
		characters += ((unsigned char) mbstr[i] & 0xC0) != 0x80;
	return characters;
}

/* What is quoted here is the name of a key. */
void
escape_json(StringInfo buf, const char *str)
{
	appendStringInfo(buf, "\"%s\"", str);
}
