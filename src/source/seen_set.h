/*
 * seen_set.h
 *	  Which cursors and URLs have been seen, at 16 bytes each.
 */
#ifndef DATABITE_SEEN_SET_H
#define DATABITE_SEEN_SET_H

typedef struct SeenSet SeenSet;

extern SeenSet *seen_set_create(MemoryContext context);

/* Adds a text; true where it was there already. */
extern bool seen_set_add(SeenSet *set, const char *text);

/* Forgets all. */
extern void seen_set_clear(SeenSet *set);

#endif
