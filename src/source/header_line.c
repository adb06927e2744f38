/*
 * header_line.c
 *	  What a line of a response's header says of the response itself.
 */
#include "postgres.h"

#include "source/header_line.h"

static bool length_is_malformed(const char *line, size_t len);
static bool transfer_coding_is_unwanted(const char *line, size_t len);

int
header_line_status(const char *line, size_t len)
{
	int			status = 0;
	size_t		i = 0;

	while (i < len && line[i] != ' ')
		i++;
	for (i++; i < len && isdigit((unsigned char) line[i]) && status < 1000; i++)
		status = status * 10 + (line[i] - '0');
	return status;
}

bool
header_line_misframes(const char *line, size_t len)
{
	return length_is_malformed(line, len) || transfer_coding_is_unwanted(line, len);
}

/*
 * Is this a Content-Length that is no number (RFC 9110 section 8.6), or one that
 * no file has?  libcurl would read until the connection ends then, and could not
 * tell that a body was cut short.
 */
static bool
length_is_malformed(const char *line, size_t len)
{
	static const char name[] = "Content-Length:";
	size_t		at = sizeof(name) - 1;
	size_t		digits;

	if (len < at || pg_strncasecmp(line, name, at) != 0)
		return false;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	for (digits = 0; at + digits < len && isdigit((unsigned char) line[at + digits]); digits++)
		;
	return digits == 0 || digits > 18 || at + digits < len;
}

/*
 * Is this a Transfer-Encoding other than chunked?  A server must not compress
 * there what has not asked for it (RFC 9112 section 7.4), and libcurl would decode it in its own way.
 */
static bool
transfer_coding_is_unwanted(const char *line, size_t len)
{
	static const char name[] = "Transfer-Encoding:";
	size_t		at = sizeof(name) - 1;

	if (len < at || pg_strncasecmp(line, name, at) != 0)
		return false;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		at++;
	return !(len - at == strlen("chunked") && pg_strncasecmp(line + at, "chunked", len - at) == 0) &&
		!(len - at == strlen("identity") && pg_strncasecmp(line + at, "identity", len - at) == 0);
}
