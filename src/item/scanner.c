/*
 * scanner.c
 *	  The grammar of one JSON value, checked byte by byte, resumable anywhere.
 *
 * A state machine over bytes with a bit for each open container.  A Scanner is plain
 * memory of its owner: scanner_begin makes it ready for the next value, whatever
 * became of the last one.
 */
#include "postgres.h"

#include "item/scanner.h"

typedef enum ScanState
{
	AT_VALUE,
	AT_ELEMENT_OR_END,			/* after [ */
	AT_KEY_OR_END,				/* after { */
	AT_KEY,						/* after a comma in an object */
	AT_COLON,
	AFTER_VALUE,				/* inside a container */
	IN_LITERAL,
	IN_STRING,
	IN_CHARACTER,				/* of several bytes */
	IN_ESCAPE,					/* after the backslash */
	IN_UNICODE_ESCAPE,
	AFTER_MINUS,
	AFTER_ZERO,
	IN_INTEGER,
	AFTER_POINT,
	IN_FRACTION,
	AFTER_EXPONENT,				/* after e */
	AFTER_EXPONENT_SIGN,
	IN_EXPONENT,
	ENDED
} ScanState;

static const char *scan_string(Scanner *scanner, const char *p, const char *end);
static bool scan_structure(Scanner *scanner, char c);
static bool scan_number(Scanner *scanner, char c, bool *taken);
static bool scan_escape(Scanner *scanner, char c);
static bool scan_unicode_digit(Scanner *scanner, char c);
static bool begin_value(Scanner *scanner, char c);
static bool begin_character(Scanner *scanner, unsigned char c);
static bool open_container(Scanner *scanner, bool is_object);
static void end_value(Scanner *scanner);
static void end_string(Scanner *scanner);
static bool in_object(const Scanner *scanner);
static bool fail(Scanner *scanner, const char *expected);
static void note_unstorable(Scanner *scanner, JsonUnstorable what);

void
scanner_begin(Scanner *scanner, int max_depth)
{
	scanner->state = AT_VALUE;
	scanner->max_depth = Min(max_depth, SCANNER_MAX_DEPTH);
	scanner->depth = 0;
	scanner->deepest = 0;
	scanner->unstorable = JSON_STORABLE;
	scanner->expected = NULL;
	scanner->too_deep = false;
	scanner->in_key = false;
	scanner->high_surrogate = false;
}

ScanStatus
scanner_push(Scanner *scanner, const char **position, const char *end)
{
	const char *p = *position;
	bool		right = true;

	while (right && p < end && scanner->state != ENDED)
	{
		bool		taken = true;

		switch ((ScanState) scanner->state)
		{
			case AT_VALUE:
			case AT_ELEMENT_OR_END:
			case AT_KEY_OR_END:
			case AT_KEY:
			case AT_COLON:
			case AFTER_VALUE:
				if (!json_is_space(*p))
					right = scan_structure(scanner, *p);
				break;
			case IN_LITERAL:
				if (*p != *scanner->literal)
					right = fail(scanner, "true, false or null");
				else if (*++scanner->literal == '\0')
					end_value(scanner);
				break;
			case IN_STRING:
			case IN_CHARACTER:
			case IN_ESCAPE:
			case IN_UNICODE_ESCAPE:
				p = scan_string(scanner, p, end);
				right = (scanner->expected == NULL);
				taken = false;
				break;
			case AFTER_MINUS:
			case AFTER_ZERO:
			case IN_INTEGER:
			case AFTER_POINT:
			case IN_FRACTION:
			case AFTER_EXPONENT:
			case AFTER_EXPONENT_SIGN:
			case IN_EXPONENT:
				right = scan_number(scanner, *p, &taken);
				break;
			case ENDED:
				break;
		}
		if (right && taken)
			p++;
	}
	*position = p;
	if (!right)
		return SCAN_ERROR;
	return scanner->state == ENDED ? SCAN_DONE : SCAN_MORE;
}

bool
scanner_end(const Scanner *scanner)
{
	if (scanner->depth > 0)
		return false;
	return scanner->state == ENDED || scanner->state == AFTER_ZERO || scanner->state == IN_INTEGER ||
		scanner->state == IN_FRACTION || scanner->state == IN_EXPONENT;
}

/*
 * Takes bytes inside of a string up to its end; returns the position after
 * them.  Where one is wrong, that is the position, and expected is set.
 */
