/*
 * convert.h
 *	  A leaf of an item to a Datum of a column's type.
 *
 * Own fast paths for integers, numeric, booleans, text, ISO 8601 timestamps and
 * dates, jsonb and json; everything else goes through the type's input function,
 * looked up once.
 *
 * The rules (doc: template reference): null and a missing path are SQL NULL;
 * a string goes to the type's input function; a number keeps its source text
 * (never through double), and must be whole for an integer type; true and false
 * fit boolean and text; objects and arrays fit json, jsonb and text, and an array
 * fits a PostgreSQL array type.  Anything else is an error (22P02, 22003, ...)
 * that shows the value, cut to a bound.
 *
 * More precisely, where the type's own rules would surprise:
 * - A date and time without a zone is UTC, and one with a zone goes to a column
 *   without as UTC wall clock, whatever TimeZone is set to.  A date is taken as it is written.
 * - A number is no date or time: it could be seconds, milliseconds or digits.
 * - Objects and arrays also go, as text, to the input function of a type that an
 *   extension brought (vector, geometry, ...).
 * - A domain's constraints are checked, also for null.
 */
#ifndef DATABITE_CONVERT_H
#define DATABITE_CONVERT_H

#include "item/item_reader.h"

typedef struct CellConverter CellConverter;

/* Needs a transaction (looks the type up). */
extern CellConverter *cell_converter_create(Oid type, int32 typmod, MemoryContext context);

/*
 * Converts; the result is palloc'd in the current memory context where the
 * type is by reference.  text is a cell's: UTF-8 with a NUL at text[len]; it need
 * not outlive the call.  Raises the error of the conversion.
 */
extern Datum cell_convert(CellConverter *converter, CellKind kind, const char *text, size_t len, bool *isnull);

/* The cell as JSON text in the current context; NULL for a missing one. */
extern char *cell_json_text(const ItemBatch *batch, const Cell *cell);

/* Is the cell an integer of up to 18 digits, written as one?  Any conversion to an integer type gives that value then, if it fits. */
extern bool cell_plain_integer(CellKind kind, const char *text, size_t len, int64 *value);

#endif
