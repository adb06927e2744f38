/*
 * name_table.h
 *	  Names of columns, ready to be written in front of the values of an object.
 */
#ifndef DATABITE_NAME_TABLE_H
#define DATABITE_NAME_TABLE_H

#include "item/byte_buffer.h"

/* As many columns as a spreadsheet can have. */
#define NAME_TABLE_MAX	16384

typedef struct NameTable
{
	ByteBuffer	text;			/* "name": of each */
	size_t	   *ends;
	int			count;
	int			size;
	char		problem[256];
} NameTable;

/* An empty table; it grows in context. */
extern void name_table_init(NameTable *table, MemoryContext context);
extern void name_table_reset(NameTable *table);

/* Adds the name that is written as the inside of a JSON string; false where it is empty, there already, or one too many: see problem. */
extern bool name_table_add(NameTable *table, const char *name, size_t len);

/* "name": */
extern const char *name_table_get(const NameTable *table, int number, size_t *len);

#endif