static const char *
scan_string(Scanner *scanner, const char *p, const char *end)
{
	while (p < end)
	{
		unsigned char c = (unsigned char) *p;

		if (scanner->state == IN_ESCAPE)
		{
			if (!scan_escape(scanner, *p))
				return p;
		}
		else if (scanner->state == IN_UNICODE_ESCAPE)
		{
			if (!scan_unicode_digit(scanner, *p))
				return p;
		}
		else if (scanner->state == IN_CHARACTER)
		{
			if (c < scanner->utf8_low || c > scanner->utf8_high)
			{
				fail(scanner, "valid UTF-8");
				return p;
			}
			scanner->utf8_low = 0x80;
			scanner->utf8_high = 0xBF;
			if (--scanner->utf8_more == 0)
				scanner->state = IN_STRING;
		}
		else if (c == '\\')
			scanner->state = IN_ESCAPE;
		else
		{
			if (scanner->high_surrogate)
			{
				note_unstorable(scanner, JSON_LONE_SURROGATE);
				scanner->high_surrogate = false;
			}
			if (c == '"')
			{
				end_string(scanner);
				return p + 1;
			}
			if (c < 0x20)
			{
				fail(scanner, "an escape for the control character");
				return p;
			}
			if (c >= 0x80 && !begin_character(scanner, c))
				return p;
			if (c < 0x80)
			{
				while (p + 1 < end && p[1] >= 0x20 && (signed char) p[1] > 0 && p[1] != '"' && p[1] != '\\')
					p++;
			}
		}
		p++;
	}
	return p;
}

/* A byte between values that is not white space. */
static bool
scan_structure(Scanner *scanner, char c)
{
	switch ((ScanState) scanner->state)
	{
		case AT_ELEMENT_OR_END:
			if (c == ']')
			{
				scanner->depth--;
				end_value(scanner);
				return true;
			}
			return begin_value(scanner, c);
		case AT_KEY_OR_END:
			if (c == '}')
			{
				scanner->depth--;
				end_value(scanner);
				return true;
			}
			if (c != '"')
				return fail(scanner, "a string or \"}\"");
			scanner->in_key = true;
			scanner->state = IN_STRING;
			return true;
		case AT_KEY:
			if (c != '"')
				return fail(scanner, "a string");
			scanner->in_key = true;
			scanner->state = IN_STRING;
			return true;
		case AT_COLON:
			if (c != ':')
				return fail(scanner, "\":\"");
			scanner->state = AT_VALUE;
			return true;
		case AFTER_VALUE:
			if (c == ',')
			{
				scanner->state = in_object(scanner) ? AT_KEY : AT_VALUE;
				return true;
			}
			if (c != (in_object(scanner) ? '}' : ']'))
				return fail(scanner, in_object(scanner) ? "\",\" or \"}\"" : "\",\" or \"]\"");
			scanner->depth--;
			end_value(scanner);
			return true;
		default:
			return begin_value(scanner, c);
	}
}

/* A byte inside of a number, or the one after it: that is not taken. */
static bool
scan_number(Scanner *scanner, char c, bool *taken)
{
	bool		digit = (c >= '0' && c <= '9');

	switch ((ScanState) scanner->state)
	{
		case AFTER_MINUS:
			if (!digit)
				return fail(scanner, "a digit");
			scanner->state = (c == '0') ? AFTER_ZERO : IN_INTEGER;
			return true;
		case IN_INTEGER:
		case AFTER_ZERO:
			if (digit && scanner->state == IN_INTEGER)
				return true;
			if (c == '.')
			{
				scanner->state = AFTER_POINT;
				return true;
			}
			break;
		case AFTER_POINT:
			if (!digit)
				return fail(scanner, "a digit");
			scanner->state = IN_FRACTION;
			return true;
		case IN_FRACTION:
			if (digit)
				return true;
			break;
		case AFTER_EXPONENT:
		case AFTER_EXPONENT_SIGN:
			if (scanner->state == AFTER_EXPONENT && (c == '+' || c == '-'))
			{
				scanner->state = AFTER_EXPONENT_SIGN;
				return true;
			}
			if (!digit)
				return fail(scanner, "a digit");
			scanner->state = IN_EXPONENT;
			return true;
		default:
			if (digit)
				return true;
			*taken = false;
			end_value(scanner);
			return true;
	}
	if (c == 'e' || c == 'E')
	{
		scanner->state = AFTER_EXPONENT;
		return true;
	}
	*taken = false;
	end_value(scanner);
	return true;
}

/* The byte after a backslash. */
static bool
scan_escape(Scanner *scanner, char c)
{
	if (c == 'u')
	{
		scanner->state = IN_UNICODE_ESCAPE;
		scanner->escape = 0;
		scanner->code = 0;
		return true;
	}
	if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL)
		return fail(scanner, "a valid escape");
	if (scanner->high_surrogate)
	{
		note_unstorable(scanner, JSON_LONE_SURROGATE);
		scanner->high_surrogate = false;
	}
	scanner->state = IN_STRING;
	return true;
}

