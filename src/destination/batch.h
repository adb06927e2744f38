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

#include "access/tupdesc.h"
#include "destination/marks.h"
#include "item/convert.h"
#include "item/item_reader.h"
#include "template/template.h"

typedef struct BatchBinding BatchBinding;

/*
 * inputs: of TemplateInput *.  paths (of const JsonPath *) are those of the
 * batches, in their order, and hold at least the inputs' (batch_add_paths).
 * Lives in context.  Needs a transaction.
 */
extern BatchBinding *batch_binding_create(const List *inputs, const List *paths, MemoryContext context);

/*
 * Says that the input goes as it is into that column: errors name the column
 * instead of the path.  With required, a NULL is an error (23502).
 */
extern void batch_binding_name_column(BatchBinding *binding, const TemplateInput *input,
									  const char *column, bool required);

/* Of an item whose row is to be deleted, the input is NULL whatever the item has. */
extern void batch_binding_leave_deleted(BatchBinding *binding, const TemplateInput *input);

/* "databite.batch() AS b(p1 pg_catalog.int8, ..., ord pg_catalog.int8)"; ord is the position in the batch. */
extern char *batch_from_clause(const List *inputs);

/* Appends the paths of the inputs that are not yet among paths (of const JsonPath *). */
extern List *batch_add_paths(List *paths, const List *inputs);

/* The number of a path among paths, or -1. */
extern int	batch_path_number(const List *paths, const JsonPath *path);

/* The paths for the item reader, which reads UTF-8: *array is palloc'd, the result is their number. */
extern int	batch_paths(const List *paths, const JsonPath *const **array);

/* A path with its keys as they stand in items, which are UTF-8. */
extern const JsonPath *batch_utf8_path(const JsonPath *path);

/* Number of the input's path among the binding's; -1 for {{index}}. */
extern int	batch_binding_path(const BatchBinding *binding, const TemplateInput *input);

/*
 * Binds batch for the statements that follow, until batch_unbind; the caller
 * unbinds when an error passes, too.  first_item: position of the batch's first
 * item in the run, for {{index}} and for error messages.  marks: of the batch's
 * items; NULL where no item can be marked.  Bindings nest: a trigger may run
 * another job.
 */
extern void batch_bind(BatchBinding *binding, const ItemBatch *batch, int64 first_item, Marks *marks);
extern void batch_unbind(void);

/* The rows of the bound batch, for who reads them without a statement's tuplestore: see bulk_insert.c. */
typedef struct BatchRows BatchRows;

/*
 * Begins to read the rows that databite.batch() would give, in the current memory
 * context.  NULL where only the function itself can: it converts all items before it
 * gives the first, which is seen where conversions run a user's code, and
 * rejects items.  Errors do not say which item they are of.
 */
extern BatchRows *batch_rows_begin(TupleDesc row_type);

/* The next row, converted in the current memory context; false at the end. */
extern bool batch_rows_next(BatchRows *rows, Datum *values, bool *nulls);

/* Is it databite.batch()? */
extern bool batch_is_function(Oid function);

/*
 * Did the statement for which the binding was last bound fail for a value that
 * could not be converted?  Its error names the item then; *column is the column's name, or NULL.
 */
extern bool batch_binding_failed(const BatchBinding *binding, const char **column);

/* Of the batch that is bound now; NULL where it has none.  Raises 55000, naming the function, where no batch is bound. */
extern Marks *batch_marks(const char *function);

#endif
