/*
 * subtransaction.h
 *	  Work whose failure is looked at rather than passed on.
 */
#ifndef DATABITE_SUBTRANSACTION_H
#define DATABITE_SUBTRANSACTION_H

#include "postgres.h"

typedef enum SubtransactionEnd
{
	SUBTRANSACTION_KEEP,
	SUBTRANSACTION_UNDO			/* what the work did is undone, even where it succeeds */
} SubtransactionEnd;

/*
 * Runs the work in a subtransaction.  NULL where it succeeds, else its error, in
 * the current memory context; the subtransaction, and any that the work left
 * open, is rolled back then.
 */
extern ErrorData *subtransaction_run(void (*work) (void *arg), void *arg, SubtransactionEnd end);

#endif