static bool
scan_unicode_digit(Scanner *scanner, char c)
{
	uint32		digit;
	bool		is_low;

	if (c >= '0' && c <= '9')
		digit = c - '0';
	else if (c >= 'a' && c <= 'f')
		digit = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		digit = c - 'A' + 10;
	else
		return fail(scanner, "a hexadecimal digit");
	scanner->code = scanner->code * 16 + digit;
	if (++scanner->escape < 4)
		return true;

	scanner->state = IN_STRING;
	is_low = (scanner->code >= 0xDC00 && scanner->code <= 0xDFFF);
	if (scanner->high_surrogate != is_low)
		note_unstorable(scanner, JSON_LONE_SURROGATE);
	if (scanner->code == 0)
		note_unstorable(scanner, JSON_NUL_ESCAPE);
	scanner->high_surrogate = (scanner->code >= 0xD800 && scanner->code <= 0xDBFF);
	return true;
}

/* The first byte of a value. */
static bool
begin_value(Scanner *scanner, char c)
{
	switch (c)
	{
		case '{':
			return open_container(scanner, true);
		case '[':
			return open_container(scanner, false);
		case '"':
			scanner->in_key = false;
			scanner->state = IN_STRING;
			return true;
		case 't':
			scanner->literal = "rue";
			scanner->state = IN_LITERAL;
			return true;
		case 'f':
			scanner->literal = "alse";
			scanner->state = IN_LITERAL;
			return true;
		case 'n':
			scanner->literal = "ull";
			scanner->state = IN_LITERAL;
			return true;
		case '-':
			scanner->state = AFTER_MINUS;
			return true;
		case '0':
			scanner->state = AFTER_ZERO;
			return true;
		default:
			if (c < '1' || c > '9')
				return fail(scanner, "a value");
			scanner->state = IN_INTEGER;
			return true;
	}
}

/* The first byte, above 127, of a character. */
static bool
begin_character(Scanner *scanner, unsigned char c)
{
	scanner->utf8_low = 0x80;
	scanner->utf8_high = 0xBF;
	if (c >= 0xC2 && c <= 0xDF)
		scanner->utf8_more = 1;
	else if (c >= 0xE0 && c <= 0xEF)
	{
		scanner->utf8_more = 2;
		if (c == 0xE0)
			scanner->utf8_low = 0xA0;	/* overlong below */
		else if (c == 0xED)
			scanner->utf8_high = 0x9F;	/* surrogates above */
	}
	else if (c >= 0xF0 && c <= 0xF4)
	{
		scanner->utf8_more = 3;
		if (c == 0xF0)
			scanner->utf8_low = 0x90;	/* overlong below */
		else if (c == 0xF4)
			scanner->utf8_high = 0x8F;	/* above U+10FFFF */
	}
	else
		return fail(scanner, "valid UTF-8");
	scanner->state = IN_CHARACTER;
	return true;
}

static bool
open_container(Scanner *scanner, bool is_object)
{
	uint64		bit;

	if (scanner->depth >= scanner->max_depth)
	{
		scanner->too_deep = true;
		return fail(scanner, "less nesting");
	}
	bit = UINT64CONST(1) << (scanner->depth % 64);
	if (is_object)
		scanner->objects[scanner->depth / 64] |= bit;
	else
		scanner->objects[scanner->depth / 64] &= ~bit;
	scanner->depth++;
	scanner->deepest = Max(scanner->deepest, scanner->depth);
	scanner->state = is_object ? AT_KEY_OR_END : AT_ELEMENT_OR_END;
	return true;
}

static void
end_value(Scanner *scanner)
{
	scanner->state = (scanner->depth == 0) ? ENDED : AFTER_VALUE;
}

static void
end_string(Scanner *scanner)
{
	if (scanner->in_key)
		scanner->state = AT_COLON;
	else
		end_value(scanner);
}

/* The innermost open container is an object. */
static bool
in_object(const Scanner *scanner)
{
	int			level = scanner->depth - 1;

	return (scanner->objects[level / 64] >> (level % 64)) & 1;
}

static bool
fail(Scanner *scanner, const char *expected)
{
	scanner->expected = expected;
	return false;
}

static void
note_unstorable(Scanner *scanner, JsonUnstorable what)
{
	if (scanner->unstorable == JSON_STORABLE)
		scanner->unstorable = what;
}
