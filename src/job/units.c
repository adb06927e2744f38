/*
 * units.c
 *	  Times and sizes as people write them.
 */
#include "postgres.h"

#include <math.h>

#include "job/units.h"

/* A quantity has no more digits than this, the point included; what is longer is not a time or size. */
#define MAX_QUANTITY_LEN 18

/* Every integer up to here is a double, so rounding loses nothing. */
#define MAX_QUANTITY 9007199254740992.0

typedef struct Unit
{
	const char *name;
	int64		factor;
} Unit;

/* Smallest first: duration_print goes through it from the end. */
static const Unit duration_units[] = {
	{"ms", 1},
	{"s", 1000},
	{"m", INT64CONST(60) * 1000},
	{"h", INT64CONST(60) * 60 * 1000},
	{"d", INT64CONST(24) * 60 * 60 * 1000}
};

static const Unit size_units[] = {
	{"b", 1},
	{"kb", INT64CONST(1) << 10},
	{"mb", INT64CONST(1) << 20},
	{"gb", INT64CONST(1) << 30},
	{"tb", INT64CONST(1) << 40}
};

static bool quantity_parse(const char *text, const Unit *units, int nunits, bool any_case, int64 *result);
static const char *quantity_end(const char *text);

bool
duration_parse(const char *text, int64 *ms)
{
	return quantity_parse(text, duration_units, lengthof(duration_units), false, ms);
}

bool
size_parse(const char *text, int64 *bytes)
{
	return quantity_parse(text, size_units, lengthof(size_units), true, bytes);
}

char *
duration_print(int64 ms)
{
	int			i = lengthof(duration_units) - 1;

	while (i > 0 && (ms == 0 || ms % duration_units[i].factor != 0))
		i--;
	return psprintf(INT64_FORMAT "%s", ms / duration_units[i].factor, duration_units[i].name);
}

/* A decimal number, spaces or none, and a unit or none, which is the first of units. */
static bool
quantity_parse(const char *text, const Unit *units, int nunits, bool any_case, int64 *result)
{
	const char *end = quantity_end(text);
	char		number[MAX_QUANTITY_LEN + 1];
	double		quantity;

	if (end == NULL)
		return false;
	memcpy(number, text, end - text);
	number[end - text] = '\0';
	while (*end == ' ')
		end++;

	for (int i = 0; i < nunits; i++)
	{
		bool		matches = any_case ? pg_strcasecmp(end, units[i].name) == 0
			: strcmp(end, units[i].name) == 0;

		if (!matches && !(i == 0 && *end == '\0'))
			continue;

		quantity = rint(strtod(number, NULL) * units[i].factor);
		if (quantity > MAX_QUANTITY)
			return false;
		*result = (int64) quantity;
		return true;
	}
	return false;
}

/* Where the decimal number at the start of text ends, or NULL where there is none. */
static const char *
quantity_end(const char *text)
{
	const char *end = text + strspn(text, "0123456789");

	if (end > text && *end == '.')
	{
		size_t		decimals = strspn(end + 1, "0123456789");

		if (decimals == 0)
			return NULL;
		end += 1 + decimals;
	}
	return end > text && end - text <= MAX_QUANTITY_LEN ? end : NULL;
}
