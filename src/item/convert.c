/*
 * convert.c
 *	  A leaf of an item to a Datum of a column's type.
 *
 * A converter is made once for a column, in a context of its owner, and is good
 * as long as the type is; an error in the middle of a conversion leaves it usable.  It
 * looks at nothing but the cell and the type, so the same rules hold wherever a
 * value goes to a column.
 */
#include "postgres.h"

#include "access/transam.h"
#include "base/bytes.h"
#include "base/compat.h"
#include "base/time_text.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "item/convert_parts.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Bytes of a value that an error shows. */
#define SHOWN_BYTES		100

typedef enum Conversion
{
	BY_INPUT,					/* the type's input function */
	TO_TEXT,					/* text, or varchar or char without a length */
	TO_BOOL,
	TO_INT2,
	TO_INT4,
	TO_INT8,
	TO_NUMERIC,
	TO_TIMESTAMP,				/* with or without time zone */
	TO_DATE,
	TO_UUID,
	TO_JSON,
	TO_JSONB,
	TO_BYTES,
	TO_NAME,					/* name or "char", whose input functions cut what is too long */
	TO_ARRAY,
	TO_RECORD
} Conversion;

struct CellConverter
{
	MemoryContext context;
	Oid			type;			/* as asked for */
	bool		is_domain;
	void	   *domain_cache;
	Oid			base_type;		/* below the domains */
	int32		typmod;			/* of the base type */
	char		category;
	bool		holds_time;		/* the type's notation has times in it */
	Conversion	conversion;
	FmgrInfo	input;
	Oid			ioparam;
	ArrayTarget array;
	RecordTarget record;
};

static Conversion choose_conversion(Oid type, int32 typmod);
static void prepare_array(CellConverter *converter);
static bool takes_json_array(const CellConverter *converter);
static Datum convert_value(CellConverter *converter, CellKind kind, const char *text, size_t len);
static bool convert_integer(CellConverter *converter, CellKind kind, const char *text, size_t len, Datum *result);
static Datum convert_whole(CellConverter *converter, const char *text, size_t len);
static Datum convert_bytes(const CellConverter *converter, CellKind kind, const char *text, size_t len);
static void check_name_length(const CellConverter *converter, const char *text, size_t len);
static Datum convert_time(CellConverter *converter, const char *text, size_t len);
static Datum convert_by_input(CellConverter *converter, const char *text, size_t len);
static Datum call_shown(CellConverter *converter, CellKind kind, const char *text, size_t len);
static Datum call(CellConverter *converter, CellKind kind, const char *text, size_t len);
static bool is_extension_type(const CellConverter *converter);
static bool takes_json_text(const CellConverter *converter);
pg_noreturn static void reject(const CellConverter *converter, CellKind kind, const char *text, size_t len);

CellConverter *
cell_converter_create(Oid type, int32 typmod, MemoryContext context)
{
	CellConverter *converter = MemoryContextAllocZero(context, sizeof(CellConverter));
	Oid			function;
	bool		preferred;

	converter->context = context;
	converter->type = type;
	converter->typmod = typmod;
	converter->base_type = getBaseTypeAndTypmod(type, &converter->typmod);
	converter->is_domain = (converter->base_type != type);
	get_type_category_preferred(converter->base_type, &converter->category, &preferred);
	converter->holds_time = time_type_holds_time(converter->base_type);
	converter->conversion = choose_conversion(converter->base_type, converter->typmod);

	getTypeInputInfo(converter->base_type, &function, &converter->ioparam);
	fmgr_info_cxt(function, &converter->input, context);
	if (converter->conversion == TO_ARRAY)
		prepare_array(converter);
	if (converter->conversion == TO_RECORD)
	{
		converter->record.type = converter->base_type;
		converter->record.context = context;
		record_target_prepare(&converter->record);
	}
	return converter;
}

Datum
cell_convert(CellConverter *converter, CellKind kind, const char *text, size_t len, bool *isnull)
{
	Datum		value = (Datum) 0;

	*isnull = (kind == CELL_MISSING || kind == CELL_NULL);
	if (!*isnull)
		value = convert_value(converter, kind, text, len);
	if (unlikely(converter->is_domain))
		domain_check(value, *isnull, converter->type, &converter->domain_cache, converter->context);
	return value;
}

static Conversion
choose_conversion(Oid type, int32 typmod)
{
	switch (type)
	{
		case TEXTOID:
			return TO_TEXT;
		case VARCHAROID:
		case BPCHAROID:
			return typmod < 0 ? TO_TEXT : BY_INPUT;
		case BOOLOID:
			return TO_BOOL;
		case INT2OID:
			return TO_INT2;
		case INT4OID:
			return TO_INT4;
		case INT8OID:
			return TO_INT8;
		case NUMERICOID:
			return TO_NUMERIC;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return TO_TIMESTAMP;
		case DATEOID:
			return TO_DATE;
		case UUIDOID:
			return TO_UUID;
		case JSONOID:
			return TO_JSON;
		case JSONBOID:
			return TO_JSONB;
		case BYTEAOID:
			return TO_BYTES;
		case NAMEOID:
		case CHAROID:
			return TO_NAME;
		default:
			if (OidIsValid(get_element_type(type)))
				return TO_ARRAY;
			return type_is_rowtype(type) ? TO_RECORD : BY_INPUT;
	}
}

