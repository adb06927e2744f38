/*
 * ring.h
 *	  A ring of bytes between the network and the reader.
 *
 * Of the bytes in the ring, a first stretch may be held by the reader: they
 * stay where they are until the next ring_hold, whatever is written or dropped
 * meanwhile.
 */
#ifndef DATABITE_RING_H
#define DATABITE_RING_H

typedef struct Ring
{
	char	   *bytes;
	size_t		size;
	size_t		start;			/* first byte */
	size_t		used;			/* bytes, those held included */
	size_t		held;
} Ring;

extern void ring_init(Ring *ring, size_t size, MemoryContext context);

extern size_t ring_space(const Ring *ring);

/* Adds bytes; there must be space.  Raises no error. */
extern void ring_write(Ring *ring, const char *data, size_t len);

/* Gives up what was held and holds the next stretch; its length, 0 when there is none. */
extern size_t ring_hold(Ring *ring, const char **data);

/* Are there bytes behind those that are held? */
extern bool ring_has_more(const Ring *ring);

/* Drops all but what is held. */
extern void ring_drop(Ring *ring);

#endif
