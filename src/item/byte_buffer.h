/*
 * byte_buffer.h
 *	  A text that grows, without the bound that a StringInfo has.
 */
#ifndef DATABITE_BYTE_BUFFER_H
#define DATABITE_BYTE_BUFFER_H

#include "postgres.h"

/* Empty when zeroed, but for the context. */
typedef struct ByteBuffer
{
	MemoryContext context;
	char	   *bytes;
	size_t		len;
	size_t		size;
} ByteBuffer;

/* Adds bytes, and a NUL that is not counted. */
extern void buffer_add(ByteBuffer *buffer, const char *bytes, size_t len);

/* Adds the inside of a JSON string that stands for the bytes. */
extern void buffer_add_escaped(ByteBuffer *buffer, const char *bytes, size_t len);

/* Empties the buffer, and gives its memory back where that is more than keep bytes. */
extern void buffer_reset(ByteBuffer *buffer, size_t keep);

#endif
