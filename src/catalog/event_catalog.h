/*
 * event_catalog.h
 *	  Table databite.event: what was emitted.
 */
#ifndef DATABITE_EVENT_CATALOG_H
#define DATABITE_EVENT_CATALOG_H

#include "postgres.h"

/* Keeps an event; source NULL: nobody's.  payload: JSON text.  Its id. */
extern int64 event_catalog_add(const char *name, const char *source, const char *payload, Oid emitter);

/* {"id", "name", "source", "timestamp", "payload"}, JSON text; NULL: there is no such event any more. */
extern char *event_catalog_json(int64 id);

#endif
