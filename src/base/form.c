/*
 * form.c
 *	  Bodies of type application/x-www-form-urlencoded.
 */
#include "postgres.h"

#include "base/bytes.h"
#include "base/form.h"

static FormField *parse_field(const char *text, size_t len);
static char *decode(const char *text, size_t len);

List *
form_parse(const char *body, size_t len)
{
	const char *end = body + len;
	List	   *fields = NIL;

	while (body < end)
	{
		const char *amp = memchr(body, '&', end - body);
		const char *stop = amp != NULL ? amp : end;

		if (stop > body)
			fields = lappend(fields, parse_field(body, stop - body));
		body = stop + 1;
	}
	return fields;
}

static FormField *
parse_field(const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	size_t		name_len = equals != NULL ? (size_t) (equals - text) : len;
	FormField  *field = palloc(sizeof(FormField));

	field->name = decode(text, name_len);
	field->value = equals != NULL ? decode(equals + 1, len - name_len - 1) : pstrdup("");
	return field;
}

static char *
decode(const char *text, size_t len)
{
	char	   *result = palloc(len + 1);
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
	{
		if (text[i] == '+')
			result[n++] = ' ';
		else if (text[i] == '%' && i + 2 < len && bytes_hex_digit(text[i + 1]) >= 0 && bytes_hex_digit(text[i + 2]) >= 0)
		{
			result[n++] = (char) (bytes_hex_digit(text[i + 1]) << 4 | bytes_hex_digit(text[i + 2]));
			i += 2;
		}
		else
			result[n++] = text[i];
	}
	result[n] = '\0';
	return result;
}
