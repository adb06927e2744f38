/*
 * name_table.c
 *	  Names of columns, ready to be written in front of the values of an object.
 */
#include "postgres.h"

#include "item/name_table.h"
#include "utils/memutils.h"

void
name_table_init(NameTable *table, MemoryContext context)
{
	memset(table, 0, sizeof(*table));
	table->text.context = context;
}

void
name_table_reset(NameTable *table)
{
	table->text.len = 0;
	table->count = 0;
	table->problem[0] = '\0';
}

bool
name_table_add(NameTable *table, const char *name, size_t len)
{
	size_t		start = table->text.len;

	if (len == 0)
	{
		snprintf(table->problem, sizeof(table->problem), "column %d has no name", table->count + 1);
		return false;
	}
	if (table->count == NAME_TABLE_MAX)
	{
		snprintf(table->problem, sizeof(table->problem), "there are more than %d columns", NAME_TABLE_MAX);
		return false;
	}
	buffer_add(&table->text, "\"", 1);
	buffer_add(&table->text, name, len);
	buffer_add(&table->text, "\":", 2);
	for (int i = 0; i < table->count; i++)
	{
		size_t		other_len;
		const char *other = name_table_get(table, i, &other_len);

		if (other_len == len + 3 && memcmp(other, table->text.bytes + start, other_len) == 0)
		{
			snprintf(table->problem, sizeof(table->problem), "columns %d and %d have the same name \"%.*s\"",
					 i + 1, table->count + 1, (int) Min(len, 100), name);
			return false;
		}
	}
	if (table->count == table->size)
	{
		table->size = Max(64, table->size * 2);
		if (table->ends == NULL)
			table->ends = MemoryContextAlloc(table->text.context, table->size * sizeof(size_t));
		else
			table->ends = repalloc(table->ends, table->size * sizeof(size_t));
	}
	table->ends[table->count++] = table->text.len;
	return true;
}

const char *
name_table_get(const NameTable *table, int number, size_t *len)
{
	size_t		start = number > 0 ? table->ends[number - 1] : 0;

	*len = table->ends[number] - start;
	return table->text.bytes + start;
}
