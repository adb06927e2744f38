/*
 * scanner.h
 *	  The grammar of one JSON value, checked byte by byte, resumable anywhere.
 *
 * For everything that is not, or not yet, in memory in one piece: values
 * outside of the list, items that straddle two pieces of the body, items too large to be
 * kept.  It says where a value ends, or what is wrong with it and where.
 */
#ifndef DATABITE_SCANNER_H
#define DATABITE_SCANNER_H

#include "item/json_text.h"

/* Deeper than this no value is followed, whatever the reader's own bound. */
#define SCANNER_MAX_DEPTH	16384

typedef enum ScanStatus
{
	SCAN_MORE,					/* all bytes taken, the value goes on */
	SCAN_DONE,					/* *p is after the value */
	SCAN_ERROR					/* *p is at the byte that is wrong */
} ScanStatus;

typedef struct Scanner
{
	int			state;
	int			max_depth;
	int			depth;			/* open containers */
	int			deepest;		/* most containers that were open at once */
	JsonUnstorable unstorable;	/* the first thing found that cannot be stored */
	const char *expected;		/* of an error: what should have been there */
	bool		too_deep;		/* of an error: nested deeper than max_depth */

	bool		in_key;			/* the string at hand is a member's name */
	const char *literal;		/* rest of true, false or null */
	int			escape;			/* digits of \u that are read */
	uint32		code;			/* and their value */
	bool		high_surrogate; /* one was read, its other half must follow */
	int			utf8_more;		/* bytes of the character that are missing */
	unsigned char utf8_low;		/* bounds of the next one */
	unsigned char utf8_high;
	uint64		objects[SCANNER_MAX_DEPTH / 64];	/* a bit for each open container: set for an object */
} Scanner;

/* Begins a value, whose first byte comes next.  max_depth is cut to SCANNER_MAX_DEPTH. */
extern void scanner_begin(Scanner *scanner, int max_depth);

extern ScanStatus scanner_push(Scanner *scanner, const char **p, const char *end);

/*
 * No more bytes come: true if the value is complete, which only a number can be without having ended.
 * (The server has a scanner_finish of its own, which would be called instead of one here.)
 */
extern bool scanner_end(const Scanner *scanner);

#endif
