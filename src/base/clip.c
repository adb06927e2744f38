/*
 * clip.c
 *	  The beginning of a text, for a message.
 */
#include "postgres.h"

#include "base/clip.h"
#include "mb/pg_wchar.h"

char *
text_clip(const char *text, int max)
{
	size_t		len = strlen(text);

	if (len <= max)
		return pstrdup(text);
	return psprintf("%.*s...", pg_mbcliplen(text, Min(len, (size_t) max + MAX_MULTIBYTE_CHAR_LEN), max), text);
}
