/*
 * reason.c
 *	  Why an item was rejected, in words of ours.
 *
 * PostgreSQL's own message quotes the value that it complains of, and a value of an item may be nobody's business who
 * looks at the page.
 */
#include "postgres.h"

#include "watch/reason.h"

typedef struct Reason
{
	const char *code;			/* or the beginning of it: the first that fits */
	const char *words;
} Reason;

static const Reason reasons[] = {
	{"22001", "a text that is too long"},
	{"22003", "a number out of range"},
	{"22007", "not a date or time"},
	{"22008", "a date or time out of range"},
	{"22012", "a division by zero"},
	{"22021", "characters that the database cannot hold"},
	{"22032", "not JSON"},
	{"22P02", "a value that its type does not take"},
	{"22P05", "characters that the database cannot hold"},
	{"22", "a value that does not fit"},
	{"23502", "no value where there must be one"},
	{"23503", "refers to a row that is not there"},
	{"23505", "a row with this key is there already"},
	{"23514", "does not satisfy a check"},
	{"23P01", "excluded by another row"},
	{"23", "does not satisfy a constraint"},
	{"44000", "does not fit the view"},
	{"54", "too large"},
	{"P0001", "refused by a function"},
	{"", "could not be written"},
};

const char *
rejection_reason(const char *code)
{
	const Reason *reason = reasons;

	while (strncmp(code, reason->code, strlen(reason->code)) != 0)
		reason++;
	return reason->words;
}
