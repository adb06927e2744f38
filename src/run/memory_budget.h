/*
 * memory_budget.h
 *	  performance.memoryLimit: how much of it each part of a run may hold.
 */
#ifndef DATABITE_MEMORY_BUDGET_H
#define DATABITE_MEMORY_BUDGET_H

#include "source/fetch.h"

typedef struct MemoryBudget
{
	/* the batch */
	size_t		batch_bytes;	/* texts at which it is full; an item more may come on top */
	size_t		cells_bytes;	/* places of texts */
	size_t		rows_bytes;		/* its rows, while they are written; 0: all they need */
	int			work_mem_kb;	/* of statements; 0: work_mem */

	/* what is read */
	int			requests;		/* in flight */
	SourceMemory transfers;
	size_t		item_bytes;		/* largest item */
	size_t		envelope_bytes;
	size_t		own_bytes;		/* of what is not complete, that each reader may hold */
	size_t		shared_bytes;	/* of that, beyond their own, for all readers but one */

	int			parents;		/* that are rendered beforehand */
} MemoryBudget;

/* limit: that of a step, 0 for none.  concurrency: requests in flight that are wanted. */
extern void memory_budget_make(int64 limit, int concurrency, MemoryBudget *budget);

#endif
