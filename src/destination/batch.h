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

/*
 * inputs: of TemplateInput *.  The batch's paths are those of batch_paths.
 * Lives in context.  Needs a transaction.
 */
extern BatchBinding *batch_binding_create(const List *inputs, MemoryContext context);

/*
 * Says that the input goes as it is into that column: errors name the column
 * instead of the path.  With required, a NULL is an error (23502).
 */
extern void batch_binding_name_column(BatchBinding *binding, const TemplateInput *input,
									  const char *column, bool required);

/* "databite.batch() AS b(p1 pg_catalog.int8, ..., ord pg_catalog.int8)"; ord is the position in the batch. */
extern char *batch_from_clause(const List *inputs);

/*
 * Wanted paths of the inputs, for the item reader, each path once: *paths is
 * palloc'd, the result is their number.
 */
extern int	batch_paths(const List *inputs, const JsonPath *const **paths);

/* Number of the input's path among batch_paths of the binding's inputs; -1 for {{index}}. */
extern int	batch_binding_path(const BatchBinding *binding, const TemplateInput *input);

/*
 * Binds batch for the statements that follow, until batch_unbind; the caller
 * unbinds when an error passes, too.  first_item: position of the batch's first
 * item in the run, for {{index}} and for error messages.  Bindings nest: a
 * trigger may run another job.
 */
extern void batch_bind(BatchBinding *binding, const ItemBatch *batch, int64 first_item);
extern void batch_unbind(void);

#endif
