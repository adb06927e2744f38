/*
 * list_finder.h
 *	  Which value of a response is the list of items.
 *
 * The reader walks over the document and tells the finder what it meets; the
 * finder says what to do with it.  It sees the first byte of a value, the names of
 * members and the ends of containers, never the bytes in between.
 *
 * A data path names the list; with an [*] or .* in it, it names the items: each
 * element of the list, or member of the object, at the last of those, and in it
 * the value to which the steps after that lead.
 */
#ifndef DATABITE_LIST_FINDER_H
#define DATABITE_LIST_FINDER_H

#include "postgres.h"

#include "job/path.h"

typedef struct ListFinder ListFinder;

typedef enum FinderAction
{
	FINDER_SKIP,				/* walk over the value */
	FINDER_ENTER,				/* go into the object or array */
	FINDER_LIST,				/* the array, or the object of finder_has_members, is the list */
	FINDER_FAIL					/* it cannot be right: see finder_problem */
} FinderAction;

extern ListFinder *finder_create(const JsonPath *data_path, MemoryContext context);

/* The list is an object, whose members are its elements. */
extern bool finder_has_members(const ListFinder *finder);

/* From an element of the list to the item proper. */
extern int	finder_item_steps(const ListFinder *finder, const JsonPathStep **steps);

/* Longest member name that matters. */
extern int	finder_longest_name(const ListFinder *finder);

extern void finder_begin(ListFinder *finder);

/* A member or element begins in the innermost container that was entered; false: see finder_problem. */
extern bool finder_member(ListFinder *finder, const char *name, size_t len);
extern void finder_element(ListFinder *finder);

/* The value of that member or element, or the root, begins with this byte. */
extern FinderAction finder_value(ListFinder *finder, char first);

/* The innermost container that was entered has ended. */
extern void finder_leave(ListFinder *finder);

/* Containers that are entered, and whether the innermost is an object. */
extern int	finder_depth(const ListFinder *finder);
extern bool finder_in_object(const ListFinder *finder);

/* The same of the container that is entered at that depth, from 1 on. */
extern bool finder_is_object_at(const ListFinder *finder, int depth);

/* The document has ended: false if it has no list. */
extern bool finder_finish(ListFinder *finder);

extern const char *finder_problem(const ListFinder *finder, const char **hint);

/* Where the list is; NULL before it was found. */
extern const char *finder_list_path(const ListFinder *finder);

#endif
