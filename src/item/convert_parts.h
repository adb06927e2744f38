/*
 * convert_parts.h
 *	  The parts of cell_convert(), one file each.
 */
#ifndef DATABITE_CONVERT_PARTS_H
#define DATABITE_CONVERT_PARTS_H

#include "access/tupdesc.h"
#include "item/convert.h"
#include "utils/numeric.h"
#include "utils/uuid.h"

/*
 * Numbers, in convert_number.c.  False where the text has not the plain form
 * that they know, or the number does not fit: the input function knows then.
 */
extern bool parse_int64(const char *text, size_t len, int64 *result);
extern bool parse_decimal(const char *text, size_t len, Numeric *result);

/* A JSON number of any form; raises an error where numeric cannot hold it. */
extern Numeric number_to_numeric(const char *text, size_t len);

/* Eight, four, four, four and twelve digits, in convert_uuid.c; false for any other form. */
extern bool parse_uuid(const char *text, size_t len, pg_uuid_t *result);

/* Any cell but null, in convert_json.c.  text is in the database's encoding. */
extern Datum cell_to_json(CellKind kind, const char *text, size_t len);
extern Datum cell_to_jsonb(CellKind kind, const char *text, size_t len);

/* A JSON value as it is written, in convert_json.c. */
extern Datum json_convert(CellConverter *converter, const char *text, size_t len, bool *isnull);

/* Converts a JSON array's elements, in convert_array.c. */
typedef struct ArrayTarget
{
	CellConverter *element;
	Oid			element_type;
	bool		nests;			/* an array in the array is a further dimension, not an element */
	int16		typlen;
	bool		typbyval;
	char		typalign;
} ArrayTarget;

extern Datum json_to_array(const ArrayTarget *target, const char *text, size_t len);

/* Converts a JSON object's members, in convert_record.c. */
typedef struct RecordTarget
{
	Oid			type;
	MemoryContext context;
	uint64		identifier;		/* of the composite type as it was when members were made */
	TupleDesc	descriptor;
	CellConverter **members;	/* NULL for a dropped one */
} RecordTarget;

/* Needs a transaction, as json_to_composite does where the type has changed. */
extern void record_target_prepare(RecordTarget *target);
extern Datum json_to_composite(RecordTarget *target, const char *text, size_t len);

/* The value as an error shows it: not too long, and cut between characters. */
extern char *cell_shown(const char *text, size_t len);

#endif
