/*
 * infer.h
 *	  Column types from sample items, for a table that does not exist.
 *
 * All values of a column decide: whole numbers that fit give bigint, other
 * numbers numeric, true and false boolean, strings that are all ISO timestamps
 * with a time timestamptz, strings that are all ISO dates date, other strings
 * text, objects and arrays jsonb.  A mixture is text, or jsonb where an object
 * or array is among it; no value at all is text.
 */
#ifndef DATABITE_INFER_H
#define DATABITE_INFER_H

#include "destination/marks.h"
#include "item/item_reader.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef struct Sample Sample;

/*
 * Reads the items, or parts of them, that the path of that number leads to, without the items that are marked; marks may be
 * NULL.  scopes: what is known beside the items ($1 of the statements), or NULL; it must live as long as the sample.
 */
extern Sample *sample_read(const ItemBatch *batch, int path, const Marks *marks, Jsonb *scopes);

/* The type of the values that the path leads to. */
extern Oid	sample_path_type(const Sample *sample, const JsonPath *path);

/* The same of what the items have in common with their pages. */
extern Oid	sample_context_type(const Sample *sample, const JsonPath *path);

/* The same of what is known beside the items. */
extern Oid	sample_scope_type(const Sample *sample, const JsonPath *path);

/*
 * Columns (of TargetColumn *) for all keys of the items, or for those with a value that is not null, in the
 * order first seen.  Raises an error for an item that is no object.
 */
extern List *sample_columns(const Sample *sample, bool with_value);

/* The keys (of char *) of an item that have a value which is not null, in the order of their length, as jsonb has it. */
extern List *sample_keys(const Sample *sample, int item);

#endif
