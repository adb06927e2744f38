/*
 * batch.h
 *	  databite.batch(): how a SQL statement reads the batch that is being written.
 *
 * The statement says FROM databite.batch() AS b(p1 int8, p2 text, ...).  While a
 * batch is bound, the function converts the raw leaves to Datums of those types
 * and hands them over in a tuplestore; outside of that it raises 55000.
 */
#ifndef DATABITE_BATCH_H
#define DATABITE_BATCH_H

#include "item/convert.h"
#include "item/item_reader.h"
#include "template/template.h"

typedef struct BatchBinding BatchBinding;

/* inputs: of TemplateInput *; input k reads path number k of the batch (is_index inputs read none). Needs a transaction. */
extern BatchBinding *batch_binding_create(const List *inputs, MemoryContext context);

/* "databite.batch() AS b(p1 pg_catalog.int8, ..., ord pg_catalog.int8)"; ord is the position in the batch. */
extern char *batch_from_clause(const List *inputs);

/* Wanted paths of the inputs, for the item reader: *paths is palloc'd, the result is their number. */
extern int	batch_paths(const List *inputs, const JsonPath *const **paths);

/*
 * Binds batch for the statements that follow, until batch_unbind (or the end of
 * the (sub)transaction by error).  first_item: position of the batch's first item in the
 * run, for {{index}} and for error messages.
 */
extern void batch_bind(BatchBinding *binding, const ItemBatch *batch, int64 first_item);
extern void batch_unbind(void);

#endif