static void
prepare_array(CellConverter *converter)
{
	ArrayTarget *array = &converter->array;

	array->element_type = get_element_type(converter->base_type);
	get_typlenbyvalalign(array->element_type, &array->typlen, &array->typbyval, &array->typalign);
	/* an array's type modifier is that of its elements */
	array->element = cell_converter_create(array->element_type, converter->typmod, converter->context);
	array->nests = !takes_json_array(array->element);
}

/* An array is one value of the type, and of the elements of its array type. */
static bool
takes_json_array(const CellConverter *converter)
{
	switch (converter->conversion)
	{
		case TO_JSON:
		case TO_JSONB:
		case TO_ARRAY:
			return true;
		default:
			return is_extension_type(converter);
	}
}

/* Any cell but null. */
static Datum
convert_value(CellConverter *converter, CellKind kind, const char *text, size_t len)
{
	Datum		result;
	Numeric		numeric_value;
	TimeValue	time;
	pg_uuid_t	uuid;

	/* its elements are cells themselves */
	if (converter->conversion == TO_ARRAY && kind == CELL_JSON && *text == '[')
		return json_to_array(&converter->array, text, len);
	if (converter->conversion == TO_RECORD && kind == CELL_JSON && *text == '{')
		return json_to_composite(&converter->record, text, len);

	if (kind == CELL_TRUE || kind == CELL_FALSE)
	{
		if (converter->conversion == TO_BOOL)
			return BoolGetDatum(kind == CELL_TRUE);
		text = (kind == CELL_TRUE) ? "true" : "false";
		len = strlen(text);
	}
	/* otherwise the reader has checked all that there is to check */
	else if (unlikely(GetDatabaseEncoding() != PG_UTF8))
	{
		text = pg_any_to_server(text, len, PG_UTF8);
		len = strlen(text);
	}

	switch (converter->conversion)
	{
		case TO_TEXT:
			return PointerGetDatum(cstring_to_text_with_len(text, len));
		case TO_INT2:
		case TO_INT4:
		case TO_INT8:
			if (convert_integer(converter, kind, text, len, &result))
				return result;
			break;
		case TO_NUMERIC:
			if (kind != CELL_JSON && parse_decimal(text, len, &numeric_value))
			{
				if (converter->typmod < 0)
					return NumericGetDatum(numeric_value);
				return DirectFunctionCall2(numeric, NumericGetDatum(numeric_value),
										   Int32GetDatum(converter->typmod));
			}
			break;
		case TO_TIMESTAMP:
			if (kind == CELL_STRING && iso_time_parse(text, len, &time))
			{
				if (converter->typmod < 0)
					return TimestampGetDatum(time.microseconds);
				return DirectFunctionCall2(timestamptz_scale, TimestampTzGetDatum(time.microseconds),
										   Int32GetDatum(converter->typmod));
			}
			break;
		case TO_DATE:
			if (kind == CELL_STRING && iso_time_parse(text, len, &time))
				return DateADTGetDatum(time.days);
			break;
		case TO_UUID:
			if (kind == CELL_STRING && parse_uuid(text, len, &uuid))
				return PointerGetDatum(memcpy(palloc(sizeof(uuid)), &uuid, sizeof(uuid)));
			break;
		case TO_JSON:
			return cell_to_json(kind, text, len);
		case TO_BYTES:
			return convert_bytes(converter, kind, text, len);
		case TO_NAME:
			check_name_length(converter, text, len);
			break;
		case TO_ARRAY:
		case TO_RECORD:
		case TO_JSONB:
		case TO_BOOL:
		case BY_INPUT:
			break;
	}

	if (kind == CELL_JSON && !takes_json_text(converter))
		reject(converter, kind, text, len);
	if (kind == CELL_NUMBER && converter->category == TYPCATEGORY_DATETIME)
		reject(converter, kind, text, len);
	if (len > SHOWN_BYTES && converter->category != TYPCATEGORY_STRING)
		return call_shown(converter, kind, text, len);
	return call(converter, kind, text, len);
}

bool
cell_plain_integer(CellKind kind, const char *text, size_t len, int64 *value)
{
	return (kind == CELL_NUMBER || kind == CELL_STRING) && parse_int64(text, len, value);
}

/* False: the input function knows what is wrong. */
static bool
convert_integer(CellConverter *converter, CellKind kind, const char *text, size_t len, Datum *result)
{
	int64		value;

	if (parse_int64(text, len, &value))
	{
		if (converter->conversion == TO_INT8)
			*result = Int64GetDatum(value);
		else if (converter->conversion == TO_INT4 && value >= PG_INT32_MIN && value <= PG_INT32_MAX)
			*result = Int32GetDatum((int32) value);
		else if (converter->conversion == TO_INT2 && value >= PG_INT16_MIN && value <= PG_INT16_MAX)
			*result = Int16GetDatum((int16) value);
		else
			return false;
		return true;
	}
	if (kind == CELL_NUMBER && len <= SHOWN_BYTES && strpbrk(text, ".eE") != NULL)
	{
		*result = convert_whole(converter, text, len);
		return true;
	}
	return false;
}

