/*
 * memory_budget.c
 *	  performance.memoryLimit: how much of it each part of a run may hold.
 *
 * It is divided among the steps that may be under way at once (step_memory.c).  In parts of what a step has of it:
 *
 *	8/32	requests in flight: the bytes between the network and the reader,
 *			decoders, what libcurl needs, the reader's own bytes
 *	4/32	items that are not complete, beyond the readers' own bytes
 *	5/32	the same of the one reader that may always go on: an item and an
 *			envelope, in buffers that double
 *	4/32	the batch's texts, and the item that filled it
 *	2/32	its cells
 *	2/32	its rows; the others are on disk
 *	2/32	sorting and the like in statements (work_mem)
 *	5/32	one value's way into its row, marks, texts of what was rejected, contexts
 *			of items, requests of parents, and all else that is small
 *
 * Without a limit, or with a large one, the parts are as large as is of use.
 */
#include "postgres.h"

#include <limits.h>

#include "run/memory_budget.h"
#include "source/content_decoder.h"

#define KB ((size_t) 1024)
#define MB (1024 * KB)

/* What is of use. */
#define BATCH_BYTES		(4 * MB)
#define CELLS_BYTES		(32 * MB)
#define ITEM_BYTES		(16 * MB)
#define ENVELOPE_BYTES	(1 * MB)
#define SHARED_BYTES	(64 * MB)
#define RING_BYTES		(256 * KB)
#define OWN_BYTES		(512 * KB)
#define PARENTS			64
#define MAX_WORK_MEM_KB	((size_t) INT_MAX)

/* What a request in flight needs, with those and with small buffers. */
#define REQUEST_BYTES		(2 * MB)
#define SMALL_RING_BYTES	(64 * KB)
#define SMALL_OWN_BYTES		(64 * KB)
#define SMALL_REQUEST_BYTES (512 * KB)

/* A small body in br, which a server may send unasked. */
#define SMALL_BROTLI_BYTES	(128 * KB)

/* A parent's request, rendered: that is what its templates make of it, but usually less. */
#define PARENT_BYTES	(32 * KB)

static void bound_requests(size_t share, int concurrency, MemoryBudget *budget);

void
memory_budget_make(int64 limit, int concurrency, MemoryBudget *budget)
{
	size_t		part = limit / 32;

	memset(budget, 0, sizeof(*budget));
	budget->batch_bytes = BATCH_BYTES;
	budget->cells_bytes = CELLS_BYTES;
	budget->item_bytes = ITEM_BYTES;
	budget->envelope_bytes = ENVELOPE_BYTES;
	budget->own_bytes = OWN_BYTES;
	budget->shared_bytes = SHARED_BYTES;
	budget->parents = PARENTS;
	budget->requests = concurrency;
	if (limit == 0)
		return;

	budget->batch_bytes = Min(BATCH_BYTES, 2 * part);
	budget->cells_bytes = Min(CELLS_BYTES, 2 * part);
	budget->rows_bytes = 2 * part;
	budget->work_mem_kb = Min(2 * part / KB, MAX_WORK_MEM_KB);
	budget->item_bytes = Min(ITEM_BYTES, 2 * part);
	budget->envelope_bytes = Min(ENVELOPE_BYTES, part / 2);
	budget->shared_bytes = 4 * part;
	budget->parents = Max(Min(PARENTS, part / PARENT_BYTES), 1);
	bound_requests(8 * part, concurrency, budget);
}

/* As many as are wanted, with large buffers or else with small ones; or as many as there is memory for. */
static void
bound_requests(size_t share, int concurrency, MemoryBudget *budget)
{
	bool		large = share / concurrency >= REQUEST_BYTES;
	size_t		needed = large ? REQUEST_BYTES : SMALL_REQUEST_BYTES;

	budget->requests = Max(Min(concurrency, share / needed), 1);
	budget->own_bytes = large ? OWN_BYTES : SMALL_OWN_BYTES;
	budget->transfers.bounded = true;
	budget->transfers.ring_bytes = large ? RING_BYTES : SMALL_RING_BYTES;
	budget->transfers.brotli_bytes = SMALL_BROTLI_BYTES;
	if (share / budget->requests >= needed + CONTENT_BROTLI_BYTES)
		budget->transfers.brotli_bytes = CONTENT_BROTLI_BYTES;
	budget->transfers.connections = budget->requests;
}
