/*
 * link_header.h
 *	  The Link header of RFC 8288.
 */
#ifndef DATABITE_LINK_HEADER_H
#define DATABITE_LINK_HEADER_H

/*
 * The target of the first link of that relation type in the value of a Link
 * header, as written (absolute or relative), in the current memory context;
 * NULL where there is none.  Links with an "anchor" speak of another resource
 * and are passed over.  What cannot be parsed ends the search.
 */
extern char *link_header_find(const char *value, const char *relation);

#endif
