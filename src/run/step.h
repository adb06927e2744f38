/*
 * step.h
 *	  One step of a run: pages, items, batches, checkpoints.
 */
#ifndef DATABITE_STEP_H
#define DATABITE_STEP_H

#include "base/compat.h"
#include "item/item_reader.h"
#include "run/context.h"
#include "run/memory_budget.h"
#include "utils/jsonb.h"

/* Bounds of items and batches; those of memory are in memory_budget.c. */
#define STEP_MAX_DEPTH			512
#define STEP_PATIENCE			(INT64CONST(1) << 30)
#define STEP_BATCH_ITEMS		1000

/* Where items map to columns by name, one that is no object is a bad one, unless source.where is to tell. */
extern ItemReader *step_reader(const JobStep *step, const MemoryBudget *budget,
							   int npaths, const JsonPath *const *paths, MemoryContext context);

/* Raises what the reader found wrong with the body; fetch is where it came from, NULL for inline items. */
pg_noreturn extern void step_raise_reader_error(const ItemReader *reader, const JobSource *source, const Fetch *fetch);

/* Reads a batch whose first path is the whole item once more, with other paths. */
extern ItemBatch *step_reread(const ItemBatch *whole, int npaths, const JsonPath *const *paths,
							  MemoryContext context);

#endif
