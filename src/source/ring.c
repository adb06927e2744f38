/*
 * ring.c
 *	  A ring of bytes between the network and the reader.
 */
#include "postgres.h"

#include "source/ring.h"
#include "utils/palloc.h"

void
ring_init(Ring *ring, size_t size, MemoryContext context)
{
	memset(ring, 0, sizeof(*ring));
	ring->bytes = MemoryContextAlloc(context, size);
	ring->size = size;
}

size_t
ring_space(const Ring *ring)
{
	return ring->size - ring->used;
}

void
ring_write(Ring *ring, const char *data, size_t len)
{
	size_t		end = (ring->start + ring->used) % ring->size;
	size_t		first = Min(len, ring->size - end);

	memcpy(ring->bytes + end, data, first);
	memcpy(ring->bytes, data + first, len - first);
	ring->used += len;
}

size_t
ring_hold(Ring *ring, const char **data)
{
	ring->start = (ring->start + ring->held) % ring->size;
	ring->used -= ring->held;

	/* a part only, so that there is space for the network while the reader is busy with it */
	ring->held = Min(Min(ring->used, ring->size - ring->start), ring->size / 4);
	*data = ring->bytes + ring->start;
	return ring->held;
}

bool
ring_has_more(const Ring *ring)
{
	return ring->used > ring->held;
}

void
ring_drop(Ring *ring)
{
	ring->used = ring->held;
}
