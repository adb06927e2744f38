/*
 * byte_buffer.c
 *	  A text that grows, without the bound that a StringInfo has.
 */
#include "postgres.h"

#include "item/byte_buffer.h"
#include "item/json_text.h"
#include "utils/memutils.h"

void
buffer_add(ByteBuffer *buffer, const char *bytes, size_t len)
{
	if (buffer->size - buffer->len < len + 1)
	{
		buffer->size = Max(1024, (buffer->len + len + 1) * 2);
		if (buffer->bytes == NULL)
			buffer->bytes = MemoryContextAllocHuge(buffer->context, buffer->size);
		else
			buffer->bytes = repalloc_huge(buffer->bytes, buffer->size);
	}
	memcpy(buffer->bytes + buffer->len, bytes, len);
	buffer->len += len;
	buffer->bytes[buffer->len] = '\0';
}

void
buffer_add_escaped(ByteBuffer *buffer, const char *bytes, size_t len)
{
	const char *end = bytes + len;

	while (bytes < end)
	{
		bool		nonascii;
		const char *stop = json_plain_end(bytes, end, &nonascii);
		char		escape[8];

		buffer_add(buffer, bytes, stop - bytes);
		if (stop < end)
		{
			if (*stop == '"' || *stop == '\\')
				snprintf(escape, sizeof(escape), "\\%c", *stop);
			else
				snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char) *stop);
			buffer_add(buffer, escape, strlen(escape));
			stop++;
		}
		bytes = stop;
	}
}

void
buffer_reset(ByteBuffer *buffer, size_t keep)
{
	if (buffer->size > keep)
	{
		pfree(buffer->bytes);
		buffer->bytes = NULL;
		buffer->size = 0;
	}
	buffer->len = 0;
}
