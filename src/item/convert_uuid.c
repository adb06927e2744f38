/*
 * convert_uuid.c
 *	  A uuid in the form in which everybody writes it.
 *
 * uuid_in() takes other forms too, and takes half a microsecond: as long as the
 * rest of an item.
 */
#include "postgres.h"

#include "item/convert_parts.h"
#include "utils/uuid.h"

/* The value of a hexadecimal digit plus one; 0 for any other byte. */
static const uint8 hex_values[256] = {
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10,
	['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
	['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16
};

bool
parse_uuid(const char *text, size_t len, pg_uuid_t *result)
{
	const char *p = text;

	if (len != 36)
		return false;
	for (int i = 0; i < UUID_LEN; i++)
	{
		int			high,
					low;

		if (i == 4 || i == 6 || i == 8 || i == 10)
		{
			if (*p++ != '-')
				return false;
		}
		high = hex_values[(unsigned char) *p++];
		low = hex_values[(unsigned char) *p++];
		if (high == 0 || low == 0)
			return false;
		result->data[i] = ((high - 1) << 4) | (low - 1);
	}
	return true;
}
