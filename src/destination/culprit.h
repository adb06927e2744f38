/*
 * culprit.h
 *	  Which item of a batch its statement fails for.
 *
 * For after the fact: the statement has failed and is rolled back.  Whatever is
 * tried here is rolled back too, so all that stays of it is what sequences and the like
 * keep.  A cancel or a shutdown passes as an error; nothing else does.
 */
#ifndef DATABITE_CULPRIT_H
#define DATABITE_CULPRIT_H

#include "destination/write_plan_data.h"

/* What has failed. */
typedef enum CulpritScope
{
	CULPRIT_OF_COMPUTATION,		/* a SELECT of the rows: nothing is written to find out */
	CULPRIT_OF_WRITE			/* the plan's statement */
} CulpritScope;

/* Can an item be to blame for such an error, rather than the machine, the definition or somebody who cancels? */
extern bool culprit_is_possible(int sqlstate);

/*
 * Rejects all items whose rows cannot be computed because of their values (class
 * 22, or 23 of a domain; where the destination says "log_and_continue", anything that
 * an item can be to blame for); what the table refuses is none of these.  Returns their number, k.
 *
 * Less than 2 * k * log2(items) statements, each over a part of the batch, and
 * up to one for each column for each of them.
 */
extern int	culprit_reject_all(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes, Marks *marks);

/*
 * Puts the item's position in the run, the column and the values that were read of the
 * item at the head of the error's context, if the search finds them and the
 * context does not have them yet; and the column into its field.  False where no item was found.
 */
extern bool culprit_explain(WritePlan *plan, const ItemBatch *batch, int64 first_item, Jsonb *scopes,
							const Marks *marks, CulpritScope scope, ErrorData *error);

/* The column that the error names, or the only one of the constraint that it names; of the plan's table, else NULL. */
extern const char *culprit_refused_column(const WritePlan *plan, const ErrorData *error);

#endif
