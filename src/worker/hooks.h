/*
 * hooks.h
 *	  Gets databite's workers out of the way of DDL on databases and on the extension.
 */
#ifndef DATABITE_HOOKS_H
#define DATABITE_HOOKS_H

/* From _PG_init while shared_preload_libraries is processed. */
extern void hooks_init(void);

#endif
