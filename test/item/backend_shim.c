/*
 * backend_shim.c
 *	  What the reader needs of a PostgreSQL backend, for programs that are none.
 *
 * The tests, the fuzzer and the benchmark link the very objects that the
 * extension is built of.  palloc and its like come from libpgcommon; this file
 * adds the rest: contexts are one heap, lists can only grow.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "utils/json.h"
#include "utils/memutils.h"

MemoryContext CurrentMemoryContext = NULL;

static List *add_cell(List *list);

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

void *
MemoryContextAllocHuge(MemoryContext context, Size size)
{
	return palloc(size);
}

void *
repalloc_huge(void *pointer, Size size)
{
	return repalloc(pointer, size);
}

List *
lappend(List *list, void *datum)
{
	list = add_cell(list);
	lfirst(&list->elements[list->length - 1]) = datum;
	return list;
}

void
list_free(List *list)
{
	if (list != NIL)
	{
		pfree(list->elements);
		pfree(list);
	}
}

void
list_free_deep(List *list)
{
	for (int i = 0; i < list_length(list); i++)
		pfree(list_nth(list, i));
	list_free(list);
}

void
bms_free(Bitmapset *set)
{
	if (set != NULL)
		pfree(set);
}

/* Contexts live as long as the program. */
void
MemoryContextRegisterResetCallback(MemoryContext context, MemoryContextCallback *callback)
{
}

/* Enough for the paths of the tests: quotes and backslashes. */
void
escape_json(StringInfo out, const char *text)
{
	appendStringInfoChar(out, '"');
	for (; *text; text++)
	{
		if (*text == '"' || *text == '\\')
			appendStringInfoChar(out, '\\');
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
pg_mbstrlen_with_len(const char *text, int len)
{
	int			characters = 0;

	for (int i = 0; i < len; i++)
		characters += ((unsigned char) text[i] & 0xC0) != 0x80;
	return characters;
}

static List *
add_cell(List *list)
{
	if (list == NIL)
	{
		list = palloc0(sizeof(List));
		list->type = T_List;
		list->max_length = 8;
		list->elements = palloc(list->max_length * sizeof(ListCell));
	}
	else if (list->length == list->max_length)
	{
		list->max_length *= 2;
		list->elements = repalloc(list->elements, list->max_length * sizeof(ListCell));
	}
	list->length++;
	return list;
}
