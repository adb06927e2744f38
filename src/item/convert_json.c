/*
 * convert_json.c
 *	  Cells to json and jsonb.
 *
 * A string becomes a JSON string and a number keeps its digits; the text of an
 * object or array is known to be right.
 */
#include "postgres.h"

#include "item/convert_parts.h"
#include "item/json_text.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

static CellKind value_kind(char first);

Datum
cell_to_json(CellKind kind, const char *text, size_t len)
{
	StringInfoData quoted;

	switch (kind)
	{
		case CELL_TRUE:
			return CStringGetTextDatum("true");
		case CELL_FALSE:
			return CStringGetTextDatum("false");
		case CELL_STRING:
			initStringInfo(&quoted);
			escape_json(&quoted, text);
			return PointerGetDatum(cstring_to_text_with_len(quoted.data, quoted.len));
		default:
			return PointerGetDatum(cstring_to_text_with_len(text, len));
	}
}

Datum
cell_to_jsonb(CellKind kind, const char *text, size_t len)
{
	JsonbValue	value;

	switch (kind)
	{
		case CELL_TRUE:
		case CELL_FALSE:
			value.type = jbvBool;
			value.val.boolean = (kind == CELL_TRUE);
			break;
		case CELL_NUMBER:
			value.type = jbvNumeric;
			value.val.numeric = number_to_numeric(text, len);
			break;
		case CELL_STRING:
			value.type = jbvString;
			value.val.string.val = unconstify(char *, text);
			value.val.string.len = len;
			break;
		default:
			return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
	}
	return JsonbPGetDatum(JsonbValueToJsonb(&value));
}

Datum
json_convert(CellConverter *converter, const char *text, size_t len, bool *isnull)
{
	CellKind	kind = value_kind(*text);
	char	   *copy = MemoryContextAllocHuge(CurrentMemoryContext, len + 1);
	Datum		result;

	if (kind == CELL_STRING)
		len = json_unescape(text + 1, len - 2, copy);
	else
		memcpy(copy, text, len);
	copy[len] = '\0';
	result = cell_convert(converter, kind, copy, len, isnull);
	pfree(copy);
	return result;
}

char *
cell_json_text(const ItemBatch *batch, const Cell *cell)
{
	StringInfoData quoted;

	switch ((CellKind) cell->kind)
	{
		case CELL_MISSING:
			return NULL;
		case CELL_NULL:
			return pstrdup("null");
		case CELL_FALSE:
			return pstrdup("false");
		case CELL_TRUE:
			return pstrdup("true");
		case CELL_STRING:
			initStringInfo(&quoted);
			escape_json(&quoted, batch->arena + cell->offset);
			return quoted.data;
		case CELL_NUMBER:
		case CELL_JSON:
			return pnstrdup(batch->arena + cell->offset, cell->length);
	}
	return NULL;
}

/* What begins with the byte. */
static CellKind
value_kind(char first)
{
	switch (first)
	{
		case '"':
			return CELL_STRING;
		case '{':
		case '[':
			return CELL_JSON;
		case 't':
			return CELL_TRUE;
		case 'f':
			return CELL_FALSE;
		case 'n':
			return CELL_NULL;
		default:
			return CELL_NUMBER;
	}
}
