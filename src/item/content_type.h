/*
 * content_type.h
 *	  What the Content-Type of a response says of its body (RFC 9110, 8.3).
 */
#ifndef DATABITE_CONTENT_TYPE_H
#define DATABITE_CONTENT_TYPE_H

#include "postgres.h"

#include "job/definition.h"

/* Longer names are those of no charset. */
#define CONTENT_CHARSET_LEN 40

typedef struct ContentType
{
	SourceFormat format;		/* FORMAT_JSON for what is neither NDJSON nor CSV */
	bool		tabs;			/* CSV with tabs for commas */
	bool		headless;		/* CSV that says it has no header row */
	char		charset[CONTENT_CHARSET_LEN + 1];	/* empty: not stated */
} ContentType;

/* text may be NULL: nothing is known.  What makes no sense is ignored. */
extern void content_type_parse(const char *text, ContentType *type);

#endif