/* 1.0 and 1e3 are whole, 1.5 is not. */
static Datum
convert_whole(CellConverter *converter, const char *text, size_t len)
{
	Datum		value = NumericGetDatum(number_to_numeric(text, len));

	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, value,
										  DirectFunctionCall2(numeric_trunc, value, Int32GetDatum(0)))))
		reject(converter, CELL_NUMBER, text, len);
	switch (converter->conversion)
	{
		case TO_INT2:
			return DirectFunctionCall1(numeric_int2, value);
		case TO_INT4:
			return DirectFunctionCall1(numeric_int4, value);
		default:
			return DirectFunctionCall1(numeric_int8, value);
	}
}

/* Only a text can be bytes; the type's own input function would take any text for its bytes. */
static Datum
convert_bytes(const CellConverter *converter, CellKind kind, const char *text, size_t len)
{
	bytea	   *result = kind == CELL_STRING ? bytes_from_text(text, len) : NULL;

	if (result == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid base64 for type %s: \"%s\"", format_type_be(converter->base_type),
						cell_shown(text, len))));
	return PointerGetDatum(result);
}

/* What does not fit must not be cut. */
static void
check_name_length(const CellConverter *converter, const char *text, size_t len)
{
	if (len >= (converter->base_type == NAMEOID ? NAMEDATALEN : 2))
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("value too long for type %s: \"%s\"", format_type_be(converter->base_type),
						cell_shown(text, len))));
}

/*
 * Dates and times that are not plain ISO 8601, which no setting of the session
 * may change.  A timestamp without time zone is read as one with it: its own
 * input function would drop the zone of the text, not apply it.
 */
static Datum
convert_time(CellConverter *converter, const char *text, size_t len)
{
	TimeSession saved;
	volatile Datum result = (Datum) 0;

	if (converter->conversion == TO_TIMESTAMP)
		return TimestampTzGetDatum(time_text_to_timestamptz(text, converter->typmod));
	if (converter->conversion == TO_DATE)
		return DateADTGetDatum(time_text_to_date(text));

	time_session_neutral(&saved, pg_tzset("GMT"));
	PG_TRY();
	{
		result = convert_by_input(converter, text, len);
	}
	PG_FINALLY();
	{
		time_session_restore(&saved);
	}
	PG_END_TRY();
	return result;
}

static Datum
convert_by_input(CellConverter *converter, const char *text, size_t len)
{
	return InputFunctionCall(&converter->input, unconstify(char *, text), converter->ioparam, converter->typmod);
}

/* As call; but an error shows just the beginning of the value. */
static Datum
call_shown(CellConverter *converter, CellKind kind, const char *text, size_t len)
{
	MemoryContext context = CurrentMemoryContext;
	volatile Datum result = (Datum) 0;

	PG_TRY();
	{
		result = call(converter, kind, text, len);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		ereport(ERROR,
				(errcode(error->sqlerrcode),
				 errmsg("invalid value for type %s: \"%s\"",
						format_type_be(converter->base_type), cell_shown(text, len))));
	}
	PG_END_TRY();
	return result;
}

/* What has no short cut. */
static Datum
call(CellConverter *converter, CellKind kind, const char *text, size_t len)
{
	if (converter->conversion == TO_JSONB)
		return cell_to_jsonb(kind, text, len);
	if (converter->holds_time)
		return convert_time(converter, text, len);
	return convert_by_input(converter, text, len);
}

/* The text of an object or array is a value of the type. */
static bool
takes_json_text(const CellConverter *converter)
{
	if (converter->conversion == TO_JSONB || converter->category == TYPCATEGORY_STRING)
		return true;
	return is_extension_type(converter);
}

/* A type that an extension brought, with a notation of its own. */
static bool
is_extension_type(const CellConverter *converter)
{
	return converter->category == TYPCATEGORY_USER && converter->base_type >= FirstNormalObjectId;
}

/* Raises the error that a value of this kind does not fit the type. */
static void
reject(const CellConverter *converter, CellKind kind, const char *text, size_t len)
{
	const char *type = format_type_be(converter->base_type);

	if (kind == CELL_JSON)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("%s does not fit type %s: %s",
						*text == '{' ? "a JSON object" : "a JSON array", type, cell_shown(text, len)),
				 errhint("Use a path to a value inside of it, or a column of type jsonb.")));
	if (converter->category == TYPCATEGORY_DATETIME)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("a number does not fit type %s: %s", type, cell_shown(text, len)),
				 errhint("Use a filter that says what the number means, such as from_unix.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"", type, cell_shown(text, len)),
			 errdetail("The number is not whole.")));
}

char *
cell_shown(const char *text, size_t len)
{
	if (len <= SHOWN_BYTES)
		return pnstrdup(text, len);
	return psprintf("%.*s...", pg_mbcliplen(text, Min(len, SHOWN_BYTES * 2), SHOWN_BYTES), text);
}
