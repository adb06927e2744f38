/*
 * request_edit.h
 *	  Puts a position or a page size into the header or body of a request.
 *
 * All of these change the request in place; what they add is allocated in the
 * current memory context.
 */
#ifndef DATABITE_REQUEST_EDIT_H
#define DATABITE_REQUEST_EDIT_H

#include "source/request.h"

struct json_object;

/* Sets a header; one of that name is replaced. */
extern void edit_header(HttpRequest *request, const char *name, const char *value);

/*
 * Sets a member, by dotted path, of the JSON object that is the body
 * (edit_body_is_object says whether it is one).
 * Takes value over; NULL, as json-c's constructors return it, is out of memory.
 */
extern void edit_body(HttpRequest *request, const char *path, struct json_object *value);

/* Is the body a JSON object, or not there yet? */
extern bool edit_body_is_object(const HttpRequest *request);

#endif
