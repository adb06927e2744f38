/*
 * projector.h
 *	  One item that lies in memory in one piece to its cells, in one pass.
 */
#ifndef DATABITE_PROJECTOR_H
#define DATABITE_PROJECTOR_H

#include "item/item_reader.h"
#include "item/json_text.h"
#include "item/trie.h"

typedef struct Projector Projector;

/*
 * Lives in context.  prefix: the way from the value that is read to the item
 * proper (see trie_create).
 */
extern Projector *projector_create(const JsonPathStep *prefix, int nprefix,
								   const JsonPath *const *paths, int npaths,
								   int max_depth, MemoryContext context);

typedef struct Projection
{
	JsonUnstorable unstorable;	/* what of the item cannot be stored */
	bool		missing;		/* the value has no item proper */
	bool		object;			/* that is an object */
} Projection;

/*
 * Reads the value at p and writes the leaves to cells (one for each path), their text to the
 * batch's arena.  Returns the position after the value, or NULL where the text
 * ends too early, is wrong or nested too deep; cells and arena are then to be
 * taken back.  A number needs a byte after it.
 */
extern const char *projector_run(Projector *projector, const char *p, const char *end,
								 ItemBatch *batch, Cell *cells, Projection *result);

/* Reads the value at p in the same way, but only walks over it. */
extern const char *projector_skip(Projector *projector, const char *p, const char *end, Projection *result);

#endif
