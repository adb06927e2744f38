/*
 * cases.h
 *	  Documents and what must come out of them.
 */
#ifndef DATABITE_TEST_CASES_H
#define DATABITE_TEST_CASES_H

#include "reading.h"

typedef struct ItemCase
{
	const char *name;
	const char *document;
	ReadingSetup setup;
	const char *outcome;		/* as reading.c writes it */
	size_t		len;			/* of a document with NUL bytes; 0: it ends with one */
} ItemCase;

/* Ends with a name of NULL. */
extern const ItemCase item_cases[];
extern const ItemCase decoding_cases[];

/* Whole documents that are JSON, and such as are not; NULL-terminated. */
extern const char *const json_documents[];
extern const char *const broken_documents[];

#endif
